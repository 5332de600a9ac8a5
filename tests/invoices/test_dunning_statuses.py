"""Warned, disabled, and active again: by the days past due, at once when paid, and never against staff."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from django.core import mail

from accounts.access import system_access
from accounts.models import AuditEntry, BillingContact, BillingProfile
from billing_portal.core.mail import send_due
from billing_portal.core.models import OutgoingMail
from invoices.money import Money
from invoices.operations.dunning import update_profile_statuses
from invoices.operations.invoice_payments import clear_payment_started, mark_disputed, mark_payment_started
from invoices.operations.voiding import void
from invoices.payability import reason_not_payable
from payments.operations.manual_payments import record_payment
from tests.factories import NOW, TODAY, BillingProfileFactory, access_for, issued, member
from tests.payments.acts import card, press_pay, sandbox, staff

pytestmark = pytest.mark.django_db

DUE = date(2026, 11, 25)


@pytest.fixture(autouse=True)
def _days(settings):
    settings.WARN_AFTER_DAYS, settings.DISABLE_AFTER_DAYS = 7, 30


@pytest.fixture
def bill(profile):
    member(profile, "profile_owner", email="owner@example.com")
    return issued(profile, due_on=DUE)


def days_late(days: int) -> datetime:
    return datetime(2026, 11, 25, 11, tzinfo=UTC) + timedelta(days=days)


def run(days: int) -> int:
    return update_profile_statuses(at=days_late(days), limit=100)


def status(invoice) -> str:
    invoice.profile.refresh_from_db()
    return invoice.profile.status


def test_seven_days_late_warns_and_thirty_disable(bill):
    found = [(run(days), status(bill)) for days in (0, 6, 7, 8, 29, 30, 31)]
    assert found == [
        (0, "active"), (0, "active"), (1, "warned"), (0, "warned"), (0, "warned"), (1, "disabled"), (0, "disabled"),
    ]  # fmt: skip
    assert [entry.action for entry in AuditEntry.objects.filter(action__startswith="profile.").order_by("pk")] == [
        "profile.warned",
        "profile.disabled",
    ]


def test_both_are_mailed_with_what_is_late(bill):
    run(7)
    run(30)
    send_due(at=days_late(31))
    assert [message.subject for message in mail.outbox] == [
        "Your billing profile is about to be disabled · Operations NL",
        "Billing profile disabled · Operations NL",
    ]
    text = mail.outbox[0].body.replace("\n", " ")
    assert "1 invoice is past due, €120.00. If this is not paid before 25 Dec 2026" in text


def test_a_contact_is_told_without_being_asked_to_sign_in(bill, payer):
    BillingContact.objects.create(profile=bill.profile, email="payable@example.com")
    for days in (7, 30):
        run(days)
    press_pay(payer, bill, card(bill.profile))
    send_due(at=days_late(31))
    told = [message for message in mail.outbox if "is past due" in message.body or "active again" in message.subject]
    to_contact = [message for message in told if message.to == ["payable@example.com"]]
    assert len(to_contact) == 3
    assert len(told) == 9
    for message in told:
        assert ("/invoices/" in message.body + str(message.alternatives)) == (message not in to_contact)


def test_a_standstill_skips_the_warning(bill):
    assert (run(45), status(bill)) == (1, "disabled")


def test_a_disabled_profile_can_pay_and_is_active_at_once(bill, payer):
    run(30)
    stored = card(bill.profile)
    bill.profile.refresh_from_db()
    assert reason_not_payable(bill, access_for(payer, bill.profile)) is None
    assert press_pay(payer, bill, stored, at=days_late(30)).status == "succeeded"
    assert status(bill) == "active"
    restored = OutgoingMail.objects.filter(template="profile_status", context__status="active")
    assert restored.filter(to="owner@example.com").count() == 1
    assert run(31) == 0


def test_a_wire_that_staff_record_restores_it_at_once(bill):
    run(7)
    record_payment(
        access=staff(), invoice_id=bill.pk, amount=Money(12000, "EUR"), channel="wire", bank_reference="TRF 1",
        received_on=DUE, attempt_key="00000000-0000-4000-8000-000000000001", at=days_late(8),
    )  # fmt: skip
    assert status(bill) == "active"


def test_a_part_of_it_does_not_restore_it(bill):
    run(7)
    record_payment(
        access=staff(), invoice_id=bill.pk, amount=Money(11999, "EUR"), channel="wire", bank_reference="TRF 1",
        received_on=DUE, attempt_key="00000000-0000-4000-8000-000000000001", at=days_late(8),
    )  # fmt: skip
    assert (run(8), status(bill)) == (0, "warned")


def test_another_invoice_that_is_late_keeps_it_and_one_that_is_not_does_not(bill, payer):
    other = issued(bill.profile, due_on=DUE + timedelta(days=5))
    run(7)
    press_pay(payer, bill, card(bill.profile), at=days_late(7))
    assert (run(7), status(bill)) == (0, "warned")
    type(other).objects.filter(pk=other.pk).update(due_on=date(2027, 6, 1))
    assert (run(7), status(bill)) == (1, "active")


def test_a_voided_invoice_restores_it_at_once(bill):
    run(7)
    void(access=system_access(), invoice_id=bill.pk, reason="Sent twice", at=days_late(8))
    assert status(bill) == "active"


def test_a_payment_in_progress_or_a_dispute_makes_nothing_worse_and_nothing_better(bill):
    mark_payment_started(bill, by=None, at=NOW)
    assert (run(10), status(bill)) == (0, "active")
    clear_payment_started(bill)
    run(10)
    mark_payment_started(bill, by=None, at=NOW)
    assert (run(40), status(bill)) == (0, "warned")
    clear_payment_started(bill)
    mark_disputed(bill, since=NOW)
    assert (run(40), status(bill)) == (0, "warned")


def test_another_invoice_counts_by_its_own_days_while_the_older_one_is_disputed(bill):
    """40 days late, of which nothing is held against them, and 20."""
    issued(bill.profile, today=TODAY + timedelta(days=20))
    mark_disputed(bill, since=NOW)
    assert (run(40), status(bill)) == (1, "warned")


def test_what_staff_closed_stays_closed(bill, payer):
    BillingProfile.objects.update(status="closed")
    assert run(40) == 0
    bill.profile.refresh_from_db()
    assert (
        reason_not_payable(bill, access_for(payer, bill.profile)).text
        == "This billing profile is closed. Contact us to pay."
    )
    void(access=system_access(), invoice_id=bill.pk, reason="Sent twice", at=days_late(41))
    assert (run(41), status(bill)) == (0, "closed")


def test_the_days_are_those_of_the_profile():
    tokyo = issued(BillingProfileFactory(time_zone="Asia/Tokyo"), due_on=DUE)
    here = issued(BillingProfileFactory(), due_on=DUE)
    assert update_profile_statuses(at=datetime(2026, 12, 1, 16, 0, tzinfo=UTC), limit=10) == 1
    assert (status(tokyo), status(here)) == ("warned", "active")


def test_the_limit_holds_and_the_next_run_goes_on(bill):
    issued(BillingProfileFactory(), due_on=DUE)
    assert [update_profile_statuses(at=days_late(7), limit=1) for _run in range(3)] == [1, 1, 0]


def test_two_runs_at_once_make_one_change(bill, monkeypatch):
    """The second read the profile before the first wrote it."""
    from invoices.operations import dunning

    stale = list(dunning._candidates(days_late(7).date()))
    assert run(7) == 1
    monkeypatch.setattr(dunning, "_candidates", lambda day: stale)
    assert run(7) == 0
    assert AuditEntry.objects.filter(action="profile.warned").count() == 1


def test_the_pages_say_how_much_is_late_and_where_to_pay(client, bill, monkeypatch):
    from django.utils import timezone

    monkeypatch.setattr(timezone, "now", lambda: days_late(8))
    run(8)
    fresh = issued(bill.profile, today=date(2026, 12, 2))
    owner = member(bill.profile, "profile_owner")
    client.force_login(owner)
    late_url = f"/profiles/{bill.profile.code}/invoices/?status=past_due"
    for page in ("invoices/", f"invoices/{fresh.number}/", "properties/"):
        text = client.get(f"/profiles/{bill.profile.code}/{page}").content.decode()
        assert late_url in text, page
        assert "active again at once" in text, page
    assert "€120.00 is past due" in client.get(f"/profiles/{bill.profile.code}/invoices/").content.decode()


@pytest.fixture
def _least_charge(monkeypatch):
    """The gateway charges no less than 0.50."""
    monkeypatch.setattr(sandbox(), "capabilities", replace(sandbox().capabilities, minimum_minor={"EUR": 50}))


def small(profile, *amounts):
    member(profile, "profile_owner", email="owner@example.com")
    return [issued(profile, amount, due_on=DUE) for amount in amounts]


@pytest.mark.usefixtures("_least_charge")
def test_less_than_a_card_can_be_charged_neither_warns_nor_disables(profile):
    (bill,) = small(profile, "0.49")
    assert [run(days) for days in (7, 30, 60)] == [0, 0, 0]
    assert status(bill) == "active"
    assert not OutgoingMail.objects.exists()


@pytest.mark.usefixtures("_least_charge")
@pytest.mark.parametrize("amounts", [["0.50"], ["0.30", "0.20"]])
def test_what_comes_to_the_floor_warns_and_disables(profile, amounts):
    bill, *_others = small(profile, *amounts)
    assert [(run(days), status(bill)) for days in (7, 30)] == [(1, "warned"), (1, "disabled")]


@pytest.mark.usefixtures("_least_charge")
def test_what_is_not_late_yet_does_not_count(profile):
    (bill,) = small(profile, "0.30")
    issued(profile, "100.00", due_on=DUE + timedelta(days=90))
    assert (run(30), status(bill)) == (0, "active")


@pytest.mark.usefixtures("_least_charge")
def test_a_rest_below_the_floor_makes_the_profile_active_again_and_the_mail_says_what_is_left(profile):
    (bill,) = small(profile, "120.00")
    assert (run(30), status(bill)) == (1, "disabled")
    record_payment(
        access=staff(), invoice_id=bill.pk, amount=Money(11951, "EUR"), channel="wire", bank_reference="TRF 1",
        received_on=DUE, attempt_key=uuid4(), at=days_late(30),
    )  # fmt: skip
    assert status(bill) == "active"
    assert run(31) == 0
    send_due(at=days_late(31))
    text = " ".join(" ".join(message.body for message in mail.outbox).split())
    assert "Only €0.49 is still past due, so the billing profile is active again." in text


@pytest.mark.usefixtures("_least_charge")
def test_the_setting_comes_before_the_gateway_and_holds_for_its_currency(profile, settings):
    settings.DUNNING_FLOORS = {"EUR": "5.00", "JPY": "500"}
    bill, *_others = small(profile, "4.99")
    assert (run(30), status(bill)) == (0, "active")
    settings.DUNNING_FLOORS = {"EUR": "0", "JPY": "500"}
    assert (run(30), status(bill)) == (1, "disabled")
    settings.DUNNING_FLOORS = {"EUR": "5.00"}
    assert (run(31), status(bill)) == (1, "active")
