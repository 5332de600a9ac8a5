"""Booking: how facts become transfers. Called inside the transaction that writes the fact, and on rows it has locked.

    book(
        transfer(
            Kind.PAYMENT, amount, debit="clearing:sandbox", credit=RECEIVABLE, key=f"payment:{payment.pk}/{invoice.pk}",
            profile_id=invoice.profile_id, invoice_id=invoice.pk, reference=payment.reference, at=at,
        )
    )

The day of a transfer is the seller's, on which it was booked, whatever day the fact is about: a month that has ended
gets no further line.
"""

from datetime import datetime
from decimal import Decimal

from billing_portal.core.time_zones import seller_day
from invoices.bulk import new_row
from invoices.models import Transfer
from invoices.money import Money

RECEIVABLE, CUSTOMER_CREDIT = "receivable", "customer_credit"
REVENUE, GOODWILL, BANK = "revenue", "goodwill", "bank"
# What providers keep of what they pay out.
FEES = "fees"
# What was paid before the invoice came into this portal; money that went and fits nothing yet; and what of it is lost.
OPENING, UNMATCHED, WRITE_OFF = "opening", "unmatched", "write_off"


def tax_account(category: str, rate: Decimal) -> str:
    """Where the tax of a category and rate goes: ``tax:S:21``."""
    return f"tax:{category}:{rate.normalize():f}"


def transfer(
    kind: Transfer.Kind,
    amount: Money,
    *,
    debit: str,
    credit: str,
    key: str,
    profile_id: int | None,
    at: datetime,
    invoice_id: int | None = None,
    lot_id: int | None = None,
    reference: str = "",
) -> Transfer:
    """A transfer, not yet stored. A negative amount goes the other way; one of zero is none, and `book` leaves it
    out."""
    if amount.minor < 0:
        amount, debit, credit = -amount, credit, debit
    return new_row(
        Transfer, kind=kind.value, debit=debit, credit=credit, amount_minor=amount.minor, currency=amount.currency,
        key=key, profile_id=profile_id, invoice_id=invoice_id, lot_id=lot_id, reference=reference[:200],
        booked_on=seller_day(at), booked_at=at,
    )  # fmt: skip


def book(*transfers: Transfer) -> None:
    """Stores transfers, in one statement. Raises IntegrityError for a fact that is booked already."""
    rows = [row for row in transfers if row.amount_minor]
    if len(rows) == 1:
        rows[0].save(force_insert=True)  # half the price of a list of one
    elif rows:
        Transfer.objects.bulk_create(rows)
