"""The sandbox's bank asks inside the portal's page, and what happens to a stored card without the portal's doing."""

from dataclasses import replace

import pytest
from django.test import Client

from payments.gateways.base import EventKind, GatewayError, Result
from tests.payments.contract.benches import SandboxBench, an_attempt
from tests.payments.contract.test_methods import add

pytestmark = pytest.mark.django_db


@pytest.fixture
def bench():
    return SandboxBench("sandbox")


@pytest.mark.parametrize(("answer", "result"), [("approve", Result.SUCCEEDED), ("fail", Result.DECLINED)])
def test_the_answer_goes_to_the_sandbox_which_sends_back_to_the_portal(bench, answer, result):
    attempt = an_attempt(bench, method=bench.challenge_card(), in_page=True)
    attempt = replace(attempt, gateway_id=bench.gateway.charge(attempt).gateway_id)

    answered = Client().post(bench.gateway.challenge(attempt)["path"], {"answer": answer})

    assert answered.url == attempt.return_url
    assert bench.gateway.lookup(attempt).result == result
    assert bench.gateway.challenge(attempt) == {}


def test_a_card_is_added_once_it_is_approved_in_the_page(bench):
    step = add(bench, bench.challenge_card(), in_page=True)

    Client().post(bench.gateway.setup_challenge(step.setup_id)["path"], {"answer": "approve"})

    assert bench.gateway.finish_setup(step.setup_id).method.last_four == "3184"


def test_the_same_key_in_and_outside_the_page_is_not_the_same_question(bench):
    attempt = an_attempt(bench, method=bench.challenge_card(), in_page=True)
    bench.gateway.charge(attempt)

    with pytest.raises(GatewayError):
        bench.gateway.charge(replace(attempt, in_page=False))


def test_a_card_that_the_bank_renewed_is_told_of_and_has_its_new_date(bench):
    method = add(bench, bench.good_card()).method
    bench.gateway.take_deliveries()

    bench.gateway.operator.renew_card(method.gateway_method, expiry_month=3, expiry_year=2039)

    [parcel] = bench.gateway.take_deliveries()
    [event] = bench.gateway.verify(*parcel)
    assert (event.kind, event.object_id) == (EventKind.METHOD, method.gateway_method)
    asked = {"gateway_method": method.gateway_method, "gateway_customer": method.gateway_customer}
    assert bench.gateway.lookup_method(**asked) == replace(method, expiry_month=3, expiry_year=2039)
