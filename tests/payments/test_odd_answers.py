"""What a gateway may say and no column holds, or what it says twice in two ways. The payment stands either way."""

from dataclasses import replace

import pytest

from payments.gateways.base import Bucket, Decline, DeclineCode, MethodInfo, Outcome, Result
from payments.models import PaymentEvent, PaymentMethod
from payments.operations.attempts import CannotPay
from payments.operations.settlement import settle
from tests.factories import issued, member
from tests.payments.acts import books_are_clean, card, charges, press_pay, run_reconciler, sandbox, state


def answering(monkeypatch, outcome):
    """The gateway gives this answer to the next charge."""
    monkeypatch.setattr(sandbox(), "charge", lambda attempt: replace(outcome, amount=outcome.amount and attempt.amount))


def succeeded(payment, **fields):
    return Outcome(Result.SUCCEEDED, amount=payment.amount, **fields)


def tell(payment, outcome):
    return settle(payment_id=payment.pk, outcome=outcome, source=PaymentEvent.Source.WEBHOOK, at=payment.started_at)


@pytest.mark.parametrize("words", ["\x00", "x" * 10_000, "no \U0001f4b8\x00 left"])
def test_whatever_the_gateway_says_of_a_decline_the_decline_is_kept(profile, payer, monkeypatch, words):
    decline = Decline(DeclineCode.INSUFFICIENT_FUNDS, Bucket.RETRY_LATER)
    answering(monkeypatch, Outcome(Result.DECLINED, decline=decline, message=words))
    payment = press_pay(payer, issued(profile), card(profile))
    payment.refresh_from_db()
    assert payment.status == "declined"
    assert payment.gateway_message == words.replace("\x00", "")[:300]
    assert books_are_clean()


def test_an_address_of_a_check_that_fits_nowhere_is_left_out(profile, payer, monkeypatch):
    answering(
        monkeypatch, Outcome(Result.NEEDS_CUSTOMER, gateway_id="ch_1", next_url="https://bank.example/" + "x" * 500)
    )
    payment = press_pay(payer, issued(profile), card(profile))
    assert (payment.status, payment.next_url) == ("needs_customer", "")


def test_the_address_of_the_check_is_forgotten_when_the_payment_has_ended(profile, payer):
    payment = press_pay(payer, issued(profile), card(profile, "3184"))
    assert payment.next_url
    payment = tell(payment, succeeded(payment, next_url="https://bank.example/again"))
    payment.refresh_from_db()
    assert (payment.status, payment.next_url) == ("succeeded", "")


def test_the_first_id_that_the_gateway_gave_is_kept(profile, payer):
    """By it the gateway is asked; another one would be somebody else's payment."""
    payment = press_pay(payer, issued(profile), card(profile, "3184"))
    first = payment.gateway_id
    tell(payment, succeeded(payment, gateway_id="ch_another"))
    payment.refresh_from_db()
    assert payment.gateway_id == first


@pytest.mark.parametrize("odd", [{"expiry_month": 13}, {"last_four": "42"}])
def test_a_card_that_cannot_be_kept_does_not_undo_the_payment(profile, odd, monkeypatch):
    whole = {"brand": "visa", "last_four": "4242", "expiry_month": 12, "expiry_year": 2030, "gateway_method": "card_1"}
    invoice = issued(profile)
    answering(monkeypatch, Outcome(Result.SUCCEEDED, amount=invoice.total, method=MethodInfo(**{**whole, **odd})))
    payment = press_pay(member(profile, "profile_owner"), invoice, token="tok_4242_abc", save_method=True)
    assert (payment.status, payment.method) == ("succeeded", None)
    assert state(invoice) == ("paid", 12000, 0)
    assert not PaymentMethod.objects.exists()


def test_a_question_that_was_not_sent_says_nothing_about_the_charge(profile, payer):
    invoice = issued(profile)
    sandbox().faults.arm("drop_after")
    payment = press_pay(payer, invoice, card(profile))
    for operation in ("lookup", "expire"):
        sandbox().faults.arm("refuse_connection", on=operation)
    run_reconciler(1)
    payment.refresh_from_db()
    assert payment.status == "unknown"
    run_reconciler(10)
    assert state(invoice) == ("paid", 12000, 0)


def test_closing_that_was_not_sent_leaves_the_attempt_unknown(profile, payer):
    invoice = issued(profile)
    sandbox().faults.arm("drop_before")
    payment = press_pay(payer, invoice, card(profile))
    sandbox().faults.arm("refuse_connection", on="expire")
    run_reconciler(1)
    payment.refresh_from_db()
    assert payment.status == "unknown"
    run_reconciler(10)
    payment.refresh_from_db()
    assert payment.status == "expired"


def test_a_currency_that_the_gateway_does_not_take_is_refused_before_anything_is_written(profile, payer, monkeypatch):
    narrow = replace(sandbox().capabilities, currencies=frozenset({"USD"}))
    monkeypatch.setattr(sandbox(), "capabilities", narrow)
    invoice = issued(profile)
    with pytest.raises(CannotPay, match="EUR") as problem:
        press_pay(payer, invoice, card(profile))
    assert problem.value.code == "currency"
    assert charges(invoice) == []
