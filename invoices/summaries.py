"""What a billing profile owes, in three figures. One query, answered from the index `invoice_open_figures` alone."""

from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Q, Sum

from accounts.models import BillingProfile
from invoices.models import Invoice
from invoices.money import Money
from invoices.states import InvoiceStatus


@dataclass(frozen=True, slots=True)
class Summary:
    """``being_paid`` is part of ``due``. Past due and next due leave out what is being paid, as the labels do."""

    count: int
    due: Money
    being_paid: Money
    past_due_count: int
    past_due: Money
    days_late: int
    next_due_on: date | None
    next_due: Money


def summary_of(profile: BillingProfile, today: date) -> Summary:
    """The figures above the list of invoices, on a calendar day of the profile."""
    days = list(
        Invoice.objects.filter(profile=profile, status=InvoiceStatus.OPEN)
        .order_by("due_on")
        .values_list("due_on")
        .annotate(
            all_rows=Count("*"),
            all_minor=Sum("amount_due_minor"),
            busy_rows=Count("payment_started_at"),
            busy_minor=Sum("amount_due_minor", filter=Q(payment_started_at__isnull=False), default=0),
        )
    )
    idle = [(day, count - busy, minor - paying) for day, count, minor, busy, paying in days if count > busy]
    late = [(day, count, minor) for day, count, minor in idle if day < today]
    coming = [(day, minor) for day, _count, minor in idle if day >= today]

    def money(minor: int) -> Money:
        return Money(int(minor), profile.currency)

    return Summary(
        count=sum(row[1] for row in days),
        due=money(sum(row[2] for row in days)),
        being_paid=money(sum(row[4] for row in days)),
        past_due_count=sum(count for _day, count, _minor in late),
        past_due=money(sum(minor for _day, _count, minor in late)),
        days_late=(today - late[0][0]).days if late else 0,
        next_due_on=coming[0][0] if coming else None,
        next_due=money(coming[0][1] if coming else 0),
    )
