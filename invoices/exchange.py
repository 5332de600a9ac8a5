"""Rates at which an amount of tax is shown in the seller's currency as well.

European law asks for it where an invoice is in another currency (VAT Directive, article 230; EN 16931 BT-6 and BT-111).
The rate is the one published for the day of the invoice, or the last before it.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple

from django.db.models import Q

from billing_portal.core.exact_decimals import plain, rounded_product
from invoices.models import ExchangeRate, Invoice
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


def add_seller_taxes(invoices: Sequence[Invoice], *, currency: str) -> list[Invoice]:
    """Sets on taxed invoices in another currency than the seller's their tax in that one, at the rate of their day; one
    that came with a rate keeps it. Saves nothing. Returns those for whose day there is no rate. One query, none where
    no rate is wanted."""
    foreign = [invoice for invoice in invoices if invoice.tax_minor and invoice.currency != currency]
    wanted = [
        (invoice.currency, invoice.issued_on) for invoice in foreign if invoice.issued_on and not invoice.exchange
    ]
    quotes, without = quotes_for(wanted, currency=currency), []
    for invoice in foreign:
        if not invoice.exchange and invoice.issued_on:
            quote = quotes.get((invoice.currency, invoice.issued_on))
            invoice.exchange = quote.as_json() if quote is not None else {}
        if invoice.exchange:
            tax = Quote.of_json(invoice.exchange).convert(Money(invoice.tax_minor, invoice.currency))
            invoice.seller_tax_minor = tax.minor
        else:
            without.append(invoice)
    return without


def seller_tax(invoice: Invoice, minor: int | None) -> Money | None:
    """Tax of an invoice, or of a credit note of it, in the seller's currency; None where that is the invoice's own."""
    quote = Quote.of_json(invoice.exchange) if invoice.exchange else None
    if quote is None or minor is None:
        return None
    return Money(minor, quote.base if quote.other == invoice.currency else quote.other)
