"""The staff pages of invoices, charges, credits, credit notes, sellers, number series and the ledger."""

from accounts.admin.customers import PROFILE_CHECKS
from invoices.admin import charges, credit_notes, credits, deliveries, invoices, ledger, numbers_and_accounts, sellers  # noqa: A004  not the shell's credits()
from invoices.operations.sending import lacking

PROFILE_CHECKS.append(lambda profile: [fault.text for fault in lacking(profile)])

__all__ = ["charges", "credit_notes", "credits", "deliveries", "invoices", "ledger", "numbers_and_accounts", "sellers"]
