"""The PDF of an invoice: what it says, in which language, and that it stays readable whatever is printed on it."""

from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from pypdf import PdfReader

from accounts.access import system_access
from accounts.models import BillingAccount, BillingProfile, InvoiceSection, TaxId
from invoices.documents.invoice import invoice_data, invoice_pdf
from invoices.models import Invoice, InvoiceLine
from invoices.operations.credits import apply_credits
from invoices.operations.invoice_payments import mark_payment_started
from invoices.operations.issuing import issue
from invoices.operations.voiding import rebill, void
from invoices.remittances import in_fours
from tests.factories import NOW, TODAY, granted, issued, taxed

pytestmark = pytest.mark.django_db


def read(invoice: Invoice, at=NOW) -> PdfReader:
    loaded = Invoice.objects.select_related("profile__account", "payment_started_by").get(pk=invoice.pk)
    return PdfReader(BytesIO(invoice_pdf(loaded, at=at)))


def words(reader: PdfReader) -> str:
    """All text, blanks and line ends made one space; marks where a long word may break taken out."""
    text = " ".join(page.extract_text() for page in reader.pages)
    return " ".join(text.replace("\xa0", " ").split())


def with_lines(profile: BillingProfile, *rows: tuple[str, str, str, str, str], **fields) -> Invoice:
    """Issued, from rows of section, description, quantity, unit price and tax rate."""
    invoice = Invoice.objects.create(profile=profile, currency=profile.currency, **fields)
    for position, (section, description, quantity, price, rate) in enumerate(rows):
        group = InvoiceSection.objects.get_or_create(profile=profile, name=section)[0] if section else None
        InvoiceLine.objects.create(
            invoice=invoice,
            section=group,
            position=position,
            description=description,
            quantity=Decimal(quantity),
            unit="HUR",
            unit_price=Decimal(price),
            **taxed(rate),
        )
    return issue(access=system_access(profile), invoice_id=invoice.pk, today=TODAY, at=NOW)


def test_it_says_who_what_when_and_how_much(profile):
    TaxId.objects.create(account=profile.account, value="NL000000000B00")
    invoice = with_lines(
        profile,
        ("Web shop", "Application hosting", "744", "1.25", "21"),
        ("Web shop", "Storage", "1240.5", "0.0312", "9"),
        ("Data", "Stream units", "1", "165.05", "0"),
        period_start_on=date(2026, 9, 1),
        period_end_on=date(2026, 9, 30),
        po_number="PO-7",
    )
    text = words(read(invoice))
    for expected in (
        "Invoice INV-000001",
        "Example Cloud B.V.",
        "Sold to Example Trading B.V. Voorbeeldstraat 1 1011 AA Amsterdam Netherlands Btw-id: NL000000000B00",
        "Invoice date 26 October 2026",
        "Due date 25 November 2026",
        "Payment terms Net 30 days",
        "Billing period 1 September 2026 to 30 September 2026",
        "PO number PO-7",
        "Billing profile Operations NL",
        "Web shop Application hosting 744 hours 1.25 21% 930.00",
        "Storage 1,240.5 hours 0.0312 9% 38.70",
        "Total of Web shop 968.70",
        "Stream units 1 hour 165.05 0% (Z) 165.05",
        "Total, without tax 1,133.75",
        "21% 930.00 195.30 1,125.30 9% 38.70 3.48 42.18 0% (Z), Zero-rated 165.05 0.00 165.05",
        "Total €1,332.53 Amount due €1,332.53",
        "Page 1 of 1",
    ):
        assert expected in text


def test_it_says_how_to_pay(profile):
    invoice = issued(profile)
    reader = read(invoice)
    text = words(reader)
    assert "Account holder Example Cloud B.V. IBAN NL53 EXAM 0000 0000 00 BIC EXAMNL2A" in text
    assert f"Reference {in_fours(invoice.payment_reference)} Amount €120.00 Pay by 25 November 2026" in text
    assert f"http://testserver/profiles/{profile.code}/invoices/INV-000001/" in text.replace(" ", "")


def test_an_agreement_that_cannot_pay_by_card_gets_no_link(profile):
    BillingAccount.objects.update(agreement_type=BillingAccount.AgreementType.ENTERPRISE)
    text = words(read(issued(profile)))
    assert "Online, by card" not in text
    assert "By wire transfer" in text


def test_it_shows_the_credits_applied_at_issue_and_what_was_due_then(profile):
    granted(profile, 3000)
    text = words(read(issued(profile)))
    assert "Total €120.00 Credits applied -€30.00 Amount due €90.00" in text
    assert "Amount €90.00 Pay by 25 November 2026" in text
    assert "Paid" not in text


@pytest.mark.parametrize("amount", ["0.00", "30.00"])
def test_an_invoice_that_was_settled_at_issue_asks_for_nothing(profile, amount):
    granted(profile, 3000)
    text = words(read(issued(profile, amount)))
    assert "INV-000001 Paid" in text
    assert "Nothing to pay." in text
    assert "IBAN" not in text


def paid(invoice):
    Invoice.objects.update(status="paid", paid_minor=12000, paid_at=NOW, paid_with="Visa •••• 4242")


def partly_refunded(invoice):
    Invoice.objects.update(paid_minor=4000, refunded_minor=1000, paid_at=NOW, paid_with="Wire transfer")


def voided(invoice):
    void(access=system_access(), invoice_id=invoice.pk, reason="Wrong company", at=NOW)


def being_paid(invoice):
    mark_payment_started(invoice, by=None, at=NOW)


def credited_later(invoice):
    granted(invoice.profile, 3000)
    apply_credits(access=system_access(), invoice_id=invoice.pk, at=NOW)


@pytest.mark.parametrize("happens", [paid, partly_refunded, voided, being_paid, credited_later])
def test_whatever_happens_after_it_was_issued_it_shows_the_state_at_issue(profile, happens):
    invoice = issued(profile)
    before = words(read(invoice))
    happens(invoice)
    assert words(read(invoice, at=NOW + timedelta(days=90))) == before
    assert "Total €120.00 Amount due €120.00" in before


def test_a_new_invoice_says_which_one_it_replaces(profile):
    old = issued(profile)
    new = rebill(access=system_access(), invoice_id=old.pk, reason="Wrong company", at=NOW)
    new = issue(access=system_access(), invoice_id=new.pk, today=TODAY, at=NOW)
    assert "Replaces INV-000001 (credit note CN-000001)" in words(read(new))
    assert "Replaces" not in words(read(old))


def test_figures_and_months_follow_the_reader(profile):
    invoice = with_lines(profile, ("", "Hosting", "1240.5", "1.25", "21"))
    with translation.override("nl"):
        reader = read(invoice)
    text = words(reader)
    assert "26 oktober 2026" in text
    assert "1.240,5 uur 1,25 21% 1.550,63" in text
    assert "€ 1.876,26" in text
    assert reader.root_object["/Lang"].startswith("nl")


def test_it_is_tagged_for_readers_who_listen(profile):
    reader = read(issued(profile))
    root = reader.root_object
    assert root["/MarkInfo"]["/Marked"]
    assert root["/StructTreeRoot"]["/K"]
    assert root["/Lang"] == "en"
    assert reader.metadata.title == "Invoice INV-000001"
    assert "pdfuaid:part" in root["/Metadata"].get_object().get_data().decode()


def test_moving_later_does_not_change_an_old_invoice(profile):
    invoice = issued(profile)
    BillingAccount.objects.update(company="Renamed B.V.")
    BillingProfile.objects.update(name="Renamed", company="Renamed B.V.")
    assert "Renamed" not in words(read(invoice))


def test_yen_have_no_decimals(profile):
    BillingProfile.objects.update(currency="JPY")
    profile.refresh_from_db()
    assert "Total, without tax 5,000 Tax" in words(read(with_lines(profile, ("", "Hosting", "1", "5000", "0"))))


def test_the_data_takes_three_queries(profile):
    invoice = with_lines(profile, *[("Web shop", f"Line {index}", "1", "1", "21") for index in range(20)])
    loaded = Invoice.objects.select_related("profile__account").get(pk=invoice.pk)
    with CaptureQueriesContext(connection) as queries:
        invoice_data(loaded)
    assert len(queries) == 3
