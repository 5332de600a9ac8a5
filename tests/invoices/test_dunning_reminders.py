"""Reminders: on the days of the plan, once, to the right people, and not while money is on its way."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.core import mail

from accounts.models import BillingContact, BillingProfile
from billing_portal.core.mail import send_due
from billing_portal.core.models import OutgoingMail
from invoices.models import Invoice
from invoices.money import Money
from invoices.operations.dunning import remind_due
from invoices.operations.invoice_payments import clear_payment_started, mark_disputed, mark_payment_started
from tests.factories import NOW, BillingProfileFactory, issued, member
from tests.invoices.bookings import apply_payment, take_back_payment

pytestmark = pytest.mark.django_db

# Invoices are issued on 26 October and due on 25 November.
DUE = date(2026, 11, 25)


@pytest.fixture(autouse=True)
def _plan(settings):
    settings.REMINDER_DAYS = [-3, 1, 7]


@pytest.fixture
def bill(profile):
    """An invoice of a profile that is not charged by itself, and somebody who gets its mail."""
    profile.charges_automatically = False
    profile.save()
    member(profile, "invoice_manager", email="manager@example.com")
    return issued(profile)


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 11, tzinfo=UTC)


def run(day: date) -> int:
    return remind_due(at=noon(day), limit=100)


def reminded() -> list[str]:
    """What was asked to be mailed, oldest first: to whom and of which invoices."""
    rows = OutgoingMail.objects.filter(template="reminder").order_by("pk")
    return [f"{row.to} {' '.join(invoice['number'] for invoice in row.context['invoices'])}" for row in rows]


def plan(invoice) -> tuple[date | None, int]:
    invoice.refresh_from_db()
    return invoice.next_reminder_on, invoice.reminders_sent


def test_each_day_of_the_plan_makes_one_reminder(bill):
    assert plan(bill) == (date(2026, 11, 22), 0)
    days = [date(2026, 10, 26) + timedelta(days=number) for number in range(60)]
    sent_on = [day for day in days if run(day) and OutgoingMail.objects.filter(created_at=noon(day)).exists()]
    assert sent_on == [date(2026, 11, 22), date(2026, 11, 26), date(2026, 12, 2)]
    assert plan(bill) == (None, 3)


def test_it_says_what_is_late_and_how_to_pay(bill):
    run(date(2026, 12, 2))
    send_due(at=NOW + timedelta(days=60))
    (message,) = mail.outbox
    assert message.to == ["manager@example.com"]
    assert message.subject == "€120.00 is past due · Operations NL"
    assert "INV-000001, due 25 Nov 2026, 7 days late: €120.00" in message.body
    assert f"/profiles/{bill.profile.code}/invoices/INV-000001/" in message.body


def test_who_pays_by_wire_reads_where_to_send_the_money_and_a_contact_is_not_asked_to_sign_in(bill):
    BillingProfile.objects.update(default_method="check_wire")
    BillingContact.objects.create(profile=bill.profile, email="payable@example.com")
    run(date(2026, 12, 2))
    send_due(at=NOW + timedelta(days=60))
    to_manager, to_contact = sorted(mail.outbox, key=lambda message: message.to)
    for message in (to_manager, to_contact):
        assert "IBAN: NL53 EXAM 0000 0000 00" in message.body
        assert bill.payment_reference in message.body
    assert "/invoices/INV-000001/" in to_manager.body
    assert "/invoices/" not in to_contact.body + str(to_contact.alternatives)


def test_those_whose_day_is_yet_to_come_keep_nobody_waiting(bill):
    """It is the 26th in Auckland already, and still the 25th in Amsterdam, where the older invoice is."""
    there = BillingProfileFactory(time_zone="Pacific/Auckland", charges_automatically=False)
    member(there, "invoice_manager", email="there@example.com")
    issued(there)
    Invoice.objects.update(next_reminder_on=date(2026, 11, 26))
    assert remind_due(at=datetime(2026, 11, 25, 12, tzinfo=UTC), limit=1) == 1
    assert reminded() == ["there@example.com INV-000002"]


def test_before_the_due_date_it_says_due_soon(bill):
    run(date(2026, 11, 22))
    send_due(at=NOW + timedelta(days=60))
    assert mail.outbox[0].subject == "€120.00 is due soon · Operations NL"


def test_days_that_were_missed_make_one_reminder(bill):
    assert run(date(2026, 12, 20)) == 1
    assert reminded() == ["manager@example.com INV-000001"]
    assert plan(bill) == (None, 1)


def test_two_runs_of_a_day_make_one_reminder(bill):
    assert [run(date(2026, 11, 26)), run(date(2026, 11, 26))] == [1, 0]
    assert len(reminded()) == 1


def test_one_mail_holds_all_invoices_of_a_day(bill):
    issued(bill.profile)
    other = issued(BillingProfileFactory(charges_automatically=False))
    member(other.profile, "profile_owner", email="owner@example.com")
    assert run(date(2026, 11, 26)) == 3
    assert reminded() == ["manager@example.com INV-000001 INV-000002", "owner@example.com INV-000003"]


def test_an_invoice_that_joins_later_that_day_is_reminded_of_too(bill):
    run(date(2026, 11, 26))
    late = issued(bill.profile)
    Invoice.objects.filter(pk=late.pk).update(next_reminder_on=date(2026, 11, 26))
    run(date(2026, 11, 26))
    assert reminded() == ["manager@example.com INV-000001", "manager@example.com INV-000002"]


def test_it_goes_to_the_profiles_people_and_its_contacts_and_to_nobody_of_the_account(bill):
    member(bill.profile.account, "account_owner")
    member(bill.profile, "profile_reader")
    BillingContact.objects.create(profile=bill.profile, email="payable@example.com", language="nl")
    BillingContact.objects.create(profile=bill.profile, email="archive@example.com", gets_reminders=False)
    run(date(2026, 11, 26))
    rows = OutgoingMail.objects.order_by("to").values_list("to", "language")
    assert list(rows) == [("manager@example.com", "en"), ("payable@example.com", "nl")]


def test_the_day_is_that_of_the_profile(settings):
    """In Tokyo it is the 26th while it is the 25th in Amsterdam."""
    tokyo = issued(BillingProfileFactory(time_zone="Asia/Tokyo", charges_automatically=False))
    here = issued(BillingProfileFactory(charges_automatically=False))
    Invoice.objects.update(next_reminder_on=date(2026, 11, 26))
    assert remind_due(at=datetime(2026, 11, 25, 16, 0, tzinfo=UTC), limit=10) == 1
    assert plan(tokyo)[1] == 1
    assert plan(here) == (date(2026, 11, 26), 0)


def test_while_a_payment_is_in_progress_nobody_is_reminded_and_the_day_after_it_ended_they_are(bill):
    mark_payment_started(bill, by=None, at=NOW)
    run(date(2026, 11, 26))
    assert (reminded(), plan(bill)) == ([], (date(2026, 11, 27), 0))
    clear_payment_started(bill)
    run(date(2026, 11, 27))
    assert reminded() == ["manager@example.com INV-000001"]
    assert plan(bill) == (date(2026, 12, 2), 1)


def test_nobody_is_reminded_of_what_is_disputed(bill):
    mark_disputed(bill, since=NOW)
    run(date(2026, 11, 26))
    assert (reminded(), plan(bill)) == ([], (date(2026, 11, 27), 0))


def test_nobody_is_reminded_before_a_planned_charge_but_after_it(bill):
    Invoice.objects.filter(pk=bill.pk).update(autopay_on=date(2026, 11, 29))
    run(date(2026, 11, 26))
    assert (reminded(), plan(bill)) == ([], (date(2026, 11, 30), 0))
    run(date(2026, 11, 30))
    assert len(reminded()) == 1


def test_what_is_paid_is_not_reminded_of(bill):
    apply_payment(bill, bill.amount_due, at=NOW, paid_with="Wire transfer", ends_attempt=False)
    assert run(date(2026, 12, 20)) == 0
    assert reminded() == []


def test_a_closed_profile_is_not_written_to(bill):
    bill.profile.status = "closed"
    bill.profile.save()
    run(date(2026, 11, 26))
    assert reminded() == []


def test_paid_back_before_the_due_date_the_plan_goes_on(bill):
    apply_payment(bill, bill.amount_due, at=NOW, paid_with="Wire transfer", ends_attempt=False)
    take_back_payment(bill, Money(12000, "EUR"), at=noon(date(2026, 11, 22)))
    assert plan(bill)[0] == date(2026, 11, 26)


def test_paid_back_after_the_plan_there_is_one_more_reminder_a_week_later(bill):
    """Scenario 46: a check that comes back after the invoice was paid."""
    apply_payment(bill, bill.amount_due, at=NOW, paid_with="Check", ends_attempt=False)
    take_back_payment(bill, Money(12000, "EUR"), at=noon(date(2027, 1, 10)), by_bank=True)
    assert plan(bill)[0] == date(2027, 1, 17)
    run(date(2027, 1, 17))
    assert (len(reminded()), plan(bill)) == (1, (None, 1))


def test_trouble_with_one_profile_does_not_keep_the_others_waiting(bill, monkeypatch):
    other = issued(BillingProfileFactory(charges_automatically=False))
    member(other.profile, "profile_owner", email="owner@example.com")
    type(bill.profile).objects.filter(pk=bill.profile.pk).update(code="/")  # no page has this address
    run(date(2026, 11, 26))
    assert reminded() == ["owner@example.com INV-000002"]
    assert plan(bill) == (date(2026, 11, 22), 0)


@pytest.mark.parametrize(("amounts", "sent"), [(["0.49"], 0), (["0.50"], 1), (["0.30", "0.20"], 1)])
def test_less_than_the_floor_is_not_reminded_of(profile, settings, amounts, sent):
    settings.DUNNING_FLOORS = {"EUR": "0.50"}
    profile.charges_automatically = False
    profile.save()
    member(profile, "invoice_manager")
    for amount in amounts:
        issued(profile, amount)
    run(date(2026, 11, 26))
    assert len(reminded()) == sent


def test_what_was_too_little_is_reminded_of_once_more_is_late(bill, settings):
    settings.DUNNING_FLOORS = {"EUR": "200.00"}
    for day in (22, 26, 30):
        run(date(2026, 11, day))
    assert (reminded(), plan(bill)) == ([], (date(2026, 12, 1), 0))
    issued(bill.profile, "80.00")
    run(date(2026, 12, 1))
    assert len(reminded()) == 1
