"""The statement of account of a billing profile: what it owed, what was billed and paid since, what it owes.

Read from the ledger alone: one line for each fact that changed what is due, on the day on which it was booked where the
seller is. A payment that arrived on the 29th and was recorded on the 2nd stands on the 2nd, and a refund that fails
later stands on the day it failed, so that days that have ended never change. The lines of all time add up to the
amounts due of all invoices; credits that are still to be used, and totals carried to the next invoice, are no part of
it, but the latter are told of.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from accounts.models import BillingProfile
from billing_portal.core.time_zones import seller_day
from invoices.documents.typesetting import check_letters
from invoices.journal import last_closed_day
from invoices.ledger import RECEIVABLE
from invoices.models import KeptStatement, PeriodClosing, Transfer
from invoices.money import Money

MAX_DAYS = 366


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above a statement: as when it was first handed out, if its days had ended then."""

    language: str
    name: str
    bill_to: dict[str, str]
    seller: dict[str, Any]
    currency: str
    made_on: date
    made_at: datetime
    is_final: bool


@dataclass(frozen=True, slots=True)
class Line:
    """What happened to one invoice. The amount is positive for what is owed more, negative for less."""

    on: date
    kind: Transfer.Kind
    number: str
    reference: str
    amount: Money
    balance: Money


@dataclass(frozen=True, slots=True)
class Statement:
    """Of the days from ``first_on`` to ``last_on``, both included."""

    profile: BillingProfile
    first_on: date
    last_on: date
    opening: Money
    lines: list[Line]
    # Periods that were closed on these days without an invoice: their total waits for the next one, or became a credit.
    carried: list[PeriodClosing] = field(default_factory=list)

    @property
    def currency(self) -> str:
        return self.opening.currency

    @property
    def closing(self) -> Money:
        return self.lines[-1].balance if self.lines else self.opening

    @property
    def charged(self) -> Money:
        return Money.total((line.amount for line in self.lines if line.amount.minor > 0), self.currency)

    @property
    def settled(self) -> Money:
        return Money.total((line.amount for line in self.lines if line.amount.minor < 0), self.currency)

    def is_final(self, at: datetime) -> bool:
        """Whether nothing is booked on its days any more, so that what it comes to is its closing balance."""
        return self.last_on <= last_closed_day(at)


def statement_of(profile: BillingProfile, first_on: date, last_on: date) -> Statement:
    """Three queries, however much there is: what lies before, what lies within, and what was carried."""
    rows = Transfer.objects.filter(profile=profile).of_account(RECEIVABLE)
    balance = opening = Money(rows.filter(booked_on__lt=first_on).balance(RECEIVABLE), profile.currency)
    # All that is part of one fact is one line: the net amount and the taxes of an invoice.
    facts: dict[tuple[date, str, str], list[Transfer]] = defaultdict(list)
    within = rows.filter(booked_on__range=(first_on, last_on)).select_related("invoice")
    for row in within.order_by("booked_on", "pk"):
        facts[row.booked_on, row.key.partition("/")[0], str(row.invoice)].append(row)
    lines = []
    for (on, _fact, number), parts in facts.items():
        signed = (row.amount if row.debit == RECEIVABLE else -row.amount for row in parts)
        amount = Money.total(signed, opening.currency)
        if amount:
            balance += amount
            lines.append(Line(on, Transfer.Kind(parts[0].kind), number, parts[0].reference, amount, balance))
    closings = PeriodClosing.objects.filter(profile=profile, booked_on__range=(first_on, last_on))
    carried = list(closings.exclude(carried_minor=0).order_by("start_on"))
    return Statement(profile, first_on, last_on, opening, lines, carried)


def heading_of(statement: Statement, *, at: datetime) -> Heading:
    """The heading of a statement that is handed out now. Once its days have ended, it is kept with what it
    comes to: printed again in ten years, the statement is the same, byte for byte. Raises MissingGlyphs, and keeps
    nothing then."""
    profile = statement.profile
    heading: dict[str, Any] = {
        "language": profile.document_language,
        "name": profile.name,
        "bill_to": profile.address_parts,
        "seller": profile.account.seller.as_printed(),
        "currency": statement.currency,
        "made_on": seller_day(at).isoformat(),
    }
    made_at, is_final = at, statement.is_final(at)
    if is_final:
        check_letters(heading)
        days = {"profile": profile, "first_on": statement.first_on, "last_on": statement.last_on}
        balances = {"opening_minor": statement.opening.minor, "closing_minor": statement.closing.minor}
        facts = {"heading": heading, "created_at": at, **balances}
        kept, _created = KeptStatement.objects.get_or_create(**days, defaults=facts)
        heading, made_at = kept.heading, kept.created_at
    return Heading(
        heading["language"], heading["name"], heading["bill_to"], heading["seller"], heading["currency"],
        date.fromisoformat(heading["made_on"]), made_at, is_final,
    )  # fmt: skip
