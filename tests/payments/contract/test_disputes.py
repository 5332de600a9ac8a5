"""What is begun at the provider and not here: a payer's bank disputes, somebody pays back in the dashboard."""

from dataclasses import replace

import pytest

from invoices.money import Money
from payments.gateways.base import DisputeStatus, EventKind, GatewayError, Result
from tests.payments.contract.benches import a_refund, an_attempt


@pytest.fixture
def paid(bench):
    """The provider's id of a payment of 10.00 euro, whose messages have been heard."""
    payment_id = bench.gateway.charge(an_attempt(bench)).gateway_id
    bench.messages()
    return payment_id


def heard(bench):
    """The events of all messages since the last time."""
    return [event for message in bench.messages() for event in bench.gateway.verify(*message)]


def about(bench, kind):
    return [event for event in heard(bench) if event.kind == kind]


def test_a_dispute_says_how_much_of_which_payment_is_asked_back(bench, paid):
    dispute = bench.gateway.lookup_dispute(bench.dispute(paid))

    assert dispute.payment_id == paid
    assert dispute.amount == Money(1000, "EUR")
    assert dispute.status == DisputeStatus.OPEN
    assert dispute.reason
    assert dispute.evidence_due_at is None or dispute.evidence_due_at.tzinfo is not None


def test_a_dispute_may_be_over_a_part(bench, paid):
    assert bench.gateway.lookup_dispute(bench.dispute(paid, 400)).amount == Money(400, "EUR")


@pytest.mark.parametrize(("minor", "currency"), [(1000, "JPY"), (1230, "KWD"), (129, "USD")])
def test_the_amount_of_a_dispute_is_the_literal_integer(bench, minor, currency):
    amount = Money(minor, currency)
    payment_id = bench.gateway.charge(an_attempt(bench, amount=amount)).gateway_id

    assert bench.gateway.lookup_dispute(bench.dispute(payment_id)).amount == amount


@pytest.mark.parametrize("status", ["won", "lost"])
def test_a_decided_dispute_says_which_way(bench, paid, status):
    dispute_id = bench.dispute(paid)
    bench.decide(dispute_id, status)

    assert bench.gateway.lookup_dispute(dispute_id).status == status


def test_a_dispute_that_there_is_not_is_none(bench):
    assert bench.gateway.lookup_dispute("dp_nowhere") is None


def test_trouble_on_the_way_is_not_taken_for_no_dispute(bench, paid):
    dispute_id = bench.dispute(paid)
    bench.break_dispute_lookups()

    with pytest.raises(GatewayError):
        bench.gateway.lookup_dispute(dispute_id)


@pytest.mark.parametrize("status", ["", "won", "lost"])
def test_each_change_of_a_dispute_is_told_with_the_payment_it_belongs_to(bench, paid, status):
    dispute_id = bench.dispute(paid)
    if status:
        bench.messages()
        bench.decide(dispute_id, status)

    told = about(bench, EventKind.DISPUTE)

    assert told
    assert {(event.object_id, event.payment_id) for event in told} == {(dispute_id, paid)}


def test_a_refund_begun_at_the_provider_is_told_with_the_payment_it_belongs_to(bench, paid):
    refund_id = bench.refund_at_the_provider(paid, 300)

    told = about(bench, EventKind.REFUND)

    assert told
    assert {(event.object_id, event.payment_id) for event in told} == {(refund_id, paid)}


def test_a_refund_begun_at_the_provider_is_found_by_its_id_with_its_own_amount(bench, paid):
    bench.refund_at_the_provider(paid, 200)
    refund_id = bench.refund_at_the_provider(paid, 300)

    found = bench.gateway.lookup_refund(replace(a_refund(paid, 1000), key="", refund_id=refund_id))

    assert found.result == Result.SUCCEEDED
    assert found.amount == Money(300, "EUR")
    assert found.gateway_id == refund_id


def test_an_id_of_no_refund_finds_none_of_those_begun_at_the_provider(bench, paid):
    bench.refund_at_the_provider(paid, 300)

    request = replace(a_refund(paid, 300), key="", refund_id="re_nowhere")

    assert bench.gateway.lookup_refund(request).result == Result.NOT_FOUND


def test_what_was_paid_back_at_the_provider_cannot_be_paid_back_again(bench, paid):
    bench.refund_at_the_provider(paid, 300)

    assert bench.gateway.refund(a_refund(paid, 701)).result == Result.DECLINED
    assert bench.gateway.refund(a_refund(paid, 700)).result == Result.SUCCEEDED


def test_our_own_refund_is_told_with_the_payment_it_belongs_to(bench, paid):
    refund_id = bench.gateway.refund(a_refund(paid, 300)).gateway_id

    assert {(event.object_id, event.payment_id) for event in about(bench, EventKind.REFUND)} == {(refund_id, paid)}
