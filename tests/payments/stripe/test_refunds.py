"""Refunds on their way, refunds that fail later, and disputes."""

from dataclasses import replace

import pytest

from payments.gateways.base import DisputeStatus, GatewayError, Result
from payments.gateways.stripe import client
from tests.payments.stripe.asks import a_refund, an_attempt, keys_sent, sent
from tests.payments.stripe.bench import ACCOUNT


def paid(gateway, standin, number="4242424242424242"):
    return gateway.charge(an_attempt(standin, number)).gateway_id


def test_a_refund_carries_its_own_key_and_our_reference(gateway, standin):
    request = a_refund(paid(gateway, standin), 400)
    gateway.refund(request)

    assert sent(standin, "POST refunds") == [
        {
            "amount": "400",
            "metadata": {"reference": "PAY-REFUNDED", "refund": request.key},
            "payment_intent": request.gateway_id,
        }
    ]
    assert keys_sent(standin, "POST refunds") == [f"{request.key}:refund"]


@pytest.mark.parametrize(
    ("becomes", "result", "code"),
    [
        ({"status": "succeeded"}, Result.SUCCEEDED, None),
        ({"status": "failed", "failure_reason": "lost_or_stolen_card"}, Result.DECLINED, "lost_or_stolen"),
        ({"status": "failed", "failure_reason": "unknown"}, Result.DECLINED, "generic"),
        ({"status": "canceled"}, Result.DECLINED, "generic"),
        ({"status": "requires_action"}, Result.PENDING, None),
        ({"status": "new_to_us"}, Result.UNKNOWN, None),
    ],
)
def test_a_refund_on_its_way_ends_as_stripe_says(gateway, standin, becomes, result, code):
    request = a_refund(paid(gateway, standin, "4000000000007726"), 400)
    pending = gateway.refund(request)
    assert (pending.result, pending.amount) == (Result.PENDING, None)

    standin("change_refund", refund=pending.gateway_id, **becomes)

    for asked in (request, replace(request, refund_id=pending.gateway_id)):
        found = gateway.lookup_refund(asked)
        assert found.result == result
        assert (found.decline and found.decline.code) == code


def test_a_refund_is_found_among_many(gateway, standin, monkeypatch):
    monkeypatch.setattr(client, "PAGE", 1)
    payment_id = paid(gateway, standin)
    requests = [a_refund(payment_id, minor) for minor in (100, 200, 300)]
    made = [gateway.refund(request) for request in requests]

    assert [gateway.lookup_refund(request) for request in requests] == made


def test_what_has_been_paid_back_altogether_is_refused_with_stripes_words(gateway, standin):
    payment_id = paid(gateway, standin)
    gateway.refund(a_refund(payment_id, 1000))

    outcome = gateway.refund(a_refund(payment_id, 1))

    assert outcome.result == Result.DECLINED
    assert "charge_already_refunded" in outcome.message


def test_a_declined_payment_cannot_be_paid_back(gateway, standin):
    payment_id = paid(gateway, standin, "4000000000000002")
    assert gateway.refund(a_refund(payment_id)).result == Result.DECLINED


@pytest.mark.parametrize(
    ("status", "means"),
    [
        ("needs_response", DisputeStatus.OPEN),
        ("under_review", DisputeStatus.OPEN),
        ("warning_needs_response", DisputeStatus.OPEN),
        ("warning_under_review", DisputeStatus.OPEN),
        ("new_to_us", DisputeStatus.OPEN),
        ("warning_closed", DisputeStatus.WON),
        ("prevented", DisputeStatus.WON),
        ("won", DisputeStatus.WON),
        ("lost", DisputeStatus.LOST),
    ],
)
def test_each_state_of_a_dispute_is_open_won_or_lost(gateway, standin, status, means):
    dispute = standin("dispute", account=ACCOUNT, payment_intent=paid(gateway, standin), status=status)

    found = gateway.lookup_dispute(dispute["id"])

    assert found.status == means
    assert found.evidence_due_at.timestamp() == dispute["evidence_details"]["due_by"]


def test_a_refund_that_stripe_cannot_be_asked_about_is_not_missing(gateway, standin):
    request = a_refund(paid(gateway, standin), 100)
    standin("arm", name="drop_before", route="GET refunds", times=2)

    with pytest.raises(GatewayError):
        gateway.lookup_refund(request)
