"""Each of our checks alone: without it a judge would be the first to notice, or it is told here why none does."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import pytest
from django.utils.translation import override

from invoices.documents.einvoice.checks import CHECKS, missing, missing_of_parties
from invoices.documents.einvoice.faults import About, Fault
from invoices.documents.einvoice.terms import (
    Account,
    Allowance,
    Format,
    Identifier,
    Mandate,
    Means,
    Payment,
    Period,
    Terms,
)
from invoices.tax import Tax
from tests.invoices.einvoice.documents import BUYER, SELLER, document, line
from tests.invoices.einvoice.judge import judged, written
from tests.invoices.einvoice.samples import SELLERS, buyer_json

UBL, XRECHNUNG, FACTURX, EN16931 = Format.UBL, Format.XRECHNUNG, Format.FACTURX, Format.EN16931
GOOD = document(line())


class Case(NamedTuple):
    """A document that lacks one thing, and a rule that it breaks; or why no judge has one."""

    check: str
    form: Format
    terms: Terms
    rule: str = ""
    reason: str = ""


def seller(terms: Terms = GOOD, /, **fields) -> Terms:
    return replace(terms, seller=replace(terms.seller, **fields))


def buyer(terms: Terms = GOOD, /, **fields) -> Terms:
    return replace(terms, buyer=replace(terms.buyer, **fields))


def seller_at(**fields) -> Terms:
    return seller(address=replace(SELLER.address, **fields))


def buyer_at(**fields) -> Terms:
    return buyer(address=replace(BUYER.address, **fields))


def taxed(*taxes: Tax, terms: Terms = GOOD) -> Terms:
    return replace(terms, taxes=taxes)


def dutch_buyer(**fields) -> Terms:
    return buyer(address=replace(SELLER.address, **fields), vat="NL000000001B64")


def in_sweden(terms: Terms, **fields) -> Terms:
    return seller(terms, address=replace(SELLER.address, country="SE"), company=Identifier(""), **fields)


def within(country: str, company: Identifier | None = None, **address) -> Terms:
    """Between a seller and a buyer of Denmark or Iceland, whose numbers stand in the register."""
    number = {"DK": Identifier("13585628", "0184"), "IS": Identifier("4504013150", "0196")}[country]
    ours = seller(seller_at(country=country), company=number)
    place = replace(BUYER.address, country=country, **address)
    return buyer(ours, address=place, company=number if company is None else company)


ITALIAN = "IT00743110157"
FRANCE = replace(SELLER.address, country="FR")
EXEMPT = document(line(category="E", rate="0"))
ROUND = Period(date(2026, 10, 5), date(2026, 10, 1))
CASES = [
    Case("seller_name", UBL, seller(name=""), "BR-06"),
    Case("buyer_name", UBL, buyer(name=""), "BR-07"),
    Case("seller_country", UBL, seller_at(country=""), "BR-09"),
    Case("buyer_country", UBL, buyer_at(country="XK"), "BR-CL-14"),
    Case("buyer_country", FACTURX, buyer_at(country=""), "BR-11"),
    Case("seller_country_supported", UBL, seller(vat="EL094259216"), "GR-R-001-1"),
    Case("norwegian_seller", UBL, seller(vat="NO988077918MVA"), "NO-R-001"),
    Case("norwegian_seller", UBL, seller(vat="NO988077917"), "NO-R-001"),
    Case("italian_seller", UBL, seller(seller_at(country="IT", street=""), vat=ITALIAN), "IT-R-002"),
    Case("italian_seller", UBL, seller(seller_at(country="IT", city=""), vat=ITALIAN), "IT-R-003"),
    Case("italian_seller", UBL, seller(seller_at(country="IT", postal_code=""), vat=ITALIAN), "IT-R-004"),
    Case("italian_seller", UBL, seller(vat=ITALIAN, tax_registration="12-345"), "IT-R-001"),
    Case("swedish_seller", UBL, seller(seller_at(country="SE"), company=Identifier("12345678")), "SE-R-004"),
    Case("swedish_seller", UBL, seller(seller_at(country="SE"), company=Identifier("ABCDEFGHIJ")), "SE-R-003"),
    Case("swedish_seller", UBL, seller(seller_at(country="SE"), company=Identifier("1234567890")), "SE-R-013"),
    Case(
        "swedish_seller", UBL, seller(seller_at(country="SE"), company=Identifier("1234567897"), tax_registration="1"),
        "SE-R-005",
    ),
    Case("swedish_seller", UBL, in_sweden(document(line(rate="25")), vat="SE12345"), "SE-R-001"),
    Case("swedish_seller", UBL, in_sweden(document(line(rate="25")), vat="SE1234567890AB"), "SE-R-002"),
    Case("swedish_rates", UBL, in_sweden(GOOD, vat="SE123456789701"), "SE-R-006"),
    Case("danish_seller", UBL, seller(seller_at(country="DK"), company=Identifier("")), "DK-R-002"),
    Case("danish_seller", UBL, seller(seller_at(country="DK"), company=Identifier("1")), "DK-R-014"),
    Case("danish_buyer", UBL, within("DK", company=Identifier("HRB 1")), "DK-R-017"),
    Case(
        "danish_account", UBL,
        replace(within("DK"), payment=Payment(Means.DANISH_TRANSFER, account=Account("123", "Eksempel"))), "DK-R-006",
    ),
    Case("icelandic_seller", UBL, seller(seller_at(country="IS"), company=Identifier("")), "IS-R-002"),
    Case(
        "icelandic_seller", UBL, seller(seller_at(country="IS", street=""), company=Identifier("4504013150", "0196")),
        "IS-R-003",
    ),
    Case("icelandic_buyer", UBL, within("IS", company=Identifier("")), "IS-R-004"),
    Case("icelandic_buyer", UBL, within("IS", street=""), "IS-R-005"),
    Case(
        "seller_identified", UBL, seller(vat="", company=Identifier(""), tax_registration="12-345"), "BR-CO-26"
    ),
    Case("seller_tax_number", UBL, seller(vat=""), "BR-S-02"),
    Case("seller_tax_number", FACTURX, seller(document(line(category="G", rate="0")), vat=""), "BR-G-02"),
    Case("buyer_tax_number", UBL, buyer(document(line(category="AE", rate="0")), vat=""), "BR-AE-02"),
    Case("buyer_tax_number", FACTURX, buyer(document(line(category="K", rate="0")), vat=""), "BR-IC-02"),
    Case("seller_vat_number", FACTURX, seller(vat="QQ123456789"), "BR-CO-09"),
    Case(
        "seller_vat_number", UBL, seller(vat="NL123"),
        reason="PEPPOL-COMMON-R056-2 is a warning, and becomes fatal.",
    ),
    Case("buyer_vat_number", UBL, buyer(vat="123456789"), "BR-CO-09"),
    Case("seller_address", UBL, seller_at(street=""), "NL-R-002"),
    Case("seller_address", XRECHNUNG, seller_at(city=""), "BR-DE-3"),
    Case("buyer_address", XRECHNUNG, buyer_at(postal_code=""), "BR-DE-9"),
    Case("buyer_address", UBL, dutch_buyer(street=""), "NL-R-004"),
    Case("buyer_address", XRECHNUNG, buyer_at(city=""), "BR-DE-8"),
    Case("seller_contact", XRECHNUNG, seller(contact=replace(SELLER.contact, name="")), "BR-DE-5"),
    Case("seller_contact", XRECHNUNG, seller(contact=replace(SELLER.contact, phone="")), "BR-DE-6"),
    Case("seller_contact", XRECHNUNG, seller(contact=replace(SELLER.contact, email="")), "BR-DE-7"),
    Case(
        "french_notes", FACTURX, replace(seller(buyer_at(country="FR"), address=FRANCE)), "",
        "The rules of the French tax office are a file of their own: test_france.py.",
    ),
    Case("seller_company_number", UBL, seller(company=Identifier("1234")), "NL-R-003"),
    Case("buyer_company_number", UBL, buyer(company=Identifier("0403019262", "0208")), "PEPPOL-COMMON-R043"),
    Case("seller_endpoint", UBL, seller(endpoint=Identifier("")), "PEPPOL-EN16931-R020"),
    Case("seller_endpoint", UBL, seller(endpoint=Identifier("a@example.com", "EM")), "PEPPOL-EN16931-CL008"),
    Case("buyer_endpoint", UBL, buyer(endpoint=Identifier("")), "PEPPOL-EN16931-R010"),
    Case("seller_endpoint_scheme", UBL, seller(endpoint=Identifier("1", "9999")), "BR-CL-25"),
    Case("buyer_endpoint_scheme", FACTURX, buyer(endpoint=Identifier("1")), "BR-63"),
    Case("buyer_endpoint_in_peppol", UBL, buyer(endpoint=Identifier("a@example.com", "EM")), "PEPPOL-EN16931-CL008"),
    Case("seller_endpoint_id", UBL, seller(endpoint=Identifier("4006381333930", "0088")), "PEPPOL-COMMON-R040"),
    Case("buyer_endpoint_id", UBL, buyer(endpoint=Identifier("0403019262", "0208")), "PEPPOL-COMMON-R043"),
    Case("decimals", UBL, document(line(price="1.001", currency="KWD"), currency="KWD"), "UBL-DT-01"),
    Case("currency", UBL, document(line(currency="STN"), currency="STN"), "BR-CL-04"),
    Case("reference", UBL, replace(GOOD, buyer_reference=""), "PEPPOL-EN16931-R003"),
    Case("buyer_reference", XRECHNUNG, replace(GOOD, buyer_reference="", order_reference="PO-1"), "BR-DE-15"),
    Case("lines", UBL, replace(GOOD, lines=(), allowances=[Allowance("Fee", 1000, "S", Decimal(21), True)]), "BR-16"),
    Case("period", UBL, replace(GOOD, period=ROUND), "BR-29"),
    Case(
        "outside_alone", UBL,
        buyer(seller(document(line(), line(category="O", rate="0")), vat="", tax_registration="12-345"), vat=""),
        "BR-O-11",
    ),
    Case("exemption_reason", UBL, taxed(Tax("E", Decimal(0), 1000, 0), terms=EXEMPT), "BR-E-10"),
    Case("exemption_code", UBL, taxed(Tax("E", Decimal(0), 1000, 0, "", "VATEX-FOO"), terms=EXEMPT), "BR-CL-22"),
    Case(
        "exemption_category", UBL, taxed(Tax("E", Decimal(0), 1000, 0, "", "VATEX-EU-G"), terms=EXEMPT),
        "PEPPOL-EN16931-P0104",
    ),
    Case("tax_of_rate", UBL, taxed(Tax("S", Decimal(21), 1000, 310)), "BR-CO-17"),
    Case("tax_of_rate", FACTURX, document(line(price="1000", rate="0.4")), "BR-CO-17"),
    Case(
        "tax_of_lines", UBL, taxed(Tax("S", Decimal(21), 1000, 210), Tax("S", Decimal(9), 0, 1)), "BR-S-08"
    ),
    Case(
        "means_of_payment", UBL, replace(dutch_buyer(), payment=Payment(Means.ONLINE)), "NL-R-008"
    ),
    Case("account", UBL, replace(GOOD, payment=Payment(Means.TRANSFER)), "BR-61"),
    Case(
        "account_number", XRECHNUNG,
        replace(GOOD, payment=Payment(Means.SEPA_TRANSFER, account=Account("NL53EXAM0000000001"))),
        reason="BR-DE-19 is a warning, and money sent to a wrong account comes back after days.",
    ),
    Case("card", XRECHNUNG, replace(GOOD, payment=Payment(Means.CARD)), "BR-DE-24-a"),
    Case("mandate", UBL, replace(GOOD, payment=Payment(Means.SEPA_DEBIT, mandate=Mandate(""))), "PEPPOL-EN16931-R061"),
    Case("mandate", XRECHNUNG, replace(GOOD, payment=Payment(Means.SEPA_DEBIT, mandate=Mandate("M"))), "BR-DE-30"),
]  # fmt: skip


def test_every_check_has_its_case():
    assert {case.check for case in CASES} == {check.name for check in CHECKS}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}-{case.form}-{case.rule}")
def test_without_a_check_a_judge_is_the_first_to_notice(case):
    others = [check for check in CHECKS if check.name != case.check]
    assert missing(case.terms, case.form, checks=others) == []
    assert {fault.check for fault in missing(case.terms, case.form)} == {case.check}
    broken = judged(written(case.terms, case.form)).broken
    assert bool(case.rule) != bool(case.reason)
    assert case.rule in broken if case.rule else broken == set()


@pytest.mark.parametrize("form", [UBL, XRECHNUNG, FACTURX, EN16931])
def test_a_complete_document_lacks_nothing(form):
    assert missing(GOOD, form) == []


def test_a_pdf_alone_lacks_nothing():
    assert missing(replace(GOOD, seller=replace(SELLER, name="", vat="")), Format.PDF) == []


def test_a_fault_says_what_to_do_and_where():
    terms = buyer(seller(contact=replace(SELLER.contact, phone="")), endpoint=Identifier(""))
    assert missing(terms, Format.XRECHNUNG) == [
        Fault(
            "seller_contact", About.SELLER,
            "The seller's phone number is missing. Add it to the seller in the staff pages.",
        ),
        Fault("buyer_endpoint", About.BUYER, "The buyer's endpoint id is missing. Add it under Properties."),
    ]  # fmt: skip
    with override("nl"):
        texts = [fault.text for fault in missing(terms, Format.XRECHNUNG)]
    assert texts == [
        "Van de verkoper ontbreekt: telefoonnummer. Voeg dit toe bij de verkoper in de medewerkerspagina's.",
        "Van de koper ontbreekt: eindpunt. Voeg dit toe onder Eigenschappen.",
    ]


def test_what_seller_and_buyer_lack_is_known_before_there_is_an_invoice():
    found = missing_of_parties(SELLERS["NL"], buyer_json("DE", reference="", endpoint={}), UBL)
    assert {fault.check for fault in found} == {"reference", "buyer_endpoint"}
    assert missing_of_parties(SELLERS["NL"], buyer_json("DE", reference=""), UBL, po_number="PO-1") == []
    assert missing_of_parties(SELLERS["FR"], buyer_json("FR"), FACTURX) == []
    assert missing_of_parties({}, {}, Format.PDF) == []
    assert {fault.about for fault in missing_of_parties({}, {}, XRECHNUNG)} == {About.SELLER, About.BUYER}
