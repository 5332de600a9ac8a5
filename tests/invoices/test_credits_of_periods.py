"""Credits pay for the periods that they are valid in, whenever the invoice of such a period is made, and expire no
sooner than that."""

from datetime import UTC, date, datetime, timedelta
from threading import Event, Thread
from zoneinfo import ZoneInfo

import pytest
from django.db import connections
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as some

from accounts.models import BillingProfile
from accounts.operations.profiles import close_profile
from billing_portal.jobs import jobs
from invoices.models import Credit, CreditEntry, Invoice
from invoices.operations import closing
from invoices.operations import credits as credit_operations
from invoices.operations.credits import CannotCredit, apply_credits, expire_credits, grant_credit
from invoices.states import CreditState
from tests.factories import BillingProfileFactory, granted, issued, member
from tests.invoices.billing_runs import billed_profile, charged, noon, run
from tests.payments.acts import at_once, books_are_clean, staff

pytestmark = pytest.mark.django_db

SEPTEMBER = {"starts_on": date(2026, 9, 1), "expires_on": date(2026, 9, 30)}
OCTOBER = {"starts_on": date(2026, 10, 1), "expires_on": date(2026, 10, 31)}


def september(**fields) -> BillingProfile:
    """A profile whose September is to be closed on 1 October."""
    return billed_profile(since=date(2026, 9, 1), next_on=date(2026, 10, 1), **fields)


def credited(profile) -> list[int]:
    return list(Invoice.objects.filter(profile=profile).order_by("pk").values_list("credited_minor", flat=True))


def left(profile) -> list[int]:
    return list(Credit.objects.filter(profile=profile).order_by("pk").values_list("remaining_minor", flat=True))


@pytest.mark.parametrize("zone", ["Europe/Amsterdam", "America/New_York", "Pacific/Auckland", "Pacific/Midway"])
def test_50_for_september_pays_for_septembers_invoice_of_1_october(zone):
    profile = september(time_zone=zone)
    granted(profile, 5000, **SEPTEMBER)
    charged(profile, "80", on=date(2026, 9, 10))
    midnight = datetime(2026, 10, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    for at in (midnight - timedelta(seconds=1), midnight):
        assert expire_credits(at=at) == 0  # although its last day is over where the profile is
    assert run(midnight).billed == 1
    assert (credited(profile), left(profile)) == ([5000], [0])
    assert books_are_clean()


def test_what_september_left_of_it_is_gone_once_september_is_closed():
    profile = september()
    granted(profile, 5000, **SEPTEMBER)
    charged(profile, "30", on=date(2026, 9, 10))
    assert expire_credits(at=noon(2026, 10, 1)) == 0
    run(noon(2026, 10, 1))
    assert expire_credits(at=noon(2026, 10, 1)) == 1
    entries = CreditEntry.objects.order_by("pk").values_list("kind", "amount_minor")
    assert list(entries) == [("granted", 5000), ("applied", -3000), ("expired", -2000)]
    assert expire_credits(at=noon(2026, 10, 1)) == 0


def test_periods_that_close_late_and_together_get_the_credits_of_their_own_days():
    profile = september()
    granted(profile, 5000, **SEPTEMBER)
    granted(profile, 4000, **OCTOBER)
    for month in (9, 10):
        charged(profile, "100", on=date(2026, month, 10))
    late = noon(2026, 11, 20)
    assert expire_credits(at=late) == 0
    run(late)
    assert (credited(profile), left(profile)) == ([5000, 4000], [0, 0])


def test_the_rest_of_september_does_not_pay_for_october_that_closes_in_the_same_run():
    profile = september()
    granted(profile, 15000, **SEPTEMBER)
    for month in (9, 10):
        charged(profile, "100", on=date(2026, month, 10))
    run(noon(2026, 11, 20))
    assert (credited(profile), left(profile)) == ([10000, 0], [5000])
    assert expire_credits(at=noon(2026, 11, 20)) == 1


def test_one_that_expires_in_the_middle_of_a_period_pays_for_all_of_it():
    profile = billed_profile()  # 5 October to 4 November
    granted(profile, 5000, expires_on=date(2026, 10, 12))
    charged(profile, "80", on=date(2026, 11, 4))
    assert expire_credits(at=noon(2026, 10, 20)) == 0
    run()
    assert credited(profile) == [5000]


@pytest.mark.parametrize(
    ("days", "paid"),
    [
        ({"expires_on": date(2026, 8, 31)}, 0),
        ({"expires_on": date(2026, 9, 1)}, 5000),
        ({"starts_on": date(2026, 9, 30)}, 5000),
        ({"starts_on": date(2026, 10, 1)}, 0),  # the day of the invoice is in the next period
        ({}, 5000),
    ],
)
def test_the_first_and_the_last_day_of_the_period_count_and_no_other(days, paid):
    profile = september()
    granted(profile, 5000, **days)
    charged(profile, "80", on=date(2026, 9, 10))
    run(noon(2026, 10, 1))
    assert credited(profile) == [paid]


def test_what_expires_first_is_used_first_though_it_is_over():
    profile = september()
    never, later = granted(profile, 5000), granted(profile, 5000, expires_on=date(2026, 12, 31))
    over = granted(profile, 5000, expires_on=date(2026, 9, 2))
    charged(profile, "60", on=date(2026, 9, 10))
    run(noon(2026, 10, 1))
    used = CreditEntry.objects.filter(kind="applied").order_by("pk").values_list("credit", "amount_minor")
    assert list(used) == [(over.pk, -5000), (later.pk, -1000)]
    assert never.pk not in dict(used)


def test_a_period_without_an_invoice_was_its_chance_too():
    profile = september()
    granted(profile, 5000, **SEPTEMBER)
    assert run(noon(2026, 10, 1)).nothing == 1
    assert expire_credits(at=noon(2026, 10, 1)) == 1


def test_a_period_that_cannot_be_closed_keeps_its_credits(monkeypatch):
    profile = september()
    granted(profile, 5000, **SEPTEMBER)

    def fails(*_arguments, **_options):
        raise ValueError("No bank account")

    charged(profile, "80", on=date(2026, 9, 10))
    with monkeypatch.context() as patch:
        patch.setattr(closing, "issue_invoices", fails)
        assert run(noon(2026, 10, 1)).failed
    assert expire_credits(at=noon(2026, 10, 3)) == 0
    run(noon(2026, 10, 3))
    assert credited(profile) == [5000]


def test_credits_of_a_closed_profile_expire_on_their_day():
    profile = september()
    granted(profile, 5000, **SEPTEMBER)
    close_profile(access=staff(), profile_id=profile.pk, at=noon(2026, 9, 20))
    assert expire_credits(at=noon(2026, 9, 30)) == 0
    assert expire_credits(at=noon(2026, 10, 1)) == 1


def test_a_profile_that_was_never_billed_keeps_its_credits_for_its_first_invoice():
    profile = BillingProfileFactory(created_at=noon(2026, 9, 10), invoice_day=1)
    granted(profile, 5000, **SEPTEMBER)
    charged(profile, "80", on=date(2026, 9, 12))
    assert expire_credits(at=noon(2026, 10, 8)) == 0  # nothing ran until now
    run(noon(2026, 10, 8))
    assert credited(profile) == [5000]


def test_staff_apply_by_hand_what_the_period_allows():
    """A credit of September that comes when September's invoice is there, and one of October."""
    profile = september()
    charged(profile, "80", on=date(2026, 9, 10))
    run(noon(2026, 10, 1))
    invoice = Invoice.objects.get()
    granted(profile, 4000, **OCTOBER)
    with pytest.raises(CannotCredit, match="no credit that may pay for this invoice"):
        apply_credits(access=staff(), invoice_id=invoice.pk, at=noon(2026, 10, 2))
    granted(profile, 5000, **SEPTEMBER)
    assert apply_credits(access=staff(), invoice_id=invoice.pk, at=noon(2026, 10, 2)).credited_minor == 5000
    assert left(profile) == [4000, 0]


def test_an_invoice_without_a_period_uses_its_own_day():
    profile = september()
    over = granted(profile, 2000, **SEPTEMBER)
    now = granted(profile, 3000, **OCTOBER)
    assert issued(profile, "100.00", today=date(2026, 10, 1)).credited_minor == 3000
    over.refresh_from_db()
    now.refresh_from_db()
    assert (over.remaining_minor, now.remaining_minor) == (2000, 0)


@pytest.mark.parametrize(
    ("last_on", "is_granted"), [(date(2026, 9, 4), False), (date(2026, 9, 5), True), (date(2026, 9, 30), True)]
)
def test_staff_grant_one_for_days_that_are_over_as_long_as_their_period_is_open(last_on, is_granted):
    """On 2 October, for a period from 5 September to 4 October."""
    profile = billed_profile(since=date(2026, 9, 5), next_on=date(2026, 10, 5))
    facts = {"source": "goodwill", "description": "Sorry", "starts_on": None, "expires_on": last_on}

    def grant():
        amount = Credit(amount_minor=5000, currency="EUR").amount
        return grant_credit(
            access=staff(), profile_id=profile.pk, amount=amount, at=noon(2026, 10, 2), **facts
        )  # fmt: skip

    if is_granted:
        assert grant().expires_on == last_on
    else:
        with pytest.raises(CannotCredit, match="would expire before it can be used"):
            grant()


def test_the_page_says_on_which_invoice_it_is_used_last(client):
    today = datetime.now(ZoneInfo("Europe/Amsterdam")).date()
    since, next_on = today - timedelta(days=10), today + timedelta(days=10)
    profile = BillingProfileFactory(billed_until_on=since, next_invoice_on=next_on)
    granted(profile, 5000, description="Over by its day", expires_on=today - timedelta(days=2))
    granted(profile, 5000, description="For ever", expires_on=date(9999, 12, 31))
    client.force_login(member(profile, "invoice_manager"))
    page = " ".join(client.get(reverse("invoices:credits", args=[profile.code])).content.decode().split())
    assert f"Can be used up to the invoice of {next_on.day} {next_on:%b %Y}" in page
    assert page.count("Can be used up to the invoice") == 1
    assert "Expiring soon</span>" in page
    assert "Expired</span>" not in page
    lot = Credit.objects.with_expiry().get(description="Over by its day")
    assert lot.state_on(today, profile=profile, has_expired=False) == CreditState.SOON
    profile.billed_until_on = today
    assert lot.state_on(today, profile=profile, has_expired=False) == CreditState.EXPIRED


def test_the_worker_closes_periods_before_it_lets_credits_expire():
    names = [job.name for job in jobs()]
    assert names.index("closing") < names.index("credits")


@settings(max_examples=40, deadline=None)
@given(some.dates(date(2026, 7, 1), date(2026, 11, 30)), some.integers(0, 90), some.integers(0, 60))
def test_a_credit_pays_if_and_only_if_it_shares_a_day_with_the_period(starts_on, length, days_late):
    profile = september()
    expires_on = starts_on + timedelta(days=length)
    granted(profile, 5000, starts_on=starts_on, expires_on=expires_on)
    charged(profile, "80", on=date(2026, 9, 10))
    at = noon(2026, 10, 1) + timedelta(days=days_late)
    expire_credits(at=at)
    run(at, until=date(2026, 10, 1))
    of_period = {date(2026, 9, 1) + timedelta(days=number) for number in range(30)}
    of_credit = {starts_on + timedelta(days=number) for number in range(length + 1)}
    assert credited(profile) == [5000 if of_period & of_credit else 0]


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_expiry_that_begins_while_the_period_closes_takes_only_what_is_left(monkeypatch):
    """The period is closed and its credits are used, but not committed, when another worker looks for what expired."""
    profile = september()
    granted(profile, 5000, **SEPTEMBER)
    charged(profile, "30", on=date(2026, 9, 10))
    real, used, go_on = credit_operations.move, Event(), Event()

    def slowly(*arguments, **options):
        real(*arguments, **options)
        used.set()
        assert go_on.wait(30)

    def close():
        try:
            run(noon(2026, 10, 1))
        finally:
            connections.close_all()

    monkeypatch.setattr(credit_operations, "move", slowly)
    thread = Thread(target=close)
    thread.start()
    try:
        assert used.wait(30)
        monkeypatch.setattr(credit_operations, "move", real)
        assert expire_credits(at=noon(2026, 10, 1)) == 0
    finally:
        go_on.set()
        thread.join(60)
    assert (credited(profile), left(profile)) == ([3000], [2000])
    assert expire_credits(at=noon(2026, 10, 1)) == 1
    assert books_are_clean()


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_many_workers_close_and_expire_at_once():
    profiles = [september() for _number in range(12)]
    for profile in profiles:
        granted(profile, 5000, **SEPTEMBER)
        charged(profile, "30", on=date(2026, 9, 10))
    at = noon(2026, 10, 1)

    def expire():
        for _again in range(20):
            expire_credits(at=at, limit=3)

    at_once(lambda: run(at, chunk=2), expire, lambda: run(at, chunk=3), expire)
    run(at)
    expire_credits(at=at)
    assert [credited(profile) for profile in profiles] == [[3000]] * 12
    assert sorted(left(profile) for profile in profiles) == [[0]] * 12
    assert books_are_clean()
