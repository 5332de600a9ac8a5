"""What is sent for a charge, and what each state of it at Stripe means."""

import re
import urllib.parse
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from invoices.money import Money
from payments.gateways.base import GatewayError, Result
from payments.gateways.stripe import client
from tests.payments.stripe.asks import CHARGE, an_attempt, charged, keys_sent, sent

EXPANDED = ["latest_charge", "payment_method"]


class StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args):
        return None


def at_the_bank(url, answer):
    """The cardholder's answer on the bank's page. Returns where that leads."""
    body = urllib.parse.urlencode({"answer": answer}).encode()
    try:
        urllib.request.build_opener(StayHere).open(url, body)
    except urllib.error.HTTPError as redirect:
        return redirect.headers["Location"]


def expected(attempt, **more):
    return {
        "amount": "1000",
        "currency": "eur",
        "confirm": "true",
        "description": "INV-000148",
        "expand": EXPANDED,
        "metadata": {"reference": attempt.reference, "attempt": attempt.key, "profile": "BP-TEST"},
        "payment_method": attempt.method,
        "allowed_payment_method_types": ["card"],
        **more,
    }


def test_a_new_card_that_is_not_kept_is_charged_without_a_payer(gateway, standin):
    attempt = an_attempt(standin)

    outcome = gateway.charge(attempt)

    assert sent(standin, CHARGE) == [expected(attempt, return_url="http://testserver/back")]
    assert keys_sent(standin, CHARGE) == [f"{attempt.key}:charge"]
    assert sent(standin, "POST customers") == []
    assert (outcome.method.gateway_method, outcome.method.gateway_customer) == ("", "")
    assert (outcome.method.expiry_month, outcome.method.expiry_year) == (12, 2030)


def test_a_new_card_that_is_kept_is_charged_in_the_same_request(gateway, standin):
    attempt = an_attempt(standin, save_method=True)

    method = gateway.charge(attempt).method

    [payer] = sent(standin, "POST customers")
    assert payer["metadata"] == {"profile": "BP-TEST"}
    assert keys_sent(standin, "POST customers") == [f"{attempt.key}:customer"]
    more = {"customer": method.gateway_customer, "setup_future_usage": "off_session"}
    assert sent(standin, CHARGE) == [expected(attempt, return_url="http://testserver/back", **more)]
    assert method.gateway_method == attempt.method


def test_the_payer_that_the_profile_has_already_is_used_for_its_next_card(gateway, standin):
    first = gateway.charge(an_attempt(standin, save_method=True)).method

    second = gateway.charge(an_attempt(standin, save_method=True, gateway_customer=first.gateway_customer)).method

    assert second.gateway_customer == first.gateway_customer
    assert len(sent(standin, "POST customers")) == 1


def test_a_card_of_a_known_payer_is_not_kept_unless_asked(gateway, standin):
    payer = gateway.charge(an_attempt(standin, save_method=True)).method.gateway_customer

    method = gateway.charge(an_attempt(standin, gateway_customer=payer)).method

    assert method.gateway_method == ""


def test_a_charge_that_nobody_is_there_for_asks_for_no_check(gateway, standin):
    method = gateway.charge(an_attempt(standin, save_method=True)).method
    attempt = an_attempt(
        standin, method=method.gateway_method, gateway_customer=method.gateway_customer, customer_present=False
    )

    assert gateway.charge(attempt).result == Result.SUCCEEDED

    alone = {"customer": method.gateway_customer, "off_session": "true", "error_on_requires_action": "true"}
    assert sent(standin, CHARGE)[-1] == expected(attempt, **alone)


def test_a_card_that_the_bank_approved_when_it_was_kept_is_charged_alone(gateway, standin):
    token = standin.card("4000002500003155")
    asked = {"key": "k" * 30, "profile": "BP-TEST", "gateway_customer": "", "return_url": "http://testserver/back"}
    step = gateway.begin_setup(token=token, **asked)
    at_the_bank(step.next_url, "approve")
    method = gateway.finish_setup(step.setup_id).method

    attempt = an_attempt(
        standin, method=method.gateway_method, gateway_customer=method.gateway_customer, customer_present=False
    )

    assert gateway.charge(attempt).result == Result.SUCCEEDED


def test_the_payers_browser_may_pass_the_check_inside_the_page(gateway, standin):
    attempt = an_attempt(standin, "4000002760003184", in_page=True)

    outcome = gateway.charge(attempt)

    assert (outcome.result, outcome.next_url) == (Result.NEEDS_CUSTOMER, "")
    assert sent(standin, CHARGE) == [expected(attempt, return_url="http://testserver/back", use_stripe_sdk="true")]
    assert re.match(r"pi_\w+_secret_\w+$", gateway.challenge(attempt)["client_secret"])


@pytest.mark.parametrize(
    ("number", "answer", "result", "code"),
    [
        ("4000002760003184", "approve", Result.SUCCEEDED, None),
        ("4000002760003184", "fail", Result.DECLINED, "challenge_failed"),
        ("4000008260003178", "approve", Result.DECLINED, "insufficient_funds"),
        ("4000008400001629", "approve", Result.DECLINED, "generic"),
    ],
)
def test_after_the_banks_check(gateway, standin, number, answer, result, code):
    attempt = an_attempt(standin, number)
    url = gateway.charge(attempt).next_url

    assert at_the_bank(url, answer).startswith("http://testserver/back?payment_intent=pi_")

    outcome = gateway.lookup(attempt)
    assert outcome.result == result
    assert (outcome.decline and outcome.decline.code) == code
    assert len(charged(standin, attempt)) == (result == Result.SUCCEEDED)
    assert not gateway.challenge(attempt)


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({"status": "processing"}, Result.PENDING),
        ({"status": "canceled"}, Result.EXPIRED),
        ({"status": "requires_capture"}, Result.UNKNOWN),
        ({"status": "requires_confirmation"}, Result.UNKNOWN),
        ({"status": "requires_payment_method"}, Result.UNKNOWN),
        ({"status": "new_to_us"}, Result.UNKNOWN),
        ({"status": "requires_action", "next_action": {"type": "new_to_us"}}, Result.UNKNOWN),
    ],
)
def test_each_state_of_a_payment_means_one_thing_and_a_new_one_nothing(gateway, standin, fields, result):
    outcome = gateway.charge(an_attempt(standin))
    standin("set", id=outcome.gateway_id, **fields)

    found = gateway.lookup(an_attempt(standin, gateway_id=outcome.gateway_id))

    assert (found.result, found.gateway_id) == (result, outcome.gateway_id)


def test_what_was_taken_is_told_and_not_what_was_asked(gateway, standin):
    attempt = an_attempt(standin)
    standin("set", id=gateway.charge(attempt).gateway_id, amount_received=900, currency="usd")

    assert gateway.lookup(attempt).amount == Money(900, "USD")


def test_a_card_can_be_charged_once_unless_it_is_kept(gateway, standin):
    token = standin.card("4242424242424242")
    gateway.charge(an_attempt(standin, method=token))

    again = gateway.charge(an_attempt(standin, method=token))

    assert (again.result, again.decline.code) == (Result.DECLINED, "method_gone")


@pytest.mark.parametrize("method", ["tok_visa", "card_1", "", "../customers", "pm_nowhere"])
def test_what_is_no_card_of_stripes_is_declined(gateway, standin, method):
    outcome = gateway.charge(an_attempt(standin, method=method))

    assert (outcome.result, outcome.decline.code) == (Result.DECLINED, "method_gone")
    assert sent(standin, CHARGE) == []


def test_a_payer_that_was_deleted_takes_its_cards_along(gateway, standin):
    attempt = an_attempt(standin, gateway_customer="cus_gone")
    assert gateway.charge(attempt).decline.code == "method_gone"


def test_an_attempt_is_found_among_others_page_by_page(gateway, standin, monkeypatch):
    monkeypatch.setattr(client, "PAGE", 1)
    first = an_attempt(standin, started_at=datetime.now(UTC))
    made = gateway.charge(first)
    for _other in range(2):
        gateway.charge(an_attempt(standin))

    assert gateway.lookup(first) == made
    # What is not there is looked for to the end, past what all tests before this one left.
    monkeypatch.setattr(client, "PAGE", min(100, len(standin("charged")) // 3))
    assert gateway.lookup(replace(first, key="another")).result == Result.NOT_FOUND
    assert gateway.lookup(replace(first, reference="PAY-OTHER")).result == Result.NOT_FOUND


def test_only_what_was_made_around_the_start_of_the_attempt_is_looked_through(gateway, standin):
    started_at = datetime.now(UTC) - timedelta(hours=2)
    gateway.lookup(an_attempt(standin, started_at=started_at))

    asked, *_further_pages = sent(standin, "GET payment_intents")
    assert int(asked["created"]["gte"]) == int((started_at - timedelta(minutes=10)).timestamp())
    assert int(asked["created"]["lte"]) >= int((started_at + timedelta(hours=24)).timestamp())


def test_what_is_older_than_a_key_lives_is_looked_up_and_not_sent(gateway, standin):
    fresh = an_attempt(standin, started_at=datetime.now(UTC))
    made = gateway.charge(fresh)
    old = replace(fresh, started_at=datetime.now(UTC) - timedelta(hours=21))

    assert gateway.charge(old) == made
    with pytest.raises(GatewayError) as refusal:
        gateway.charge(an_attempt(standin, started_at=old.started_at))

    assert refusal.value.sent
    assert len(sent(standin, CHARGE)) == 1
