"""The staff queue: what nobody could settle by itself, and how staff end it."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command

from billing_portal.core.models import OutgoingMail
from payments.gateways.base import Outcome, Result
from payments.models import Payment
from payments.operations.gateway_calls import poll_now
from payments.operations.manual_payments import CannotRecord, end_unanswered
from payments.operations.reconciliation import reconcile
from tests.factories import NOW, access_for, issued
from tests.payments.acts import (
    books_are_clean,
    card,
    charges,
    deliver,
    press_pay,
    run_reconciler,
    sandbox,
    staff,
    state,
)


@pytest.fixture
def unanswered(profile, payer):
    """An invoice and its payment, about which the gateway has kept silent until nobody asks any more."""
    invoice = issued(profile)
    sandbox().faults.arm("drop_after")
    payment = press_pay(payer, invoice, card(profile))
    sandbox().faults.arm("drop_before", on="lookup", times=500)
    for days in range(14):
        reconcile(at=NOW + timedelta(days=days))
    payment.refresh_from_db()
    assert (payment.status, payment.needs_staff, payment.next_lookup_at) == ("unknown", True, None)
    return invoice, payment


def end(payment, note="Nothing at the provider", access=None):
    return end_unanswered(access=access or staff(), payment_id=payment.pk, note=note, at=NOW + timedelta(days=12))


def test_staff_end_what_the_gateway_never_answered_and_the_invoice_can_be_paid(unanswered, payer, profile):
    invoice, payment = unanswered
    assert end(payment).status == "expired"
    assert state(invoice) == ("open", 0, 12000)
    assert not invoice.is_being_paid
    assert OutgoingMail.objects.filter(template="payment_closed", to=payer.email).count() == 1
    assert press_pay(payer, invoice, card(profile), at=NOW + timedelta(days=12)).status == "succeeded"


def test_money_that_turns_up_after_all_is_booked(unanswered):
    invoice, payment = unanswered
    end(payment)
    sandbox().faults.clear()
    deliver(at=NOW + timedelta(days=13))
    assert state(invoice) == ("paid", 12000, 0)
    assert charges(invoice) == [12000]
    assert books_are_clean()


def test_it_takes_staff_and_a_note(unanswered, payer, profile):
    _invoice, payment = unanswered
    with pytest.raises(CannotRecord):
        end(payment, note=" ")
    with pytest.raises(PermissionDenied):
        end(payment, access=access_for(payer, profile))
    payment.refresh_from_db()
    assert payment.status == "unknown"


def test_while_the_gateway_is_still_asked_nobody_ends_it(profile, payer):
    sandbox().faults.arm("drop_after")
    payment = press_pay(payer, issued(profile), card(profile))
    with pytest.raises(CannotRecord, match="Look it up again"):
        end(payment)


def test_a_difference_of_amounts_is_decided_not_ended(profile, payer):
    sandbox().faults.arm("other_amount", value=1)
    payment = press_pay(payer, issued(profile), card(profile))
    with pytest.raises(CannotRecord):
        end(payment)


def test_asking_at_once_uses_up_no_look(profile, payer):
    payment = press_pay(payer, issued(profile), card(profile, "3184"))
    for _time in range(20):
        call_command("reconcile_payments", "--all", stdout=StringIO())
        poll_now(Payment.objects.filter(pk=payment.pk), NOW)
        reconcile(at=NOW)
    payment.refresh_from_db()
    assert payment.lookups <= 1
    assert payment.next_lookup_at is not None or payment.status == "expired"


def test_a_payment_that_was_being_checked_and_took_nothing_is_told_once(profile, payer):
    sandbox().faults.arm("drop_before")
    press_pay(payer, issued(profile), card(profile))
    assert not OutgoingMail.objects.exists()
    run_reconciler(1, 2)
    assert list(OutgoingMail.objects.values_list("template", "to")) == [("payment_closed", payer.email)]


def test_a_check_that_was_given_up_is_not_told(profile, payer):
    press_pay(payer, issued(profile), card(profile, "3184"))
    run_reconciler(31)
    assert not OutgoingMail.objects.exists()


def test_what_the_database_refuses_to_write_down_is_told_to_staff(profile, payer, monkeypatch):
    """The gateway names the same payment of its own for two of ours."""
    first = press_pay(payer, issued(profile), card(profile))
    gateway = sandbox()
    invoice = issued(profile)
    twice = Outcome(Result.SUCCEEDED, gateway_id=first.gateway_id, amount=invoice.amount_due)
    monkeypatch.setattr(gateway, "charge", lambda attempt: twice)
    monkeypatch.setattr(gateway, "lookup", lambda attempt: twice)

    second = press_pay(payer, invoice, card(profile))
    run_reconciler(2)

    second.refresh_from_db()
    assert (second.status, second.needs_staff) == ("created", True)
    assert state(invoice) == ("open", 0, 12000)
