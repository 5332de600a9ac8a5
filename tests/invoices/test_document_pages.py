"""Pages that show a document as it is kept, and a draft as it would be issued now."""

import pytest
from django.core.cache import cache

from accounts.access import system_access
from accounts.models import AuditEntry, BillingProfile
from invoices.models import Delivery, Invoice, IssuedDocument, NumberSeries, Transfer
from invoices.operations.credit_notes import credit_note
from tests.factories import NOW, TODAY, BillingProfileFactory, UserFactory, draft, issued, member

pytestmark = pytest.mark.django_db
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def staff(client):
    cache.clear()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


def test_the_customer_sees_the_pages_of_the_kept_pdf(client, profile):
    invoice = issued(profile)
    client.force_login(member(profile, "profile_reader"))
    address = f"/profiles/{profile.code}/invoices/{invoice.number}/document/"
    assert address in client.get(f"/profiles/{profile.code}/invoices/{invoice.number}/").text
    page = client.get(address).text
    assert page.count("document-page") == 1
    assert f'alt="Page 1 of invoice {invoice.number}.' in page
    image = client.get(f"{address}1.png")
    assert (image["Content-Type"], image["Cache-Control"]) == ("image/png", "private, no-store")
    assert image.content.startswith(PNG)
    assert client.get(f"{address}2.png").status_code == 404
    assert client.get(f"{address}0.png").status_code == 404
    assert IssuedDocument.objects.get().invoice == invoice


def test_a_stranger_finds_no_page_of_it(client, profile):
    invoice = issued(profile)
    client.force_login(member(BillingProfileFactory(), "profile_owner"))
    address = f"/profiles/{profile.code}/invoices/{invoice.number}/document/"
    assert [client.get(url).status_code for url in (address, f"{address}1.png")] == [404, 404]
    assert not IssuedDocument.objects.exists()


def test_staff_preview_a_draft_and_nothing_is_issued(staff, profile, settings, tmp_path):
    settings.DELIVERY_FOLDER = tmp_path
    made = draft(profile, "100.00", tax_rate="21")
    entries = AuditEntry.objects.count()
    page = staff.get(f"/admin/invoices/invoice/{made.pk}/change/").text
    assert f"/admin/invoices/invoice/{made.pk}/document/" in page
    assert "Preview" in page
    shown = staff.get(f"/admin/invoices/invoice/{made.pk}/document/").text
    assert "nothing has been issued" in shown
    assert staff.get(f"/admin/invoices/invoice/{made.pk}/document/1.png").content.startswith(PNG)
    made.refresh_from_db()
    assert (made.status, made.number) == ("draft", None)
    assert not any(model.objects.exists() for model in (Delivery, IssuedDocument, Transfer, NumberSeries)), (
        "the preview left something"
    )
    assert AuditEntry.objects.count() == entries


def test_a_draft_that_cannot_be_issued_says_why(staff, profile):
    made = draft(profile)
    Invoice.objects.get(pk=made.pk).lines.all().delete()
    answer = staff.get(f"/admin/invoices/invoice/{made.pk}/document/", follow=True)
    assert "Add at least one line before you issue the invoice." in answer.text


def test_staff_see_and_download_what_was_issued(staff, profile):
    invoice = issued(profile)
    note = credit_note(access=system_access(), invoice_id=invoice.pk, amounts=None, reason="Wrong", today=TODAY, at=NOW)
    for kind, row, name in (("invoice", invoice, "invoice"), ("creditnote", note, "credit-note")):
        address = f"/admin/invoices/{kind}/{row.pk}/document/"
        assert "View the document" in staff.get(f"/admin/invoices/{kind}/{row.pk}/change/").text
        page = staff.get(address).text
        assert f"{name}-{row}.pdf" in page
        assert staff.get(f"{address}1.png").content.startswith(PNG)
        assert staff.get(f"{address}{name}-{row}.pdf").content.startswith(b"%PDF-")
        assert staff.get(f"{address}other.pdf").status_code == 404


def test_staff_without_the_right_see_none(client, profile):
    invoice = issued(profile)
    client.force_login(UserFactory(is_staff=True))
    assert client.get(f"/admin/invoices/invoice/{invoice.pk}/document/").status_code == 403


def test_staff_are_told_of_letters_that_no_font_has_at_every_address_of_a_document(staff, profile):
    made, invoice = draft(profile), issued(profile, po_number="PO \U000f0000")
    Invoice.objects.filter(pk=made.pk).update(po_number="PO \U000f0000")
    name = f"invoice-{invoice.number}.pdf"
    for row, endings in ((invoice, ("", "1.png", name)), (made, ("", "1.png"))):
        for ending in endings:
            answer = staff.get(f"/admin/invoices/invoice/{row.pk}/document/{ending}", follow=True)
            assert answer.redirect_chain == [(f"/admin/invoices/invoice/{row.pk}/change/", 302)]
            assert "U+F0000" in answer.text
            assert "make a credit note and a new invoice" in answer.text


def test_letters_that_no_font_has_are_told_in_the_language_of_the_reader(client, profile):
    BillingProfile.objects.update(document_language="nl")
    invoice = issued(BillingProfile.objects.get(), po_number="PO \U000f0000")
    client.force_login(member(profile, "profile_reader", language="en"))
    answer = client.get(f"/profiles/{profile.code}/invoices/{invoice.number}/pdf", follow=True)
    assert "Our documents cannot print" in answer.text


def test_a_document_that_cannot_be_made_is_said_on_the_page_of_its_invoice(client, profile):
    invoice = issued(profile, po_number="PO \U000f0000")
    client.force_login(member(profile, "profile_reader"))
    for ending in ("pdf", "document/", "document/1.png"):
        answer = client.get(f"/profiles/{profile.code}/invoices/{invoice.number}/{ending}", follow=True)
        assert answer.status_code == 200
        assert "U+F0000" in answer.text
        assert "Write to us" in answer.text
