"""A message counts only when the provider signed it, lately, and as it is."""

import json
import time
from datetime import UTC, datetime

import pytest

from payments.gateways.base import BadSignature, UnreadableMessage
from tests.payments.contract.benches import an_attempt, minutes_ago


def test_a_genuine_message_names_the_object_and_nothing_more(bench):
    body, headers = bench.message()

    [event] = bench.gateway.verify(body, headers)

    assert event.id
    assert event.kind == "payment"
    assert event.object_id
    assert event.reference.startswith("PAY-")
    assert abs((datetime.now(UTC) - event.created_at).total_seconds()) < 60


def test_the_object_of_a_message_can_be_looked_up(bench):
    [event] = bench.gateway.verify(*bench.message())

    found = bench.gateway.lookup(an_attempt(bench, gateway_id=event.object_id))

    assert found.gateway_id == event.object_id


def test_headers_are_found_in_any_case(bench):
    body, headers = bench.message()

    assert bench.gateway.verify(body, {name.upper(): value for name, value in headers.items()})


def test_a_message_without_a_signature_is_refused(bench):
    body, _headers = bench.message()

    with pytest.raises(BadSignature):
        bench.gateway.verify(body, {"Content-Type": "application/json"})


@pytest.mark.parametrize("given", ["", "nonsense", "t=,v1=", "t=1,v1=é", "v1=00", "t=99999999999999999999,v1=00"])
def test_a_signature_that_makes_no_sense_is_refused(bench, given):
    body, headers = bench.message()

    with pytest.raises(BadSignature):
        bench.gateway.verify(body, dict.fromkeys(headers, given))


def test_a_message_that_was_changed_is_refused(bench):
    body, headers = bench.message()

    for changed in (body + b" ", body[:-1], body.replace(b"PAY-", b"PAX-")):
        with pytest.raises(BadSignature):
            bench.gateway.verify(changed, headers)


def test_the_signature_of_another_message_is_refused(bench):
    body, _headers = bench.message()
    _other, headers = bench.message()

    with pytest.raises(BadSignature):
        bench.gateway.verify(body, headers)


def test_an_old_message_is_refused(bench):
    body, _headers = bench.message()

    assert bench.gateway.verify(body, bench.signed(body, minutes_ago(4)))
    with pytest.raises(BadSignature):
        bench.gateway.verify(body, bench.signed(body, minutes_ago(6)))


def test_a_message_from_the_future_is_refused(bench):
    body, _headers = bench.message()

    with pytest.raises(BadSignature):
        bench.gateway.verify(body, bench.signed(body, minutes_ago(-6)))


def test_without_a_secret_no_message_is_believed(bench):
    body, headers = bench.message()
    bench.forget_secret()

    for given in (headers, bench.signed(body, time.time())):
        with pytest.raises(BadSignature):
            bench.gateway.verify(body, given)


UNREADABLE = [b"", b"\xff", b"[]", b"null", json.dumps({"id": 1}).encode(), b"[" * 100_000]


@pytest.mark.parametrize("body", UNREADABLE, ids=lambda body: repr(body[:10]))
def test_a_signed_message_that_cannot_be_read_is_told_from_one_that_nobody_signed(bench, body):
    with pytest.raises(UnreadableMessage):
        bench.gateway.verify(body, bench.signed(body, time.time()))


@pytest.mark.parametrize("body", UNREADABLE, ids=lambda body: repr(body[:10]))
def test_what_cannot_be_read_and_is_not_signed_or_old_has_a_bad_signature(bench, body):
    for headers in ({}, bench.signed(body + b"x", time.time()), bench.signed(body, minutes_ago(6))):
        with pytest.raises(BadSignature):
            bench.gateway.verify(body, headers)
