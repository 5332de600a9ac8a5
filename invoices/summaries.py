"""What a billing profile owes, in three figures: exact sums over the invoices that are open now; and what its last
closed period carried to the next invoice.

One statement, answered from the index `invoice_open_figures`; the ORM takes longer to build it than the database to
answer it.
"""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from django.db import connection

from accounts.models import BillingProfile
from invoices.money import Money
from invoices.periods import DAY

# First by day, in the order of the index, then over the days: fewer steps for each invoice, and one row to fetch.
FIGURES = """
WITH days AS (
    SELECT
        due_on, COUNT(*) AS invoices, SUM(amount_due_minor) AS minor, COUNT(payment_started_at) AS busy,
        COALESCE(SUM(amount_due_minor) FILTER (WHERE payment_started_at IS NOT NULL), 0) AS busy_minor
    FROM invoices_invoice WHERE profile_id = %(profile)s AND status = 'open' GROUP BY due_on
),
last AS (
    SELECT outcome, carried_minor, COALESCE(brought_from_on, start_on) AS from_on, end_on FROM invoices_periodclosing
    WHERE profile_id = %(profile)s ORDER BY start_on DESC LIMIT 1
)
SELECT
    SUM(invoices), SUM(minor), SUM(busy_minor),
    SUM(invoices - busy) FILTER (WHERE due_on < %(today)s), SUM(minor - busy_minor) FILTER (WHERE due_on < %(today)s),
    MIN(due_on) FILTER (WHERE invoices > busy), MIN(due_on) FILTER (WHERE invoices > busy AND due_on >= %(today)s),
    (SELECT minor - busy_minor FROM days WHERE invoices > busy AND due_on >= %(today)s ORDER BY due_on LIMIT 1),
    (SELECT carried_minor FROM last WHERE outcome = 'carried'), (SELECT from_on FROM last), (SELECT end_on FROM last)
FROM days
"""


class Carried(NamedTuple):
    """What the charges of these days, both included, come to; it waits for the next invoice."""

    amount: Money
    first_on: date
    last_on: date


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
    carried: Carried | None = None


def summary_of(profile: BillingProfile, today: date) -> Summary:
    """The figures above the list of invoices, on a calendar day of the profile."""
    with connection.cursor() as cursor:
        cursor.execute(FIGURES, {"profile": profile.pk, "today": today.isoformat()})
        count, due, being_paid, past_due_count, past_due, oldest, next_day, next_due, *last = cursor.fetchone()
    oldest_on, next_due_on = _day(oldest), _day(next_day)
    carried, first_on, end_on = last[0], _day(last[1]), _day(last[2])

    def money(minor: int | None) -> Money:
        return Money(int(minor or 0), profile.currency)

    return Summary(
        count=int(count or 0),
        due=money(due),
        being_paid=money(being_paid),
        past_due_count=int(past_due_count or 0),
        past_due=money(past_due),
        days_late=max((today - oldest_on).days, 0) if oldest_on else 0,
        next_due_on=next_due_on,
        next_due=money(next_due),
        carried=Carried(money(carried), first_on, end_on - DAY) if carried and first_on and end_on else None,
    )


def _day(value: date | str | None) -> date | None:
    """SQLite keeps days as text."""
    return date.fromisoformat(value) if isinstance(value, str) else value
