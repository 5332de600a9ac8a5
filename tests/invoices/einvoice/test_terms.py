"""The terms of issued invoices and credit notes: what of the rows is in them, and the same in both syntaxes."""

from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from lxml import etree

from accounts.access import system_access
from accounts.models import BillingProfile
from invoices.documents.einvoice.checks import missing
from invoices.documents.einvoice.reading import read_terms
from invoices.documents.einvoice.terms import (
    Account,
    Address,
    Allowance,
    Attachment,
    Card,
    Contact,
    Format,
    Identifier,
    Mandate,
    Means,
    Period,
    Preceding,
    terms_of,
    terms_of_note,
)
from invoices.documents.einvoice.texts import short_name
from invoices.documents.invoice import invoice_data
from invoices.models import Invoice, InvoiceLine
from invoices.money import Money
from invoices.operations.credit_notes import credit_note
from invoices.operations.issuing import issue
from invoices.operations.voiding import rebill
from tests.factories import NOW, TODAY, draft, exchange_rate, granted, taxed
from tests.invoices.einvoice.documents import document, line
from tests.invoices.einvoice.judge import judged, written
from tests.invoices.einvoice.samples import SELLERS, buyer_json
from tests.payments.acts import staff

pytestmark = pytest.mark.django_db


def issued(profile, *, seller="NL", buyer="DE", lines=(), **fields) -> Invoice:
    """100.00 with 21 %, and further lines, as it is kept."""
    invoice = draft(profile, "100.00", tax_rate="21", **fields)
    for position, more in enumerate(lines, start=1):
        InvoiceLine.objects.create(invoice=invoice, position=position, **more)
    issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)
    invoice = Invoice.objects.select_related("profile__account", "replaces").get(pk=invoice.pk)
    return with_parties(invoice, seller=seller, buyer=buyer)


def with_parties(invoice, *, seller="NL", buyer="DE"):
    invoice.seller, invoice.buyer = deepcopy(SELLERS[seller]), deepcopy(buyer_json(buyer))
    return invoice


def test_what_an_invoice_says_of_its_parties(profile):
    terms = terms_of(issued(profile, po_number="PO-1"))
    assert (terms.seller.name, terms.seller.vat) == ("Example Cloud B.V.", "NL000000001B64")
    assert terms.seller.address == Address("Voorbeeldkade 1", "1011 AA", "Amsterdam", "", "NL")
    assert terms.seller.company == Identifier("12345678", "0106")
    assert terms.seller.endpoint == Identifier("12345678", "0106")
    assert terms.seller.contact == Contact("Accounts receivable", "+31 20 000 0000", "billing@example.com")
    assert (terms.buyer.name, terms.buyer.vat) == ("Beispiel GmbH", "DE136695976")
    assert terms.buyer.company == Identifier("HRB 1234")
    assert terms.buyer.contact == Contact("Accounts payable")
    assert (terms.buyer_reference, terms.order_reference) == ("04011000-12345-03", "PO-1")


def test_a_number_of_a_register_has_its_scheme_and_no_blanks(profile):
    for country, company in [("BE", ("0403019261", "0208")), ("FR", ("303265045", "0002")), ("GB", ("01234567", ""))]:
        assert terms_of(issued(profile, seller=country)).seller.company == Identifier(*company)


def test_a_japanese_registration_is_a_tax_registration(profile):
    seller = terms_of(issued(profile, seller="JP")).seller
    assert (seller.vat, seller.tax_registration) == ("", "T7000012050002")


def test_an_e_mail_address_stands_for_an_endpoint_of_the_seller(profile):
    invoice = issued(profile)
    invoice.seller["endpoint"] = {}
    assert terms_of(invoice).seller.endpoint == Identifier("billing@example.com", "EM")


def test_what_is_outside_the_scope_of_tax_shows_no_vat_number(profile):
    invoice = draft(profile, "100.00")
    invoice.lines.update(tax_category="O")
    issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)
    terms = terms_of(with_parties(Invoice.objects.select_related("profile__account").get(pk=invoice.pk)))
    assert (terms.seller.vat, terms.buyer.vat) == ("", "")
    assert terms.seller.company.value == "12345678"


def test_amounts_discounts_and_what_was_paid_with_credits(profile):
    granted(profile, 5000)
    discount = {"description": "Loyalty", "unit_price": Decimal(10), "is_allowance": True, **taxed("21")}
    terms = terms_of(issued(profile, lines=[discount]))
    assert terms.allowances == [Allowance("Loyalty", 1000, "S", Decimal(21))]
    assert (terms.lines_minor, terms.allowances_minor, terms.net_minor) == (10_000, 1000, 9000)
    assert (terms.tax_minor, terms.total_minor) == (1890, 10_890)
    assert (terms.prepaid_minor, terms.payable_minor) == (5000, 5890)


def test_the_pdf_has_the_same_amount_due_where_a_part_was_paid_before_the_import(profile):
    invoice = issued(profile)
    invoice.paid_before_minor = invoice.paid_minor = 5000
    invoice.paid_before_on = TODAY
    terms, data = terms_of(invoice), invoice_data(invoice)
    assert (terms.prepaid_minor, terms.payable_minor) == (5000, 7100)
    assert data["amount"]["value"] == "€71.00"
    assert [(row["label"], row["value"]) for row in data["billing"]["rows"]][-2:] == [
        ("Paid already", "-€50.00"), ("Amount due", "€71.00"),
    ]  # fmt: skip


def test_a_line_without_words_has_a_name(profile):
    invoice = issued(profile, lines=[{"description": "\x0b", "unit_price": Decimal(1), **taxed("21")}])
    assert terms_of(invoice).lines[1].description == "-"


def test_what_is_paid_or_credited_later_changes_nothing(profile):
    invoice = issued(profile)
    before = terms_of(invoice)
    invoice.paid_minor = invoice.credited_minor = 100
    assert terms_of(invoice) == before


def test_periods_and_days(profile):
    """A day outside the billing period, of a charge that came late, stands in a note (PEPPOL-EN16931-R110)."""
    start, end = TODAY - timedelta(days=30), TODAY - timedelta(days=1)
    more = [
        {"description": name, "unit_price": Decimal(1), "happened_on": day, **taxed("21")}
        for name, day in (("Within", start), ("Late", start - timedelta(days=1)))
    ]
    terms = terms_of(issued(profile, lines=more, period_start_on=start, period_end_on=end))
    assert (terms.period, terms.delivered_on) == (Period(start, end), None)
    assert [line.period for line in terms.lines] == [None, Period(start, start), None]
    assert [line.note for line in terms.lines] == ["", "", "Date of supply: 2026-09-25"]
    without = terms_of(issued(profile, lines=more))
    assert (without.period, without.delivered_on) == (None, start)
    assert terms_of(issued(profile)).delivered_on == TODAY


def test_tax_in_the_sellers_currency(profile):
    exchange_rate("USD", "1.25")
    profile.currency = "USD"
    profile.save()
    terms = terms_of(issued(profile))
    assert (terms.currency, terms.tax_minor, terms.seller_tax) == ("USD", 2100, Money(1680, "EUR"))


def test_how_to_pay(profile):
    """By transfer to the account that is printed; where the card is charged by itself no account is named."""
    invoice = issued(profile)
    invoice.pays_by_wire = True
    payment = terms_of(invoice).payment
    assert (payment.means, payment.reference) == (Means.SEPA_TRANSFER, invoice.payment_reference)
    assert payment.account == Account("NL53EXAM0000000000", "Example Cloud B.V.", "EXAMNL2A")
    invoice.remittance = invoice.remittance | {"iban": "123-4567"}
    assert terms_of(invoice).payment.means == Means.TRANSFER
    invoice.remittance = {}
    assert terms_of(invoice).payment.means == Means.ONLINE
    invoice.pays_by_wire, invoice.buyer = False, invoice.buyer | {"is_charged": True}
    assert terms_of(invoice).payment.means == Means.STANDING_AGREEMENT
    invoice.buyer["card"] = {"last_four": "4242", "network": "VISA"}
    assert terms_of(invoice).payment.card == Card("4242", "VISA")
    mandate = Mandate("M-1", "NL98ZZZ999999990000", "NL53EXAM0000000000")
    assert terms_of(invoice, mandate=mandate).payment.means == Means.SEPA_DEBIT


def test_between_danish_companies_there_are_codes_of_their_own(profile):
    invoice = issued(profile, seller="DK", buyer="DK")
    assert terms_of(invoice).payment.means == Means.SEPA_TRANSFER
    for remittance, buyer, means in (
        (invoice.remittance | {"iban": "123-4567"}, {}, Means.DANISH_TRANSFER),
        ({}, {}, Means.UNDEFINED),
        (invoice.remittance, {"is_charged": True}, Means.UNDEFINED),
    ):
        changed = with_parties(invoice, seller="DK", buyer="DK")
        changed.remittance, changed.buyer = remittance, changed.buyer | buyer
        terms = terms_of(changed)
        assert (terms.payment.means, missing(terms, Format.UBL)) == (means, [])
        assert judged(written(terms, Format.UBL)).broken == set()
    assert terms_of(with_parties(invoice, seller="DK", buyer="SE")).payment.means == Means.SEPA_TRANSFER


def test_a_credit_note_names_its_invoice_and_takes_lines_back_as_they_were_billed(profile):
    hours = {"description": "Work", "unit": "HUR", "quantity": 3, "unit_price": Decimal(20), **taxed("21")}
    invoice = issued(profile, lines=[hours])
    first, second = invoice.lines.order_by("pk")
    note = credit_note(
        access=staff(), invoice_id=invoice.pk, amounts={first.pk: 2500, second.pk: 6000}, reason="Too much",
        today=TODAY, at=NOW,
    )  # fmt: skip
    note.seller, note.buyer = invoice.seller, invoice.buyer
    terms = terms_of_note(note)
    assert terms.is_credit_note
    assert terms.preceding == [Preceding(invoice.number, TODAY)]
    assert terms.note.startswith("Too much\nRegistered in Amsterdam.")
    assert [(line.quantity, line.unit, line.price, line.net_minor) for line in terms.lines] == [
        (1, "C62", 25, 2500), (3, "HUR", 20, 6000),
    ]  # fmt: skip
    assert (terms.total_minor, terms.payable_minor) == (10_285, 10_285)
    assert terms.payment_terms == f"Taken off invoice {invoice.number}, or kept as a credit."
    for form in (Format.UBL, Format.XRECHNUNG, Format.FACTURX):
        assert judged(written(terms, form)).broken == set()


def test_an_invoice_that_replaces_another_names_it(profile):
    first = issued(profile)
    again = rebill(access=staff(), invoice_id=first.pk, reason="Wrong name", at=NOW)
    issue(access=system_access(), invoice_id=again.pk, today=TODAY, at=NOW)
    again = Invoice.objects.select_related("profile__account", "replaces").get(pk=again.pk)
    assert terms_of(with_parties(again)).preceding == [Preceding(first.number, TODAY)]


def test_texts_are_in_the_language_of_the_buyer(profile):
    invoice = draft(profile, "100.00")
    invoice.lines.update(tax_category="G")
    issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)
    invoice = with_parties(Invoice.objects.select_related("profile__account").get(pk=invoice.pk))
    invoice.buyer["language"] = "nl"
    terms = terms_of(invoice)
    assert terms.payment_terms == "30 dagen netto"
    assert [tax.exemption_reason for tax in terms.taxes] == ["Uitvoer buiten de EU"]
    assert terms.note.startswith("Registered in Amsterdam.")  # there is none in Dutch
    invoice.buyer["language"] = "de"
    assert terms_of(invoice).note == "Geschäftsführer: A. Beispiel"


@pytest.mark.parametrize("form", [Format.UBL, Format.FACTURX])
def test_the_same_invoice_is_the_same_bytes(profile, form):
    invoice = issued(profile)
    assert written(terms_of(invoice), form) == written(terms_of(invoice), form)


@pytest.mark.parametrize("form", [Format.UBL, Format.FACTURX])
def test_letters_that_xml_cannot_hold_are_left_out(profile, form):
    invoice = issued(profile, lines=[{"description": "Work\x0b &\tplay", "unit_price": Decimal(1), **taxed("21")}])
    invoice.seller["name"], invoice.seller["notes"] = "Example\x01\nCloud", {"en": "One\r\nTwo\x0c"}
    read = read_terms(written(terms_of(invoice), form))
    assert (read.seller.name, read.note, read.lines[1].description) == ("Example Cloud", "One\nTwo", "Work & play")


@pytest.mark.parametrize("form", [Format.UBL, Format.FACTURX])
def test_a_long_description_has_a_short_name(form):
    words = " ".join(["Hosting"] * 25)
    terms = document(replace(line(), description=words))
    xml = written(terms, form)
    names = [node.text for node in etree.fromstring(xml).iter("{*}Name") if (node.text or "").startswith("Hosting")]
    assert names == [f"{' '.join(['Hosting'] * 12)}…"]
    assert read_terms(xml).lines[0].description == words
    assert (short_name("Hosting"), len(short_name("x" * 200))) == ("", 100)


@pytest.mark.parametrize("form", [Format.UBL, Format.XRECHNUNG, Format.FACTURX])
def test_files_are_attached(form):
    files = [
        Attachment("invoice.pdf", "application/pdf", b"%PDF-1.7", "Invoice"),
        Attachment("usage.csv", "text/csv", b"day,hours\n", "Usage in detail"),
    ]
    xml = written(document(line()), form, files)
    assert judged(xml).broken == set()
    nodes = list(etree.fromstring(xml).iter("{*}EmbeddedDocumentBinaryObject", "{*}AttachmentBinaryObject"))
    assert [(node.get("filename"), node.get("mimeCode"), node.text) for node in nodes] == [
        ("invoice.pdf", "application/pdf", "JVBERi0xLjc="), ("usage.csv", "text/csv", "ZGF5LGhvdXJzCg=="),
    ]  # fmt: skip


def test_a_period_of_a_line_is_read_back(profile):
    day = date(2026, 10, 1)
    terms = terms_of(
        issued(profile, lines=[{"description": "Work", "unit_price": 1, "happened_on": day, **taxed("21")}])
    )
    for form in (Format.UBL, Format.FACTURX):
        assert read_terms(written(terms, form)).lines[1].period == Period(day, day)


def test_an_invoice_says_how_it_is_paid_as_it_was_at_issue(profile):
    BillingProfile.objects.update(charges_automatically=True)
    invoice = issued(BillingProfile.objects.get())
    BillingProfile.objects.update(charges_automatically=False)
    invoice = Invoice.objects.select_related("profile__account").get(pk=invoice.pk)
    assert terms_of(invoice).payment.means == Means.STANDING_AGREEMENT
