"""What the law of seven countries asks of an invoice: each cell of the table in docs/documents.md."""

from datetime import date
from decimal import Decimal
from itertools import takewhile
from typing import NamedTuple

import pytest
from django.conf import settings
from django.utils import translation

from accounts.access import system_access
from accounts.models import TaxId
from invoices.documents.invoice import invoice_data
from invoices.models import Invoice, InvoiceLine
from invoices.operations.issuing import issue
from tests.factories import NOW, TODAY, BillingProfileFactory, RemittanceAccountFactory, exchange_rate

pytestmark = pytest.mark.django_db
DOCUMENT = settings.BASE_DIR / "docs" / "documents.md"


class Case(NamedTuple):
    """An invoice with a line of its own day at a rate, and one without tax or at another rate."""

    language: str
    seller: dict
    buyer: dict
    rates: list[tuple[str, str]]
    currency: str
    expected: dict[str, list[str]]


def seller(name, street, postal_code, city, country, vat, company="", notes="", language="en", currency="EUR"):
    numbers = {"vat": vat, "company": company}
    return {
        "code": "S", "name": name, "street": street, "postal_code": postal_code, "city": city, "region": "",
        "country": country, "numbers": [{"kind": kind, "value": value} for kind, value in numbers.items() if value],
        "contact": "", "phone": "", "email": "billing@example.com", "endpoint": {}, "logo": "",
        "notes": {language: notes} if notes else {}, "tax_currency": currency,
    }  # fmt: skip


def buyer(company, street, postal_code, city, country, vat="", number=""):
    place = {"company": company, "attention": "", "street": street, "postal_code": postal_code, "city": city,
             "region": "", "country": country}  # fmt: skip
    numbers = [{"kind": kind, "value": value} for kind, value in (("vat", vat), ("company", number)) if value]
    return {"sold_to": place, "bill_to": place, "numbers": numbers}


DATE, NUMBER = "Date of the invoice", "Consecutive number"
SELLER, SELLER_VAT = "Seller's name and address", "Seller's VAT or registration number"
COMPANY, NOTES = "Seller's company number", "Seat, register, legal form, managers, capital"
BANK, ORDER = "A bank account of the seller", "Number of the buyer's order"
BUYER, BUYER_VAT, BUYER_COMPANY = "Buyer's name and address", "Buyer's VAT number", "Buyer's company number"
WHAT = "What was supplied, and how much"
SUPPLY, PRICE, TAXABLE = (
    "Date of supply on each line that has its own", "Unit price without tax", "Taxable amount of each rate"
)  # fmt: skip
TAX, REASON, OWN_CURRENCY = "Rate and amount of tax", "Reason for no tax", "Tax in the seller's currency"
DUE, PENALTIES, MARK, PAPER = (
    "Due date", "Penalties, 40 EUR and discount for early payment", "Mark of the reduced rate", "Letter paper"
)  # fmt: skip

CASES = {
    "NL": Case(
        "nl",
        seller("Voorbeeld B.V.", "Kade 1", "1011 AA", "Amsterdam", "NL", "NL000000001B64", "12345678",
               "Statutair gevestigd te Utrecht.", "nl"),
        buyer("Koper N.V.", "Plein 2", "3011 AA", "Rotterdam", "NL", "NL004495445B01"),
        [("S", "21"), ("AE", "0")],
        "USD",
        {
            DATE: ["26 oktober 2026"], NUMBER: ["INV-000001"],
            SELLER: ["Voorbeeld B.V.", "Kade 1", "1011 AA Amsterdam"], SELLER_VAT: ["Btw-id: NL000000001B64"],
            COMPANY: ["KvK: 12345678"], NOTES: ["Statutair gevestigd te Utrecht."],
            BUYER: ["Koper N.V.", "Plein 2", "3011 AA Rotterdam"],
            BUYER_VAT: ["Btw-id: NL004495445B01"], WHAT: ["Hosting", "2,5 uur"], SUPPLY: ["5 okt 2026"],
            PRICE: ["100,00"], TAXABLE: ["250,00"], TAX: ["21%", "52,50"],
            REASON: ["0% (AE), Btw verlegd (VATEX-EU-AE)"], OWN_CURRENCY: ["Btw in EUR: € 48,39"],
        },
    ),
    "DE": Case(
        "de",
        seller("Beispiel GmbH", "Weg 1", "10117", "Berlin", "DE", "DE136695976", "HRB 12345",
               "Sitz: Berlin, Amtsgericht Charlottenburg HRB 12345. Geschäftsführerin: E. Muster", "de"),
        buyer("Käufer AG", "Gasse 2", "50667", "Köln", "DE", "DE129273398"),
        [("S", "19"), ("AE", "0")],
        "USD",
        {
            DATE: ["26. Oktober 2026"], NUMBER: ["INV-000001"], SELLER: ["Beispiel GmbH", "Weg 1", "10117 Berlin"],
            SELLER_VAT: ["USt-IdNr.: DE136695976"], COMPANY: ["Handelsregister: HRB 12345"],
            NOTES: ["Amtsgericht Charlottenburg HRB 12345. Geschäftsführerin: E. Muster"],
            BUYER: ["Käufer AG", "Gasse 2", "50667 Köln"], BUYER_VAT: ["USt-IdNr.: DE129273398"],
            WHAT: ["Hosting", "2,5 Stunden"], SUPPLY: ["5. Okt. 2026"], TAXABLE: ["250,00"], TAX: ["19 %", "47,50"],
            REASON: ["Steuerschuldnerschaft des Leistungsempfängers (VATEX-EU-AE)"],
        },
    ),
    "BE": Case(
        "fr",
        seller("Exemple SA", "Rue de la Loi 1", "1000", "Bruxelles", "BE", "BE0403170701", "0403170701",
               "RPM Bruxelles", "fr"),
        buyer("Acheteur SRL", "Place 2", "4000", "Liège", "BE", "BE0428759497"),
        [("S", "21"), ("AE", "0")],
        "USD",
        {
            DATE: ["26 octobre 2026"], NUMBER: ["INV-000001"],
            SELLER: ["Exemple SA", "Rue de la Loi 1", "1000 Bruxelles", "Belgique"],
            SELLER_VAT: ["BTW/TVA: BE0403170701"], COMPANY: ["KBO/BCE: 0403170701"], NOTES: ["RPM Bruxelles"],
            BANK: ["NL53 EXAM 0000 0000 00"],
            BUYER: ["Acheteur SRL", "Place 2", "4000 Liège"], BUYER_VAT: ["BTW/TVA: BE0428759497"],
            WHAT: ["Hosting", "2,5 heures"], SUPPLY: ["5 oct. 2026"], PRICE: ["100,00"], TAXABLE: ["250,00"],
            TAX: ["21 %", "52,50"], REASON: ["Autoliquidation; Btw verlegd (VATEX-EU-AE)"],
            OWN_CURRENCY: ["Taxe en EUR : 48,39 €"],
        },
    ),
    "FR": Case(
        "fr",
        seller("Exemple SAS", "1 rue de Rivoli", "75001", "Paris", "FR", "FR40303265045", "73282932000074",
               "SAS au capital de 50 000 €, RCS Paris 732 829 320.\nPénalités de retard : trois fois le taux légal. "
               "Indemnité forfaitaire de 40 €. Pas d’escompte.", "fr"),
        buyer("Acheteur SARL", "2 place Bellecour", "69002", "Lyon", "FR", "FR83404833048", "40483304800022"),
        [("S", "20"), ("AE", "0")],
        "USD",
        {
            DATE: ["26 octobre 2026"], NUMBER: ["INV-000001"],
            SELLER: ["Exemple SAS", "1 rue de Rivoli", "75001 Paris"],
            SELLER_VAT: ["N° TVA: FR40303265045"], COMPANY: ["SIRET: 73282932000074"],
            NOTES: ["SAS au capital de 50 000 €, RCS Paris 732 829 320."],
            BUYER: ["Acheteur SARL", "2 place Bellecour", "69002 Lyon"], BUYER_VAT: ["N° TVA: FR83404833048"],
            BUYER_COMPANY: ["SIRET: 40483304800022"], ORDER: ["BC-2026-7"],
            WHAT: ["Hosting", "2,5 heures"], SUPPLY: ["5 oct. 2026"], PRICE: ["100,00"], TAXABLE: ["250,00"],
            TAX: ["20 %", "50,00"], REASON: ["Autoliquidation (VATEX-EU-AE)"],
            OWN_CURRENCY: ["Taxe en EUR : 46,08 €"], DUE: ["25 novembre 2026"],
            PENALTIES: ["Pénalités de retard", "40 €", "Pas d’escompte."],
        },
    ),
    "UK": Case(
        "en",
        seller("Example Ltd", "1 Poultry", "EC2R 8EJ", "London", "GB", "GB980780684", "01234567",
               "Registered in England and Wales.", currency="GBP"),
        buyer("Buyer PLC", "2 Deansgate", "M3 1AR", "Manchester", "GB"),
        [("S", "20"), ("AE", "0")],
        "EUR",
        {
            DATE: ["26 October 2026"], NUMBER: ["INV-000001"],
            SELLER: ["Example Ltd", "1 Poultry", "London", "EC2R 8EJ"],
            SELLER_VAT: ["VAT number: GB980780684"], COMPANY: ["Company No.: 01234567"],
            NOTES: ["Registered in England and Wales."], BUYER: ["Buyer PLC", "2 Deansgate", "Manchester", "M3 1AR"],
            WHAT: ["Hosting", "2.5 hours"], SUPPLY: ["5 Oct 2026"], PRICE: ["100.00"], TAXABLE: ["250.00"],
            TAX: ["20%", "50.00"], REASON: ["0% (AE), Reverse charge (VATEX-EU-AE)"],
            OWN_CURRENCY: ["Tax in GBP: £43.50"],
        },
    ),
    "US": Case(
        "en",
        seller("Example Inc.", "350 5th Ave", "10118", "New York", "US", ""),
        buyer("Buyer Corp.", "1 Market St", "94105", "San Francisco", "US"),
        [("O", "0")],
        "USD",
        {PAPER: ["us-letter"]},
    ),
    "JP": Case(
        "en",
        seller("株式会社さくら", "丸の内1-1-1", "100-0005", "千代田区", "JP", "T1234567890123", currency="JPY"),
        buyer("商事株式会社", "銀座4-1-1", "104-0061", "中央区", "JP"),
        [("S", "10"), ("S", "8")],
        "JPY",
        {
            SELLER: ["株式会社さくら"], SELLER_VAT: ["登録番号: T1234567890123"], BUYER: ["商事株式会社"],
            WHAT: ["Hosting", "2.5 hours"], SUPPLY: ["5 Oct 2026"], TAXABLE: ["250", "100"],
            TAX: ["10%", "25", "8% ※", "8"], MARK: ["8% ※", "※ Reduced tax rate of 8%"],
        },
    ),
}  # fmt: skip


def table() -> dict[str, dict[str, str]]:
    """The rules of the table by what they ask for, then by country."""
    after = DOCUMENT.read_text().split("| On an invoice |")[1].splitlines()
    countries = [cell.strip() for cell in after[0].strip("|").split("|")]
    rows = [line.strip("|").split("|") for line in takewhile(lambda line: line.startswith("|"), after[2:])]
    return {row[0].strip(): dict(zip(countries, map(str.strip, row[1:]), strict=True)) for row in rows}


CELLS = [(country, field) for field, rules in table().items() for country, rule in rules.items() if rule != "–"]


def test_each_cell_has_a_check_and_each_check_a_cell():
    assert sorted(CELLS) == sorted((country, field) for country, case in CASES.items() for field in case.expected)


def texts(data) -> list[str]:
    if isinstance(data, dict):
        return [text for value in data.values() for text in texts(value)]
    if isinstance(data, list | tuple):
        return [text for value in data for text in texts(value)]
    return [" ".join(data.split())] if isinstance(data, str) else []


@pytest.fixture(scope="module")
def printed():
    """What the invoice of a country says, made once."""
    return {}


def invoice_of(case: Case) -> Invoice:
    exchange_rate("GBP", "0.8700")
    exchange_rate("USD", "1.0850")
    profile = BillingProfileFactory(currency=case.currency)
    profile.account.seller.tax_currency = case.seller["tax_currency"]
    profile.account.seller.save()
    RemittanceAccountFactory(seller=profile.account.seller, currency=case.currency)
    TaxId.objects.create(account=profile.account, value="NL004495445B01")
    draft = Invoice.objects.create(profile=profile, currency=case.currency, po_number="BC-2026-7")
    for position, (category, rate) in enumerate(case.rates):
        line = InvoiceLine(invoice=draft, position=position, description="Hosting", unit="HUR", tax_rate=Decimal(rate),
                           tax_category=category, unit_price=100, quantity=1 if position else Decimal("2.5"),
                           happened_on=None if position else date(2026, 10, 5))  # fmt: skip
        line.exemption_reason = "Reverse charge" if category == "AE" else ""
        line.save()
    issue(access=system_access(profile), invoice_id=draft.pk, today=TODAY, at=NOW)
    invoice = Invoice.objects.select_related("profile__account").get(pk=draft.pk)
    invoice.seller, invoice.buyer = case.seller, {**invoice.buyer, **case.buyer}
    return invoice


@pytest.mark.parametrize(("country", "field"), CELLS)
def test_the_invoice_says_what_the_law_asks_for(printed, country, field):
    case = CASES[country]
    if country not in printed:
        with translation.override(case.language):
            printed[country] = texts(invoice_data(invoice_of(case)))
    for expected in case.expected[field]:
        assert any(expected in text for text in printed[country]), expected
