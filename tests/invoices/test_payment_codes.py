"""The QR bill of Switzerland and Liechtenstein, and the structured communication of Belgium."""

import re

import pytest

from invoices.models import Invoice, RemittanceAccount
from invoices.money import Money
from invoices.payment_codes import belgian_communication, swiss_bill, swiss_reference
from invoices.remittances import Remittance
from tests.factories import issued
from tests.invoices.payment_codes import read_code

SELLER = {"name": "Beispiel AG", "street": "Bahnhofstrasse 1", "postal_code": "8001", "city": "Zürich", "country": "CH"}
BUYER = {"bill_to": {"company": "Käufer GmbH", "street": "Gasse 2", "postal_code": "9490", "city": "Vaduz",
                     "country": "LI"}}  # fmt: skip
# From the guidelines: an account of a bank, and one of the range of QR-IBANs.
ACCOUNT, QR_ACCOUNT = "CH5604835012345678009", "CH4431999123000889012"
REFERENCE = "RF46INV000148"


def bill(account=ACCOUNT, amount="1949.75", currency="CHF", buyer=BUYER, **seller):
    return swiss_bill(
        Remittance("Beispiel AG", account),
        Money.parse(amount, currency),
        REFERENCE,
        seller=SELLER | seller,
        buyer=buyer,
    )


def payload(drawn):
    """The code is read without its white margin and its cross, which the error correction makes up for."""
    code = re.sub(r"<rect [^>]*/>", "", drawn.svg)
    size = int(re.search(r'viewBox="0 0 (\d+) ', code)[1])
    code = code.replace(f'viewBox="0 0 {size} {size}"', f'viewBox="0 0 {size + 8} {size + 8}"')
    return read_code(code.replace('d="M0 0.5', 'd="M4 4.5')).split("\n")


def test_the_code_holds_what_a_bank_needs():
    drawn = bill()
    assert payload(drawn) == [
        "SPC", "0200", "1", ACCOUNT, "S", "Beispiel AG", "Bahnhofstrasse 1", "", "8001", "Zürich", "CH", "", "", "", "",
        "", "", "", "1949.75", "CHF", "S", "Käufer GmbH", "Gasse 2", "", "9490", "Vaduz", "LI", "SCOR", REFERENCE, "",
        "EPD",
    ]  # fmt: skip
    assert drawn[1:] == (
        "CH56 0483 5012 3456 7800 9", ["Beispiel AG", "Bahnhofstrasse 1", "CH-8001 Zürich"],
        ["Käufer GmbH", "Gasse 2", "LI-9490 Vaduz"], "RF46 INV0 0014 8", "CHF", "1 949.75",
    )  # fmt: skip


def test_the_swiss_cross_stands_in_the_middle():
    widths = re.findall(r'<rect [^>]*width="([0-9.]+)"[^>]*fill="(#[0-9a-f]+)"', bill().svg)
    size = int(re.search(r'viewBox="0 0 (\d+) ', bill().svg)[1])
    assert [(round(float(width) * 46 / size, 1), color) for width, color in widths] == [
        (7.0, "#fff"), (6.3, "#000"), (1.2, "#fff"), (3.9, "#fff"),
    ]  # fmt: skip


def test_an_account_of_the_range_for_it_has_a_qr_reference():
    drawn = bill(QR_ACCOUNT)
    assert payload(drawn)[27:29] == ["QRR", "000000000000001823310001485"]
    assert drawn.reference == "00 00000 00000 00182 33100 01485"
    assert swiss_reference(QR_ACCOUNT, "RF18000000021000000000313947143000901"[:25])[0] == "QRR"


def test_a_qr_reference_has_the_check_digit_of_the_guidelines():
    """Their example is 21 00000 00003 13947 14300 09017."""
    assert swiss_reference(QR_ACCOUNT, "RF0021000000000313947143000901") == ("QRR", "210000000003139471430009017")


def test_a_buyer_whose_address_banks_do_not_take_is_left_out():
    drawn = bill(buyer={"bill_to": {"company": "株式会社", "city": "Tokyo", "postal_code": "1", "country": "JP"}})
    assert payload(drawn)[20:27] == [""] * 7
    assert drawn.debtor == []


@pytest.mark.parametrize(
    "changes",
    [{"account": "NL26EXAM0000000001"}, {"currency": "USD"}, {"amount": "0.00"}, {"amount": "1000000000.00"},
     {"city": ""}, {"account": "CH0000000000000000000"}],
)  # fmt: skip
def test_there_is_none_for_other_accounts_currencies_and_amounts_and_without_an_address(changes):
    assert bill(**changes) is None


def test_euros_to_a_swiss_account_have_one_too():
    assert payload(bill(currency="EUR"))[19] == "EUR"


@pytest.mark.parametrize(
    ("reference", "communication"),
    [
        (REFERENCE, "+++000/0000/14851+++"),
        ("RF30INV0108068171", "+++010/8068/17183+++"),
        ("RF00INV000097", "+++000/0000/09797+++"),
    ],
)
def test_an_account_in_belgium_gets_the_communication_of_its_banks(reference, communication):
    assert belgian_communication(Remittance("Voorbeeld", "BE68539007547034"), reference) == communication
    assert belgian_communication(Remittance("Voorbeeld", "NL26EXAM0000000001"), reference) == ""


@pytest.mark.django_db
def test_the_page_shows_the_code_and_the_communication_of_the_account(client, profile, payer):
    client.force_login(payer)
    invoice = issued(profile)
    Invoice.objects.update(seller=invoice.seller | SELLER)
    address = f"/profiles/{profile.code}/invoices/{invoice.number}/"
    RemittanceAccount.objects.update(iban="BE68539007547034")
    assert "+++000/0000/00101+++" in client.get(address).text
    RemittanceAccount.objects.update(iban=ACCOUNT)
    assert "+++" not in client.get(address).text
    drawing = client.get(f"{address}payment-code.svg").content.decode()
    assert read_code(re.sub(r"<rect [^>]*/>", "", at_the_margin(drawing))).startswith("SPC\n0200\n1\nCH56")


def at_the_margin(drawing):
    """The same drawing with its origin in the corner of the margin, as the reader of codes has it."""
    size = int(re.search(r'viewBox="-4 -4 (\d+) ', drawing)[1])
    return drawing.replace(f'viewBox="-4 -4 {size} {size}"', f'viewBox="0 0 {size} {size}"').replace(
        'd="M0 0.5', 'd="M4 4.5'
    )
