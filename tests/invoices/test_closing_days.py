"""Closing a billing period: on which day, and for which days."""

from datetime import UTC, date, datetime

import pytest

from invoices.models import Invoice
from tests.factories import BillingProfileFactory
from tests.invoices.billing_runs import billed_profile, charged, noon, periods, run, totals

pytestmark = pytest.mark.django_db


def test_a_new_profile_begins_on_the_day_it_was_made():
    profile = BillingProfileFactory(created_at=noon(2026, 10, 20), invoice_day=5)
    charged(profile, on=date(2026, 10, 21))
    assert run(noon(2026, 10, 21)).periods == 0
    profile.refresh_from_db()
    assert (profile.billed_until_on, profile.next_invoice_on) == (date(2026, 10, 20), date(2026, 11, 5))
    run(noon(2026, 11, 5))
    assert periods(profile) == [(date(2026, 10, 20), date(2026, 11, 5), "billed")]


def test_a_profile_that_no_run_has_seen_is_closed_by_the_first_run():
    profile = BillingProfileFactory(created_at=noon(2026, 10, 20), invoice_day=5)
    charged(profile, on=date(2026, 10, 21))
    run(noon(2026, 11, 5))
    assert totals(profile) == [1000]


def test_months_that_were_missed_are_closed_in_order_each_with_its_charges():
    profile = billed_profile(since=date(2026, 8, 5), next_on=date(2026, 9, 5), payment_terms_days=30)
    for price, day in (
        ("1", date(2026, 9, 4)),
        ("2", date(2026, 9, 5)),
        ("4", date(2026, 11, 4)),
        ("8", date(2026, 11, 5)),
    ):
        charged(profile, price, on=day)
    assert run(noon(2026, 11, 20)).periods == 3
    assert periods(profile) == [
        (date(2026, 8, 5), date(2026, 9, 5), "billed"),
        (date(2026, 9, 5), date(2026, 10, 5), "billed"),
        (date(2026, 10, 5), date(2026, 11, 5), "billed"),
    ]
    assert totals(profile) == [100, 200, 400]
    invoices = Invoice.objects.order_by("number")
    assert [invoice.period_end_on for invoice in invoices] == [date(2026, 9, 4), date(2026, 10, 4), date(2026, 11, 4)]
    # Dated on the day they were really made, so that nobody is asked for money that was due before.
    assert {(invoice.issued_on, invoice.due_on) for invoice in invoices} == {(date(2026, 11, 20), date(2026, 12, 20))}
    profile.refresh_from_db()
    assert profile.next_invoice_on == date(2026, 12, 5)


def test_a_missed_negative_month_is_carried_into_the_one_after_it():
    profile = billed_profile(since=date(2026, 9, 5), next_on=date(2026, 10, 5))
    charged(profile, "-3", on=date(2026, 9, 6))
    charged(profile, "10", on=date(2026, 10, 6))
    run(noon(2026, 11, 5))
    assert [outcome for _start, _end, outcome in periods(profile)] == ["carried", "billed"]
    assert totals(profile) == [700]


def test_until_leaves_later_periods_open():
    profile = billed_profile(since=date(2026, 8, 5), next_on=date(2026, 9, 5))
    assert run(noon(2026, 11, 20), until=date(2026, 10, 5)).periods == 2
    assert run(noon(2026, 11, 20), until=date(2027, 1, 5)).periods == 1
    profile.refresh_from_db()
    assert profile.next_invoice_on == date(2026, 12, 5)


def test_a_changed_invoice_day_ends_the_next_period_and_leaves_out_no_day():
    profile = billed_profile(since=date(2026, 10, 5), next_on=date(2026, 11, 5), invoice_day=20)
    charged(profile, "1", on=date(2026, 11, 4))
    charged(profile, "2", on=date(2026, 11, 5))
    charged(profile, "4", on=date(2026, 11, 20))
    for day in (noon(2026, 11, 5), noon(2026, 11, 20), noon(2026, 12, 20)):
        run(day)
    assert periods(profile) == [
        (date(2026, 10, 5), date(2026, 11, 5), "billed"),
        (date(2026, 11, 5), date(2026, 11, 20), "billed"),
        (date(2026, 11, 20), date(2026, 12, 20), "billed"),
    ]
    assert totals(profile) == [100, 200, 400]


def test_the_leap_day_is_on_an_invoice():
    profile = billed_profile(since=date(2028, 2, 1), next_on=date(2028, 3, 1))
    charged(profile, on=date(2028, 2, 29))
    run(noon(2028, 3, 1))
    assert (totals(profile), Invoice.objects.get().period_end_on) == ([1000], date(2028, 2, 29))


def test_each_profile_closes_when_the_day_comes_where_it_is():
    """At eleven in the evening of the 4th in London it is the 5th in Amsterdam, and in Auckland it has long been."""
    zones = ["Europe/London", "Europe/Amsterdam", "Pacific/Auckland", "America/New_York"]
    profiles = [billed_profile(time_zone=zone) for zone in zones]
    for profile in profiles:
        charged(profile, on=date(2026, 10, 6))
    at = datetime(2026, 11, 4, 23, 30, tzinfo=UTC)
    assert run(at).billed == 2
    assert [len(totals(profile)) for profile in profiles] == [0, 1, 1, 0]
    assert {invoice.issued_on for invoice in Invoice.objects.all()} == {date(2026, 11, 5)}
    assert run(noon(2026, 11, 5)).billed == 2


def test_numbers_and_dates_run_together_and_no_due_date_lies_in_the_past():
    """Auckland's period closes when it is the 1st of January there, and the seller still has the 31st of December."""
    zones = ("Pacific/Auckland", "Europe/Amsterdam")
    for zone in zones:
        profile = billed_profile(
            time_zone=zone, since=date(2026, 12, 1), next_on=date(2027, 1, 1), payment_terms_days=0
        )
        charged(profile, on=date(2026, 12, 6))
    run(datetime(2026, 12, 31, 12, tzinfo=UTC))
    run(datetime(2027, 1, 1, 12, tzinfo=UTC))
    rows = Invoice.objects.order_by("number").values_list("profile__time_zone", "issued_on", "due_on")
    assert list(rows) == [
        ("Pacific/Auckland", date(2026, 12, 31), date(2027, 1, 1)),
        ("Europe/Amsterdam", date(2027, 1, 1), date(2027, 1, 1)),
    ]


def test_a_day_of_25_hours_is_closed_once():
    """Clocks go back on 25 October 2026: two o'clock in the night comes twice."""
    profile = billed_profile(since=date(2026, 9, 25), next_on=date(2026, 10, 25))
    charged(profile, on=date(2026, 10, 24))
    for moment in (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)):
        run(moment)
    assert totals(profile) == [1000]
    assert len(periods(profile)) == 1
