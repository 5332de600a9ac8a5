"""Cards that Stripe keeps: added, changed and forgotten, also by somebody else."""

from uuid import uuid4

import pytest

from payments.gateways.base import GatewayError
from tests.payments.stripe.asks import an_attempt, keys_sent, sent
from tests.payments.stripe.bench import ACCOUNT
from tests.payments.stripe.test_charges import at_the_bank

SETUP = "POST setup_intents"


def add(gateway, token, **changes):
    asked = {"key": str(uuid4()), "profile": "BP-TEST", "gateway_customer": "", "return_url": "http://testserver/back"}
    return gateway.begin_setup(token=token, **asked | changes)


def test_a_card_is_added_for_charges_that_nobody_is_there_for(gateway, standin):
    step = add(gateway, standin.card("4242424242424242"), key="0123456789")

    [asked] = sent(standin, SETUP)
    assert asked["usage"] == "off_session"
    assert asked["metadata"] == {"attempt": "0123456789", "profile": "BP-TEST"}
    assert keys_sent(standin, SETUP) == ["0123456789:setup"]
    assert step.method.gateway_customer == asked["customer"]


@pytest.mark.parametrize(("answer", "code"), [("approve", None), ("fail", "challenge_failed")])
def test_a_card_whose_bank_asks_is_kept_once_it_approves(gateway, standin, answer, code):
    step = add(gateway, standin.card("4000002760003184"))
    assert at_the_bank(step.next_url, answer).startswith("http://testserver/back?setup_intent=")

    done = gateway.finish_setup(step.setup_id)

    assert bool(done.method) == (code is None)
    assert (done.decline and done.decline.code) == code


def test_a_check_inside_the_page_has_a_secret_and_no_address(gateway, standin):
    step = add(gateway, standin.card("4000002760003184"), in_page=True)

    assert sent(standin, SETUP)[0]["use_stripe_sdk"] == "true"
    assert step.next_url == ""
    assert gateway.setup_challenge(step.setup_id)["client_secret"].startswith(step.setup_id)


@pytest.mark.parametrize("token", ["tok_visa", "", "pm_nowhere"])
def test_what_is_no_card_is_not_added(gateway, standin, token):
    assert add(gateway, token).decline.code == "method_gone"


@pytest.mark.parametrize("setup_id", ["seti_nowhere", ""])
def test_a_card_that_nobody_is_adding_cannot_be_finished(gateway, standin, setup_id):
    with pytest.raises(GatewayError):
        gateway.finish_setup(setup_id)


def test_a_card_that_somebody_detached_in_the_dashboard_is_gone(gateway, standin):
    method = add(gateway, standin.card("4242424242424242")).method
    stored = {"gateway_method": method.gateway_method, "gateway_customer": method.gateway_customer}
    assert gateway.lookup_method(**stored) == method

    standin("detach", account=ACCOUNT, method=method.gateway_method)

    assert gateway.lookup_method(**stored) is None
    outcome = gateway.charge(
        an_attempt(standin, method=method.gateway_method, gateway_customer=method.gateway_customer)
    )
    assert outcome.decline.code == "method_gone"


def test_a_card_that_the_bank_replaced_is_told_with_its_new_date(gateway, standin):
    method = add(gateway, standin.card("4242424242424242")).method
    standin("set", id=method.gateway_method, card={"exp_month": 3, "exp_year": 2034, "last4": "4242"})

    found = gateway.lookup_method(gateway_method=method.gateway_method, gateway_customer=method.gateway_customer)

    assert (found.expiry_month, found.expiry_year) == (3, 2034)


def test_the_brand_is_told(gateway, standin):
    assert add(gateway, standin.card("5555555555554444")).method.brand == "mastercard"


def test_forgetting_a_card_that_could_not_be_forgotten_is_no_success(gateway, standin):
    method = add(gateway, standin.card("4242424242424242")).method
    standin("arm", name="drop_before", route="POST payment_methods/{id}/detach", times=2)

    with pytest.raises(GatewayError):
        gateway.detach(gateway_method=method.gateway_method)


def test_a_number_is_nowhere_in_what_the_portal_sends(gateway, standin):
    gateway.charge(an_attempt(standin, save_method=True))
    assert "4242424242424242" not in str(standin("seen"))
