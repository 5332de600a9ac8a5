"""Billing periods: which days the next invoice of a profile is about, and on which day it is made.

A period ``[start_on, end_on)`` begins on the day the one before it ended, or the profile was made, and closes on the
next invoice day. Days are calendar days where the profile is. An invoice day that a month does not have is the last
day of that month, and itself again in the next: it is always read from the profile, never from the day before. When it
is changed, the running period ends as announced and the next one, shorter, on the new day.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

from accounts.models import BillingProfile

DAY = timedelta(days=1)


class Period(NamedTuple):
    """``end_on`` is the first day that is no longer in it, and the day on which it closes."""

    start_on: date
    end_on: date

    @property
    def last_on(self) -> date:
        """Its last day, as it is printed on an invoice."""
        return self.end_on - DAY


def next_invoice_day(after: date, invoice_day: int) -> date:
    """The first day after ``after`` that is this day (1 to 31) of its month, or the last of a shorter month."""
    in_this_month = _day_of_month(after, invoice_day)
    if after < in_this_month:
        return in_this_month
    return _day_of_month(after.replace(day=28) + 4 * DAY, invoice_day)


def _day_of_month(within: date, invoice_day: int) -> date:
    _first_weekday, last = monthrange(within.year, within.month)
    return within.replace(day=min(invoice_day, last))


def first_period(profile: BillingProfile) -> Period:
    """The period that begins on the day the profile was made, where the profile is."""
    start_on = profile.day_of(profile.created_at)
    return Period(start_on, next_invoice_day(start_on, profile.invoice_day))


def current_period(profile: BillingProfile) -> Period:
    """The period that is to be closed next, as stored on the profile; the first when nothing is stored yet."""
    if profile.billed_until_on is None or profile.next_invoice_on is None:
        return first_period(profile)
    return Period(profile.billed_until_on, profile.next_invoice_on)


def period_after(period: Period, invoice_day: int) -> Period:
    return Period(period.end_on, next_invoice_day(period.end_on, invoice_day))


def closing_day(profile: BillingProfile, day: date) -> date:
    """On which the period with a day closes; of a day that is billed already, when the running period does."""
    running = current_period(profile)
    return running.end_on if day < running.end_on else next_invoice_day(day, profile.invoice_day)


def closable_periods(profile: BillingProfile, at: datetime, until: date | None = None) -> Iterator[Period]:
    """The periods of a profile that have ended (by ``until``) and are not closed yet, oldest first."""
    today = profile.day_of(at)
    today = today if until is None else min(today, until)
    period = current_period(profile)
    while period.end_on <= today:
        yield period
        period = period_after(period, profile.invoice_day)
