"""The page of one invoice."""

from datetime import date
from decimal import Decimal

import pytest

from accounts.access import system_access
from accounts.models import InvoiceSection, TaxId
from invoices.models import Invoice, InvoiceLine
from invoices.money import Money
from invoices.operations.credit_notes import credit_note
from invoices.operations.invoice_payments import mark_payment_started
from invoices.operations.issuing import issue
from invoices.operations.voiding import rebill
from invoices.views.detail import in_fours, price_text
from tests.factories import NOW, TODAY, BillingProfileFactory, draft, granted, issued, member, taxed
from tests.invoices.bookings import apply_payment, take_back_payment
from tests.invoices.pages import list_url
from tests.payments.acts import card, press_pay

pytestmark = pytest.mark.django_db


def detail_url(invoice: Invoice) -> str:
    return f"{list_url(invoice.profile)}{invoice.number}/"


@pytest.fixture
def read(client, payer):
    """The text of an invoice's page, spaces evened out."""

    def get(invoice: Invoice, **headers) -> str:
        client.force_login(payer)
        response = client.get(detail_url(invoice), headers=headers)
        assert response.status_code == 200
        return " ".join(response.content.decode().split())

    return get


def test_the_facts_are_those_of_the_day_it_was_issued(read, profile):
    TaxId.objects.create(account=profile.account, value="NL000000000B00")
    period = {"period_start_on": date(2026, 9, 1), "period_end_on": date(2026, 9, 30)}
    invoice = issued(profile, po_number="PO-7", **period)
    profile.account.company = profile.company = "Moved Trading B.V."
    profile.account.save()
    profile.save()
    text = read(invoice)
    for words in (
        "Invoice INV-000001", "26 Oct 2026", "25 Nov 2026", "Net 30 days", "1 Sep 2026 to 30 Sep 2026", "PO-7",
        "Example Trading B.V.", "NL000000000B00", "Customer agreement", "Example Cloud B.V.",
    ):  # fmt: skip
        assert words in text
    assert "Moved Trading" not in text


def test_lines_stand_by_section_with_totals_and_tax_by_rate(read, client, payer, profile):
    shop, data = (InvoiceSection.objects.create(profile=profile, name=name) for name in ("Web shop", "Data platform"))
    invoice = draft(profile, "100.00", tax_rate="21")
    invoice.lines.update(section=shop)
    line = {"invoice": invoice, "quantity": Decimal("12400"), "unit": "E34", "unit_price": Decimal("0.0312")}
    InvoiceLine.objects.create(**line, description="Cold storage", section=data, position=1, **taxed("9"))
    InvoiceLine.objects.create(
        **line | {"quantity": 1, "unit_price": 5}, description="Support", section=shop, position=2, **taxed()
    )
    from accounts.access import system_access
    from invoices.operations.issuing import issue

    invoice = issue(access=system_access(), invoice_id=invoice.pk, today=NOW.date(), at=NOW)
    text = read(invoice)
    response = client.get(detail_url(invoice))
    sections = [(section["name"], section["total"], len(section["lines"])) for section in response.context["sections"]]
    assert sections == [("Web shop", Money(10500, "EUR"), 2), ("Data platform", Money(38688, "EUR"), 1)]
    assert response.context["taxes"] == [
        ("21%", Money(2100, "EUR")), ("9%", Money(3482, "EUR")), ("0% (Z), Zero-rated", Money(0, "EUR")),
    ]  # fmt: skip
    for words in ("12,400 GB", "€0.0312", "€386.88", "Tax 21%", "Tax 9%", "€547.70"):
        assert words in text


@pytest.mark.parametrize(
    ("price", "currency", "language", "text"),
    [
        ("1.250000", "EUR", "en", "€1.25"),
        ("0.031200", "EUR", "en", "€0.0312"),
        ("0.000001", "EUR", "en", "€0.000001"),
        ("165.000000", "EUR", "nl", "€\xa0165,00"),
        ("33.500000", "JPY", "en", "¥33.5"),
        ("1.000000", "KWD", "en", "KWD\xa01.000"),
        ("-1234.500000", "EUR", "en", "-€1,234.50"),
    ],
)
def test_prices_have_at_least_the_decimals_of_the_currency(price, currency, language, text):
    assert price_text(Decimal(price), currency, language) == text


def test_a_payer_finds_the_buttons_and_both_ways_to_pay(read, profile):
    invoice = issued(profile, "1250.00")
    text = read(invoice)
    assert "Pay now €1,250.00" in text
    assert f'href="{detail_url(invoice)}pdf"' in text
    assert f'hx-get="{detail_url(invoice)}payments/"' in text
    for words in ("NL53 EXAM 0000 0000 00", "EXAMNL2A", in_fours(invoice.payment_reference), "By wire transfer"):
        assert words in text


def test_a_reader_sees_why_not_and_can_still_send_a_transfer(client, profile):
    invoice = issued(profile)
    client.force_login(member(profile, "profile_reader"))
    text = client.get(detail_url(invoice)).content.decode()
    assert "Pay now" not in text
    assert "Your role does not include paying." in text
    assert "By wire transfer" in text
    mark_payment_started(invoice, by=None, at=NOW)
    assert f'href="{detail_url(invoice)}payment"' not in client.get(detail_url(invoice)).content.decode()


def test_in_the_blade_it_is_the_content_alone_with_the_buttons_below(read, profile):
    text = read(issued(profile), **{"HX-Request": "true", "HX-Target": "blade"})
    assert "<html" not in text
    assert 'class="blade-foot"' in text
    assert "Pay now €120.00" in text


def test_what_happened_to_it_is_said_first(read, profile):
    late = issued(profile, due_on=date(2020, 1, 1))
    assert "This invoice is past due" in read(late)

    busy = issued(profile)
    mark_payment_started(busy, by=None, at=NOW)
    text = read(busy)
    assert "A payment is in progress" in text
    assert "By wire transfer" not in text, "a transfer now would pay twice"
    assert "Pay now" not in text

    assert f'href="{detail_url(busy)}payment"' in text, "the bank may be waiting for an answer"

    void = issued(profile)
    Invoice.objects.filter(pk=void.pk).update(status="void", void_reason="Sent twice")
    text = read(void)
    assert "This invoice is void" in text
    assert "Sent twice" in text

    paid = issued(profile)
    apply_payment(paid, paid.amount_due, at=NOW, paid_with="Visa •••• 4242", ends_attempt=True)
    text = read(paid)
    assert "This invoice is paid" in text
    assert "By wire transfer" not in text

    take_back_payment(paid, Money(5000, "EUR"), at=NOW)
    text = read(paid)
    assert "€50.00 was refunded, so it is due again." in text
    assert "<dt>Paid</dt><dd>-€120.00</dd> <dt>Refunded</dt><dd>€50.00</dd>" in text
    assert "Pay now €50.00" in text


def test_one_box_says_what_to_know_and_do_whatever_has_happened(read, profile):
    profile.status = "disabled"
    profile.save()
    invoice = issued(profile, due_on=date(2020, 1, 1))
    apply_payment(invoice, Money(7000, "EUR"), at=NOW, paid_with="Visa •••• 4242", ends_attempt=True)
    take_back_payment(invoice, Money(5000, "EUR"), at=NOW)
    Invoice.objects.update(autopay_on=None, autopay_declined_on=date(2026, 10, 20))
    text = read(invoice)
    assert text.partition("<template")[0].count("notice-box") == 1
    for words in (
        *("This invoice is past due", "€50.00 was refunded, so it is due again.", "The card was declined on"),
        *("send only what is left: €100.00", "This billing profile is disabled until everything past due is paid."),
    ):
        assert words in text


def test_the_country_of_an_address_is_named_in_the_readers_language(read, profile, payer):
    assert "Amsterdam<br>Netherlands" in read(issued(profile))
    payer.language = "nl"
    payer.save()
    assert "Amsterdam<br>Nederland<" in read(issued(profile))


def test_drafts_and_invoices_of_others_are_not_found(client, payer, profile):
    client.force_login(payer)
    foreign = issued(BillingProfileFactory(account=profile.account))
    assert client.get(f"{list_url(profile)}{foreign.number}/").status_code == 404
    assert client.get(f"{list_url(profile)}None/").status_code == 404
    assert client.get(f"{list_url(profile)}INV-999999/").status_code == 404


def test_a_longer_invoice_costs_no_more_queries(client, payer, profile, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    invoice = issued(profile)
    client.force_login(payer)
    client.get(detail_url(invoice))
    with CaptureQueriesContext(connection) as few:
        client.get(detail_url(invoice))
    for index in range(20):
        InvoiceLine.objects.create(invoice=invoice, description="More", unit_price=1, section_name=f"Section {index}")
    with django_assert_num_queries(len(few)):
        client.get(detail_url(invoice))
    assert len(few) <= 10  # its deliveries are rows of a table that nothing else on the page reads


def test_the_chain_of_a_void_invoice_is_shown_on_both_pages(read, profile, client):
    old = issued(profile)
    new = rebill(access=system_access(), invoice_id=old.pk, reason="Wrong department", at=NOW)
    assert "Replaced by" not in read(old)
    new = issue(access=system_access(), invoice_id=new.pk, today=TODAY, at=NOW)
    text = read(old)
    for words in (
        *("This invoice is void", "Credit note CN-000001 cancels it", "See invoice INV-000002, which replaces it"),
        *("Voids the invoice", "Replaced by", detail_url(new)),
    ):
        assert words in text
    assert f"{profile.code}/credit-notes/CN-000001/pdf" in text
    text = read(new)
    assert "Replaces" in text
    assert detail_url(old) in text
    assert "Credit notes" not in text


def test_credits_and_credit_notes_are_told_apart_in_the_amounts(read, profile):
    granted(profile, 3000)
    invoice = issued(profile)
    credit_note(
        access=system_access(), invoice_id=invoice.pk, amounts={invoice.lines.get().pk: 10000}, reason="Too much",
        today=TODAY, at=NOW,
    )  # fmt: skip
    text = read(invoice)
    assert "<dt>Credits applied</dt><dd>-€20.00</dd>" in text
    assert "<dt>Credit notes</dt><dd>-€100.00</dd>" in text
    assert "€10.00 given back to credits" in text
    assert "kept as a credit" not in text


def test_what_a_credit_note_takes_back_of_money_is_kept_as_a_credit(read, profile, payer):
    invoice = issued(profile)
    press_pay(payer, invoice, card(profile))
    credit_note(
        access=system_access(), invoice_id=invoice.pk, amounts={invoice.lines.get().pk: 1000}, reason="Too much",
        today=TODAY, at=NOW,
    )  # fmt: skip
    text = read(invoice)
    assert "€10.00 kept as a credit" in text
    assert "given back to credits" not in text
