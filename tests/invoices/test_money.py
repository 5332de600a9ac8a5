"""Money: whole minor units, rounded half-up once, split without losing a cent."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso4217 import Currency

from billing_portal.core.exact_decimals import plain, rounded_product
from invoices.money import DECIMALS, CurrencyMismatch, Money, UnknownCurrency, exponent, percent_of, without_tax

CURRENCIES = st.sampled_from(["JPY", "EUR", "KWD"])


@pytest.mark.parametrize(("currency", "decimals"), [("JPY", 0), ("EUR", 2), ("KWD", 3)])
def test_decimals_are_those_of_iso_4217(currency, decimals):
    assert exponent(currency) == decimals


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (Money(123456, "BGN"), "BGN 1,234.56"),
        (Money(123456, "HRK"), "HRK 1,234.56"),
        (Money(123456, "SLL"), "SLL 1,234.56"),
        (Money(123456, "ITL"), "ITL 123,456"),
    ],
)
def test_an_amount_in_a_withdrawn_currency_is_read_for_ever(amount, written):
    assert amount.format("en").replace("\N{NO-BREAK SPACE}", " ") == written


def test_a_currency_keeps_its_decimals_on_the_day_it_is_withdrawn():
    """`DECIMALS` takes over when the ISO table drops a code."""
    listed = {one.value: one.exponent for one in Currency if one.exponent is not None}
    assert {code: DECIMALS.get(code, 2) for code in listed} == listed


@pytest.mark.parametrize("code", ["XAU", "EUE", "EURO", "", "eur"])
def test_what_is_no_currency_is_refused(code):
    with pytest.raises(UnknownCurrency):
        Money(1, code)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("0.005", "EUR", 1),
        ("0.004999", "EUR", 0),
        ("-0.005", "EUR", -1),
        ("1.115", "EUR", 112),
        ("0.5", "JPY", 1),
        ("1.4999", "JPY", 1),
        ("0.0005", "KWD", 1),
        ("12.3454", "KWD", 12345),
    ],
)
def test_rounding_is_half_up_to_the_currencys_decimals(amount, currency, minor):
    assert rounded_product(Decimal(amount), Decimal(1), exponent(currency)) == minor


@pytest.mark.parametrize(
    ("value", "written"),
    [("-0", "0"), ("-0.000", "0"), ("1E+2", "100"), ("0.5000", "0.5"), ("1E-12", "0.000000000001")],
)
def test_a_decimal_is_written_in_one_way(value, written):
    """Texts that differ would be two prices to SQLite, and zero has no sign on an invoice."""
    assert plain(Decimal(value)) == written


@pytest.mark.parametrize(
    ("text", "currency", "minor"), [("12.50", "EUR", 1250), ("1250", "JPY", 1250), ("1.25", "KWD", 1250)]
)
def test_typed_amounts_are_read_exactly(text, currency, minor):
    assert Money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "currency"),
    [("12.505", "EUR"), ("1.5", "JPY"), ("1,50", "EUR"), ("1e3", "EUR"), ("", "EUR"), ("٣", "EUR")],
)
def test_what_would_have_to_be_guessed_or_rounded_is_refused(text, currency):
    with pytest.raises(ValueError, match=r"amount|decimals"):
        Money.parse(text, currency)


def test_floats_and_mixed_currencies_are_refused():
    with pytest.raises(TypeError):
        Money(1.0, "EUR")
    with pytest.raises(CurrencyMismatch):
        Money(1, "EUR") + Money(1, "JPY")
    with pytest.raises(CurrencyMismatch):
        assert Money(1, "EUR") < Money(1, "JPY")


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any), CURRENCIES)
def test_parts_of_a_split_add_up_and_are_fair(minor, weights, currency):
    whole = Money(minor, currency)
    parts = whole.split(weights)
    assert Money.total(parts, currency) == whole
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part.minor * sum(weights) - minor * weight) < sum(weights)


@given(st.integers(-(10**14), 10**14), CURRENCIES)
def test_an_amount_in_major_units_reads_back_as_itself(minor, currency):
    money = Money(minor, currency)
    assert Money.parse(str(money.amount), currency) == money
    assert rounded_product(money.amount, Decimal(1), exponent(currency)) == money.minor


@given(st.integers(-(10**14), 10**14), st.decimals(0, 30, places=3))
def test_the_net_part_of_an_amount_with_tax_is_the_one_whose_tax_leads_back(minor, percent):
    net = without_tax(minor, percent)
    assert abs(net + percent_of(net, percent) - minor) <= 1


@pytest.mark.parametrize(
    ("money", "language", "text"),
    [
        (Money(123456, "EUR"), "en", "€1,234.56"),
        (Money(123456, "EUR"), "nl", "€\xa01.234,56"),
        (Money(-5, "EUR"), "en", "-€0.05"),
        (Money(1234, "JPY"), "en", "¥1,234"),
        (Money(1234, "KWD"), "en", "KWD\xa01.234"),
        (Money(-1234, "KWD"), "en", "-KWD\xa01.234"),
        (Money(1234, "KWD"), "nl", "KWD\xa01,234"),
    ],
)
def test_amounts_are_written_in_the_readers_language(money, language, text):
    assert money.format(language) == text
