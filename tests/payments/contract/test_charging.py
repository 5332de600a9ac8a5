"""One attempt, one charge; and the answer is what the provider did."""

import inspect
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import get_template

from invoices.money import Money
from payments.gateways.base import Bucket, Gateway, GatewayError, Result
from tests.payments.acts import at_once
from tests.payments.contract.benches import BENCHES, an_attempt


def test_every_gateway_of_the_settings_has_a_bench():
    assert set(settings.PAYMENT_GATEWAYS) <= set(BENCHES)


def test_it_is_a_gateway_that_names_itself(bench):
    assert isinstance(bench.gateway, Gateway)
    assert bench.gateway.slug in settings.PAYMENT_GATEWAYS
    assert bench.gateway.label


def test_what_the_browser_needs_of_it_lies_in_its_package(bench):
    package = Path(inspect.getfile(type(bench.gateway))).parent
    browser = bench.gateway.browser

    shown = [get_template(name).origin.name for name in (browser.template, browser.challenge_template) if name]
    scripts = [finders.find(path) for path in browser.scripts if "://" not in path and path != "js/card.js"]

    assert shown
    assert [path for path in [*shown, *scripts] if package not in Path(path).parents] == []


def test_a_good_card_is_charged_and_the_answer_says_what_was_taken(bench):
    attempt = an_attempt(bench)

    outcome = bench.gateway.charge(attempt)

    assert outcome.result == Result.SUCCEEDED
    assert outcome.amount == Money(1000, "EUR")
    assert outcome.gateway_id
    assert outcome.method.last_four == "4242"
    assert outcome.method.brand == "visa"
    assert bench.taken(attempt.reference) == [(1000, "EUR")]


def test_the_same_attempt_charged_twice_is_one_charge(bench):
    attempt = an_attempt(bench)

    first, second = bench.gateway.charge(attempt), bench.gateway.charge(attempt)

    assert first == second
    assert bench.taken(attempt.reference) == [(1000, "EUR")]


@pytest.mark.django_db(transaction=True)
def test_the_same_attempt_charged_by_eight_threads_at_once_is_one_charge(bench):
    attempt = an_attempt(bench)

    outcomes = at_once(*[partial(bench.gateway.charge, attempt)] * 8)

    assert len(bench.taken(attempt.reference)) == 1
    assert len({outcome.gateway_id for outcome in outcomes if outcome.result == Result.SUCCEEDED}) == 1
    assert {outcome.result for outcome in outcomes} <= {Result.SUCCEEDED, Result.UNKNOWN}


def test_two_attempts_are_two_charges(bench):
    first, second = an_attempt(bench), an_attempt(bench)

    ids = {bench.gateway.charge(first).gateway_id, bench.gateway.charge(second).gateway_id}

    assert len(ids) == 2
    assert len(bench.taken(first.reference)) == len(bench.taken(second.reference)) == 1


@pytest.mark.parametrize(
    "change", [{"amount": Money(2000, "EUR")}, {"amount": Money(1000, "USD")}, {"profile": "BP-OTHER"}]
)
def test_the_same_key_for_something_else_charges_nothing_more(bench, change):
    attempt = an_attempt(bench)
    bench.gateway.charge(attempt)

    with pytest.raises(GatewayError) as refusal:
        bench.gateway.charge(replace(attempt, **change))

    assert refusal.value.sent
    assert bench.taken(attempt.reference) == [(1000, "EUR")]


def test_a_decline_is_an_outcome_that_says_what_can_be_done(bench):
    attempt = an_attempt(bench, method=bench.declined_card())

    outcome = bench.gateway.charge(attempt)

    assert outcome.result == Result.DECLINED
    assert outcome.decline.bucket in set(Bucket)
    assert outcome.amount is None
    assert bench.taken(attempt.reference) == []
    assert bench.gateway.lookup(attempt).result == Result.DECLINED


def test_too_little_money_is_worth_a_try_later(bench):
    outcome = bench.gateway.charge(an_attempt(bench, method=bench.poor_card()))

    assert outcome.decline.code == "insufficient_funds"
    assert outcome.decline.bucket == Bucket.RETRY_LATER


def test_a_check_by_the_bank_is_passed_at_an_address(bench):
    attempt = an_attempt(bench, method=bench.challenge_card())

    outcome = bench.gateway.charge(attempt)

    assert outcome.result == Result.NEEDS_CUSTOMER
    assert outcome.next_url.startswith(("http://", "https://"))
    assert bench.taken(attempt.reference) == []


def test_a_check_is_passed_inside_the_page_where_the_gateway_can_draw_it(bench):
    attempt = an_attempt(bench, method=bench.challenge_card(), in_page=True)

    outcome = bench.gateway.charge(attempt)
    needed = bench.gateway.challenge(replace(attempt, gateway_id=outcome.gateway_id))

    assert outcome.result == Result.NEEDS_CUSTOMER
    assert bool(outcome.next_url) != bool(bench.gateway.browser.challenge_template)
    assert bool(needed) == bool(bench.gateway.browser.challenge_template)
    assert all(isinstance(word, str) for word in [*needed, *needed.values()])
    assert bench.gateway.lookup(attempt) == outcome


def test_there_is_nothing_to_pass_in_the_page_of_a_charge_that_is_checked_elsewhere_or_not_at_all(bench):
    elsewhere, unchecked = an_attempt(bench, method=bench.challenge_card()), an_attempt(bench, in_page=True)
    for attempt in (elsewhere, unchecked):
        outcome = bench.gateway.charge(attempt)
        assert not bench.gateway.challenge(replace(attempt, gateway_id=outcome.gateway_id))


def test_a_check_that_nobody_is_there_to_pass_is_a_decline(bench):
    attempt = an_attempt(bench, method=bench.challenge_card(), customer_present=False)

    outcome = bench.gateway.charge(attempt)

    assert outcome.result == Result.DECLINED
    assert outcome.decline.code == "challenge_required"
    assert outcome.decline.bucket == Bucket.CUSTOMER_MUST_ACT


@pytest.mark.parametrize(
    ("amount", "integer"),
    [
        (Money.parse("1000", "JPY"), 1000),
        (Money.parse("1.234", "KWD"), 1234),
        (Money.parse("1.18", "EUR"), 118),
        (Money.parse("0.29", "USD"), 29),
    ],
    ids=str,
)
def test_an_amount_arrives_as_the_literal_integer(bench, amount, integer):
    attempt = an_attempt(bench, amount=amount)

    outcome = bench.gateway.charge(attempt)

    if amount in bench.unrepresentable:
        assert outcome.result in {Result.DECLINED, Result.NOT_SENT}
        assert bench.taken(attempt.reference) == []
        return
    assert outcome.amount == amount
    assert bench.taken(attempt.reference) == [(integer, amount.currency)]


def test_nothing_secret_is_stored(bench):
    bench.gateway.charge(an_attempt(bench, save_method=True))
    bench.gateway.charge(an_attempt(bench, method=bench.declined_card()))

    for content in bench.stored():
        assert content
        for secret in bench.secrets():
            assert secret not in content
