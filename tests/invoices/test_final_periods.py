"""When staff close a billing profile, what is on no invoice is settled at once: billed, or made a credit."""

from datetime import date
from decimal import Decimal
from functools import partial
from threading import Event, Timer

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from accounts.access import NotAllowed, access_of, system_access
from accounts.models import AuditEntry, BillingProfile
from accounts.operations.profiles import CannotChangeProfile, close_profile, release_profile
from invoices.models import Charge, Credit, Invoice, PeriodClosing, TaxRate, Transfer
from invoices.operations import closing, final_periods
from invoices.operations.charges import CannotCharge, remove_charge
from payments.documents.statement import statement_data
from payments.operations.integrity import check_books
from payments.statements import heading_of, statement_of
from tests.factories import UserFactory, granted, member
from tests.invoices.billing_runs import billed_profile, charged, noon, run, section_of, totals
from tests.payments.acts import at_once, books_are_clean, staff

pytestmark = pytest.mark.django_db

AT = noon(2026, 10, 15)  # in the period from 5 October to 4 November


@pytest.fixture
def profile():
    return billed_profile()


def close(profile, at=AT):
    close_profile(access=staff(), profile_id=profile.pk, at=at)
    profile.refresh_from_db()


def open_again(profile, at=AT):
    release_profile(access=staff(), profile_id=profile.pk, at=at)
    profile.refresh_from_db()


def closings(profile) -> list[tuple]:
    rows = PeriodClosing.objects.filter(profile=profile).order_by("start_on")
    return list(rows.values_list("start_on", "end_on", "outcome", "carried_minor", "brought_minor"))


def test_what_is_owed_becomes_an_invoice_at_once_however_little_it_is(settings, profile):
    settings.DUNNING_FLOORS = {"EUR": "0.50"}
    charged(profile, "0.10", on=date(2026, 10, 6))
    charged(profile, "0.10", on=date(2026, 12, 24))  # after the day of closing, and after the period
    close(profile)
    invoice = Invoice.objects.get()
    assert (invoice.total_minor, invoice.billed_charges.count(), invoice.issued_on) == (20, 2, date(2026, 10, 15))
    assert (invoice.period_start_on, invoice.period_end_on) == (date(2026, 10, 5), date(2026, 10, 15))
    assert closings(profile) == [(date(2026, 10, 5), date(2026, 10, 16), "billed", 0, 0)]
    assert (profile.status, profile.billed_until_on, profile.next_invoice_on) == (
        "closed", date(2026, 10, 16), date(2026, 11, 5)
    )  # fmt: skip
    assert books_are_clean()


def test_returns_that_outweigh_become_a_credit_booked_by_account(profile):
    high, low = (TaxRate.objects.create(name=str(percent), percent=Decimal(percent)) for percent in (21, 9))
    charged(profile, "-30", on=date(2026, 10, 6), tax_rate=high)
    charged(profile, "10", on=date(2026, 10, 7), tax_rate=low)
    close(profile)
    credit = Credit.objects.get()
    assert (credit.source, credit.amount_minor, credit.remaining_minor) == ("returns", 2540, 2540)
    assert (credit.starts_on, credit.expires_on) == (None, None)
    rows = Transfer.objects.order_by("key").values_list("kind", "debit", "credit", "amount_minor", "lot")
    assert list(rows) == [
        ("returns", "revenue", "customer_credit", 2000, credit.pk),
        ("returns", "tax:S:21", "customer_credit", 630, credit.pk),
        ("returns", "customer_credit", "tax:S:9", 90, credit.pk),
    ]
    assert closings(profile) == [(date(2026, 10, 5), date(2026, 10, 16), "credited", -2540, 0)]
    assert PeriodClosing.objects.get().credit == credit
    assert not Invoice.objects.exists()
    entry = AuditEntry.objects.get(action="credit.granted")
    assert entry.detail["amount_minor"] == 2540
    assert books_are_clean()


def test_what_became_a_credit_is_never_billed_or_removed(profile):
    charge = charged(profile, "-30", on=date(2026, 10, 6))
    close(profile)
    open_again(profile, noon(2026, 10, 20))
    charged(profile, "50", on=date(2026, 10, 21))
    run(noon(2026, 11, 5))
    invoice = Invoice.objects.get()
    assert (invoice.total_minor, invoice.credited_minor, invoice.period_start_on) == (5000, 3000, date(2026, 10, 16))
    with pytest.raises(CannotCharge, match="was made a credit"):
        remove_charge(access=system_access(), charge_id=charge.pk, at=noon(2026, 11, 6))
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        Charge.objects.filter(pk=charge.pk).update(quantity=-2)
    assert books_are_clean()


def test_a_late_charge_of_days_whose_returns_became_a_credit_can_be_removed(profile):
    charged(profile, "-30", on=date(2026, 10, 6))
    close(profile)
    open_again(profile, noon(2026, 10, 20))
    late = charged(profile, "50", on=date(2026, 10, 7))
    remove_charge(access=system_access(), charge_id=late.pk, at=noon(2026, 10, 21))
    assert Charge.objects.count() == 1
    assert books_are_clean()


@pytest.mark.parametrize(("price", "billed", "credited"), [("-20", [], [3000]), ("25", [1500], [])])
def test_what_was_carried_before_is_part_of_it(profile, price, billed, credited):
    charged(profile, "-10", on=date(2026, 10, 6))
    run(noon(2026, 11, 5))
    charged(profile, price, on=date(2026, 11, 6))
    close(profile, noon(2026, 11, 8))
    assert totals(profile) == billed
    assert list(Credit.objects.values_list("amount_minor", flat=True)) == credited
    assert [row[4] for row in closings(profile)] == [0, -1000]
    assert books_are_clean()


def test_missed_periods_are_settled_with_the_running_one(profile):
    for month in (10, 11, 12):
        charged(profile, "10", on=date(2026, month, 7))
    close(profile, noon(2026, 12, 20))
    assert totals(profile) == [3000]
    assert closings(profile) == [(date(2026, 10, 5), date(2026, 12, 21), "billed", 0, 0)]
    assert books_are_clean()


def test_charges_and_returns_that_come_to_nothing_are_an_invoice_of_zero(profile):
    charged(profile, "10", on=date(2026, 10, 6))
    charged(profile, "-10", on=date(2026, 10, 7))
    close(profile)
    assert totals(profile) == [0]
    assert Invoice.objects.get().status == "paid"


def test_without_charges_nothing_is_written_and_the_period_goes_on_when_opened_again(profile):
    close(profile)
    assert closings(profile) == []
    assert (profile.billed_until_on, profile.next_invoice_on) == (date(2026, 10, 5), date(2026, 11, 5))
    open_again(profile)
    assert run(noon(2026, 11, 5)).nothing == 1
    assert books_are_clean()


def test_a_profile_may_be_closed_twice_on_a_day(profile):
    for _twice in range(2):
        charged(profile, "10", on=date(2026, 10, 6))
        close(profile)
        open_again(profile)
    assert totals(profile) == [1000, 1000]
    assert [row[:2] for row in closings(profile)] == [
        (date(2026, 10, 5), date(2026, 10, 16)),
        (date(2026, 10, 16), date(2026, 10, 17)),
    ]
    run(noon(2026, 12, 5))
    assert books_are_clean()


def test_a_profile_that_was_never_billed_is_settled_too():
    new = billed_profile(since=None, next_on=date(2026, 11, 5), created_at=noon(2026, 10, 12))
    new.next_invoice_on = None
    new.save()
    charged(new, "10", on=date(2026, 10, 13))
    close(new)
    assert closings(new) == [(date(2026, 10, 12), date(2026, 10, 16), "billed", 0, 0)]
    assert books_are_clean()


def test_a_credit_of_the_running_period_pays_for_the_last_invoice(profile):
    granted(profile, 800, starts_on=date(2026, 10, 1), expires_on=date(2026, 10, 10))
    charged(profile, "10", on=date(2026, 10, 6))
    close(profile)
    assert Invoice.objects.get().credited_minor == 800


def test_a_profile_that_cannot_be_billed_stays_open(profile, monkeypatch):
    charged(profile, "10", on=date(2026, 10, 6))

    def fails(*_arguments, **_options):
        raise ValueError("No bank account")

    monkeypatch.setattr(closing, "issue_invoices", fails)
    with pytest.raises(CannotChangeProfile, match="cannot be invoiced: No bank account"):
        close(profile)
    profile.refresh_from_db()
    assert (profile.status, closings(profile)) == ("active", [])
    assert Charge.objects.get().settled_by_id is None


def test_nothing_is_charged_to_a_profile_that_was_closed_since_it_was_read(profile):
    read_before = BillingProfile.objects.get(pk=profile.pk)
    close(profile)
    with pytest.raises(CannotCharge, match="The billing profile is closed"):
        charged(read_before, on=date(2026, 10, 6))
    assert not Charge.objects.exists()


def test_charges_that_wait_on_a_closed_profile_are_named(profile):
    """As two connections may leave them: one records a charge while the other closes the profile."""
    charged(profile, on=date(2026, 10, 6))
    BillingProfile.objects.filter(pk=profile.pk).update(status="closed")
    assert check_books() == [f"Billing profile {profile.code}: it is closed, and charges wait for an invoice."]
    open_again(profile)
    close(profile)
    assert totals(profile) == [1000]
    assert books_are_clean()


def test_only_staff_settle(profile):
    charged(profile, "10", on=date(2026, 10, 6))
    with pytest.raises(NotAllowed):
        close_profile(access=access_of(member(profile, "profile_owner")), profile_id=profile.pk, at=AT)
    assert not Invoice.objects.exists()


@pytest.mark.parametrize(
    ("price", "foretold"),
    [
        ("-12.30", "-12.30. It becomes a credit of the billing profile."),
        ("12.30", "12.30. It is invoiced now."),
        (None, None),
    ],
)
def test_staff_read_beforehand_what_will_happen(client, profile, price, foretold):
    if price:
        charged(profile, price, on=date(2026, 10, 6))
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    url = reverse("admin:accounts_billingprofile_close", args=[profile.pk])
    text = " ".join(client.get(url).content.decode().split()).replace("EUR ", "").replace("€", "")
    assert ("What is not invoiced yet" in text) == (price is not None)
    if foretold:
        assert foretold in text
    assert client.post(url).status_code == 302
    profile.refresh_from_db()
    assert profile.is_closed
    assert Invoice.objects.exists() == (price == "12.30")
    assert Credit.objects.exists() == (price == "-12.30")


def test_staff_see_on_the_page_of_the_profile_what_waits_and_was_carried(client, profile):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    url = reverse("admin:accounts_billingprofile_change", args=[profile.pk])
    charged(profile, "-12.30", on=date(2026, 10, 6))
    run(noon(2026, 11, 5))
    charged(profile, "2", on=date(2026, 11, 6))
    page = " ".join(client.get(url).content.decode().split())
    assert "10.30, with" in page
    assert "12.30 carried from 5 October 2026 to 4 November 2026" in page


def test_the_customer_finds_the_credit_and_the_statement_tells_of_it(client, profile):
    charged(profile, "-12.30", on=date(2026, 10, 6))
    close(profile)
    client.force_login(member(profile, "invoice_manager"))
    page = client.get(reverse("invoices:credits", args=[profile.code])).content.decode()
    assert "Returns" in page
    assert "12.30" in page
    october = statement_of(profile, date(2026, 10, 1), date(2026, 10, 31))
    note = statement_data(october, heading_of(october, at=noon(2026, 12, 1)))["note"]
    assert "12.30 from 5 October 2026 to 15 October 2026 became a credit" in note
    query = {"month": "2026-10"}
    page = client.get(reverse("payments:statement", args=[profile.code]), query).content.decode()
    assert "became a credit and is not part of it either." in page
    assert "is carried to" not in client.get(reverse("invoices:list", args=[profile.code])).content.decode()


def test_settled_charges_that_were_changed_by_hand_are_named(profile):
    charges = [charged(profile, "-5", on=date(2026, 10, 6)) for _twice in range(2)]
    close(profile)
    Charge.objects.filter(pk=charges[0].pk).update(settled_by=None)
    wrong = f"Billing profile {profile.code}: the charges from 2026-10-05 that became a credit come to -500,"
    assert f"{wrong} its closing says -1000." in check_books()
    other = billed_profile()
    Charge.objects.filter(pk=charges[0].pk).update(settled_by=PeriodClosing.objects.get())
    assert check_books() == []
    charge = charged(other, "0", on=date(2026, 10, 6))
    Charge.objects.filter(pk=charge.pk).update(settled_by=PeriodClosing.objects.get())
    assert check_books() == [f"Billing profile {other.code}: charge {charge.pk} became a credit of another closing."]


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_a_billing_run_and_a_closing_at_once_bill_each_charge_once():
    profiles = [billed_profile() for _number in range(8)]
    for index, profile in enumerate(profiles):
        charged(profile, "10" if index % 2 else "-10", on=date(2026, 10, 6))
    at = noon(2026, 11, 5)

    def close_all():
        for profile in profiles:
            close_profile(access=staff(), profile_id=profile.pk, at=at)

    results = at_once(partial(run, at, chunk=2), close_all)
    assert not [result for result in results if isinstance(result, Exception)]
    assert Invoice.objects.count() == 4
    assert Credit.objects.count() == 4
    assert books_are_clean()


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_a_charge_recorded_at_the_moment_of_closing_is_refused(profile, monkeypatch):
    """All that waited is settled, and the profile not yet closed, when the charge comes."""
    real, settled, go_on = final_periods.settle, Event(), Event()

    def slowly(*arguments, **named):
        real(*arguments, **named)
        settled.set()
        assert go_on.wait(60)

    def record():
        assert settled.wait(60)
        Timer(1, go_on.set).start()  # by then it waits for the lock
        return charged(profile, on=date(2026, 10, 6))

    monkeypatch.setattr(final_periods, "settle", slowly)
    section_of(profile)
    results = at_once(partial(close_profile, access=staff(), profile_id=profile.pk, at=AT), record)
    assert "The billing profile is closed." in [str(result) for result in results]
    assert not Charge.objects.exists()
