"""The ledger of credits: each change of a lot and the entry that says why, written together or not at all.

What is left of a lot is the sum of its entries; `check_books` compares the two. Everything that gives or takes goes
through here. Lots are locked after invoices and payments, and several of them in one fixed order.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db.models import F

from accounts.models import BillingProfile, User
from invoices.models import Credit, CreditEntry, Invoice
from invoices.money import Money


class Movement(NamedTuple):
    """An amount that a lot gains (positive) or loses (negative), and for which invoice."""

    credit: Credit
    kind: CreditEntry.Kind
    minor: int
    invoice: Invoice | None = None
    note: str = ""


def add_credit(
    *,
    profile: BillingProfile,
    amount: Money,
    source: Credit.Source,
    description: str,
    at: datetime,
    actor: User | None = None,
    starts_on: date | None = None,
    expires_on: date | None = None,
) -> Credit:
    """Makes a lot and its first entry. Returns the lot."""
    credit = Credit.objects.create(
        profile=profile,
        source=source,
        currency=amount.currency,
        amount_minor=amount.minor,
        remaining_minor=amount.minor,
        description=description[:200],
        starts_on=starts_on,
        expires_on=expires_on,
        created_at=at,
        created_by=actor,
    )
    CreditEntry.objects.create(
        credit=credit, kind=CreditEntry.Kind.GRANTED, amount_minor=amount.minor, at=at, actor=actor
    )
    return credit


def move(movements: Sequence[Movement], *, at: datetime, actor: User | None = None) -> None:
    """Writes movements of locked lots: their entries, and what is left of each lot. Two statements for any number.

    The database adds up for itself and refuses less than nothing and more than the lot ever held, so a caller that
    forgot the lock fails instead of spending a lot twice.
    """
    CreditEntry.objects.bulk_create(
        CreditEntry(
            credit=movement.credit,
            kind=movement.kind,
            amount_minor=movement.minor,
            invoice=movement.invoice,
            at=at,
            actor=actor,
            note=movement.note[:200],
        )
        for movement in movements
    )
    changes: dict[int, int] = {}
    for movement in movements:
        changes[movement.credit.pk] = changes.get(movement.credit.pk, 0) + movement.minor
    Credit.objects.bulk_update(
        [Credit(pk=pk, remaining_minor=F("remaining_minor") + minor) for pk, minor in changes.items()],
        ["remaining_minor"],
    )
    for credit in {movement.credit.pk: movement.credit for movement in movements}.values():
        credit.remaining_minor += changes[credit.pk]


def book_credit(profile: BillingProfile, amount: Money, *, description: str, at: datetime) -> Credit:
    """Keeps money that was received and fits on no invoice as a credit of the profile."""
    source = Credit.Source.OVERPAYMENT
    return add_credit(profile=profile, amount=amount, source=source, description=description, at=at)


def change_credit(credit: Credit, amount: Money, *, at: datetime, note: str = "") -> None:
    """Money of a locked lot goes back to where it came from (negative), or came back after all. Entries of money carry
    no name: who paid it back stands with the refund."""
    kind = CreditEntry.Kind.GIVEN_BACK if amount.minor > 0 else CreditEntry.Kind.TAKEN_BACK
    move([Movement(credit, kind, amount.minor, note=note)], at=at)
