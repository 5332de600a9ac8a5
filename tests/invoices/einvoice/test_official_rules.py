"""What the official rules of EN 16931 say of e-invoices as they are written: nothing fatal."""

from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest
from lxml import etree

from billing_portal.core.iso_codes import countries
from invoices.documents.einvoice import codes
from invoices.documents.einvoice.checks import missing
from invoices.documents.einvoice.party_checks import NO_COUNTRY
from invoices.documents.einvoice.terms import Format, Terms, terms_of
from invoices.money import Money, currencies_by_exponent
from invoices.tax import Tax
from invoices.units import UNITS
from tests.invoices.einvoice.documents import document, line
from tests.invoices.einvoice.judge import CII_RULES, RULES, UBL_RULES, judged, official_list, written
from tests.invoices.einvoice.samples import drawn_invoices, profiles


def rules_broken(terms: Terms, form=Format.EN16931) -> set[str]:
    return judged(written(terms, form)).broken


def test_every_unit_is_on_the_official_list():
    assert set(UNITS) <= official_list("BR-CL-23", like="HUR")


def test_code_lists_are_the_official_ones():
    """A code that one of the rule files does not know is left out."""
    vatex, schemes = official_list("BR-CL-22", like="VATEX-EU-AE"), official_list("BR-CL-25", like="9930")
    assert vatex == codes.EXEMPTION_CODES
    assert schemes - codes.ENDPOINT_SCHEMES == {"0219", "0220"}
    assert schemes > codes.ENDPOINT_SCHEMES
    assert set(codes.REGISTER_SCHEMES.values()) <= official_list("BR-CL-11", like="0106")
    assert countries() - official_list("BR-CL-14", like="NL") == NO_COUNTRY
    money = {code for of_one in currencies_by_exponent().values() for code in of_one}
    assert money - official_list("BR-CL-04", like="EUR") == codes.UNKNOWN_CURRENCIES


def test_tax_of_each_line_rounded_by_itself_is_refused():
    """Which shows that the judge is awake: 500 lines of 0.02 at 21 % have no tax when each is rounded."""
    right = document(*[line(price="0.02")] * 500)
    assert (right.net_minor, right.tax_minor, rules_broken(right)) == (1000, 210, set())
    wrong = replace(right, taxes=[Tax("S", Decimal(21), 1000, 0)])
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
        (document(line(category="K", rate="0")), set()),
        (document(line(category="O", rate="0")), set()),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", [Format.EN16931, Format.UBL, Format.XRECHNUNG, Format.FACTURX])
def test_what_the_rules_say(made, rules, form):
    broken = rules_broken(made, form)
    assert rules <= broken or form == Format.FACTURX  # which has numbers of its own for lists of codes
    assert bool(rules) == bool(broken)


@pytest.mark.parametrize("price", ["10.001", "10.500"])
def test_a_third_decimal_cannot_be_written(price):
    """EN 16931 of 2017 allows two decimals in an amount: invoices in dinars are no e-invoices."""
    dinars = document(line(price=price, currency="KWD"), currency="KWD")
    assert {"BR-DEC-23", "UBL-DT-01"} <= rules_broken(dinars)
    assert [fault.check for fault in missing(dinars, Format.UBL)] == ["decimals"]


def test_the_prices_of_whole_yen_are_those_of_the_whole_quantity():
    """An amount that was rounded to yen is more than two cents off quantity times price (PEPPOL-EN16931-R120)."""
    yen = line("3.7", "33.33", rate="10", currency="JPY")
    assert yen.net_minor == 123
    assert rules_broken(document(yen, currency="JPY"), Format.UBL) == {"PEPPOL-EN16931-R120"}
    whole = replace(yen, price=Decimal(123), price_for=Decimal("3.7"))
    assert rules_broken(document(whole, currency="JPY"), Format.UBL) == set()


@pytest.mark.django_db
def test_a_hundred_issued_invoices_break_no_rule():
    currencies = ("EUR", "USD", "JPY", "CHF")
    invoices = drawn_invoices(Random(16_931), profiles(currencies), 100, most_lines=30)
    documents = [terms_of(invoice) for invoice in invoices]
    assert {line.category for document in documents for line in document.lines} == {"S", "Z", "E", "AE", "K", "G", "O"}
    assert {document.currency for document in documents if document.seller_tax} == {"USD", "JPY", "CHF"}
    assert len([document for document in documents if document.allowances]) > 20
    assert len(documents) == 100
    assert [broken for document in documents if (broken := rules_broken(document))] == []


def test_how_many_rules_there_are():
    """Of the files in the packages, so that a version with fewer is noticed."""
    assert [len(etree.parse(RULES / path).findall(".//{*}failed-assert")) for path in (UBL_RULES, CII_RULES)] == [
        979, 433,
    ]  # fmt: skip
