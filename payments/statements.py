"""The statement of account of a billing profile: what it owed, what was billed and paid since, what it owes.

One line for each thing that changed what is due, on the day it was booked where the profile is: a payment that arrived
on the 29th and was recorded on the 2nd stands on the 2nd, so that a period that has ended never changes. The lines of
all time add up to the amounts due of all invoices; credits that are still to be used are no part of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import accumulate
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import F, QuerySet, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import BillingProfile
from invoices.models import CreditEntry, CreditNote, Invoice
from invoices.money import Money
from invoices.states import InvoiceStatus
from payments.models import DisputeAllocation, PaymentAllocation, RefundAllocation
from payments.states import DisputeStatus, PaymentStatus, RefundStatus

MAX_DAYS = 366


class What(StrEnum):
    INVOICE = "invoice"
    VOID = "void"
    CREDIT_NOTE = "credit_note"
    CREDIT = "credit"
    CREDIT_BACK = "credit_back"
    PAYMENT = "payment"
    REFUND = "refund"
    CHARGEBACK = "chargeback"


WORDS: dict[What, Promise] = {
    What.INVOICE: _("Invoice"),
    What.VOID: _("Void"),
    What.CREDIT_NOTE: _("Credit note"),
    What.CREDIT: _("Credit applied"),
    What.CREDIT_BACK: _("Credit given back"),
    What.PAYMENT: _("Payment"),
    What.REFUND: pgettext_lazy("money paid back", "Refund"),
    What.CHARGEBACK: _("Taken back by the bank"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """What happened to one invoice. ``amount_minor`` is positive for what is owed more, negative for less."""

    on: date
    what: What
    number: str
    reference: str
    amount_minor: int
    balance_minor: int = 0

    @property
    def word(self) -> str:
        return str(WORDS[self.what])


@dataclass(frozen=True, slots=True)
class Statement:
    """Of the days from ``first_on`` to ``last_on``, both included."""

    profile: BillingProfile
    first_on: date
    last_on: date
    opening_minor: int
    lines: list[Line]

    @property
    def currency(self) -> str:
        return self.profile.currency

    @property
    def closing_minor(self) -> int:
        return self.lines[-1].balance_minor if self.lines else self.opening_minor

    @property
    def opening(self) -> Money:
        return Money(self.opening_minor, self.currency)

    @property
    def closing(self) -> Money:
        return Money(self.closing_minor, self.currency)

    @property
    def charged(self) -> Money:
        return Money(sum(line.amount_minor for line in self.lines if line.amount_minor > 0), self.currency)

    @property
    def settled(self) -> Money:
        return Money(sum(line.amount_minor for line in self.lines if line.amount_minor < 0), self.currency)

    def is_running(self, today: date) -> bool:
        """Whether days of it are still to come, so that what it comes to is not its closing balance yet."""
        return self.last_on > today

    def rows(self) -> Iterator[tuple[Line, Money, Money]]:
        """Each line with its amount and the balance after it."""
        for line in self.lines:
            yield line, Money(line.amount_minor, self.currency), Money(line.balance_minor, self.currency)


@dataclass(frozen=True, slots=True)
class _Source:
    """One kind of line, as a query: where its moment, sign, invoice and reference are found."""

    what: What
    rows: QuerySet[Any]
    at: str
    amount: str
    sign: int
    number: str
    reference: str
    by_day: bool = False


def statement_of(profile: BillingProfile, first_on: date, last_on: date) -> Statement:
    """Sixteen queries, however much there is: for each kind of line what lies before, and what lies within."""
    start, end = _midnight(profile, first_on), _midnight(profile, last_on + timedelta(days=1))
    opening, lines = 0, list[tuple[Line, int]]()
    for source in _sources(profile):
        bounds: tuple[date, date] = (first_on, last_on + timedelta(days=1)) if source.by_day else (start, end)
        before = source.rows.filter(**{f"{source.at}__lt": bounds[0]})
        opening += source.sign * int(before.aggregate(total=Sum(source.amount))["total"] or 0)
        within = source.rows.filter(**{f"{source.at}__gte": bounds[0], f"{source.at}__lt": bounds[1]})
        lines += _lines(profile, source, within)
    lines.sort(key=_order)
    return Statement(profile, first_on, last_on, opening, _with_balance(opening, [line for line, _pk in lines]))


def _lines(profile: BillingProfile, source: _Source, rows: QuerySet[Any]) -> Iterator[tuple[Line, int]]:
    columns = (source.at, source.amount, source.number, source.reference, "pk")
    for at, amount, number, reference, pk in rows.values_list(*columns):
        if amount:
            on = at if source.by_day else profile.day_of(at)
            yield Line(on, source.what, number or "", str(reference or ""), source.sign * amount), pk


def _order(entry: tuple[Line, int]) -> tuple[date, int, int]:
    """By day; within a day what is owed comes before what settles it."""
    line, pk = entry
    return line.on, list(What).index(line.what), pk


def _with_balance(opening: int, lines: list[Line]) -> list[Line]:
    balances = accumulate((line.amount_minor for line in lines), initial=opening)
    next(balances)
    return [replace(line, balance_minor=balance) for line, balance in zip(lines, balances, strict=True)]


def _midnight(profile: BillingProfile, day: date) -> datetime:
    """When a day begins where the profile is."""
    return datetime.combine(day, time.min, ZoneInfo(profile.time_zone))


def _sources(profile: BillingProfile) -> list[_Source]:
    """Every kind of line. Together they say what `amount_due` says: total, less what was credited and paid."""
    issued = Invoice.objects.filter(profile=profile).exclude(status=InvoiceStatus.DRAFT)
    left = F("total_minor") - F("credited_minor") - F("paid_minor")
    void = issued.filter(status=InvoiceStatus.VOID).annotate(left_minor=left)
    entries = CreditEntry.objects.filter(invoice__profile=profile)
    paid = PaymentAllocation.objects.filter(
        invoice__profile=profile, payment__status=PaymentStatus.SUCCEEDED, is_open=False
    )
    refunds = RefundAllocation.objects.filter(allocation__invoice__profile=profile)
    refunds = refunds.exclude(refund__status=RefundStatus.FAILED)
    lost = DisputeAllocation.objects.filter(allocation__invoice__profile=profile, dispute__status=DisputeStatus.LOST)
    notes = CreditNote.objects.filter(invoice__profile=profile)
    applied = entries.filter(kind=CreditEntry.Kind.APPLIED)
    back = entries.filter(kind=CreditEntry.Kind.GIVEN_BACK)
    invoice, allocated, payment = "invoice__number", "allocation__invoice__number", "payment__reference"
    return [
        _Source(What.INVOICE, issued, "issued_on", "total_minor", 1, "number", "po_number", by_day=True),
        _Source(What.VOID, void, "voided_at", "left_minor", -1, "number", "void_reason"),
        _Source(What.CREDIT_NOTE, notes, "created_at", "applied_minor", -1, invoice, "number"),
        _Source(What.CREDIT, applied, "at", "amount_minor", 1, invoice, "credit__description"),
        _Source(What.CREDIT_BACK, back, "at", "amount_minor", 1, invoice, "credit__description"),
        _Source(What.PAYMENT, paid, "payment__finished_at", "amount_minor", -1, invoice, payment),
        _Source(What.REFUND, refunds, "refund__started_at", "amount_minor", 1, allocated, f"refund__{payment}"),
        _Source(What.CHARGEBACK, lost, "dispute__closed_at", "amount_minor", 1, allocated, f"dispute__{payment}"),
    ]


def month_of(day: date) -> tuple[date, date]:
    """The first and the last day of the month of a day."""
    first_on = day.replace(day=1)
    return first_on, (first_on + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def month_before(day: date) -> tuple[date, date]:
    return month_of(day.replace(day=1) - timedelta(days=1))
