"""The ledger of credits: granting, taking back, expiring, applying later; and the entries of old credits."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.access import NotAllowed, system_access
from accounts.models import AuditEntry
from invoices.models import Credit, CreditEntry, Invoice
from invoices.money import Money
from invoices.operations.credits import CannotCredit, apply_credits, expire_credits, grant_credit, take_back_credit
from invoices.operations.invoice_payments import mark_payment_started
from invoices.operations.issuing import issue
from tests.factories import NOW, TODAY, BillingProfileFactory, access_for, billed_until, draft, granted, issued, member
from tests.payments.acts import at_once, books_are_clean, card, press_pay, run_reconciler, sandbox, staff

pytestmark = pytest.mark.django_db


def grant(profile, minor=5000, *, access=None, at=NOW, **fields):
    values = {"source": "goodwill", "description": "For the delay", "starts_on": None, "expires_on": None}
    values |= {"amount": Money(minor, "EUR"), **fields}
    return grant_credit(access=access or staff(), profile_id=profile.pk, at=at, **values)


def entries(credit):
    return list(credit.entries.order_by("pk").values_list("kind", "amount_minor"))


def test_a_granted_credit_has_its_entry_its_author_and_an_audit_entry(profile):
    access = staff()
    credit = grant(profile, access=access, starts_on=TODAY, expires_on=TODAY + timedelta(days=30))
    assert (credit.remaining_minor, credit.created_by, credit.source) == (5000, access.user, "goodwill")
    assert entries(credit) == [("granted", 5000)]
    assert AuditEntry.objects.get(action="credit.granted").detail["amount_minor"] == 5000
    assert books_are_clean()


@pytest.mark.parametrize(
    "fields",
    [
        {"amount": Money(0, "EUR")},
        {"amount": Money(-1, "EUR")},
        {"amount": Money(10**15 + 1, "EUR")},
        {"amount": Money(5, "USD")},
        {"description": "  "},
        {"source": "overpayment"},
        {"source": "credit_note"},
        {"expires_on": TODAY - timedelta(days=1)},
        {"starts_on": TODAY + timedelta(days=2), "expires_on": TODAY + timedelta(days=1)},
    ],
)
def test_a_credit_that_makes_no_sense_is_refused(profile, fields):
    with pytest.raises(CannotCredit):
        grant(profile, **fields)
    assert (Credit.objects.count(), CreditEntry.objects.count()) == (0, 0)


def test_only_staff_grant_and_take_back(profile):
    owner = access_for(member(profile, "profile_owner"), profile)
    credit = granted(profile, 5000)
    with pytest.raises(NotAllowed):
        grant(profile, access=owner)
    with pytest.raises(NotAllowed):
        take_back_credit(access=owner, credit_id=credit.pk, reason="Test", at=NOW)
    with pytest.raises(NotAllowed):
        apply_credits(access=owner, invoice_id=issued(profile).pk, at=NOW)
    assert Credit.objects.count() == 1


def test_a_form_sent_twice_grants_once(profile):
    access = staff()
    grant(profile, access=access)
    with pytest.raises(CannotCredit, match="a moment ago"):
        grant(profile, access=access, at=NOW + timedelta(seconds=59))
    grant(profile, access=access, at=NOW + timedelta(minutes=2))
    assert Credit.objects.count() == 2


def test_the_unused_rest_is_taken_back_with_a_reason(profile):
    credit = granted(profile, 5000)
    issued(profile, "20.00")
    taken = take_back_credit(access=staff(), credit_id=credit.pk, reason="Granted by mistake", at=NOW)
    assert taken.remaining_minor == 0
    assert entries(credit) == [("granted", 5000), ("applied", -2000), ("taken_back", -3000)]
    assert AuditEntry.objects.get(action="credit.taken_back").detail["reason"] == "Granted by mistake"
    assert books_are_clean()
    with pytest.raises(CannotCredit, match="Nothing is left"):
        take_back_credit(access=staff(), credit_id=credit.pk, reason="Again", at=NOW)


@pytest.mark.parametrize("by", ["without a reason", "by the portal itself"])
def test_somebody_says_why_a_credit_is_taken_back(profile, by):
    credit = granted(profile, 5000)
    access, reason = (staff(), " ") if by == "without a reason" else (system_access(), "Test")
    with pytest.raises(CannotCredit):
        take_back_credit(access=access, credit_id=credit.pk, reason=reason, at=NOW)
    assert entries(credit) == [("granted", 5000)]


def test_a_credit_granted_later_waits_for_the_next_invoice(profile):
    first = issued(profile, "100.00")
    grant(profile)
    first.refresh_from_db()
    assert (first.credited_minor, first.amount_due_minor) == (0, 10000)
    assert issued(profile, "100.00").credited_minor == 5000


def test_staff_apply_credits_to_an_open_invoice(profile):
    invoice = issued(profile, "100.00")
    granted(profile, 3000)
    invoice = apply_credits(access=staff(), invoice_id=invoice.pk, at=NOW)
    assert (invoice.status, invoice.credited_minor, invoice.amount_due_minor) == ("open", 3000, 7000)
    assert invoice.credited_at_issue_minor == 0
    granted(profile, 9000)
    invoice = apply_credits(access=staff(), invoice_id=invoice.pk, at=NOW)
    assert (invoice.status, invoice.paid_with, invoice.next_reminder_on) == ("paid", "Credits", None)
    assert books_are_clean()


def test_nothing_to_pay_or_nothing_to_pay_it_with_is_refused(profile):
    invoice, settled, new = issued(profile), issued(profile, "0.00"), draft(profile)
    with pytest.raises(CannotCredit, match="no credit"):
        apply_credits(access=staff(), invoice_id=invoice.pk, at=NOW)
    granted(profile, 100)
    for other in (settled, new):
        with pytest.raises(CannotCredit, match="open invoices only"):
            apply_credits(access=staff(), invoice_id=other.pk, at=NOW)


def test_a_credit_granted_while_an_attempt_is_pending_is_not_applied_to_that_invoice(profile, payer):
    """Scenario 31: the attempt is for the whole amount, and takes it."""
    invoice = issued(profile, "100.00")
    sandbox().faults.arm("drop_after")
    press_pay(payer, invoice, card(profile))
    credit = grant(profile)
    with pytest.raises(CannotCredit, match="payment is in progress"):
        apply_credits(access=staff(), invoice_id=invoice.pk, at=NOW)
    assert entries(credit) == [("granted", 5000)]
    run_reconciler(1)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.paid_minor, invoice.credited_minor) == ("paid", 10000, 0)
    assert Credit.objects.get().remaining_minor == 5000
    assert books_are_clean()


def test_a_noted_attempt_alone_is_enough_to_refuse(profile):
    invoice = issued(profile)
    granted(profile, 100)
    mark_payment_started(invoice, by=None, at=NOW)
    with pytest.raises(CannotCredit, match="payment is in progress"):
        apply_credits(access=staff(), invoice_id=invoice.pk, at=NOW)


def test_a_credit_expires_after_its_last_day_where_its_profile_is():
    west, east = BillingProfileFactory(time_zone="America/New_York"), BillingProfileFactory(time_zone="Asia/Tokyo")
    for profile in (west, east):
        granted(billed_until(profile, TODAY + timedelta(days=1)), 5000, expires_on=TODAY)
    evening = datetime(2026, 10, 26, 20, 0, tzinfo=UTC)  # the 27th in Tokyo
    assert expire_credits(at=evening - timedelta(hours=8)) == 0
    assert expire_credits(at=evening) == 1
    assert (west.credits.get().remaining_minor, east.credits.get().remaining_minor) == (5000, 0)
    assert entries(east.credits.get()) == [("granted", 5000), ("expired", -5000)]
    assert expire_credits(at=evening) == 0
    assert expire_credits(at=evening + timedelta(hours=12)) == 1
    assert books_are_clean()


def test_credits_without_an_end_used_ones_and_those_that_go_on_do_not_expire(profile):
    granted(profile, 5000)
    granted(profile, 5000, expires_on=TODAY + timedelta(days=1))
    assert expire_credits(at=NOW) == 0
    issued(profile, "100.00")
    assert expire_credits(at=NOW + timedelta(days=9)) == 0


def test_a_bite_at_a_time(profile):
    billed_until(profile, TODAY + timedelta(days=1))
    for _index in range(3):
        granted(profile, 100, expires_on=TODAY)
    later = NOW + timedelta(days=2)
    assert [expire_credits(at=later, limit=2) for _again in range(3)] == [2, 1, 0]


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_several_workers_expire_each_credit_once(profile):
    billed_until(profile, TODAY + timedelta(days=1))
    for _index in range(12):
        granted(profile, 100, expires_on=TODAY)
    later = NOW + timedelta(days=2)

    def worker():
        return sum(iter(lambda: expire_credits(at=later, limit=2), 0))

    assert sum(at_once(*[worker] * 4)) == 12
    assert CreditEntry.objects.filter(kind="expired").count() == 12
    assert books_are_clean()


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_a_credit_is_used_or_taken_back_never_both(profile):
    credit, invoice, access = granted(profile, 5000), draft(profile, "30.00"), staff()
    at_once(
        lambda: issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW),
        lambda: take_back_credit(access=access, credit_id=credit.pk, reason="Test", at=NOW),
    )
    assert Credit.objects.get().remaining_minor == 0
    assert Invoice.objects.get().credited_minor in {0, 3000}
    assert books_are_clean()


def test_the_database_changes_no_entry(profile):
    granted(profile, 5000)
    for statement in ("UPDATE invoices_creditentry SET amount_minor = 1", "DELETE FROM invoices_creditentry"):
        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_money_that_the_customer_paid_is_not_taken_away(profile):
    """It goes back with a transfer, from the page of the payment."""
    credit = granted(profile, 3000, source="overpayment")
    with pytest.raises(CannotCredit, match="Pay it back"):
        take_back_credit(access=staff(), credit_id=credit.pk, reason="Test", at=NOW)
    credit.refresh_from_db()
    assert credit.remaining_minor == 3000
