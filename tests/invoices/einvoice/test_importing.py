"""Importing e-invoices of the sender's own software: the same rows as of an equivalent CSV file."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import BytesIO, StringIO

import pytest
from django.core.management import CommandError, call_command
from lxml import etree

from accounts.access import system_access
from accounts.models import BillingProfile, TaxId
from invoices.documents.einvoice.facturx import facturx_pdf
from invoices.documents.einvoice.reading import SPACES
from invoices.documents.einvoice.terms import Allowance, Format, Line, Period, Terms, terms_of
from invoices.importing.einvoices import is_e_invoice
from invoices.models import Delivery, Invoice
from invoices.money import Money
from invoices.operations.credit_notes import credit_note
from invoices.operations.deliveries import deliver_due
from invoices.tax import Tax
from tests.factories import NOW, TODAY, BillingProfileFactory
from tests.invoices.einvoice.documents import BUYER, document, line
from tests.invoices.einvoice.judge import written
from tests.invoices.einvoice.test_facturx import PDF_WITHOUT_FILES
from tests.invoices.einvoice.test_terms import issued

pytestmark = pytest.mark.django_db
BOTH = pytest.mark.parametrize("form", [Format.UBL, Format.XRECHNUNG, Format.FACTURX])


@pytest.fixture
def import_file(tmp_path):
    """Imports what a file holds. Returns what the command says, and what it complains of."""

    def run(content: bytes, *options: str) -> tuple[str, str]:
        path, out, errors = tmp_path / "invoice.xml", StringIO(), StringIO()
        path.write_bytes(content)
        try:
            call_command("import_invoices", str(path), *options, stdout=out, stderr=errors)
        except CommandError as error:
            return out.getvalue(), f"{errors.getvalue()}{error}"
        return out.getvalue(), errors.getvalue()

    return run


def for_profile(profile, terms: Terms | None = None, **fields) -> Terms:
    terms = terms or document(line("2.5", "10", unit="HUR"), line("3", "0.5", rate="9"))
    return replace(terms, number="ERP 2026-001", buyer_reference=profile.code, **fields)


@BOTH
def test_an_invoice_of_an_erp_becomes_an_issued_one_with_its_number(profile, import_file, form):
    out, errors = import_file(written(for_profile(profile, order_reference="PO-1"), form))
    assert errors == ""
    assert out.startswith("Read as an e-invoice.\nImported 1 invoices with 2 lines.\n")
    invoice = Invoice.objects.get()
    assert (invoice.number, invoice.source_reference, invoice.po_number) == ("ERP 2026-001", "ERP 2026-001", "PO-1")
    assert (invoice.issued_on, invoice.due_on) == (date(2026, 10, 5), date(2026, 11, 4))
    assert (invoice.charges_minor, invoice.tax_minor, invoice.total_minor) == (2650, 539, 3189)
    columns = ("description", "quantity", "unit", "unit_price", "tax_rate", "tax_category")
    assert list(invoice.lines.order_by("position").values_list(*columns)) == [
        ("Hosting", Decimal("2.5"), "HUR", Decimal(10), Decimal(21), "S"),
        ("Hosting", Decimal(3), "C62", Decimal("0.5"), Decimal(9), "S"),
    ]


@BOTH
def test_it_is_the_same_import_as_that_of_a_csv_file(profile, import_file, form):
    """With the same digest: the one met after the other is left alone."""
    terms = for_profile(
        profile, document(line("2", "10"), line(category="E", rate="0")), order_reference="PO-1",
        period=Period(date(2026, 9, 1), date(2026, 9, 30)), prepaid_minor=500,
        allowances=[Allowance("Loyalty", 100, "S", Decimal(21))],
        taxes=[Tax("S", Decimal(21), 1900, 399), Tax("E", Decimal(0), 1000, 0, "Education", "VATEX-EU-132-1I")],
    )  # fmt: skip
    assert import_file(written(terms, form))[1] == ""
    head = f"{profile.code},ERP 2026-001,ERP 2026-001,EUR,2026-10-05,2026-11-04,2026-09-01,2026-09-30,PO-1,2026-10-05,5"
    csv = (
        "profile,invoice,number,currency,issue_date,due_date,period_start,period_end,po_number,paid_on,paid_amount,"
        "description,quantity,unit,unit_price,tax_rate,tax_category,exemption_reason,exemption_code,discount\n"
        f"{head},Hosting,2,C62,10,21,S,,,\n"
        f"{head},Hosting,1,C62,10,0,E,Education,VATEX-EU-132-1I,\n"
        f"{head},Loyalty,,,1,21,S,,,yes\n"
    )
    out, errors = import_file(csv.encode())
    assert errors == ""
    assert "Left alone, because they were imported before: 1." in out
    invoice = Invoice.objects.get()
    assert (invoice.total_minor, invoice.paid_before_minor, invoice.paid_before_on) == (3299, 500, date(2026, 10, 5))


def test_a_factur_x_file_is_an_invoice_too(profile, import_file):
    """Here one of ours, under the number of an ERP."""
    invoice = issued(profile)
    terms = replace(terms_of(invoice), number="ERP 2026-001", buyer_reference=profile.code)
    out, errors = import_file(facturx_pdf(invoice, terms, at=NOW))
    assert errors == ""
    assert "Imported 1 invoices with 1 lines." in out
    assert Invoice.objects.get(number="ERP 2026-001").total_minor == invoice.total_minor


@BOTH
def test_a_dry_run_changes_nothing(profile, import_file, form):
    out, errors = import_file(written(for_profile(profile), form), "--dry-run")
    assert "Would import 1 invoices with 2 lines." in out
    assert (errors, Invoice.objects.count()) == ("", 0)


@BOTH
def test_the_profile_is_found_by_endpoint_or_vat_number(profile, import_file, form):
    terms = replace(for_profile(profile), buyer_reference="")
    assert "no billing profile has the buyer's endpoint DE136695976" in import_file(written(terms, form))[1]
    TaxId.objects.create(account=profile.account, value="DE136695976")
    other = BillingProfileFactory(account=profile.account)
    assert "several billing profiles have" in import_file(written(terms, form))[1]
    other.endpoint_scheme, other.endpoint_id = BUYER.endpoint.scheme, BUYER.endpoint.value
    other.save()
    assert import_file(written(terms, form))[1] == ""
    assert Invoice.objects.get().profile == other


def test_a_discount_within_a_line_and_a_price_for_a_thousand_are_amounts(profile, import_file):
    """What is not quantity times price is kept as one of its amount, with the quantity in its words."""
    lines = [
        Line("Messages", Decimal(2500), "NF", Decimal(8), 2000, "S", Decimal(21), price_for=Decimal(1000)),
        Line("Hosting", Decimal(3), "HUR", Decimal(10), 2700, "S", Decimal(21)),
    ]
    assert import_file(written(for_profile(profile, document(*lines)), Format.UBL))[1] == ""
    columns = ("description", "quantity", "unit", "unit_price", "amount_minor")
    assert list(Invoice.objects.get().lines.order_by("position").values_list(*columns)) == [
        ("Messages", 2500, "NF", Decimal("0.008"), 2000), ("Hosting (3 hours)", 1, "C62", 27, 2700),
    ]  # fmt: skip


def test_the_tax_in_the_sellers_currency_is_that_of_the_file(import_file):
    dollars = BillingProfileFactory(currency="USD")
    terms = for_profile(
        dollars, document(line("3", "33.33", currency="USD"), currency="USD", seller_tax=Money(1861, "EUR"))
    )
    assert import_file(written(terms, Format.UBL))[1] == ""
    invoice = Invoice.objects.get()
    assert (invoice.tax_minor, invoice.seller_tax_minor) == (2100, 1861)


def test_charges_on_the_whole_invoice_are_lines(profile, import_file):
    terms = for_profile(
        profile, document(line()), allowances=[Allowance("Freight", 500, "S", Decimal(21), is_charge=True)],
        taxes=[Tax("S", Decimal(21), 1500, 315)],
    )  # fmt: skip
    assert import_file(written(terms, Format.FACTURX))[1] == ""
    assert list(Invoice.objects.get().lines.order_by("position").values_list("description", "amount_minor")) == [
        ("Hosting", 1000), ("Freight", 500),
    ]  # fmt: skip


@BOTH
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"is_credit_note": True}, "ERP 2026-001 is a credit note, and only invoices are imported."),
        ({"taxes": [Tax("S", Decimal(21), 1000, 211)]}, "the tax at 21 percent is 2.11, and that of its lines 2.10."),
        ({"number": "ERP/1"}, "number is 'ERP/1'; it may hold letters, digits, blanks"),
        ({"number": "INV-000001"}, "number INV-000001 could be one of our own series."),
        ({"issued_on": date(2999, 1, 1)}, "issue_date is '2999-01-01', not a date"),
        ({"currency": "USD"}, "currency is USD, and billing profile"),
    ],
)
def test_what_is_refused(profile, import_file, form, change, complaint):
    terms = replace(for_profile(profile, document(line())), **change)
    assert complaint in import_file(written(terms, form))[1]
    assert Invoice.objects.count() == 0


def test_the_invoice_of_another_seller_is_refused(profile, import_file):
    terms = for_profile(profile)
    terms = replace(terms, seller=replace(terms.seller, vat="BE0403019261"))
    assert "The seller has the VAT number BE0403019261" in import_file(written(terms, Format.UBL))[1]


def test_drafts_have_no_number(profile, import_file):
    errors = import_file(written(for_profile(profile), Format.UBL), "--drafts")[1]
    assert "a draft has no number, issue_date, due_date" in errors


BOMB = b"""<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>"""
OUTSIDE = b"""<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>"""


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"<Invoice>", "The XML is broken"),
        (b"<Invoice/>", "<Invoice> is no invoice in UBL or CII."),
        (BOMB, "The XML declares a document type, which e-invoices have not."),
        (OUTSIDE, "The XML declares a document type, which e-invoices have not."),
        (b"<a>" + b"x" * (20 * 1024 * 1024 + 1), "The file is larger than 20 MB."),
        (PDF_WITHOUT_FILES, "The PDF carries no e-invoice."),
        (b"%PDF-1.7 broken", "The PDF cannot be read."),
    ],
)
def test_a_file_that_is_no_invoice_is_refused_in_words(import_file, content, complaint):
    assert complaint in import_file(content)[1]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (b">12.10<", b">12.11<", "is 12.11, and the parts come to 12.10"),
        (b"2026-10-05", b"2026-13-05", "'2026-13-05' is not a date."),
        (b">10.00</cbc:LineExtensionAmount>", b">1e99</cbc:LineExtensionAmount>", "'1e99'"),
        (b">10</cbc:PriceAmount>", b">ten</cbc:PriceAmount>", "PriceAmount is 'ten', not a number."),
        (b">EUR</cbc:DocumentCurrencyCode>", b">QQQ</cbc:DocumentCurrencyCode>", "'QQQ' is not a currency"),
        (b">380<", b">751<", "A document of type 751 is no invoice."),
    ],
)
def test_an_invoice_that_cannot_be_understood_is_refused_in_words(profile, import_file, old, new, complaint):
    xml = written(for_profile(profile, document(line())), Format.UBL)
    assert old in xml
    assert complaint in import_file(xml.replace(old, new))[1]
    assert Invoice.objects.count() == 0


@pytest.mark.parametrize(
    ("form", "name", "given", "ours"),
    [
        (Format.UBL, "cac:LegalMonetaryTotal/cbc:LineExtensionAmount", "20.01", "20.00"),  # BT-106
        (Format.UBL, "cac:LegalMonetaryTotal/cbc:AllowanceTotalAmount", "1.01", "1.00"),
        (Format.UBL, "cac:LegalMonetaryTotal/cbc:ChargeTotalAmount", "2.01", "2.00"),
        (Format.UBL, "cac:LegalMonetaryTotal/cbc:TaxExclusiveAmount", "21.01", "21.00"),  # BT-109
        (Format.UBL, "cac:TaxTotal/cbc:TaxAmount", "4.42", "4.41"),  # BT-110
        (Format.UBL, "cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount", "25.42", "25.41"),  # BT-112
        (Format.UBL, "cac:LegalMonetaryTotal/cbc:PayableAmount", "25.42", "25.41"),  # BT-115
        (Format.FACTURX, "ram:LineTotalAmount", "20.01", "20.00"),
        (Format.FACTURX, "ram:AllowanceTotalAmount", "1.01", "1.00"),
        (Format.FACTURX, "ram:ChargeTotalAmount", "2.01", "2.00"),
        (Format.FACTURX, "ram:TaxBasisTotalAmount", "21.01", "21.00"),
        (Format.FACTURX, "ram:TaxTotalAmount", "4.42", "4.41"),
        (Format.FACTURX, "ram:GrandTotalAmount", "25.42", "25.41"),
        (Format.FACTURX, "ram:DuePayableAmount", "25.42", "25.41"),
    ],
)
@pytest.mark.parametrize("is_missing", [False, True])
def test_a_sum_that_is_not_that_of_the_parts_is_refused_with_both(
    profile, import_file, form, name, given, ours, is_missing
):
    allowances = [Allowance("Loyalty", 100, "S", Decimal(21)), Allowance("Handling", 200, "S", Decimal(21), True)]
    terms = for_profile(
        profile, document(line("2", "10")), allowances=allowances, taxes=[Tax("S", Decimal(21), 2100, 441)]
    )
    xml = etree.fromstring(written(terms, form))
    in_totals = "" if form == Format.UBL else ".//ram:SpecifiedTradeSettlementHeaderMonetarySummation/"
    element = xml.find(f"{in_totals}{name}", SPACES)
    assert element.text == ours
    assert import_file(etree.tostring(xml), "--dry-run")[1] == ""
    if is_missing:
        element.getparent().remove(element)
    element.text = given
    word = "The total of the tax (BT-110)" if ours == "4.41" else name.rpartition(":")[2]
    expected = f"{word} is {'missing' if is_missing else given}, and the parts come to {ours}."
    assert expected in import_file(etree.tostring(xml))[1]
    assert Invoice.objects.count() == 0


def test_the_total_of_the_tax_may_stand_in_the_currency_of_the_tax_office_besides(profile, import_file):
    BillingProfile.objects.update(currency="USD")
    terms = for_profile(profile, currency="USD", seller_tax=Money(490, "EUR"))
    for form in (Format.UBL, Format.FACTURX):
        assert import_file(written(terms, form), "--dry-run")[1] == ""


def test_a_file_is_told_by_its_content():
    assert is_e_invoice(BytesIO(b"\xef\xbb\xbf\n <?xml version='1.0'?>"))
    assert is_e_invoice(BytesIO(b"%PDF-1.7"))
    assert not is_e_invoice(BytesIO(b"profile,invoice\n"))


def test_an_imported_invoice_was_sent_by_the_system_that_issued_it(profile, import_file, settings, tmp_path):
    """It is neither sent again nor refused for what an e-invoice of our own would need."""
    settings.DELIVERY_FOLDER, settings.ACCESS_POINT_URL = tmp_path / "out", "http://127.0.0.1:1"
    BillingProfile.objects.update(invoice_format="ubl")
    _out, errors = import_file(written(for_profile(profile), Format.UBL))
    assert errors == ""
    invoice = Invoice.objects.get()
    assert invoice.number == "ERP 2026-001"
    assert not Delivery.objects.exists()
    # A credit note of it is ours, and staff are told that it has no way to go.
    credit_note(access=system_access(), invoice_id=invoice.pk, amounts=None, reason="Wrong", today=TODAY, at=NOW)
    while deliver_due(at=NOW, limit=20):
        pass
    assert list(Delivery.objects.order_by("channel").values_list("channel", "status", "reason")) == [
        ("folder", "delivered", ""),
        ("peppol", "failed", "The seller or the buyer had no endpoint when the document was issued."),
    ]


def test_the_profile_that_the_buyer_reference_names_has_the_vat_number_of_the_buyer(profile, import_file):
    profile.account.tax_ids.create(kind="vat", value="NL000000099B57")
    terms = for_profile(profile)
    _out, errors = import_file(written(terms, Format.UBL))
    assert f"The buyer has the VAT number {terms.buyer.vat}, and billing profile" in errors
    profile.account.tax_ids.create(kind="vat", value=terms.buyer.vat)
    assert import_file(written(terms, Format.UBL))[1] == ""


def test_an_amount_in_another_currency_than_the_invoice_is_refused(profile, import_file):
    xml = written(for_profile(profile), Format.UBL)
    wrong = xml.replace(b'<cbc:LineExtensionAmount currencyID="EUR">', b'<cbc:LineExtensionAmount currencyID="USD">', 1)
    assert wrong != xml
    assert "LineExtensionAmount is in USD, and the invoice in EUR." in import_file(wrong)[1]
    assert not Invoice.objects.exists()
