"""The bank asks the payer to approve the payment on its own page."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied

from payments.gateways.sandbox.models import CardPayment, Fence, transaction
from payments.models import Payment
from payments.operations.attempts import CannotPay
from payments.operations.reconciliation import cancel_attempt, return_from_bank
from tests.factories import NOW, access_for, issued, member
from tests.payments.acts import (
    books_are_clean,
    card,
    charges,
    deliver,
    messages,
    press_pay,
    run_reconciler,
    sandbox,
    state,
)


def answer(payment, *, approved: bool) -> None:
    """What the payer presses on the bank's page, in the gateway's own books."""
    from payments.gateways.sandbox import card_payments

    with transaction() as at:
        card_payments.answer_challenge(CardPayment.objects.get(reference=payment.reference), approved=approved, at=at)


@pytest.fixture
def waiting(profile, payer):
    """An invoice, and its payment that waits for bank approval."""
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "3184"))
    assert payment.status == "needs_customer"
    assert payment.next_url
    assert charges(invoice) == []
    return invoice, payment


def returned(payment, payer):
    return return_from_bank(access=access_for(payer, payment.profile), reference=payment.reference, at=NOW)


def by_return(payment, payer):
    returned(payment, payer)


def by_message(payment, payer):
    deliver()


def by_return_then_message(payment, payer):
    returned(payment, payer)
    deliver()


def by_message_then_return(payment, payer):
    deliver()
    returned(payment, payer)


def by_reconciler(payment, payer):
    run_reconciler(31)


@pytest.mark.parametrize("way", [by_return, by_message, by_return_then_message, by_message_then_return, by_reconciler])
def test_whichever_news_comes_first_the_end_is_the_same(waiting, payer, way):
    invoice, payment = waiting
    answer(payment, approved=True)

    way(payment, payer)

    assert state(invoice) == ("paid", 12000, 0)
    assert charges(invoice) == [12000]
    assert payment.events.filter(new_status="succeeded").count() == 1
    assert books_are_clean()


def test_a_failed_check_is_a_decline_and_another_card_pays(waiting, payer, profile):
    invoice, payment = waiting
    answer(payment, approved=False)
    assert returned(payment, payer).status == "declined"
    assert press_pay(payer, invoice, card(profile)).status == "succeeded"
    assert charges(invoice) == [12000]


def test_what_the_bank_declined_after_it_had_asked_is_closed_so_that_no_other_card_is_tried_in_it(waiting, payer):
    _invoice, payment = waiting
    answer(payment, approved=False)
    sandbox().faults.arm("drop_before", on="expire")
    assert returned(payment, payer).status == "unknown"
    run_reconciler(1)
    payment.refresh_from_db()
    assert (payment.status, payment.decline_code) == ("declined", "challenge_failed")
    assert Fence.objects.filter(reference=payment.reference).exists()


def test_coming_back_without_having_answered_changes_nothing(waiting, payer):
    invoice, payment = waiting
    assert returned(payment, payer).status == "needs_customer"
    assert state(invoice) == ("open", 0, 12000)


def test_a_check_nobody_finished_is_closed_at_the_gateway_too(waiting, payer, profile):
    invoice, payment = waiting
    run_reconciler(10)
    payment.refresh_from_db()
    assert payment.status == "needs_customer"

    run_reconciler(31)

    payment.refresh_from_db()
    assert payment.status == "expired"
    answer(payment, approved=True)
    assert charges(invoice) == []
    assert press_pay(payer, invoice, card(profile)).status == "succeeded"


def test_the_payer_may_give_up(waiting, payer):
    invoice, payment = waiting
    given_up = cancel_attempt(access=access_for(payer, payment.profile), reference=payment.reference, at=NOW)
    assert given_up.status == "expired"
    assert state(invoice) == ("open", 0, 12000)
    answer(payment, approved=True)
    assert charges(invoice) == []


def test_giving_up_in_the_second_in_which_the_bank_approved_still_pays(waiting, payer):
    invoice, payment = waiting
    answer(payment, approved=True)
    assert (
        cancel_attempt(access=access_for(payer, payment.profile), reference=payment.reference, at=NOW).status
        == "succeeded"
    )
    assert state(invoice) == ("paid", 12000, 0)


def test_a_reader_cannot_give_up_somebodys_payment(waiting, profile):
    _invoice, payment = waiting
    reader = member(profile, "profile_reader")
    with pytest.raises(PermissionDenied):
        cancel_attempt(access=access_for(reader, profile), reference=payment.reference, at=NOW)
    payment.refresh_from_db()
    assert payment.status == "needs_customer"


def test_only_a_waiting_payment_can_be_given_up(profile, payer):
    payment = press_pay(payer, issued(profile), card(profile))
    with pytest.raises(CannotPay):
        cancel_attempt(access=access_for(payer, profile), reference=payment.reference, at=NOW)


def test_a_success_after_we_had_given_it_up_is_booked_all_the_same(profile, payer, monkeypatch):
    """The gateway promised that the attempt was closed, and then took the money after all."""
    from payments.gateways.base import Outcome, Result

    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "3184"))
    gateway = sandbox()
    monkeypatch.setattr(gateway, "expire", lambda attempt: Outcome(Result.EXPIRED, gateway_id=attempt.gateway_id))
    run_reconciler(31)
    payment.refresh_from_db()
    assert payment.status == "expired"

    answer(payment, approved=True)
    deliver(at=NOW + timedelta(hours=1))

    payment.refresh_from_db()
    assert payment.status == "succeeded"
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_a_success_that_comes_after_the_invoice_was_paid_otherwise_becomes_a_credit(profile, payer, monkeypatch):
    from payments.gateways.base import Outcome, Result

    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "3184"))
    monkeypatch.setattr(sandbox(), "expire", lambda attempt: Outcome(Result.EXPIRED, gateway_id=attempt.gateway_id))
    run_reconciler(31)
    press_pay(payer, invoice, card(profile))
    answer(payment, approved=True)
    deliver(at=NOW + timedelta(hours=1))

    payment.refresh_from_db()
    assert (payment.status, payment.needs_staff) == ("succeeded", True)
    assert state(invoice) == ("paid", 12000, 0)
    assert [credit.amount_minor for credit in profile.credits.all()] == [12000]
    assert sum(charges(invoice)) == 24000
    assert books_are_clean()


def test_a_late_success_closes_the_attempt_that_was_begun_meanwhile(profile, payer, monkeypatch):
    from payments.gateways.base import Outcome, Result

    invoice = issued(profile)
    first = press_pay(payer, invoice, card(profile, "3184"))
    gateway = sandbox()
    real = gateway.expire
    monkeypatch.setattr(gateway, "expire", lambda attempt: Outcome(Result.EXPIRED, gateway_id=attempt.gateway_id))
    run_reconciler(31)
    monkeypatch.setattr(gateway, "expire", real)
    second = press_pay(payer, invoice, card(profile, "3184"), at=NOW + timedelta(minutes=32))
    messages()
    answer(first, approved=True)
    deliver(at=NOW + timedelta(minutes=33))
    assert state(invoice) == ("paid", 12000, 0)

    run_reconciler(34)

    second.refresh_from_db()
    assert second.status == "expired"
    answer(second, approved=True)
    assert charges(invoice) == [12000]
    assert books_are_clean()


def test_a_stranger_cannot_come_back_for_somebody_elses_payment(waiting, profile):
    from tests.factories import BillingProfileFactory

    _invoice, payment = waiting
    other = BillingProfileFactory()
    stranger = member(other, "profile_owner")
    with pytest.raises(Payment.DoesNotExist):
        return_from_bank(access=access_for(stranger, other), reference=payment.reference, at=NOW)
