"""The statement of account of a billing profile: what it owed, what was billed and paid since, what it owes.

One line for each thing that changed what is due, on the day it was booked where the profile is: a payment that arrived
on the 29th and was recorded on the 2nd stands on the 2nd, so that a period that has ended never changes. The lines of
all time add up to the amounts due of all invoices; credits that are still to be used are no part of it.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import F, QuerySet, Sum
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import BillingProfile
from invoices.models import CreditEntry, CreditNote, Invoice
from invoices.money import Money
from invoices.states import InvoiceStatus
from payments.models import DisputeAllocation, PaymentAllocation, RefundAllocation
from payments.states import DisputeStatus, PaymentStatus, RefundStatus

MAX_DAYS = 366


class What(models.TextChoices):
    """In their order within a day: what is owed comes before what settles it."""

    INVOICE = "invoice", _("Invoice")
    VOID = "void", _("Void")
    CREDIT_NOTE = "credit_note", _("Credit note")
    CREDIT = "credit", _("Credit applied")
    CREDIT_BACK = "credit_back", _("Credit given back")
    PAYMENT = "payment", _("Payment")
    REFUND = "refund", pgettext_lazy("money paid back", "Refund")
    CHARGEBACK = "chargeback", _("Taken back by the bank")


@dataclass(frozen=True, slots=True)
class Line:
    """What happened to one invoice. The amount is positive for what is owed more, negative for less."""

    on: date
    what: What
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

    @property
    def currency(self) -> str:
        return self.profile.currency

    @property
    def closing(self) -> Money:
        return self.lines[-1].balance if self.lines else self.opening

    @property
    def charged(self) -> Money:
        return Money.total((line.amount for line in self.lines if line.amount.minor > 0), self.currency)

    @property
    def settled(self) -> Money:
        return Money.total((line.amount for line in self.lines if line.amount.minor < 0), self.currency)

    def is_running(self, today: date) -> bool:
        """Whether days of it are still to come, so that what it comes to is not its closing balance yet."""
        return self.last_on > today


class Source(NamedTuple):
    """One kind of line, as a query: where its moment, sign, invoice and reference are found."""

    what: What
    rows: QuerySet[Any]
    at: str
    amount: str
    sign: int
    number: str
    reference: str


def statement_of(profile: BillingProfile, first_on: date, last_on: date) -> Statement:
    """Eighteen queries, however much there is: for each kind of line what lies before, and what lies within."""
    nothing, days = Money(0, profile.currency), (first_on, last_on + timedelta(days=1))
    moments = [datetime.combine(day, time.min, ZoneInfo(profile.time_zone)) for day in days]
    opening, entries = nothing, list[tuple[Line, int]]()
    for source in _sources(profile):
        start, end = days if source.at.endswith("_on") else moments
        before = source.rows.filter(**{f"{source.at}__lt": start}).aggregate(total=Sum(source.amount))["total"] or 0
        opening += Money(source.sign * int(before), profile.currency)
        within = source.rows.filter(**{f"{source.at}__gte": start, f"{source.at}__lt": end})
        columns = (source.at, source.amount, source.number, source.reference, "pk")
        for at, minor, number, reference, pk in within.values_list(*columns):
            if minor:
                amount = Money(source.sign * minor, profile.currency)
                on = at if source.at.endswith("_on") else profile.day_of(at)
                entries.append((Line(on, source.what, number or "", str(reference or ""), amount, nothing), pk))
    kinds, lines, balance = list(What), list[Line](), opening
    for line, _pk in sorted(entries, key=lambda entry: (entry[0].on, kinds.index(entry[0].what), entry[1])):
        balance += line.amount
        lines.append(replace(line, balance=balance))
    return Statement(profile, first_on, last_on, opening, lines)


def _sources(profile: BillingProfile) -> list[Source]:
    """Every kind of line. Together they say what `amount_due` says: total, less what was credited and paid."""
    issued = Invoice.objects.filter(profile=profile).exclude(status=InvoiceStatus.DRAFT)
    left = F("total_minor") - F("credited_minor") - F("paid_minor")
    before = issued.filter(paid_before_on__isnull=False)
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
        Source(What.INVOICE, issued, "issued_on", "total_minor", 1, "number", "po_number"),
        Source(What.VOID, void, "voided_at", "left_minor", -1, "number", "void_reason"),
        Source(What.CREDIT_NOTE, notes, "created_at", "applied_minor", -1, invoice, "number"),
        Source(What.CREDIT, applied, "at", "amount_minor", 1, invoice, "credit__description"),
        Source(What.CREDIT_BACK, back, "at", "amount_minor", 1, invoice, "credit__description"),
        Source(What.PAYMENT, paid, "payment__finished_at", "amount_minor", -1, invoice, payment),
        Source(What.PAYMENT, before, "paid_before_on", "paid_before_minor", -1, "number", "source_reference"),
        Source(What.REFUND, refunds, "refund__started_at", "amount_minor", 1, allocated, f"refund__{payment}"),
        Source(What.CHARGEBACK, lost, "dispute__closed_at", "amount_minor", 1, allocated, f"dispute__{payment}"),
    ]


def month_of(day: date) -> tuple[date, date]:
    first_on = day.replace(day=1)
    return first_on, (first_on + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def month_before(day: date) -> tuple[date, date]:
    return month_of(day.replace(day=1) - timedelta(days=1))
