"""Rates of exchange: which one holds on a day, what an amount comes to, and the page on which staff keep them."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from invoices.exchange import Quote, quotes_for
from invoices.models import ExchangeRate
from invoices.money import Money
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
FRIDAY = date(2026, 10, 23)


def rate(on=FRIDAY, value="1.0850", base="EUR", other="USD"):
    return ExchangeRate.objects.create(
        from_currency=base, to_currency=other, quoted_on=on, rate=Decimal(value), source="ECB"
    )


def days_after(count: int) -> date:
    return FRIDAY + timedelta(days=count)


@pytest.mark.parametrize(("days", "holds"), [(-1, False), (0, True), (3, True), (7, True), (8, False)])
def test_a_rate_holds_for_a_week(days, holds):
    rate()
    found = quotes_for([("USD", days_after(days))], currency="EUR")
    expected = Quote("EUR", "USD", Decimal("1.085"), FRIDAY, "ECB")
    assert found == ({("USD", days_after(days)): expected} if holds else {})


def test_the_newest_rate_wins_whichever_currency_is_its_base():
    rate(FRIDAY, "1.08")
    rate(days_after(1), "0.90", "USD", "EUR")
    rate(days_after(3), "1.10")
    rate(days_after(3), "0.80", "USD", "EUR")  # on the same day, the one whose base is the seller's currency
    rate(FRIDAY, "162.5", "EUR", "JPY")
    wanted = [("USD", days_after(0)), ("USD", days_after(2)), ("USD", days_after(3)), ("JPY", FRIDAY), ("GBP", FRIDAY)]
    found = quotes_for(wanted, currency="EUR")
    rates = {key: (quote.base, quote.rate) for key, quote in found.items()}
    assert rates == {
        ("USD", days_after(0)): ("EUR", Decimal("1.08")), ("USD", days_after(2)): ("USD", Decimal("0.9")),
        ("USD", days_after(3)): ("EUR", Decimal("1.1")), ("JPY", FRIDAY): ("EUR", Decimal("162.5")),
    }  # fmt: skip


def test_any_number_of_currencies_and_days_is_one_query_and_none_is_none(django_assert_num_queries):
    for count in range(5):
        rate(days_after(count), "1.1")
        rate(days_after(count), "160", other="JPY")
    with django_assert_num_queries(1):
        wanted = {(currency, days_after(count)) for currency in ("USD", "JPY") for count in range(12)}
        assert len(quotes_for(wanted, currency="EUR")) == 24
    with django_assert_num_queries(0):
        assert quotes_for([], currency="EUR") == {}


@pytest.mark.parametrize(
    ("base", "other", "value", "amount", "converted"),
    [
        ("EUR", "USD", "1.0850", Money(21_00, "USD"), Money(19_35, "EUR")),  # 19.3548
        ("USD", "EUR", "0.92", Money(21_00, "USD"), Money(19_32, "EUR")),
        ("EUR", "JPY", "162.5", Money(-1000, "JPY"), Money(-6_15, "EUR")),  # 6.1538
        ("EUR", "KWD", "0.3333", Money(1_000, "KWD"), Money(3_00, "EUR")),  # 3.0003
        ("EUR", "IDR", "17000", Money(100_000_000_00, "IDR"), Money(5882_35, "EUR")),  # not by a rounded 0.0000588
        ("EUR", "USD", "1.05", Money(50, "EUR"), Money(53, "USD")),  # 0.525, half up
    ],
)
def test_an_amount_is_converted_by_the_rate_as_published_and_rounded_once(base, other, value, amount, converted):
    quote = Quote(base, other, Decimal(value), FRIDAY, "ECB")
    assert quote.convert(amount) == converted
    assert Quote.of_json(quote.as_json()) == quote


def test_a_third_currency_is_not_converted():
    with pytest.raises(ValueError, match="GBP is not EUR or USD"):
        Quote("EUR", "USD", Decimal(1), FRIDAY, "ECB").convert(Money(1, "GBP"))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"rate": "0"}, "A rate is more than zero."),
        ({"rate": "-1"}, "Ensure this value is greater than or equal to 0."),
        ({"rate": "1.12345678901"}, "Ensure that there are no more than 10 decimal places."),
        ({"to_currency": "EUR"}, "The two currencies are the same."),
        ({"to_currency": "BGN"}, "BGN is not a currency in use."),
        ({"quoted_on": "2099-01-01"}, "The day is in the future."),
        ({"quoted_on": "2026-10-23"}, "There is a rate of these currencies on this day already. Change that one."),
        ({"source": ""}, "This field is required."),
    ],
)
def test_staff_are_told_what_is_wrong_with_a_rate(client, changes, refusal):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    rate()
    form = {"from_currency": "eur", "to_currency": "usd", "quoted_on": "2026-10-26", "rate": "1.09", "source": "ECB"}
    response = client.post("/admin/invoices/exchangerate/add/", form | changes)
    assert refusal in response.content.decode()
    assert ExchangeRate.objects.count() == 1
    assert client.post("/admin/invoices/exchangerate/add/", form).status_code == 302
    assert "1.09" in client.get("/admin/invoices/exchangerate/").content.decode()
