"""One e-invoice that lacks nothing, of lines as a test wants them."""

from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal

from billing_portal.core.exact_decimals import rounded_product
from invoices.documents.einvoice.terms import (
    Account,
    Address,
    Contact,
    Identifier,
    Line,
    Means,
    Party,
    Payment,
    Terms,
)
from invoices.money import exponent, percent_of
from invoices.tax import Tax

SELLER = Party(
    "Example Cloud B.V.", Address("Voorbeeldkade 1", "1011 AA", "Amsterdam", "", "NL"), vat="NL000000001B64",
    company=Identifier("12345678", "0106"), endpoint=Identifier("12345678", "0106"),
    contact=Contact("Accounts receivable", "+31 20 000 0000", "billing@example.com"),
)  # fmt: skip
BUYER = Party(
    "Beispiel GmbH", Address("Musterweg 1", "10115", "Berlin", "", "DE"), vat="DE136695976",
    endpoint=Identifier("DE136695976", "9930"),
)  # fmt: skip
# Of what has no tax: the reason that is printed, and the code of the exemption (VATEX).
EXEMPT = {
    "E": ("Education", "VATEX-EU-132-1I"),
    "AE": ("Reverse charge", "VATEX-EU-AE"),
    "K": ("Intra-community supply", "VATEX-EU-IC"),
    "G": ("Export", "VATEX-EU-G"),
    "O": ("Not subject to VAT", "VATEX-EU-O"),
}


def line(quantity="1", price="10", category="S", rate="21", unit="C62", currency="EUR") -> Line:
    counted, unit_price = Decimal(quantity), Decimal(price)
    net_minor = rounded_product(counted, unit_price, exponent(currency))
    return Line("Hosting", counted, unit, unit_price, net_minor, category, Decimal(rate))


def document(*lines: Line, currency="EUR", seller_tax=None) -> Terms:
    """Tax once for each category and rate, on the sum of the lines, rounded half-up there."""
    sums: dict[tuple[str, Decimal], int] = defaultdict(int)
    for one in lines:
        sums[one.category, one.rate] += one.net_minor
    taxes = [
        Tax(category, rate, minor, percent_of(minor, rate), *EXEMPT.get(category, ()))
        for (category, rate), minor in sums.items()
    ]
    # What is outside the scope of VAT shows no VAT number (BR-O-02).
    outside = any(one.category == "O" for one in lines)
    return Terms(
        "INV-000001", date(2026, 10, 5), currency, replace(SELLER, vat="") if outside else SELLER,
        replace(BUYER, vat="") if outside else BUYER, lines, taxes, due_on=date(2026, 11, 4), seller_tax=seller_tax,
        buyer_reference="04011000-12345-03", delivered_on=date(2026, 10, 5), delivered_to=BUYER.address,
        payment=Payment(Means.SEPA_TRANSFER, "RF18539007547034", Account("NL53EXAM0000000000", "Example Cloud B.V.")),
    )  # fmt: skip
