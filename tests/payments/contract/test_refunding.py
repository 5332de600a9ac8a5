"""Paying back: all, part, never more than was taken, and each refund once."""

from dataclasses import replace

import pytest

from invoices.money import Money
from payments.gateways.base import GatewayError, Result
from tests.payments.contract.benches import a_refund, an_attempt


@pytest.fixture
def paid(bench):
    return bench.gateway.charge(an_attempt(bench)).gateway_id


def test_all_of_it_is_paid_back(bench, paid):
    outcome = bench.gateway.refund(a_refund(paid, 1000))

    assert outcome.result == Result.SUCCEEDED
    assert outcome.amount == Money(1000, "EUR")
    assert outcome.gateway_id


def test_it_is_paid_back_in_parts_and_not_a_cent_more(bench, paid):
    assert bench.gateway.refund(a_refund(paid, 400)).result == Result.SUCCEEDED
    assert bench.gateway.refund(a_refund(paid, 601)).result == Result.DECLINED
    assert bench.gateway.refund(a_refund(paid, 600)).result == Result.SUCCEEDED
    assert bench.gateway.refund(a_refund(paid, 1)).result == Result.DECLINED


def test_more_than_was_taken_is_refused_with_a_reason(bench, paid):
    outcome = bench.gateway.refund(a_refund(paid, 1001))

    assert outcome.result == Result.DECLINED
    assert outcome.decline
    assert outcome.message


def test_another_currency_is_refused(bench, paid):
    assert bench.gateway.refund(a_refund(paid, 100, "USD")).result == Result.DECLINED


def test_the_same_refund_asked_twice_is_one(bench, paid):
    request = a_refund(paid, 700)

    first, second = bench.gateway.refund(request), bench.gateway.refund(request)

    assert first == second
    assert bench.gateway.refund(a_refund(paid, 300)).result == Result.SUCCEEDED


def test_the_same_key_for_another_amount_is_an_error(bench, paid):
    request = a_refund(paid, 700)
    bench.gateway.refund(request)

    with pytest.raises(GatewayError):
        bench.gateway.refund(replace(request, amount=Money(200, "EUR")))


def test_two_refunds_of_the_same_amount_are_two(bench, paid):
    first, second = bench.gateway.refund(a_refund(paid, 500)), bench.gateway.refund(a_refund(paid, 500))

    assert first.result == second.result == Result.SUCCEEDED
    assert first.gateway_id != second.gateway_id


def test_a_refund_is_found_by_its_id_and_without_it(bench, paid):
    request, other = a_refund(paid, 300), a_refund(paid, 200)
    outcome = bench.gateway.refund(request)
    bench.gateway.refund(other)

    assert bench.gateway.lookup_refund(request) == outcome
    assert bench.gateway.lookup_refund(replace(request, refund_id=outcome.gateway_id)) == outcome


def test_an_unknown_refund_is_not_found_and_not_made(bench, paid):
    assert bench.gateway.lookup_refund(a_refund(paid, 300)).result == Result.NOT_FOUND
    assert bench.gateway.refund(a_refund(paid, 1000)).result == Result.SUCCEEDED


def test_what_was_never_charged_cannot_be_paid_back(bench):
    assert bench.gateway.refund(a_refund("ch_nowhere", 100)).result == Result.DECLINED
