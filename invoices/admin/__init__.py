"""The staff pages of invoices, charges, credits, credit notes, sellers, number series and the ledger."""

from invoices.admin import charges, credit_notes, credits, deliveries, invoices, ledger, numbers_and_accounts, sellers  # noqa: A004  not the shell's credits()

__all__ = ["charges", "credit_notes", "credits", "deliveries", "invoices", "ledger", "numbers_and_accounts", "sellers"]
