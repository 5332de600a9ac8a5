"""Invoices as UBL against the official rules of EN 16931: nothing fatal."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from accounts.access import system_access
from accounts.models import BillingProfile, TaxId
from billing_portal.core.exact_decimals import rounded_product
from invoices.bulk import new_row
from invoices.exchange import seller_tax
from invoices.models import Invoice, InvoiceLine
from invoices.money import Money, exponent, percent_of
from invoices.operations.issuing import compute_sums, issue_invoices
from invoices.tax import Tax
from invoices.units import UNITS
from tests.factories import NOW, TODAY, BillingProfileFactory, exchange_rate
from tests.invoices.ubl import Document, Line, Party, unit_codes, violations

SELLER = Party("Example Cloud B.V.", vat="NL000000001B64", company_id="12345678")
BUYER = Party("Beispiel GmbH", city="Berlin", postal_code="10115", country="DE", vat="DE136695976")
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


def document(*lines: Line, currency="EUR", seller_tax=None) -> Document:
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
    seller = Party(SELLER.name, company_id=SELLER.company_id) if outside else SELLER
    buyer = Party(BUYER.name, country="DE") if outside else BUYER
    return Document(
        "INV-000001", date(2026, 10, 5), date(2026, 11, 4), currency, seller, buyer, lines, taxes, seller_tax
    )


def test_every_unit_is_on_the_official_list():
    assert set(UNITS) <= unit_codes()


def rules_broken(made: Document) -> set[str]:
    return {text.partition("]")[0].strip("[") for text in violations(made)}


def test_tax_of_each_line_rounded_by_itself_is_refused():
    """Which shows that the judge is awake: 500 lines of 0.02 at 21 % have no tax when each is rounded."""
    right = document(*[line(price="0.02")] * 500)
    assert (right.net_minor, right.tax_minor, rules_broken(right)) == (1000, 210, set())
    wrong = Document(**{**vars(right), "taxes": [Tax("S", Decimal(21), 1000, 0)]})
    assert rules_broken(wrong) == {"BR-CO-17", "BR-S-09"}


@pytest.mark.parametrize(
    ("made", "rules"),
    [
        (document(line(price="-1")), {"BR-27"}),
        (document(line(), line(quantity="-0.5")), set()),
        (document(line(category="Z", rate="0"), line(category="E", rate="0"), line(rate="9")), set()),
        (document(line(category="S", rate="0")), {"BR-S-05"}),
        (document(line(unit="hours")), {"BR-CL-23"}),
        (document(line(currency="USD"), currency="USD", seller_tax=Money(193, "EUR")), set()),
        (document(line(price="10.500", rate="20", currency="KWD"), currency="KWD"), set()),
    ],
)  # fmt: skip
def test_what_the_rules_say(made, rules):
    assert rules <= rules_broken(made)
    assert bool(rules) == bool(rules_broken(made))


def test_a_third_decimal_cannot_be_written():
    """EN 16931 of 2017 allows two decimals in an amount: of dinars only such amounts can be an e-invoice."""
    broken = rules_broken(document(line(price="10.001", currency="KWD"), currency="KWD"))
    assert {"BR-DEC-23", "UBL-DT-01"} <= broken


def generated(random: Random, profile: BillingProfile) -> tuple[Invoice, list[InvoiceLine]]:
    """A draft of up to 200 lines whose total is not negative. Outside the scope of VAT is nothing else beside it
    (BR-O-11). A rate of less than half a percent is refused by a fault of the rules, which round it to none."""
    kinds = [("S", f"{random.randint(500, 27_000)}e-3") for _ in range(random.randint(1, 4))]
    kinds += [(category, "0") for category in random.sample(["Z", "E", "AE", "K", "G"], random.randint(0, 5))]
    kinds = [("O", "0")] if random.random() < 0.1 else kinds
    invoice = new_row(Invoice, currency=profile.currency, issued_on=TODAY)
    invoice.profile = profile
    lines = [_line(random, invoice, *random.choice(kinds)) for _ in range(1 + int(200 * random.random() ** 2))]
    met = set()
    for one in lines:  # deducted from lines of its own rate
        kind = one.tax_category, one.tax_rate
        one.is_allowance = kind in met and random.random() < 0.05
        met.add(kind)
    lines.append(_line(random, invoice, *kinds[0], large=True))  # more than all that is deducted
    compute_sums(invoice, lines)
    return invoice, lines


def _line(random: Random, invoice: Invoice, category: str, rate: str, *, large=False) -> InvoiceLine:
    """One in five is deducted, by a negative quantity or a negative price. No amount is rounded to zero."""
    signs = random.choice("-+++++++++"), random.choice("-+++++++++")
    quantity, price = f"{random.randint(1_000_000, 30_000_000)}e-6", f"{random.randint(100_000_000, 9_000_000_000)}e-8"
    if invoice.currency == "KWD":  # whole thousands, so that no amount and no tax has a third decimal
        quantity, price = f"{random.randint(1, 30)}", f"{random.randint(1, 9)}000"
    quantity, price = ("1000", "100000") if large else (signs[0] + quantity, signs[1] + price)
    line = new_row(
        InvoiceLine, description="Hosting", unit=random.choice(sorted(UNITS)), quantity=Decimal(quantity),
        unit_price=Decimal(price), tax_category=category, tax_rate=Decimal(rate),
        exemption_reason="Education" if category == "E" else "",
    )  # fmt: skip
    line.invoice = invoice
    return line


def vat_of(party: dict[str, Any]) -> str:
    return next(number["value"] for number in party["numbers"] if number["kind"] == "vat")


def as_document(invoice: Invoice) -> Document:
    """An issued invoice with the terms of EN 16931, from its rows alone."""
    taxes = [row.as_tax for row in invoice.taxes.order_by("pk")]
    outside = any(tax.category == "O" for tax in taxes)
    parts = {
        line: Line(
            line.description, line.quantity, line.unit, line.unit_price, line.amount_minor, line.tax_category,
            line.tax_rate,
        )
        for line in invoice.lines.order_by("position", "pk")
    }  # fmt: skip
    return Document(
        str(invoice.number), invoice.issued_on, invoice.due_on, invoice.currency,
        seller=Party(invoice.seller["name"], vat="" if outside else vat_of(invoice.seller), company_id="12345678"),
        buyer=Party(invoice.buyer["sold_to"]["company"], country="DE", vat="" if outside else vat_of(invoice.buyer)),
        lines=[part for line, part in parts.items() if not line.is_allowance],
        allowances=[part for line, part in parts.items() if line.is_allowance],
        taxes=taxes, seller_tax=seller_tax(invoice, invoice.seller_tax_minor),
    )  # fmt: skip


@pytest.mark.django_db
def test_a_hundred_issued_invoices_break_no_rule():
    profiles = [BillingProfileFactory(currency=currency) for currency in ("EUR", "USD", "JPY", "KWD")]
    for profile in profiles:
        TaxId.objects.create(account=profile.account, value="DE136695976")
        if profile.currency != "EUR":
            exchange_rate(profile.currency, "1.7")
    random = Random(16_931)
    drafts = [generated(random, profile) for profile in 25 * profiles]
    invoices = [invoice for invoice, _lines in drafts]
    issue_invoices(invoices, [line for _invoice, lines in drafts for line in lines], access=system_access(), at=NOW)
    documents = [as_document(invoice) for invoice in Invoice.objects.order_by("pk")]
    assert {line.category for document in documents for line in document.lines} == {"S", "Z", "E", "AE", "K", "G", "O"}
    assert {document.currency for document in documents if document.seller_tax} == {"USD", "JPY", "KWD"}
    assert len([document for document in documents if document.allowances]) > 20
    assert len(documents) == 100
    assert [broken for document in documents if (broken := violations(document))] == []
