"""Amounts as Stripe writes them: integers that for some currencies are not the minor units of ISO 4217.

https://docs.stripe.com/currencies: sixteen currencies have no decimals; the Icelandic krona and the Ugandan shilling
have none either, but are written with two, which are zero; five have three decimals, of which the last must be zero;
all others have two. The forint and the New Taiwan dollar are whole only when paid out, so charges are ordinary.
"""

from iso4217 import Currency

from invoices.money import Money, exponent

WITHOUT_DECIMALS = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"),
        *("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
    }
)
WRITTEN_WITH_TWO = frozenset({"ISK", "UGX"})
WITH_THREE = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})

# The smallest charge, in our minor units, where it is paid out in the same currency; otherwise Stripe converts and
# refuses by itself. https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
SMALLEST = {
    **dict.fromkeys(("AUD", "BRL", "CAD", "CHF", "EUR", "INR", "JPY", "NZD", "SGD", "USD"), 50),
    **dict.fromkeys(("AED", "MYR", "PLN", "RON"), 200),
    **dict.fromkeys(("NOK", "SEK"), 300),
    **dict.fromkeys(("MXN", "THB"), 1000),
    "BGN": 100,
    "CZK": 1500,
    "DKK": 250,
    "GBP": 30,
    "HKD": 400,
    "HUF": 17500,
}


class Unrepresentable(ValueError):
    """Stripe has no number for this amount."""


def _decimals(currency: str) -> int:
    """Decimals that Stripe's integers have. Raises Unrepresentable for a currency it does not know."""
    if currency in WRITTEN_WITH_TWO:
        return 2
    if currency in WITHOUT_DECIMALS:
        return 0
    if currency in WITH_THREE:
        return 3
    if exponent(currency) == 2:
        return 2
    raise Unrepresentable(f"Stripe does not take {currency}.")


def _scaled(integer: int, places: int) -> int | None:
    """The integer with its decimal point moved; None when something would fall off its end."""
    scaled, left = divmod(integer * 10 ** max(places, 0), 10 ** max(-places, 0))
    return None if left else int(scaled)


def to_stripe(amount: Money) -> int:
    """The integer to send. Raises Unrepresentable when there is none; nothing is rounded."""
    currency = amount.currency
    integer = _scaled(amount.minor, _decimals(currency) - exponent(currency))
    if integer is None or (currency in WITH_THREE and integer % 10):
        raise Unrepresentable(f"Stripe has no number for {amount.amount} {currency}.")
    return integer


def money_or_none(integer: int, currency: str) -> Money | None:
    """As `from_stripe`; None for what a `Money` cannot be, such as another shop's currency in a list."""
    try:
        return from_stripe(integer, currency)
    except ValueError:
        return None


def from_stripe(integer: int, currency: str) -> Money:
    """The amount of an integer of Stripe's, with its currency in small letters. Raises Unrepresentable."""
    currency = currency.upper()
    minor = _scaled(integer, exponent(currency) - _decimals(currency))
    if minor is None:
        raise Unrepresentable(f"{integer} is not an amount of {currency}.")
    return Money(minor, currency)


def _largest(currency: str) -> int:
    """The largest charge in our minor units: twelve digits of Stripe's for the rupiah, eight for all others."""
    last = 100 if currency in WRITTEN_WITH_TWO else 10 if currency in WITH_THREE else 1
    return from_stripe(10 ** (12 if currency == "IDR" else 8) - last, currency).minor


# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
LARGEST = {
    currency.code: _largest(currency.code)
    for currency in Currency
    if currency.exponent == 2 or currency.code in WITHOUT_DECIMALS | WRITTEN_WITH_TWO | WITH_THREE
}
