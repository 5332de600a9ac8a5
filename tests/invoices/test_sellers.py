"""The companies that send the invoices: what staff may enter, and what lacks before something can be issued."""

from zlib import compress, crc32

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, transaction

from accounts.access import system_access
from accounts.models import BillingProfile, Seller, SellerLogo
from billing_portal.core.mail import send_due
from invoices.documents.typesetting import can_draw
from invoices.models import Invoice
from invoices.numbering import creditor_reference
from invoices.operations.issuing import CannotIssue, issue
from payments.operations.notifications import announce_due
from tests.factories import (
    NOW,
    TODAY,
    BillingAccountFactory,
    BillingProfileFactory,
    SellerFactory,
    UserFactory,
    draft,
    issued,
    member,
)
from tests.staff_forms import as_shown

pytestmark = pytest.mark.django_db

FORM = {
    "code": "NL", "company": "Example Cloud B.V.", "attention": "", "street": "Voorbeeldkade 1",
    "postal_code": "1011 AA", "city": "Amsterdam", "region": "", "country": "NL", "email": "billing@example.com",
    "phone": "", "vat_number": "NL000000001B64", "company_number": "00000000", "tax_number": "", "tax_currency": "EUR",
    "invoice_prefix": "INV-", "credit_note_prefix": "CN-", "notes_en": "", "notes_nl": "", "notes_de": "",
    "notes_fr": "", "endpoint_scheme": "", "endpoint_id": "",
}  # fmt: skip
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9" fill="#0f62b5"/></svg>'


@pytest.fixture
def admin(client):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


def add(admin, **changes):
    return admin.post("/admin/accounts/seller/add/", {**FORM, **changes})


def test_the_first_day_begins_with_the_seller(admin):
    assert "first add the company that sends the invoices" in admin.get("/admin/").text
    answer = admin.post("/admin/accounts/seller/add/", {
        **FORM, "invoice_prefix": "inv-", "endpoint_scheme": "0106", "endpoint_id": "0000 0000",
    }, follow=True)  # fmt: skip
    added, next_step = "was added successfully", "Now add the bank account of Example Cloud B.V."
    assert answer.text.index(added) < answer.text.index(next_step)
    seller = Seller.objects.get()
    assert (seller.invoice_prefix, seller.endpoint_id) == ("INV-", "00000000")
    assert "first add the company" not in admin.get("/admin/").text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"vat_number": "NL000000001B65"}, "This is not a valid VAT number."),
        ({"vat_number": "banana"}, "This is not a valid VAT number."),
        ({"country": "GB", "vat_number": "GB123456789"}, "This is not a valid VAT number of United Kingdom."),
        ({"company_number": "123"}, "A KvK number has eight digits."),
        (
            {"country": "BE", "vat_number": "", "company_number": "0123456789"},
            "This is not a company number of Belgium.",
        ),
        ({"country": "JP", "vat_number": "T123", "company_number": ""}, "The registration number is T and 13 digits."),
        ({"country": "ZZ"}, "ZZ is not a country."),
        ({"tax_currency": "BGN"}, "BGN is not a currency in use."),
        ({"invoice_prefix": "2026/"}, "A prefix has no slash"),
        ({"invoice_prefix": "CREDIT-NOTE-2026-"}, "at most 12 characters"),
        ({"credit_note_prefix": "INV-"}, "Invoices and credit notes need different prefixes."),
        ({"endpoint_id": "00000000"}, "Choose the scheme of this number."),
        ({"endpoint_scheme": "0106"}, "Give the number of this scheme."),
        ({"endpoint_scheme": "0106", "endpoint_id": "<1>"}, "Use letters, digits and . _ : + - only."),
    ],
)
def test_what_cannot_stand_on_an_invoice_is_refused(admin, changes, sentence):
    assert sentence in add(admin, **changes).text
    assert not Seller.objects.exists()


def test_a_prefix_of_another_series_or_of_imported_numbers_is_refused(admin):
    invoice = issued(BillingProfileFactory())
    imported = {"number": "F2025-000001", "payment_reference": "RF21F2025000001", "is_numbered_elsewhere": True}
    Invoice.objects.filter(pk=invoice.pk).update(**imported)
    other = {"code": "BE", "credit_note_prefix": "BEC-"}
    assert "Another series has this prefix." in add(admin, **other, invoice_prefix="CN-").text
    for prefix in ("F2025-", "f 2025", "F"):
        text = add(admin, **other, invoice_prefix=prefix).text
        assert "Imported invoices have numbers that begin with this prefix." in text
    assert add(admin, **other, invoice_prefix="FA-").status_code == 302


def test_series_that_differ_in_signs_alone_would_give_one_payment_reference_twice(admin):
    issued(BillingProfileFactory())
    other = {"code": "BE", "credit_note_prefix": "BEC-"}
    for prefix in ("INV", "INV.", "I-N-V ", "cn", "INV-1", "INV2026", "CN1-0"):
        assert "Another series has this prefix." in add(admin, **other, invoice_prefix=prefix).text
    assert "at least one letter" in add(admin, **other, invoice_prefix="--").text
    assert "need different prefixes" in add(admin, code="BE", invoice_prefix="BE-", credit_note_prefix="BE-1").text
    assert add(admin, **other, invoice_prefix="INVB1").status_code == 302


def test_a_series_whose_prefix_has_more_digits_is_refused_both_ways(admin):
    """Number 1 of the one would be number 1,000,001 of the other."""
    assert creditor_reference("INV-1000001") == creditor_reference("INV-1" + "000001")
    SellerFactory(invoice_prefix="INV-17")
    other = {"code": "BE", "credit_note_prefix": "BEC-"}
    assert "Another series has this prefix." in add(admin, **other, invoice_prefix="INV-").text
    assert add(admin, **other, invoice_prefix="INV-2").status_code == 302
    seller = Seller.objects.get(code="BE")
    issued(BillingProfileFactory(account__seller=seller))
    address = f"/admin/accounts/seller/{seller.pk}/change/"
    shown = as_shown(admin.get(address))
    for prefix in ("INV-26", "INV2"):
        refused = admin.post(address, shown | {"invoice_prefix": prefix}).text
        assert "An earlier series of this seller would give the same payment references." in refused


def test_a_seller_takes_over_no_series_of_another_and_may_go_back_to_its_own(admin):
    issued(BillingProfileFactory())
    address = f"/admin/accounts/seller/{Seller.objects.get().pk}/change/"
    shown = as_shown(admin.get(address))
    assert admin.post(address, shown | {"invoice_prefix": "NEW-"}).status_code == 302
    other = {"code": "BE", "credit_note_prefix": "BEC-"}
    assert "Another series has this prefix." in add(admin, **other, invoice_prefix="INV-").text
    assert admin.post(address, shown | {"invoice_prefix": "INV-"}).status_code == 302


@pytest.mark.parametrize(
    ("facts", "rate", "sentence"),
    [
        ({"company_number": ""}, "21", "The seller's company number (KvK) is missing."),
        ({"country": "DE", "vat_number": "DE136695976"}, "21", "The seller's legal notes are missing"),
        ({"vat_number": ""}, "21", "The seller's VAT number or tax number is missing."),
    ],
)
def test_nothing_is_issued_before_the_seller_is_complete(facts, rate, sentence):
    SellerFactory(**facts)
    made = draft(BillingProfileFactory(), tax_rate=rate)
    with pytest.raises(CannotIssue) as refusal:
        issue(access=system_access(), invoice_id=made.pk, today=TODAY, at=NOW)
    assert sentence in str(refusal.value)
    assert "Complete it in the staff pages, under Sellers." in str(refusal.value)
    made.refresh_from_db()
    assert made.status == "draft"


@pytest.mark.parametrize("facts", [{"country": "US", "vat_number": ""}, {"vat_number": "", "tax_number": "12/345"}])
def test_where_the_law_asks_for_less_less_is_enough(facts):
    SellerFactory(**facts)
    assert issued(BillingProfileFactory(), tax_rate="21").number == "INV-000001"


def test_the_seller_of_a_customer_stays_once_there_are_amounts(admin):
    account = BillingAccountFactory()
    address = f"/admin/accounts/billingaccount/{account.pk}/change/"
    other = SellerFactory(code="BE", invoice_prefix="BE-", credit_note_prefix="BEC-")
    admin.post(address, as_shown(admin.get(address)) | {"seller": other.pk})
    account.refresh_from_db()
    assert account.seller == other
    issued(BillingProfileFactory(account=account))
    assert 'name="seller"' not in admin.get(address).text


def test_a_logo_is_checked_kept_and_stands_on_no_older_invoice(admin):
    add(admin)
    seller = Seller.objects.get()
    address = f"/admin/accounts/seller/{seller.pk}/change/"

    def upload(content):
        file = SimpleUploadedFile("logo.svg", content, content_type="image/svg+xml")
        return admin.post(address, {**FORM, "new_logo": file})

    for wrong in (b"banana", b"<svg", b"\x89PNG\r\n\x1a\nbanana", SVG + b" " * 200_000):
        answer = upload(wrong).text
        assert "This is not a PNG or SVG drawing" in answer or "The logo is larger than 200 kB." in answer
    assert upload(SVG).status_code == 302
    seller.refresh_from_db()
    assert bytes(seller.logo.content) == SVG
    assert seller.as_printed()["logo"] == seller.logo_id
    assert upload(SVG).status_code == 302  # the same again
    with pytest.raises(DatabaseError), transaction.atomic():
        SellerLogo.objects.update(content=b"another")
    assert admin.post(address, {**FORM, "remove_logo": "on"}).status_code == 302
    seller.refresh_from_db()
    assert seller.logo is None


def _png(width, height):
    def chunk(kind, content):
        return len(content).to_bytes(4) + kind + content + crc32(kind + content).to_bytes(4)

    size = width.to_bytes(4) + height.to_bytes(4)
    rows = compress((b"\0" + b"\0" * ((width + 7) // 8)) * height, 9)
    head = chunk(b"IHDR", size + b"\1\0\0\0\0")
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "drawing",
    [
        _png(9000, 9000),
        # Would be computed for ever.
        SVG.replace(b"<rect ", b'<filter id="f"><feTurbulence numOctaves="1000000"/></filter><rect filter="url(#f)" '),
        SVG.replace(b"<rect ", b'<rect style="FILTER: blur(9px)" '),
        SVG.replace(b"<rect ", b"<style>rect { filter: blur(9px) }</style><rect "),
        SVG.replace(b"<rect ", b'<image width="9" height="9" href="/etc/hostname"/><rect '),
        b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + SVG.replace(b"</svg>", b"&x;</svg>"),
        b"\xff\xd8\xff\xe0 a photo",
    ],
)  # fmt: skip
def test_a_logo_that_costs_time_or_memory_or_holds_other_files_is_refused(drawing):
    assert not can_draw(drawing)


def test_a_logo_of_a_usual_size_is_taken():
    assert can_draw(_png(1200, 400))
    assert can_draw(SVG)


def test_the_name_of_a_number_is_that_of_its_country(client):
    profile = BillingProfileFactory()
    profile.account.tax_ids.create(kind="company", value="00000000")
    invoice = issued(BillingProfile.objects.get())
    assert invoice.seller["numbers"] == [
        {"kind": "vat", "value": "NL000000001B64"}, {"kind": "company", "value": "00000000"}
    ]  # fmt: skip
    client.force_login(member(profile, "profile_reader"))
    page = client.get(f"/profiles/{profile.code}/invoices/{invoice.number}/").text
    assert "<dt>KvK</dt><dd>00000000</dd>" in page
    assert invoice.buyer["numbers"] == [{"kind": "company", "value": "00000000"}]


def test_a_mail_is_signed_by_the_seller_of_its_customer(profile):
    other = SellerFactory(
        code="DE", company="Example Cloud GmbH", email="rechnung@example.com", invoice_prefix="DE-",
        credit_note_prefix="DEC-",
    )  # fmt: skip
    theirs = BillingProfileFactory(account=BillingAccountFactory(seller=other))
    for place in (profile, theirs):
        member(place, "invoice_manager")
        issued(place)
    announce_due(at=NOW, limit=10)
    send_due(at=NOW)
    first, second = mail.outbox
    assert (first.reply_to, second.reply_to) == (["billing@example.com"], ["rechnung@example.com"])
    assert "Example Cloud GmbH" in second.body
    assert "Example Cloud B.V." not in second.body
