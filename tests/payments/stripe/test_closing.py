"""Closing an attempt is a promise: no request of it that comes later can charge."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from payments.gateways.base import GatewayError, Result
from payments.gateways.stripe.client import RETRIES
from tests.payments.stripe.asks import CHARGE, an_attempt, charged, keys_sent, sent
from tests.payments.stripe.test_charges import at_the_bank

TRIES = RETRIES + 1
CANCEL = "POST payment_intents/{id}/cancel"


def test_the_request_that_arrives_after_the_attempt_was_closed_is_refused_by_stripe(gateway, standin):
    attempt = an_attempt(standin)
    standin("arm", name="hold", route=CHARGE, times=TRIES)
    assert gateway.charge(attempt).result == Result.UNKNOWN

    assert gateway.expire(attempt).result == Result.EXPIRED
    assert standin("release") == [400] * TRIES

    assert charged(standin, attempt) == []
    assert gateway.lookup(attempt).result == Result.EXPIRED


def test_the_key_of_the_charge_is_what_is_taken_away(gateway, standin):
    attempt = an_attempt(standin)
    gateway.expire(attempt)

    [fence] = sent(standin, CHARGE)
    assert keys_sent(standin, CHARGE) == [f"{attempt.key}:charge"]
    assert not {"confirm", "payment_method"} & set(fence)


def test_a_request_that_arrived_first_is_found_and_cannot_be_closed(gateway, standin):
    attempt = an_attempt(standin)
    standin("arm", name="hold", route=CHARGE, times=TRIES)
    gateway.charge(attempt)
    assert gateway.lookup(attempt).result == Result.NOT_FOUND
    standin("release")

    closed = gateway.expire(attempt)

    assert closed.result == Result.SUCCEEDED
    assert len(charged(standin, attempt)) == 1


def test_a_key_that_was_used_for_what_cannot_be_seen_proves_nothing(gateway, standin):
    """Stripe broke before it made anything, and keeps its 500 under the key."""
    attempt = an_attempt(standin)
    standin("arm", name="error_500", route=CHARGE)
    gateway.charge(attempt)

    assert gateway.expire(attempt).result == Result.UNKNOWN


def test_after_a_day_nothing_can_be_on_its_way(gateway, standin):
    attempt = an_attempt(standin, started_at=datetime.now(UTC) - timedelta(hours=23, minutes=1))

    assert gateway.expire(attempt).result == Result.EXPIRED
    assert sent(standin, CHARGE) == []


def test_shortly_before_that_the_key_is_still_taken_away(gateway, standin):
    attempt = an_attempt(standin, started_at=datetime.now(UTC) - timedelta(hours=22, minutes=59))

    assert gateway.expire(attempt).result == Result.EXPIRED
    assert len(sent(standin, CHARGE)) == 1


def test_closing_that_is_cut_off_half_way_is_taken_up_again(gateway, standin):
    attempt = an_attempt(standin)
    standin("arm", name="drop_before", route=CANCEL, times=TRIES)
    with pytest.raises(GatewayError):
        gateway.expire(attempt)

    assert gateway.lookup(attempt).result == Result.NOT_FOUND
    assert gateway.expire(attempt).result == Result.EXPIRED
    assert gateway.charge(attempt).result == Result.EXPIRED


@pytest.mark.parametrize("trouble", ["drop_before", "rate_limit", "error_500"])
def test_what_could_not_be_closed_is_not_called_closed(gateway, standin, trouble):
    attempt = an_attempt(standin)
    standin("arm", name=trouble, route=CHARGE, times=TRIES)

    with pytest.raises(GatewayError):
        gateway.expire(attempt)


def test_an_abandoned_check_is_cancelled_at_stripe_and_cannot_be_passed_any_more(gateway, standin):
    attempt = an_attempt(standin, "4000002760003184")
    outcome = gateway.charge(attempt)

    assert gateway.expire(replace(attempt, gateway_id=outcome.gateway_id)).result == Result.EXPIRED
    at_the_bank(outcome.next_url, "approve")

    assert gateway.lookup(attempt).result == Result.EXPIRED
    assert charged(standin, attempt) == []
    assert sent(standin, CANCEL)[0]["cancellation_reason"] == "abandoned"


def test_a_declined_attempt_stays_declined_and_is_cancelled_too(gateway, standin):
    attempt = an_attempt(standin, "4000000000009995")
    declined = gateway.charge(attempt)

    closed = gateway.expire(attempt)

    assert (closed.result, closed.decline) == (Result.DECLINED, declined.decline)
    assert gateway.lookup(attempt).result == Result.EXPIRED


def test_what_is_on_its_way_cannot_be_closed(gateway, standin):
    attempt = an_attempt(standin)
    standin("set", id=gateway.charge(attempt).gateway_id, status="processing")

    assert gateway.expire(attempt).result == Result.PENDING
