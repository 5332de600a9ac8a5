"""Money on invoices and credits without a payment behind it, for tests of what invoices do with it."""

from datetime import datetime
from uuid import uuid4

from invoices.ledger import BANK
from invoices.models import Credit, Invoice, Transfer
from invoices.money import Money
from invoices.operations import credits as of_credits
from invoices.operations import invoice_payments


def apply_payment(invoice: Invoice, amount: Money, *, at: datetime, paid_with: str, ends_attempt: bool) -> Money:
    return invoice_payments.apply_payment(
        invoice, amount, at=at, paid_with=paid_with, ends_attempt=ends_attempt, account=BANK, key=f"test:{uuid4()}",
        reference="",
    )  # fmt: skip


def take_back_payment(invoice: Invoice, amount: Money, *, at: datetime, by_bank: bool = False) -> None:
    invoice_payments.take_back_payment(
        invoice, amount, by_bank=by_bank, account=BANK, key=f"test:{uuid4()}", reference="", at=at
    )


def change_credit(credit: Credit, amount: Money, *, at: datetime) -> None:
    of_credits.change_credit(
        credit, amount, account=BANK, booked_as=Transfer.Kind.REFUND, key=f"test:{uuid4()}", note="", at=at
    )
