"""Rates at which an amount of tax is shown in the seller's currency as well.

European law asks for it where an invoice is in another currency (VAT Directive, article 230; EN 16931 BT-6 and BT-111).
The rate is the one published for the day of the invoice, or the last before it.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple

from django.db.models import Q

from billing_portal.core.exact_decimals import plain, rounded_product
from invoices.models import ExchangeRate
from invoices.money import Money, exponent

# The ECB publishes no rates on weekends and holidays. From the Thursday before Easter to the Tuesday after it are five
# days; what is older than a week was forgotten.
HOLDS_FOR = timedelta(days=7)


class Quote(NamedTuple):
    """One of ``base`` is ``rate`` of ``other``, as ``source`` published it for a day."""

    base: str
    other: str
    rate: Decimal
    on: date
    source: str

    def convert(self, amount: Money) -> Money:
        """In the other one of the two currencies, rounded half-up once. Raises ValueError for a third currency."""
        if amount.currency not in (self.base, self.other):
            raise ValueError(f"{amount.currency} is not {self.base} or {self.other}.")
        if amount.currency == self.base:
            return Money(rounded_product(amount.amount, self.rate, exponent(self.other)), self.other)
        return Money(rounded_product(amount.amount / self.rate, Decimal(1), exponent(self.base)), self.base)

    def as_json(self) -> dict[str, str]:
        return {
            "base": self.base,
            "other": self.other,
            "rate": plain(self.rate),
            "on": self.on.isoformat(),
            "source": self.source,
        }

    @classmethod
    def of_json(cls, values: dict[str, str]) -> "Quote":
        return cls(
            values["base"], values["other"], Decimal(values["rate"]), date.fromisoformat(values["on"]), values["source"]
        )


def quotes_for(wanted: Iterable[tuple[str, date]], *, currency: str) -> dict[tuple[str, date], Quote]:
    """Which quote holds for each of other currencies and days against ``currency``: the newest of at most a week ago,
    whichever of the two is its base. Pairs without one are left out. One query, none for nothing wanted."""
    pairs = set(wanted)
    if not pairs:
        return {}
    others, days = {other for other, _day in pairs}, [day for _other, day in pairs]
    rates = ExchangeRate.objects.filter(
        Q(from_currency=currency, to_currency__in=others) | Q(from_currency__in=others, to_currency=currency),
        quoted_on__range=(min(days) - HOLDS_FOR, max(days)),
    )
    quotes: dict[str, list[Quote]] = defaultdict(list)
    for rate in rates:
        other = rate.to_currency if rate.from_currency == currency else rate.from_currency
        quotes[other].append(Quote(rate.from_currency, rate.to_currency, rate.rate, rate.quoted_on, rate.source))
    for of_one in quotes.values():
        # On a day that has both, the one whose base is the seller's currency wins: central banks publish it that way.
        of_one.sort(key=lambda quote: (quote.on, quote.base == currency))
    found: dict[tuple[str, date], Quote] = {}
    for other, day in pairs:
        place = bisect_right(quotes[other], day, key=attrgetter("on"))
        if place and quotes[other][place - 1].on >= day - HOLDS_FOR:
            found[other, day] = quotes[other][place - 1]
    return found
