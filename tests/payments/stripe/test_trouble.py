"""Trouble on the way, with keys as Stripe documents them: what is certain is said, and everything else is UNKNOWN."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from payments.gateways.base import GatewayError, Result
from payments.gateways.stripe.client import RETRIES
from tests.payments.stripe.asks import CHARGE, a_refund, an_attempt, charged, keys_sent, sent
from tests.payments.stripe.bench import gateway_at

TRIES = RETRIES + 1


def test_nobody_listening_is_certainly_not_sent(standin):
    from tests.payments.stripe.standin.books import free_port

    nobody = gateway_at(f"http://127.0.0.1:{free_port()}")

    assert nobody.charge(an_attempt(standin, gateway_customer="cus_1")).result == Result.NOT_SENT
    assert nobody.charge(an_attempt(standin)).result == Result.NOT_SENT
    assert nobody.refund(a_refund("pi_1")).result == Result.NOT_SENT
    with pytest.raises(GatewayError) as trouble:
        nobody.lookup(an_attempt(standin))
    assert not trouble.value.sent


@pytest.mark.parametrize(
    ("fault", "took"),
    [("drop_before", 0), ("drop_after", 1), ("garbage", 1), ("cut", 1), ("error_500", 0), ("error_500_after", 1)],
)
def test_an_answer_that_does_not_come_or_cannot_be_read_is_unknown(gateway, standin, fault, took):
    attempt = an_attempt(standin)
    standin("arm", name=fault, route=CHARGE, times=TRIES)

    assert gateway.charge(attempt).result == Result.UNKNOWN

    assert len(charged(standin, attempt)) == took
    found = gateway.lookup(attempt)
    assert found.result == (Result.SUCCEEDED if took else Result.NOT_FOUND)


def test_one_lost_answer_is_asked_for_again_under_the_same_key(gateway, standin):
    attempt = an_attempt(standin)
    standin("arm", name="drop_after", route=CHARGE)

    assert gateway.charge(attempt).result == Result.SUCCEEDED

    assert keys_sent(standin, CHARGE) == [f"{attempt.key}:charge"] * 2
    assert len(charged(standin, attempt)) == 1


def test_a_500_stays_the_answer_of_its_key(gateway, standin):
    attempt = an_attempt(standin)
    standin("arm", name="error_500_after", route=CHARGE)

    assert gateway.charge(attempt).result == gateway.charge(attempt).result == Result.UNKNOWN

    assert gateway.lookup(attempt).result == Result.SUCCEEDED
    assert len(charged(standin, attempt)) == 1


def test_a_request_that_goes_on_under_the_same_key_is_waited_for(gateway, standin):
    attempt = an_attempt(standin)
    standin("arm", name="slow", route=CHARGE, seconds=0)
    standin("arm", name="delay", route=CHARGE, seconds=0)
    barrier = threading.Barrier(4)

    def at_once(_number):
        barrier.wait()
        return gateway.charge(attempt).result

    with ThreadPoolExecutor(4) as threads:
        results = set(threads.map(at_once, range(4)))

    assert results <= {Result.SUCCEEDED, Result.UNKNOWN}
    assert len(charged(standin, attempt)) == 1


@pytest.mark.parametrize(
    ("door", "result"), [("rate_limit", "not_sent"), ("lock_timeout", "unknown"), ("unavailable", "unknown")]
)
def test_what_is_turned_away_at_the_door_can_be_sent_again(gateway, standin, door, result):
    attempt = an_attempt(standin)
    standin("arm", name=door, route=CHARGE, times=TRIES)

    assert gateway.charge(attempt).result == result
    standin("clear")

    assert gateway.charge(attempt).result == Result.SUCCEEDED
    assert len(charged(standin, attempt)) == 1


@pytest.mark.parametrize("last", ["rate_limit", "revoked", "refused"])
def test_a_try_that_was_lost_makes_the_next_ones_refusal_no_proof(gateway, standin, last, monkeypatch):
    """The first try charged and its answer was lost; that the second never arrived says nothing."""
    attempt = an_attempt(standin)
    standin("arm", name="drop_after", route=CHARGE)
    if last == "rate_limit":
        standin("arm", name="rate_limit", route=CHARGE)
    before = gateway.account.transport.request

    def request(*args, **kwargs):
        try:
            return before(*args, **kwargs)
        finally:
            if args[0] == "post" and last == "revoked":
                standin("revoke", key="sk_live_standin")
            if args[0] == "post" and last == "refused":
                monkeypatch.setattr("urllib3.util.connection.create_connection", refuse)

    monkeypatch.setattr(gateway.account.transport, "request", request)
    try:
        outcome = gateway.charge(attempt)
    finally:
        monkeypatch.undo()
        standin("restore", key="sk_live_standin")

    assert outcome.result == Result.UNKNOWN
    assert len(charged(standin, attempt)) == 1


def refuse(*_args, **_kwargs):
    raise ConnectionRefusedError(111, "Connection refused")


@pytest.mark.parametrize("route", ["GET payment_methods/{id}", "POST customers"])
def test_trouble_before_the_charge_is_asked_for_means_that_it_was_not_sent(gateway, standin, route):
    attempt = an_attempt(standin, save_method=True)
    standin("arm", name="drop_before", route=route, times=TRIES)

    assert gateway.charge(attempt).result == Result.NOT_SENT

    assert sent(standin, CHARGE) == []
    assert gateway.charge(attempt).result == Result.SUCCEEDED


@pytest.mark.parametrize(("fault", "made"), [("drop_before", 0), ("drop_after", 1), ("error_500_after", 1)])
def test_a_refund_that_times_out_is_unknown_and_not_made_twice(gateway, standin, fault, made):
    request = a_refund(gateway.charge(an_attempt(standin)).gateway_id, 600)
    standin("arm", name=fault, route="POST refunds", times=TRIES)

    # A 500 that is given again was kept under the key, so what it was for is looked up at once.
    first = Result.SUCCEEDED if fault == "error_500_after" else Result.UNKNOWN
    assert gateway.refund(request).result == first
    assert gateway.lookup_refund(request).result == (Result.SUCCEEDED if made else Result.NOT_FOUND)

    gateway.refund(request)
    left = gateway.refund(a_refund(request.gateway_id, 401))
    assert left.result == Result.DECLINED
    assert gateway.lookup_refund(request).result == Result.SUCCEEDED


def test_keys_are_forgotten_after_a_day_as_documented(gateway, standin):
    """Why an old attempt is looked up and never sent: this is what would happen."""
    attempt = an_attempt(standin, save_method=True)
    method = gateway.charge(attempt).method
    standin("ahead", seconds=24 * 3600)
    try:
        again = an_attempt(standin, key=attempt.key, method=method.gateway_method, save_method=True)
        assert gateway.charge(again).result == Result.SUCCEEDED
    finally:
        standin("ahead", seconds=0)
    assert len(charged(standin, attempt)) == len(charged(standin, again)) == 1
