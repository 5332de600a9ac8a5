"""The literal integers that go to Stripe, by currency. A round trip would hide a mistake that both ways share."""

from dataclasses import replace

import pytest

from invoices.money import Money
from payments.gateways.base import Result
from payments.gateways.stripe.gateway import StripeGateway
from payments.gateways.stripe.money import SMALLEST, Unrepresentable, from_stripe, to_stripe
from tests.payments.stripe.asks import a_refund, an_attempt, charged, sent

INTEGERS = [
    ("1000", "JPY", 1000),
    ("500", "KRW", 500),
    ("1.18", "EUR", 118),
    ("0.29", "USD", 29),
    ("1234", "ISK", 123400),
    ("5000", "UGX", 500000),
    ("1290.50", "HUF", 129050),
    ("300.00", "TWD", 30000),
    ("1.230", "KWD", 1230),
    ("2.500", "BHD", 2500),
    ("200.00", "MGA", 200),
    ("99.99", "NOK", 9999),
]


@pytest.mark.parametrize(("text", "currency", "integer"), INTEGERS)
def test_an_amount_is_this_integer_and_the_integer_this_amount(text, currency, integer):
    assert to_stripe(Money.parse(text, currency)) == integer
    assert from_stripe(integer, currency.lower()) == Money.parse(text, currency)


@pytest.mark.parametrize(
    ("text", "currency"), [("1.234", "KWD"), ("0.001", "TND"), ("200.40", "MGA"), ("1.000", "IQD"), ("1.0000", "CLF")]
)
def test_what_stripe_has_no_number_for_is_refused_and_not_rounded(text, currency):
    with pytest.raises(Unrepresentable):
        to_stripe(Money.parse(text, currency))


@pytest.mark.parametrize(("integer", "currency"), [(123450, "isk"), (5, "ugx")])
def test_an_integer_that_is_no_amount_is_not_rounded_either(integer, currency):
    with pytest.raises(Unrepresentable):
        from_stripe(integer, currency)


@pytest.mark.parametrize(("text", "currency", "integer"), [each for each in INTEGERS if each[1] != "USD"])
def test_the_integer_is_charged_and_paid_back(gateway, standin, text, currency, integer):
    if currency == "HUF":
        text, integer = "12905.50", 1290550  # the smallest charge is 175 forint
    amount = Money.parse(text, currency)
    attempt = an_attempt(standin, amount=amount)

    outcome = gateway.charge(attempt)
    refund = gateway.refund(replace(a_refund(outcome.gateway_id), amount=amount))

    assert outcome.amount == refund.amount == amount
    assert charged(standin, attempt) == [[integer, currency.lower()]]
    assert sent(standin, "POST payment_intents")[-1]["amount"] == str(integer)
    assert sent(standin, "POST refunds")[-1]["amount"] == str(integer)


def test_an_amount_without_a_number_is_declined_and_nothing_is_sent(gateway, standin):
    attempt = an_attempt(standin, amount=Money.parse("1.234", "KWD"))

    outcome = gateway.charge(attempt)

    assert (outcome.result, outcome.decline.code) == (Result.DECLINED, "amount")
    assert gateway.expire(attempt).result == Result.EXPIRED
    assert sent(standin, "POST payment_intents") == []


@pytest.mark.parametrize(
    ("currency", "minor"),
    [
        *[("EUR", 99_999_999), ("JPY", 99_999_999), ("IDR", 999_999_999_999)],
        *[("KWD", 99_999_990), ("ISK", 999_999), ("UGX", 999_999)],
    ],
)
def test_the_largest_amount_is_the_last_that_stripe_can_write(currency, minor):
    assert StripeGateway.capabilities.maximum_minor[currency] == minor
    assert len(str(to_stripe(Money(minor, currency)))) == (12 if currency == "IDR" else 8)


def test_every_smallest_amount_is_below_the_largest():
    largest = StripeGateway.capabilities.maximum_minor
    assert set(SMALLEST) - set(largest) <= {"BGN"}  # no currency of today
    assert all(largest[currency] > minor for currency, minor in SMALLEST.items() if currency in largest)


@pytest.mark.parametrize(("minor", "code"), [(49, "too_small"), (100_000_000, "too_large")])
def test_too_small_and_too_large_amounts_are_declined_as_what_they_are(gateway, standin, minor, code):
    outcome = gateway.charge(an_attempt(standin, amount=Money(minor, "EUR")))

    assert outcome.result == Result.DECLINED
    assert (outcome.decline.code, outcome.decline.bucket) == (code, "config_error")
