"""Billing periods: they tile the calendar, whatever the day, the month and the clock do."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from accounts.models import BillingProfile
from invoices.periods import Period, closable_periods, first_period, next_invoice_day, period_after

days = some.dates(date(2000, 1, 1), date(2099, 12, 31))
invoice_days = some.integers(1, 31)


def is_invoice_day(day: date, invoice_day: int) -> bool:
    """Said the other way round: the day itself, or the last of a month that does not have it."""
    is_last = (day + timedelta(days=1)).month != day.month
    return day.day == invoice_day or (is_last and day.day < invoice_day)


def profile(**fields) -> BillingProfile:
    return BillingProfile(**{"created_at": datetime(2026, 1, 1, tzinfo=UTC), "invoice_day": 5, **fields})


@given(days, invoice_days)
def test_the_next_invoice_day_is_the_first_such_day_that_comes(after, invoice_day):
    found = next_invoice_day(after, invoice_day)
    days_between = (after + timedelta(days=number) for number in range(1, (found - after).days))
    assert found > after
    assert is_invoice_day(found, invoice_day)
    assert not any(is_invoice_day(day, invoice_day) for day in days_between)


@given(days, some.lists(invoice_days, min_size=1, max_size=40))
def test_periods_tile_the_calendar_whatever_the_invoice_day_is_changed_to(start_on, changes):
    period = Period(start_on, next_invoice_day(start_on, changes[0]))
    covered = []
    for invoice_day in changes:
        covered += [
            period.start_on + timedelta(days=number) for number in range((period.end_on - period.start_on).days)
        ]
        assert period.start_on <= period.last_on < period.end_on
        assert (period.end_on - period.start_on).days <= 31
        following = period_after(period, invoice_day)
        assert following.start_on == period.end_on
        period = following
    assert covered == [start_on + timedelta(days=number) for number in range(len(covered))]


@settings(max_examples=60, deadline=None)
@given(days, invoice_days, some.integers(0, 800))
def test_every_period_that_was_missed_is_closed_in_order(start_on, invoice_day, days_missed):
    late = profile(
        invoice_day=invoice_day,
        billed_until_on=start_on,
        next_invoice_on=next_invoice_day(start_on, invoice_day),
        time_zone="UTC",
    )
    today = start_on + timedelta(days=days_missed)
    found = list(closable_periods(late, datetime(today.year, today.month, today.day, 12, tzinfo=UTC)))
    edge = start_on
    for period in found:
        assert period.start_on == edge
        edge = period.end_on
    assert edge <= today < next_invoice_day(edge, invoice_day) or not found


@pytest.mark.parametrize(
    ("after", "invoice_day", "expected"),
    [
        (date(2026, 1, 31), 28, date(2026, 2, 28)),
        (date(2028, 1, 31), 28, date(2028, 2, 28)),
        (date(2028, 2, 28), 28, date(2028, 3, 28)),
        (date(2028, 2, 29), 1, date(2028, 3, 1)),
        (date(2026, 12, 31), 1, date(2027, 1, 1)),
        (date(2026, 12, 5), 5, date(2027, 1, 5)),
        (date(2026, 11, 4), 5, date(2026, 11, 5)),
        (date(2026, 11, 5), 4, date(2026, 12, 4)),
        (date(2026, 1, 28), 29, date(2026, 1, 29)),
        (date(2026, 1, 29), 29, date(2026, 2, 28)),
        (date(2026, 2, 28), 29, date(2026, 3, 29)),
        (date(2028, 1, 29), 29, date(2028, 2, 29)),
        (date(2028, 2, 28), 29, date(2028, 2, 29)),
        (date(2028, 2, 29), 29, date(2028, 3, 29)),
        (date(2100, 1, 31), 31, date(2100, 2, 28)),
        (date(2026, 1, 30), 30, date(2026, 2, 28)),
        (date(2026, 2, 28), 30, date(2026, 3, 30)),
        (date(2026, 3, 30), 31, date(2026, 3, 31)),
        (date(2026, 3, 31), 31, date(2026, 4, 30)),
        (date(2026, 4, 30), 31, date(2026, 5, 31)),
        (date(2026, 12, 31), 31, date(2027, 1, 31)),
    ],
)
def test_ends_of_months_and_years(after, invoice_day, expected):
    assert next_invoice_day(after, invoice_day) == expected


@given(days, some.integers(28, 31), some.integers(1, 48))
def test_the_days_after_the_28th_never_drift(start_on, invoice_day, months):
    """Each month has one invoice day, and a short month before it changes nothing."""
    found = [next_invoice_day(start_on, invoice_day)]
    for _month in range(months):
        found.append(next_invoice_day(found[-1], invoice_day))
    of_months = [12 * day.year + day.month for day in found]
    assert of_months == list(range(of_months[0], of_months[0] + len(found)))
    assert all(day.day == min(invoice_day, monthrange(day.year, day.month)[1]) for day in found)


def test_the_30th_of_two_years_with_a_leap_day():
    end_on, found = date(2027, 11, 30), []
    for _month in range(5):
        end_on = next_invoice_day(end_on, 30)
        found.append(end_on)
    assert found == [date(2027, 12, 30), date(2028, 1, 30), date(2028, 2, 29), date(2028, 3, 30), date(2028, 4, 30)]


def test_the_leap_day_is_in_a_period():
    assert Period(date(2028, 2, 5), date(2028, 3, 5)).last_on == date(2028, 3, 4)
    assert Period(date(2028, 2, 1), date(2028, 3, 1)).last_on == date(2028, 2, 29)


def test_a_profile_begins_on_the_day_it_was_made_where_it_is():
    """Half past eleven in the evening of the fourth in London is the fifth in Amsterdam."""
    made_at = datetime(2026, 10, 4, 22, 30, tzinfo=UTC)
    assert first_period(profile(created_at=made_at, time_zone="Europe/London")).end_on == date(2026, 10, 5)
    assert first_period(profile(created_at=made_at, time_zone="Europe/Amsterdam")) == (
        date(2026, 10, 5),
        date(2026, 11, 5),
    )


@pytest.mark.parametrize(
    ("zone", "last_moment_before"),
    [
        # Clocks go back on 25 October 2026 in Europe and forward on 28 March 2027; Apia is a day ahead of Midway.
        ("Europe/Amsterdam", datetime(2026, 10, 24, 21, 59, 59, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 10, 25, 3, 59, 59, tzinfo=UTC)),
        ("Pacific/Apia", datetime(2026, 10, 24, 10, 59, 59, tzinfo=UTC)),
        ("Pacific/Midway", datetime(2026, 10, 25, 10, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_period_closes_at_midnight_where_the_profile_is(zone, last_moment_before):
    there = profile(
        billed_until_on=date(2026, 9, 25), next_invoice_on=date(2026, 10, 25), invoice_day=25, time_zone=zone
    )
    assert list(closable_periods(there, last_moment_before)) == []
    (period,) = closable_periods(there, last_moment_before + timedelta(seconds=1))
    assert period == (date(2026, 9, 25), date(2026, 10, 25))


@pytest.mark.parametrize("change_on", [date(2026, 10, 25), date(2027, 3, 28)])
def test_a_day_with_more_or_fewer_hours_is_one_day(change_on):
    there = profile(
        billed_until_on=change_on, next_invoice_on=change_on + timedelta(days=1), invoice_day=(change_on.day + 1) % 28
    )
    midnight_after = {date(2026, 10, 25): datetime(2026, 10, 25, 23, tzinfo=UTC)}.get(
        change_on, datetime(2027, 3, 28, 22, tzinfo=UTC)
    )
    assert list(closable_periods(there, midnight_after - timedelta(seconds=1))) == []
    assert len(list(closable_periods(there, midnight_after))) == 1
