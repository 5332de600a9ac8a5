"""The provider's own list, with which the books are compared, and its clock."""

from datetime import timedelta

from django.utils.timezone import now

from payments.gateways.base import DisputeStatus, EventKind, Result
from tests.payments.contract.benches import a_refund, an_attempt


def records(bench):
    return list(bench.gateway.records(now() - timedelta(minutes=10)))


def test_what_took_money_is_listed_with_its_amount_and_reference(bench):
    attempt = an_attempt(bench)
    charged = bench.gateway.charge(attempt)
    declined = bench.gateway.charge(an_attempt(bench, method=bench.declined_card()))

    listed = {record.id: record for record in records(bench)}

    record = listed[charged.gateway_id]
    assert (record.kind, record.payment_id) == (EventKind.PAYMENT, charged.gateway_id)
    assert (record.amount, record.state, record.reference) == (attempt.amount, Result.SUCCEEDED, attempt.reference)
    assert declined.gateway_id not in listed


def test_refunds_and_disputes_are_listed_behind_the_charges_that_they_belong_to(bench):
    charged = bench.gateway.charge(an_attempt(bench))
    own = bench.gateway.refund(a_refund(charged.gateway_id, 300)).gateway_id
    foreign = bench.refund_at_the_provider(charged.gateway_id, 200)
    dispute = bench.dispute(charged.gateway_id, 100)
    bench.decide(dispute, "lost")

    listed = records(bench)

    mine = {record.id: record for record in listed if record.payment_id == charged.gateway_id}
    assert {id_: (record.kind, record.amount.minor, record.state) for id_, record in mine.items()} == {
        charged.gateway_id: (EventKind.PAYMENT, 1000, Result.SUCCEEDED),
        own: (EventKind.REFUND, 300, Result.SUCCEEDED),
        foreign: (EventKind.REFUND, 200, Result.SUCCEEDED),
        dispute: (EventKind.DISPUTE, 100, DisputeStatus.LOST),
    }
    kinds = [record.kind for record in listed]
    assert kinds == sorted(kinds, key=[EventKind.PAYMENT, EventKind.REFUND, EventKind.DISPUTE].index)


def test_the_list_begins_when_it_is_told_to(bench):
    bench.gateway.charge(an_attempt(bench))
    assert list(bench.gateway.records(now() + timedelta(minutes=10))) == []


def test_the_clock_is_that_of_this_machine(bench):
    assert abs(bench.gateway.clock_difference()) < timedelta(minutes=1)
