"""Downloading the PDF of an invoice: who may, and what the browser is told."""

from io import BytesIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pypdf import PdfReader

from accounts.models import BillingProfile, Seller
from invoices.models import Invoice
from tests.factories import BillingProfileFactory, UserFactory, draft, issued, member

pytestmark = pytest.mark.django_db


def address(invoice: Invoice, number: str | None = None) -> str:
    return reverse("invoices:pdf", args=[invoice.profile.code, number or invoice.number])


@pytest.mark.parametrize("role", ["profile_owner", "profile_contributor", "invoice_manager", "profile_reader"])
def test_whoever_sees_invoices_downloads_them(client, profile, role):
    client.force_login(member(profile, role))
    response = client.get(address(issued(profile)))
    assert response.status_code == 200
    assert "Invoice INV-000001" in PdfReader(BytesIO(response.content)).metadata.title


def test_the_file_has_a_name_of_our_making_and_no_cache_keeps_it(client, profile, payer):
    Seller.objects.update(invoice_prefix='A"; É')
    profile.refresh_from_db()
    invoice = issued(profile)
    client.force_login(payer)
    response = client.get(reverse("invoices:pdf", args=[profile.code, invoice.number]))
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == 'attachment; filename="invoice-A-000001.pdf"'
    assert "no-store" in response["Cache-Control"]
    assert response["X-Content-Type-Options"] == "nosniff"


def test_the_language_is_that_of_the_billing_profile(client, profile):
    BillingProfile.objects.update(document_language="nl")
    client.force_login(member(profile, "profile_reader", language="en"))
    response = client.get(address(issued(BillingProfile.objects.get())))
    assert "26 oktober 2026" in PdfReader(BytesIO(response.content)).pages[0].extract_text()


def test_a_stranger_and_a_section_member_find_nothing(client, profile):
    invoice = issued(profile)
    for user in (UserFactory(), member(BillingProfileFactory(), "profile_owner")):
        client.force_login(user)
        assert client.get(address(invoice)).status_code == 404


def test_an_invoice_of_another_profile_is_not_found_under_ones_own(client, profile, payer):
    other = issued(BillingProfileFactory())
    client.force_login(payer)
    assert client.get(reverse("invoices:pdf", args=[profile.code, other.number])).status_code == 404


def test_a_draft_has_no_document(client, profile, payer):
    draft(profile)
    client.force_login(payer)
    assert client.get(reverse("invoices:pdf", args=[profile.code, "INV-000001"])).status_code == 404


def test_signed_out_is_sent_to_sign_in(client, profile):
    response = client.get(address(issued(profile)))
    assert response.status_code == 302
    assert "/account/login/" in response["Location"]


def test_it_takes_few_queries(client, profile, payer):
    invoice = issued(profile)
    client.force_login(payer)
    client.get(address(invoice))
    with CaptureQueriesContext(connection) as queries:
        client.get(address(invoice))
    assert len(queries) <= 6, [query["sql"] for query in queries]
