"""The default card is charged by itself after issue: once, on its day, and only while every fact still says so."""

from datetime import date, timedelta

import pytest

from accounts.access import system_access
from accounts.models import BillingProfile
from invoices.models import Invoice
from invoices.operations.invoice_payments import plan_autopay
from invoices.operations.voiding import void
from payments.models import AutomaticCharge, Dispute, Payment, PaymentEvent
from payments.operations.autopay import attempt_key_of, begin_charge
from tests.factories import NOW, BillingAccountFactory, BillingProfileFactory, issued
from tests.payments.acts import books_are_clean, card, charges, deliver, press_pay, sandbox, state, tell_sandbox
from tests.payments.autopaying import CHARGED, mails, plan, planned_on, run, story, tried

pytestmark = pytest.mark.django_db


@pytest.fixture
def visa(profile):
    return card(profile, is_default=True)


@pytest.fixture
def invoice(profile, visa):
    return issued(profile)


def test_the_default_card_is_charged_once_on_its_day(invoice, payer):
    assert planned_on(invoice) == date(2026, 10, 29)
    assert run(CHARGED - timedelta(days=1)) == 0
    assert not AutomaticCharge.objects.exists()

    run()
    run()

    assert state(invoice) == ("paid", 12000, 0)
    assert charges(invoice) == [12000]
    assert story(invoice) == ("done", "", 1)
    assert planned_on(invoice) is None
    assert mails() == ["payment_succeeded"]
    assert mails("payment_succeeded") == [payer.email]
    payment = Payment.objects.get()
    assert (payment.is_automatic, payment.started_by, payment.attempt_key) == (True, None, attempt_key_of(invoice, 1))
    assert set(PaymentEvent.objects.values_list("source", flat=True)) == {"automatic"}
    assert books_are_clean()


def test_the_gateway_is_told_that_nobody_is_there(profile):
    card(profile, "3184", is_default=True)
    invoice = issued(profile)
    run()
    assert Payment.objects.get().decline_code == "challenge_required"
    assert charges(invoice) == []


@pytest.mark.parametrize(
    ("zone", "day"), [("Pacific/Kiritimati", 28), ("Europe/Amsterdam", 29), ("America/Los_Angeles", 29)]
)
def test_the_day_begins_where_the_profile_is(zone, day):
    profile = BillingProfileFactory(time_zone=zone)
    card(profile, is_default=True)
    invoice = issued(profile)
    at = CHARGED.replace(day=day, hour=10)  # midnight on Kiritimati, three in the morning in Los Angeles
    before = at - timedelta(hours=3, minutes=1)
    run(before if zone == "America/Los_Angeles" else at - timedelta(days=1))
    assert state(invoice)[0] == "open"
    run(at)
    assert state(invoice)[0] == "paid"


def test_a_missed_day_is_made_up_for_once(invoice):
    run(CHARGED + timedelta(days=40))
    assert charges(invoice) == [12000]


def test_history_that_is_written_down_is_not_charged(profile, visa):
    old = issued(profile, today=date(2026, 9, 1))
    assert planned_on(old) is None
    run(CHARGED + timedelta(days=60))
    assert not Payment.objects.exists()


def switched_off(invoice):
    BillingProfile.objects.update(charges_automatically=False)


def by_wire(invoice):
    BillingProfile.objects.update(default_method="check_wire")


def disputed(invoice):
    Invoice.objects.update(disputed_at=NOW)


def another_agreement(invoice):
    invoice.profile.account.agreement_type = "enterprise"
    invoice.profile.account.save()


def closed(invoice):
    BillingProfile.objects.update(status="closed")


def removed(invoice):
    invoice.profile.payment_methods.update(status="removed", is_default=False)


def no_default(invoice):
    invoice.profile.payment_methods.update(is_default=False)


def expired(invoice):
    invoice.profile.payment_methods.update(expiry_month=9, expiry_year=2026)
    tell_sandbox(invoice.profile.payment_methods.get())


@pytest.mark.parametrize(
    ("change", "reason", "mail"),
    [
        (switched_off, "switched_off", []),
        (by_wire, "by_wire", []),
        (disputed, "disputed", []),
        (another_agreement, "agreement", ["charge_stopped"]),
        (closed, "profile_closed", []),
        (removed, "no_card", ["charge_stopped"]),
        (no_default, "no_card", ["charge_stopped"]),
        (expired, "card_expired", ["charge_stopped"]),
    ],
)
def test_what_changed_since_issue_counts_and_then_nothing_is_charged(invoice, payer, change, reason, mail):
    change(invoice)
    run()
    assert story(invoice) == ("stopped", reason, 0)
    assert planned_on(invoice) is None
    assert not Payment.objects.exists()
    assert mails() == mail
    assert run(CHARGED + timedelta(days=1)) == 0


def test_no_other_card_takes_the_place_of_a_default_that_is_gone(profile, visa, invoice):
    card(profile, "4444", backup_order=1)
    visa.status, visa.is_default = "removed", False
    visa.save()
    run()
    assert story(invoice) == ("stopped", "no_card", 0)
    assert charges(invoice) == []


def test_a_new_default_is_the_one_that_is_charged(profile, visa, invoice):
    visa.is_default = False
    visa.save()
    card(profile, "4444", is_default=True)
    run()
    assert tried(invoice) == [("4444", "succeeded")]


def test_above_the_card_limit_nothing_is_charged(profile, visa, settings, payer):
    """Only a profile that pays by wire has a limit, and such a profile is not charged at all."""
    settings.CARD_LIMITS_FOR_WIRE = {"EUR": "100.00"}
    invoice = issued(profile)
    by_wire(invoice)
    run()
    assert story(invoice) == ("stopped", "by_wire", 0)


def test_credits_are_taken_off_and_only_the_rest_is_charged(invoice):
    Invoice.objects.filter(pk=invoice.pk).update(credited_minor=3000)
    run()
    assert charges(invoice) == [9000]


def test_nothing_due_is_no_call_to_the_gateway(invoice):
    Invoice.objects.filter(pk=invoice.pk).update(credited_minor=12000)
    run()
    assert story(invoice) == ("stopped", "nothing_due", 0)
    assert not Payment.objects.exists()


def test_a_person_who_pays_first_ends_the_plan(invoice, payer, visa):
    press_pay(payer, invoice, visa)
    run()
    assert charges(invoice) == [12000]
    assert not AutomaticCharge.objects.exists()


def test_while_a_person_pays_the_clock_waits_and_then_goes_on(profile, invoice, payer):
    challenged = card(profile, "3184")
    payment = press_pay(payer, invoice, challenged, at=CHARGED)
    assert run() == 0
    assert planned_on(invoice) == date(2026, 10, 29)

    from payments.operations.reconciliation import reconcile

    reconcile(at=CHARGED + timedelta(minutes=31))
    payment.refresh_from_db()
    assert payment.status == "expired"
    run(CHARGED + timedelta(minutes=32))

    assert charges(invoice) == [12000]
    assert books_are_clean()


def test_void_ends_the_plan(invoice):
    void(access=system_access(), invoice_id=invoice.pk, reason="Sent twice", at=NOW)
    run()
    assert planned_on(invoice) is None
    assert not AutomaticCharge.objects.exists()


def test_what_was_refunded_or_taken_back_is_not_charged_again(invoice, payer):
    from tests.invoices.bookings import take_back_payment

    run()
    invoice.refresh_from_db()
    take_back_payment(invoice, invoice.total, at=NOW, by_bank=True)
    assert state(invoice) == ("open", 0, 12000)
    run(CHARGED + timedelta(days=30))
    assert charges(invoice) == [12000]
    assert planned_on(invoice) is None


def test_a_dispute_that_is_lost_makes_it_due_again_and_charges_nobody(profile, payer):
    """Money that a payer's bank took back is not taken from the card again."""
    card(profile, "0259", is_default=True)
    invoice = issued(profile)
    run()
    deliver()
    invoice.refresh_from_db()
    assert invoice.disputed_at is not None
    run(CHARGED + timedelta(days=3))
    sandbox().operator.advance_clock(8 * 24 * 3600)
    sandbox().lookup_dispute("any")
    deliver(at=CHARGED + timedelta(days=9))
    assert state(invoice) == ("open", 0, 12000)
    run(CHARGED + timedelta(days=10))
    assert charges(invoice) == [12000]
    assert story(invoice) == ("done", "", 1)


def test_a_day_written_on_an_invoice_whose_plan_is_over_charges_nothing(invoice):
    switched_off(invoice)
    run()
    BillingProfile.objects.update(charges_automatically=True)
    invoice.refresh_from_db()
    plan_autopay(invoice, CHARGED.date())
    assert run() == 1
    assert not Payment.objects.exists()
    assert planned_on(invoice) is None


def test_one_invoice_in_trouble_does_not_keep_the_others_waiting(profile, visa, monkeypatch):
    from payments.operations import autopay

    bad, good = issued(profile), issued(profile)
    real = autopay.next_card

    def next_card(charge, *, at):
        if charge.invoice_id == bad.pk:
            raise RuntimeError
        return real(charge, at=at)

    monkeypatch.setattr(autopay, "next_card", next_card)
    run()
    assert (state(bad)[0], state(good)[0]) == ("open", "paid")
    assert planned_on(bad) == date(2026, 10, 30)


def test_a_try_is_made_once_whoever_makes_it(invoice):
    """Taken up before, by a worker that is still at it."""
    was_due, begun = begin_charge(invoice_id=invoice.pk, at=CHARGED)
    assert was_due
    assert begin_charge(invoice_id=invoice.pk, at=CHARGED) == (False, None)
    assert run() == 0
    assert plan(invoice).last_payment == begun[0]
    assert Payment.objects.count() == 1


def test_another_profile_is_not_charged_for_it():
    account = BillingAccountFactory()
    one, other = BillingProfileFactory(account=account), BillingProfileFactory(account=account)
    card(other, is_default=True)
    invoice = issued(one)
    run()
    assert story(invoice) == ("stopped", "no_card", 0)
    assert not Dispute.objects.exists()
    assert not Payment.objects.exists()
