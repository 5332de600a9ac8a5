"""What is not known is not made up: trouble on the way, looking up, and closing an attempt."""

from dataclasses import replace

import pytest

from invoices.money import Money
from payments.gateways.base import GatewayError, Result
from tests.payments.contract.benches import an_attempt


def test_what_never_left_is_not_sent_and_can_be_sent_again(bench):
    attempt = an_attempt(bench)
    bench.refuse_connection()

    assert bench.gateway.charge(attempt).result == Result.NOT_SENT
    assert bench.taken(attempt.reference) == []

    assert bench.gateway.charge(attempt).result == Result.SUCCEEDED
    assert bench.taken(attempt.reference) == [(1000, "EUR")]


@pytest.mark.parametrize("trouble", ["lose_answer", "break_answer"])
def test_an_answer_that_is_lost_after_charging_is_unknown_until_it_is_looked_up(bench, trouble):
    attempt = an_attempt(bench)
    getattr(bench, trouble)()

    assert bench.gateway.charge(attempt).result == Result.UNKNOWN
    assert bench.taken(attempt.reference) == [(1000, "EUR")]

    found = bench.gateway.lookup(attempt)
    assert found.result == Result.SUCCEEDED
    assert found.amount == Money(1000, "EUR")
    assert found.gateway_id


def test_the_same_key_after_a_lost_answer_does_not_charge_again(bench):
    attempt = an_attempt(bench)
    bench.lose_answer()
    bench.gateway.charge(attempt)

    assert bench.gateway.charge(attempt).result == Result.SUCCEEDED
    assert bench.taken(attempt.reference) == [(1000, "EUR")]


def test_a_request_that_is_lost_is_unknown_too(bench):
    attempt = an_attempt(bench)
    bench.lose_request()

    assert bench.gateway.charge(attempt).result == Result.UNKNOWN
    assert bench.taken(attempt.reference) == []
    assert bench.gateway.lookup(attempt).result == Result.NOT_FOUND


def test_a_look_up_finds_by_our_reference_without_the_providers_id(bench):
    attempt = an_attempt(bench)
    charged = bench.gateway.charge(attempt)

    assert attempt.gateway_id == ""
    assert bench.gateway.lookup(attempt) == charged
    assert bench.gateway.lookup(replace(attempt, gateway_id=charged.gateway_id)) == charged


def test_a_look_up_of_the_unknown_finds_nothing_and_creates_nothing(bench):
    attempt = an_attempt(bench)

    assert bench.gateway.lookup(attempt).result == Result.NOT_FOUND
    assert bench.gateway.lookup(attempt).result == Result.NOT_FOUND
    assert bench.taken(attempt.reference) == []
    assert bench.gateway.charge(attempt).result == Result.SUCCEEDED


def test_an_attempt_closed_before_it_came_can_never_be_charged(bench):
    attempt = an_attempt(bench)

    assert bench.gateway.expire(attempt).result == Result.EXPIRED
    late = bench.gateway.charge(attempt)

    assert late.result == Result.EXPIRED
    assert bench.taken(attempt.reference) == []
    assert bench.gateway.lookup(attempt).result == Result.EXPIRED
    assert bench.gateway.expire(attempt).result == Result.EXPIRED


def test_an_attempt_that_waits_for_the_bank_can_be_closed(bench):
    attempt = an_attempt(bench, method=bench.challenge_card())
    attempt = replace(attempt, gateway_id=bench.gateway.charge(attempt).gateway_id)

    assert bench.gateway.expire(attempt).result == Result.EXPIRED
    assert bench.gateway.lookup(attempt).result == Result.EXPIRED


def test_closing_what_was_charged_says_that_it_was_charged(bench):
    attempt = an_attempt(bench)
    bench.gateway.charge(attempt)

    closed = bench.gateway.expire(attempt)

    assert closed.result == Result.SUCCEEDED
    assert closed.amount == Money(1000, "EUR")


def test_closing_an_attempt_whose_request_was_lost_is_proof(bench):
    attempt = an_attempt(bench)
    bench.lose_request()
    bench.gateway.charge(attempt)

    assert bench.gateway.expire(attempt).result == Result.EXPIRED
    assert bench.gateway.charge(attempt).result == Result.EXPIRED
    assert bench.taken(attempt.reference) == []


def test_trouble_is_never_an_exception_of_another_kind(bench):
    for trouble in ("refuse_connection", "lose_request", "lose_answer", "break_answer"):
        getattr(bench, trouble)()
        try:
            outcome = bench.gateway.charge(an_attempt(bench))
        except GatewayError:
            continue
        assert outcome.result in {Result.NOT_SENT, Result.UNKNOWN}
