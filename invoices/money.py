"""Money: an integer number of minor units and an ISO 4217 currency. Nothing else in the portal does arithmetic on it.

Decimals of a currency come from the ISO 4217 table, of a withdrawn one from `DECIMALS`: what was invoiced in it is read
for ever. Formatting comes from Babel in the reader's language. Amounts are rounded
half-up, once, where a line is made and where its tax is computed; parts of an amount always add up to it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from operator import attrgetter
from typing import Any, Self

from babel import Locale
from babel.numbers import NumberPattern, get_currency_symbol, list_currencies
from django.utils.translation import get_language
from iso4217 import Currency

ONE, HUNDRED = Decimal(1), Decimal(100)
NO_BREAK = "\N{NO-BREAK SPACE}"
# An amount as a reader writes it: with decimals, and without.
WITH_DECIMALS = re.compile(r"^(\d{1,12}|\d{1,3}(?:[.,]\d{3}){1,3})[.,](\d{1,4})$", re.ASCII)
GROUPED = re.compile(r"^(\d{1,12}|\d{1,3}(?:[.,]\d{3}){1,3})$", re.ASCII)
PLAIN = re.compile(r"^-?\d{1,15}(\.\d{1,4})?$", re.ASCII)


# Of every currency, past and present, that has not two. Unicode's table counts coins in use and differs.
DECIMALS = {
    **dict.fromkeys(["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND"], 0),
    **dict.fromkeys(["VUV", "XAF", "XOF", "XPF"], 0),
    **dict.fromkeys(["ADP", "BEF", "BYB", "BYR", "ESP", "GRD", "ITL", "LUF", "MGF", "PTE", "TPE", "TRL"], 0),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}


class UnknownCurrency(ValueError):
    """The code was never in ISO 4217, or the currency has no minor unit (gold, test codes)."""


class CurrencyMismatch(TypeError):
    """Two currencies were added or compared."""


@lru_cache(maxsize=256)
def exponent(currency: str) -> int:
    """Decimals of a currency, in use or withdrawn: 2 for EUR. Raises UnknownCurrency."""
    try:
        digits = Currency(currency).exponent
    except ValueError:
        digits = DECIMALS.get(currency, 2) if currency in list_currencies() else None
    if digits is None:
        raise UnknownCurrency(f"{currency!r} is not a currency of ISO 4217 with minor units.")
    return digits


@lru_cache(maxsize=1)
def currencies_by_exponent() -> dict[int, list[str]]:
    """The codes of all currencies by their decimals: ``{0: ["JPY", ...], 2: ["EUR", ...], ...}``."""
    codes: dict[int, list[str]] = {}
    for currency in Currency:
        if currency.exponent is not None:
            codes.setdefault(currency.exponent, []).append(currency.code)
    return codes


def minors_of(typed: str) -> list[tuple[int, list[str]]]:
    """What an amount that somebody searches for may be, in minor units and for which currencies; empty for what is no
    amount. A point or comma divides off decimals or groups thousands, whichever fits."""
    text = re.sub(r"[\s\u00a0\u202f]|^[^\d.,]{1,3}|[^\d.,]{1,3}$", "", typed)
    values = set()
    if decimal := WITH_DECIMALS.match(text):
        values.add(Decimal(f"{re.sub('[.,]', '', decimal[1])}.{decimal[2]}"))
    if GROUPED.match(text):
        values.add(Decimal(re.sub("[.,]", "", text)))
    return [
        (int(minor), codes)
        for value in values
        for digits, codes in currencies_by_exponent().items()
        if (minor := value.scaleb(digits)) == minor.to_integral_value() and value
    ]


def percent_of(minor: int, percent: Decimal) -> int:
    """So many percent of an amount in minor units, rounded half-up."""
    return _whole(Decimal(minor) * percent / HUNDRED)


def without_tax(minor: int, percent: Decimal) -> int:
    """The net part of an amount with so many percent on top of it, rounded half-up."""
    return _whole(Decimal(minor) * HUNDRED / (HUNDRED + percent))


def _whole(units: Decimal) -> int:
    try:
        return int(units.quantize(ONE, rounding=ROUND_HALF_UP))
    except InvalidOperation as error:
        raise ValueError(f"{units} minor units are too large an amount.") from error


@dataclass(frozen=True, slots=True)
class Money:
    """``Money(1250, "EUR")`` is 12.50 euro. Adding or comparing two currencies raises CurrencyMismatch."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"Money takes whole minor units, not {self.minor!r}.")
        exponent(self.currency)

    @classmethod
    def parse(cls, text: str, currency: str) -> Self:
        """From plain decimal text such as ``12.50``. Raises ValueError for anything else and for too many decimals:
        nothing that somebody typed is rounded away."""
        if not PLAIN.match(text.strip()):
            raise ValueError(f"{text!r} is not an amount. Write it as digits with a decimal point, such as 12.50.")
        minor = Decimal(text.strip()).scaleb(exponent(currency))
        if minor != minor.to_integral_value():
            raise ValueError(f"{text!r} has more decimals than {currency} has ({exponent(currency)}).")
        return cls(int(minor), currency)

    @classmethod
    def total(cls, parts: "Iterable[Money]", currency: str) -> "Money":
        return sum(parts, start=cls(0, currency))

    @classmethod
    def by_currency(cls, minor: Mapping[str, int]) -> "list[Money]":
        """Sums that were counted by currency, in the order of their codes."""
        return [cls(amount, currency) for currency, amount in sorted(minor.items())]

    @property
    def amount(self) -> Decimal:
        """In major units, with the currency's decimals: ``Decimal("12.50")``."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def split(self, weights: Sequence[int]) -> list["Money"]:
        """Parts in proportion to non-negative weights, by largest remainder; they add up to the whole."""
        whole = sum(weights)
        if not whole or min(weights) < 0:
            raise ValueError("Weights must not be negative and not all zero.")
        shares = [divmod(abs(self.minor) * weight, whole) for weight in weights]
        left = abs(self.minor) - sum(share for share, _ in shares)
        order = sorted(range(len(shares)), key=lambda index: -shares[index][1])[:left]
        sign = -1 if self.minor < 0 else 1
        return [Money(sign * (share + (index in order)), self.currency) for index, (share, _) in enumerate(shares)]

    def format(self, language: str | None = None) -> str:
        """For a reader: ``€12.50``, or ``€ 12,50`` in Dutch. The language is the reader's unless given."""
        return format_minor(self.minor, self.currency, language or get_language() or "en")

    def _same(self, other: "Money") -> int:
        if not isinstance(other, Money) or other.currency != self.currency:
            raise CurrencyMismatch(f"{self!r} and {other!r} are not of one currency.")
        return other.minor

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.minor <= self._same(other)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __str__(self) -> str:
        return self.format()


class MoneyOf:
    """An attribute of a row that reads a column of minor units as Money: ``total = MoneyOf("total_minor")``. ``less``
    is a column to take off it, ``currency`` leads from the row, with what it names loaded, to the currency."""

    def __init__(self, minor: str, *, less: str = "", currency: str = "currency") -> None:
        self.minor, self.less, self.currency_of = minor, less, attrgetter(currency)

    def __get__(self, row: Any, _owner: type) -> Money:
        minor = getattr(row, self.minor) - (getattr(row, self.less) if self.less else 0)
        return Money(minor, self.currency_of(row))


@lru_cache(maxsize=8192)
def format_minor(minor: int, currency: str, language: str) -> str:
    """As `Money.format`, for whoever has a hundred amounts of a table to write."""
    pattern, locale, digits = _pattern(currency, language)
    return str(pattern.apply(Decimal(minor).scaleb(-digits), locale, currency=currency, currency_digits=False))


@lru_cache(maxsize=256)
def _pattern(currency: str, language: str) -> tuple[NumberPattern, Locale, int]:
    """Babel's pattern of the language, with ISO's decimals: Babel's own table gives fewer for some currencies."""
    digits = exponent(currency)
    pattern, locale = currency_pattern(currency, language)
    pattern.frac_prec = (digits, digits)
    return pattern, locale, digits


def currency_pattern(currency: str, language: str) -> tuple[NumberPattern, Locale]:
    """How the language writes amounts, with the space after letters that Babel leaves out: ``KWD 1.234``."""
    locale = Locale.parse(language.replace("-", "_"))
    pattern = copy(locale.currency_formats["standard"])
    if get_currency_symbol(currency, locale)[-1].isalpha():
        pattern.prefix = tuple(part + NO_BREAK if part.endswith("¤") else part for part in pattern.prefix)
    return pattern, locale
