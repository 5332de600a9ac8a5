"""Closing an attempt is a promise: no request of it that comes later can charge."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from payments.gateways.base import GatewayError, Result
from payments.gateways.stripe.client import RETRIES
from tests.payments.stripe.asks import CHARGE, a_refund, an_attempt, charged, keys_sent, sent
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


def test_a_key_that_was_used_for_what_cannot_be_seen_is_called_spent_and_not_closed(gateway, standin):
    """Stripe broke before it made anything, and keeps its 500 under the key."""
    attempt = an_attempt(standin)
    standin("arm", name="error_500", route=CHARGE)
    gateway.charge(attempt)

    assert gateway.expire(attempt).result == Result.SPENT


def test_closing_that_broke_at_stripe_spends_the_key_too(gateway, standin):
    """The 500 is kept under the key, for the charge that may still come as well."""
    attempt = an_attempt(standin)
    standin("arm", name="error_500", route=CHARGE)

    assert gateway.expire(attempt).result == Result.SPENT
    assert gateway.expire(attempt).result == Result.SPENT
    with pytest.raises(GatewayError):
        gateway.charge(attempt)
    assert charged(standin, attempt) == []


@pytest.mark.parametrize("age", [timedelta(hours=22), timedelta(days=2), timedelta(minutes=-30)])
def test_the_key_is_taken_away_whatever_our_clock_says_of_the_age_of_an_attempt(gateway, standin, age):
    attempt = an_attempt(standin, started_at=datetime.now(UTC) - age)

    assert gateway.expire(attempt).result == Result.EXPIRED
    assert len(sent(standin, CHARGE)) == 1


@pytest.mark.parametrize("age", [timedelta(days=2), timedelta(minutes=-30), timedelta(days=-2)])
@pytest.mark.parametrize("lag", [0, 60])
def test_a_charge_is_not_called_closed_when_our_clock_was_wrong_as_it_was_begun(gateway, standin, age, lag):
    """The list of the time around the start does not have it, and the search may not see it yet."""
    standin("search_lag", seconds=lag)
    attempt = an_attempt(standin, started_at=datetime.now(UTC) - age)
    standin("arm", name="drop_after", route=CHARGE, times=TRIES)
    assert gateway.charge(replace(attempt, started_at=datetime.now(UTC))).result == Result.UNKNOWN

    assert gateway.lookup(attempt).result == (Result.NOT_FOUND if lag else Result.SUCCEEDED)
    assert gateway.expire(attempt).result == (Result.SPENT if lag else Result.SUCCEEDED)
    standin("search_lag", seconds=0)

    assert gateway.expire(attempt).result == Result.SUCCEEDED


def test_of_two_charges_under_one_reference_the_one_that_took_money_is_found(gateway, standin):
    """Stripe forgot the key, and the attempt was sent again."""
    attempt = an_attempt(standin)
    for number in ("4242424242424242", "4000000000009995"):
        gateway.charge(replace(attempt, method=standin.card(number)))
        standin("ahead", seconds=25 * 3600)

    assert gateway.lookup(attempt).result == Result.SUCCEEDED


def test_every_request_that_changes_something_carries_a_key_of_its_own(gateway, standin):
    """Closing and forgetting too. Only the charge and its fence share one: that is what the fence is for."""
    waits = an_attempt(standin, "4000002760003184")
    gateway.expire(replace(waits, gateway_id=gateway.charge(waits).gateway_id))
    paid = an_attempt(standin, save_method=True)
    done = gateway.charge(paid)
    gateway.refund(a_refund(done.gateway_id))
    gateway.detach(gateway_method=done.method.gateway_method)
    step = gateway.begin_setup(
        key="adding", profile="BP", gateway_customer="", token=standin.card("4000002760003184"), return_url="http://a/b"
    )
    gateway.expire_setup(step.setup_id)

    keys = [seen["key"] for seen in standin("seen") if seen["method"] == "POST"]
    assert len(keys) >= 8
    assert all(keys)
    assert len(set(keys)) == len(keys)


def test_closing_that_is_cut_off_half_way_is_taken_up_again(gateway, standin):
    attempt = an_attempt(standin)
    standin("arm", name="drop_before", route=CANCEL, times=TRIES)
    with pytest.raises(GatewayError):
        gateway.expire(attempt)

    assert gateway.lookup(attempt).result == Result.NOT_FOUND
    assert gateway.expire(attempt).result == Result.EXPIRED
    assert gateway.charge(attempt).result == Result.EXPIRED


@pytest.mark.parametrize("trouble", ["drop_before", "rate_limit"])
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
