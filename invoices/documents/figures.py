"""Numbers and days as a document prints them, in the language that is active."""

from copy import copy
from datetime import date
from decimal import Decimal

from babel import Locale
from babel.dates import format_date
from babel.numbers import NumberPattern
from django.utils.translation import get_language

from invoices.money import Money, exponent
from invoices.units import unit_name


def day(value: date | None) -> str:
    """``5 October 2026``; the month in letters, because 5/10 means two things. Empty for none."""
    return _day(value, "MMMM")


def short_day(value: date | None) -> str:
    """``5 Oct 2026``, for a column."""
    return _day(value, "MMM")


def _day(value: date | None, month: str) -> str:
    """German has a point behind the day, and French the first of a month as ``1er``."""
    if value is None:
        return ""
    number = {"de": "d.", "fr": "d'er'" if value.day == 1 else "d"}.get(_locale().language, "d")
    return format_date(value, f"{number} {month} y", locale=_locale())


def figure(money: Money) -> str:
    """An amount without its currency, for a column whose head names it."""
    return _number(money.amount, least=exponent(money.currency), most=exponent(money.currency))


def quantity(value: Decimal) -> str:
    """As many decimals as it has: ``744``, ``1,240.5``."""
    return _number(value, least=0, most=12)


def counted(value: Decimal, unit: str) -> str:
    """A quantity with the name of its unit: ``2.5 hours``, ``12 GB``, ``3``."""
    return f"{quantity(value)} {unit_name(unit, value)}".rstrip()


def unit_price(value: Decimal, currency: str) -> str:
    """At least the currency's decimals, more where the price has them: ``1.25``, ``0.0312``."""
    least = exponent(currency)
    return _number(value, least=least, most=max(least, 10))


def exchange_rate(value: Decimal) -> str:
    """As many decimals as central banks publish, or as it has: ``1.0850``."""
    return _number(value, least=4, most=10)


def percentage(value: Decimal) -> str:
    """A tax rate as people write it: ``21%``, ``5.5%``."""
    return _written(_locale().percent_formats[None], value.scaleb(-2), least=0, most=3)


def _number(value: Decimal, *, least: int, most: int) -> str:
    return _written(_locale().decimal_formats[None], value, least=least, most=most)


def _written(pattern: NumberPattern, value: Decimal, *, least: int, most: int) -> str:
    """The language's own pattern, with our number of decimals."""
    own = copy(pattern)
    own.frac_prec = (least, most)
    return str(own.apply(value, _locale()))


def _locale() -> Locale:
    return Locale.parse((get_language() or "en").replace("-", "_"))
