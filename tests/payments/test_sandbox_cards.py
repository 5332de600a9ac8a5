"""Each test card does what its line in the table says."""

import pytest

from payments.gateways.base import Result
from payments.gateways.sandbox import saved_cards
from payments.gateways.sandbox.cards import BY_LAST_FOUR, CARDS, card_of
from payments.gateways.sandbox.models import CardSetup, transaction
from tests.payments.contract.benches import SandboxBench, a_refund, an_attempt

pytestmark = pytest.mark.django_db


@pytest.fixture
def bench():
    return SandboxBench("sandbox")


@pytest.fixture
def sandbox(bench):
    return bench.gateway


def charge(bench, last_four, **changes):
    attempt = an_attempt(bench, method=f"tok_{last_four}_x", **changes)
    return attempt, bench.gateway.charge(attempt)


def passes_luhn(number: str) -> bool:
    digits = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(number))]
    return sum(digit - 9 if digit > 9 else digit for digit in digits) % 10 == 0


def test_numbers_are_valid_and_their_last_digits_tell_them_apart():
    assert all(passes_luhn(card.number) for card in CARDS)
    assert len(BY_LAST_FOUR) == len(CARDS)


@pytest.mark.parametrize(("last_four", "brand"), [("4242", "visa"), ("4444", "mastercard"), ("0005", "amex")])
def test_cards_that_work(bench, last_four, brand):
    _attempt, outcome = charge(bench, last_four)

    assert outcome.result == Result.SUCCEEDED
    assert outcome.method.brand == brand
    assert (outcome.method.expiry_month, outcome.method.expiry_year) == (12, 2030)


@pytest.mark.parametrize(
    ("last_four", "code"),
    [
        ("0002", "generic"),
        ("0341", "generic"),
        ("9995", "insufficient_funds"),
        ("0069", "expired_card"),
        ("0127", "wrong_code"),
        ("0119", "processing_error"),
        ("9987", "lost_or_stolen"),
        ("9979", "lost_or_stolen"),
        ("1111", "wrong_number"),
    ],
)
def test_cards_that_are_declined(bench, last_four, code):
    attempt, outcome = charge(bench, last_four)

    assert outcome.result == Result.DECLINED
    assert outcome.decline.code == code
    assert bench.taken(attempt.reference) == []


@pytest.mark.parametrize("method", ["", "4242424242424242", "tok_4242", "tok_424_x", "card_visa_1", "tok_٤٢٤٢_x"])
def test_what_is_no_card_is_declined(bench, sandbox, method):
    outcome = sandbox.charge(an_attempt(bench, method=method))

    assert outcome.decline.code == "wrong_number"
    assert outcome.method is None


def test_a_number_sent_by_mistake_is_not_kept(bench, sandbox):
    number = "4012888888881881"
    sandbox.charge(an_attempt(bench, method=number))
    sandbox.begin_setup(key="k", profile="BP-TEST", gateway_customer="", token=number, return_url="")
    sandbox.detach(gateway_method=number)

    assert all(number.encode() not in content for content in bench.stored())


def test_a_card_that_fails_later_can_be_stored(sandbox):
    step = sandbox.begin_setup(key="k", profile="BP-TEST", gateway_customer="", token="tok_0341_x", return_url="")

    assert step.method.last_four == "0341"


@pytest.mark.parametrize("last_four", ["3155", "3184", "3178", "1629"])
def test_cards_that_the_bank_checks(bench, last_four):
    assert charge(bench, last_four)[1].result == Result.NEEDS_CUSTOMER
    assert charge(bench, last_four, customer_present=False)[1].decline.code == "challenge_required"


def test_the_card_whose_answer_gets_lost_was_charged(bench, sandbox):
    attempt, outcome = charge(bench, "6207")

    assert outcome.result == Result.UNKNOWN
    assert sandbox.lookup(attempt).result == Result.SUCCEEDED
    assert len(bench.taken(attempt.reference)) == 1


def test_the_card_whose_request_gets_lost_was_not_charged(bench, sandbox):
    attempt, outcome = charge(bench, "6215")

    assert outcome.result == Result.UNKNOWN
    assert sandbox.lookup(attempt).result == Result.NOT_FOUND


@pytest.mark.parametrize(("last_four", "end"), [("6223", Result.SUCCEEDED), ("6231", Result.DECLINED)])
def test_cards_that_settle_later(bench, sandbox, last_four, end):
    attempt, outcome = charge(bench, last_four)
    assert outcome.result == sandbox.lookup(attempt).result == Result.PENDING
    assert sandbox.expire(attempt).result == Result.PENDING
    assert bench.taken(attempt.reference) == []

    sandbox.operator.advance_clock(10)

    assert sandbox.lookup(attempt).result == end


def test_a_card_saved_by_a_payment_that_settles_later_is_told_of_then(bench, sandbox):
    attempt, outcome = charge(bench, "6223", save_method=True)
    assert outcome.method.gateway_method == ""

    sandbox.operator.advance_clock(10)

    assert sandbox.lookup(attempt).method.gateway_method.startswith("card_6223_")


@pytest.mark.parametrize(("last_four", "end"), [("7726", Result.SUCCEEDED), ("5126", Result.DECLINED)])
def test_cards_whose_refunds_settle_later(bench, sandbox, last_four, end):
    _attempt, outcome = charge(bench, last_four)
    request = a_refund(outcome.gateway_id, 1000)

    assert sandbox.refund(request).result == Result.PENDING
    assert sandbox.refund(a_refund(outcome.gateway_id, 1)).result == Result.DECLINED
    sandbox.operator.advance_clock(10)

    assert sandbox.lookup_refund(request).result == end
    again = sandbox.refund(a_refund(outcome.gateway_id, 1)).result
    assert again == (Result.PENDING if end == Result.DECLINED else Result.DECLINED)


def test_a_card_stored_with_a_check_needs_no_other_one(bench, sandbox):
    step = sandbox.begin_setup(key="k", profile="BP-TEST", gateway_customer="", token="tok_3155_x", return_url="")
    assert step.next_url
    with transaction() as at:
        saved_cards.answer_challenge(CardSetup.objects.get(), approved=True, at=at)
    card = sandbox.finish_setup(step.setup_id).method.gateway_method

    later = an_attempt(bench, method=card, customer_present=False)
    assert sandbox.charge(later).result == Result.SUCCEEDED


def test_ids_tell_the_card():
    assert card_of("card_3184_anything").last_four == card_of("tok_3184_else").last_four == "3184"
