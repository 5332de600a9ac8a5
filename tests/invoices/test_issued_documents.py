"""A document is made once and handed out for ever: the same bytes, whatever happens to the invoice or the template."""

from hashlib import sha256
from io import BytesIO

import pytest
from django.db import DatabaseError, connection, transaction
from django.urls import reverse
from django.utils import translation
from pypdf import PdfReader

from accounts.access import system_access
from accounts.models import BillingProfile
from invoices.documents import credit_note
from invoices.documents import invoice as invoice_document
from invoices.models import CreditNote, Invoice, InvoiceLine, IssuedDocument
from invoices.operations import document_archive
from invoices.operations.credit_notes import credit_note as make_note
from invoices.operations.document_archive import issued_pdf, keep_document
from invoices.operations.issuing import issue
from invoices.operations.voiding import void
from tests.factories import NOW, TODAY, BillingProfileFactory, draft, granted, issued, member
from tests.payments.acts import at_once, card, press_pay

pytestmark = pytest.mark.django_db


def load(row: Invoice) -> Invoice:
    return Invoice.objects.select_related("profile__account").get(pk=row.pk)


def words(content: bytes) -> str:
    text = " ".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages)
    return " ".join(text.replace("\xa0", " ").split())


def note_for(invoice, amounts=None, reason="Billed too much"):
    return make_note(access=system_access(), invoice_id=invoice.pk, amounts=amounts, reason=reason, today=TODAY, at=NOW)


def test_the_second_time_it_is_the_same_bytes_and_no_new_document(profile, payer, monkeypatch):
    invoice = issued(profile)
    first = issued_pdf(load(invoice), at=NOW)
    press_pay(payer, invoice, card(profile))
    granted(profile, 500)
    monkeypatch.setattr(invoice_document, "TEMPLATE", "gone.typ")
    assert issued_pdf(load(invoice), at=NOW) == first
    row = IssuedDocument.objects.get()
    assert (row.invoice, row.credit_note, row.language, row.created_at) == (invoice, None, "en", NOW)
    assert row.digest == sha256(first).hexdigest()


def test_after_a_void_it_is_still_the_same(profile):
    invoice = issued(profile)
    first = issued_pdf(load(invoice), at=NOW)
    void(access=system_access(), invoice_id=invoice.pk, reason="Sent twice", at=NOW)
    assert issued_pdf(load(invoice), at=NOW) == first


@pytest.mark.parametrize("ways", ["online", "over the limit", "by wire alone"])
def test_a_document_that_is_made_late_says_what_held_at_issue(profile, settings, ways):
    """The limit of cards, the agreement and the status of the profile change between the issue and the first PDF."""
    account = profile.account
    if ways == "over the limit":
        settings.CARD_LIMITS_FOR_WIRE = {"EUR": "100.00"}
        BillingProfile.objects.update(default_method="check_wire")
    elif ways == "by wire alone":
        type(account).objects.update(agreement_type="enterprise")
    invoice = issued(BillingProfile.objects.select_related("account__seller").get())
    before = invoice_document.invoice_data(load(invoice))
    said = before["pay"]
    assert (said["online"] is not None) == (ways == "online")
    assert ("card limit of €100.00" in " ".join(said["sentences"])) == (ways == "over the limit")
    settings.CARD_LIMITS_FOR_WIRE = {} if ways == "over the limit" else {"EUR": "1.00"}
    BillingProfile.objects.update(default_method="check_wire", status="closed" if ways == "online" else "active")
    type(account).objects.update(agreement_type="enterprise" if ways == "online" else "customer")
    assert invoice_document.invoice_data(load(invoice)) == before


def test_its_language_is_that_of_the_billing_profile_at_issue_whoever_reads_it(profile):
    BillingProfile.objects.update(document_language="nl")
    invoice = issued(BillingProfile.objects.get())
    BillingProfile.objects.update(document_language="en")
    dutch = issued_pdf(load(invoice), at=NOW)
    assert "Factuur INV-000001" in PdfReader(BytesIO(dutch)).metadata.title
    with translation.override("en"):
        assert issued_pdf(load(invoice), at=NOW) == dutch
    assert IssuedDocument.objects.get().language == "nl"


def test_whoever_comes_second_gets_what_the_first_has_kept(profile):
    invoice = issued(profile)
    assert keep_document(invoice, kind="pdf", language="en", content=b"first", at=NOW) == b"first"
    assert keep_document(invoice, kind="pdf", language="en", content=b"second", at=NOW) == b"first"
    assert issued_pdf(load(invoice), at=NOW) == b"first"


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_four_who_download_at_once_get_the_same_bytes(profile, monkeypatch):
    """Each of them finds nothing kept, and makes one that differs in its time of making."""
    row, moments = load(issued(profile)), iter(range(1, 9))
    real = document_archive.kept_document
    monkeypatch.setattr(document_archive, "invoice_pdf", lambda _invoice, at: b"made as number %d" % next(moments))
    results = at_once(*[lambda: issued_pdf(row, at=NOW)] * 4)
    assert len(set(results)) == 1
    assert IssuedDocument.objects.count() == 1
    assert real(row, kind="pdf", language="en") == results[0]


def test_the_database_changes_no_document(profile):
    issued_pdf(load(issued(profile)), at=NOW)
    for statement in ("UPDATE invoices_issueddocument SET digest = ''", "DELETE FROM invoices_issueddocument"):
        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_credit_note_says_what_it_corrects_and_what_follows(profile):
    first = draft(profile, "100.00", tax_rate="21", po_number="PO-7")
    exempt = {"tax_category": "E", "exemption_reason": "Education", "exemption_code": "VATEX-EU-132-1I"}
    InvoiceLine.objects.create(invoice=first, description="Support", unit_price=50, position=1, **exempt)
    invoice = issue(access=system_access(), invoice_id=first.pk, today=TODAY, at=NOW)
    hosting, support = invoice.lines.order_by("position")
    note = note_for(invoice, {hosting.pk: 826, support.pk: 5000})
    content = issued_pdf(note, at=NOW)
    text = words(content)
    for expected in (
        "Credit note CN-000001",
        "Example Cloud B.V.",
        "Corrects invoice INV-000001 of 26 October 2026",
        "Reason Billed too much",
        "PO number PO-7",
        "Hosting 21% 8.26",
        "Support 0% (E) 50.00",
        "Total, without tax 58.26",
        "21% 8.26 1.73 9.99 0% (E), Education (VATEX-EU-132-1I) 50.00 0.00 50.00",
        "Total credited €59.99",
        "€59.99 was taken off what was still due on invoice INV-000001.",
    ):
        assert expected in text
    reader = PdfReader(BytesIO(content))
    assert reader.metadata.title == "Credit note CN-000001"
    assert reader.root_object["/MarkInfo"]["/Marked"]
    assert "pdfuaid:part" in reader.root_object["/Metadata"].get_object().get_data().decode()


def test_a_credit_note_of_a_paid_invoice_tells_of_the_credit_in_its_language(profile, payer):
    BillingProfile.objects.update(document_language="nl")
    invoice = issued(BillingProfile.objects.get())
    press_pay(payer, invoice, card(profile))
    text = words(issued_pdf(note_for(invoice), at=NOW))
    assert "€ 120,00 blijft als tegoed staan" in text
    assert "Creditnota CN-000001" in text


def test_a_credit_note_that_voids_says_not_to_pay(profile):
    invoice = issued(profile)
    void(access=system_access(), invoice_id=invoice.pk, reason="Sent twice", at=NOW)
    text = words(issued_pdf(CreditNote.objects.select_related("invoice").get(), at=NOW))
    assert "Invoice INV-000001 is void. Nothing has to be paid for it; do not pay it." in text


def test_a_credit_note_stays_the_same_bytes(profile, monkeypatch):
    note = note_for(issued(profile))
    first = issued_pdf(note, at=NOW)
    monkeypatch.setattr(credit_note, "TEMPLATE", "gone.typ")
    assert issued_pdf(note, at=NOW) == first
    assert IssuedDocument.objects.get().credit_note == note


def test_a_credit_note_is_downloaded_by_those_who_download_invoices_and_found_by_nobody_else(client, profile, payer):
    invoice = issued(profile)
    note = note_for(invoice)
    address = reverse("invoices:credit_note_pdf", args=[profile.code, note.number])
    client.force_login(payer)
    response = client.get(address)
    assert response["Content-Disposition"] == 'attachment; filename="credit-note-CN-000001.pdf"'
    assert "no-store" in response["Cache-Control"]
    other = note_for(issued(BillingProfileFactory()))
    assert client.get(reverse("invoices:credit_note_pdf", args=[profile.code, other.number])).status_code == 404
    client.force_login(member(BillingProfileFactory(), "profile_owner"))
    assert client.get(address).status_code == 404
