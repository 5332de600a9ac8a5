"""The tax of an invoice in another currency, shown in the seller's too: at which rate, where, and what without one."""

from datetime import date, timedelta
from io import BytesIO, StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override
from pypdf import PdfReader

from accounts.access import system_access
from invoices.documents.credit_note import credit_note_pdf
from invoices.exchange import seller_tax
from invoices.fingerprints import wrong_documents
from invoices.models import Charge, CreditNote, ExchangeRate, Invoice, NumberSeries
from invoices.money import Money
from invoices.operations.credit_notes import credit_note
from invoices.operations.issuing import CannotIssue, issue, issue_many
from invoices.operations.voiding import void
from tests.factories import (
    NOW,
    TODAY,
    BillingProfileFactory,
    SellerFactory,
    draft,
    exchange_rate,
    issued,
    member,
    tax_rate,
)
from tests.invoices.billing_runs import NOVEMBER, billed_profile, charged, run
from tests.invoices.test_document import read, words
from tests.payments.acts import staff

pytestmark = pytest.mark.django_db
SHOWN = "Tax in EUR: €19.35, at 1 EUR = 1.0850 USD (ECB, 23 October 2026)."
MISSING = "There is no exchange rate of USD and EUR for 2026-10-26 or the seven days before."
FILE = "profile,invoice,issue_date,description,unit_price,tax_rate,exchange_rate,exchange_date\n"


@pytest.fixture
def dollars():
    return BillingProfileFactory(currency="USD")


def rate(value="1.0850", on=date(2026, 10, 23), other="USD"):
    return exchange_rate(other, value, on=on)


def in_dollars(profile, amount="100.00") -> Invoice:
    """At 21 %: 100.00 has a tax of 21.00, which is 19.35 euro."""
    return issued(profile, amount, tax_rate="21")


def test_the_tax_is_kept_in_the_sellers_currency_with_its_rate(dollars):
    rate()
    invoice = in_dollars(dollars)
    assert (invoice.tax_minor, invoice.seller_tax_minor) == (2100, 1935)
    assert seller_tax(invoice, invoice.seller_tax_minor) == Money(1935, "EUR")
    assert invoice.exchange == {"base": "EUR", "other": "USD", "rate": "1.085", "on": "2026-10-23", "source": "ECB"}
    ExchangeRate.objects.update(rate=2)
    assert Invoice.objects.get().exchange["rate"] == "1.085"


def test_it_is_part_of_the_fingerprint(dollars):
    rate()
    in_dollars(dollars)
    assert list(wrong_documents()) == []
    Invoice.objects.update(seller_tax_minor=1)
    assert list(wrong_documents()) == ["Invoice INV-000001: it is not what was issued."]


def test_page_and_document_say_it_in_the_readers_language(client, dollars):
    rate()
    invoice = in_dollars(dollars)
    assert SHOWN in words(read(invoice))
    with override("nl"):
        dutch = "Btw in EUR: € 19,35, tegen 1 EUR = 1,0850 USD (ECB, 23 oktober 2026)."
        assert dutch in words(read(invoice))
    person = member(dollars, "profile_reader")
    client.force_login(person)
    page = client.get(f"/profiles/{dollars.code}/invoices/{invoice.number}/")
    assert SHOWN in page.content.decode()


@pytest.mark.parametrize(("currency", "percent"), [("EUR", "21"), ("USD", "0")])
def test_without_tax_or_in_the_sellers_own_currency_there_is_none(currency, percent):
    invoice = issued(BillingProfileFactory(currency=currency), tax_rate=percent)
    assert (invoice.seller_tax_minor, invoice.exchange) == (None, {})
    assert "Tax in" not in words(read(invoice))


def test_the_currency_is_that_of_the_customers_seller():
    SellerFactory(tax_currency="DKK")
    rate("7.46", other="DKK")
    invoice = issued(BillingProfileFactory(currency="EUR"), "100.00", tax_rate="21")
    assert seller_tax(invoice, invoice.seller_tax_minor) == Money(156_66, "DKK")


def test_without_a_rate_nothing_is_issued_and_staff_are_told_which(dollars):
    rate(on=TODAY - timedelta(days=8))
    made = draft(dollars, "100.00", tax_rate="21")
    with pytest.raises(CannotIssue, match=MISSING):
        issue(access=system_access(), invoice_id=made.pk, today=TODAY, at=NOW)
    made.refresh_from_db()
    assert (made.status, made.number, made.taxes.count()) == ("draft", None, 0)
    assert not NumberSeries.objects.filter(next_number__gt=1).exists()


def test_of_many_the_one_without_a_rate_is_refused_alone(profile, dollars):
    right, wrong = draft(profile, tax_rate="21"), draft(dollars, tax_rate="21")
    issued_now, refused = issue_many(access=system_access(), invoice_ids=[right.pk, wrong.pk], at=NOW)
    assert [invoice.pk for invoice in issued_now] == [right.pk]
    assert [(invoice.pk, str(reason)[: len(MISSING)]) for invoice, reason in refused] == [(wrong.pk, MISSING)]
    wrong.refresh_from_db()
    assert (wrong.status, wrong.issued_on, wrong.taxes.count()) == ("draft", None, 0)


def test_a_period_without_a_rate_stays_open_and_is_named_and_holds_up_no_other():
    euros, dollars = billed_profile(), billed_profile(currency="USD")
    for profile in (euros, dollars):
        charged(profile, "100", on=date(2026, 10, 6), tax_rate=tax_rate("21"))
    closed = run()
    assert (closed.billed, list(closed.failed)) == (1, [dollars.code])
    assert "no exchange rate of USD and EUR for 2026-11-05" in closed.failed[dollars.code]
    assert Charge.objects.get(profile=dollars).invoice_id is None
    rate(on=NOVEMBER.date())
    assert run().billed == 1
    assert Invoice.objects.get(profile=dollars).seller_tax_minor == 1935


def test_any_number_of_invoices_and_currencies_is_one_query_more():
    rate()
    rate("162.5", other="JPY")
    counts = []
    for number in (1, 10):
        profiles = [BillingProfileFactory(currency=currency) for currency in ("USD", "JPY") * number]
        drafts = [draft(profile, tax_rate="21").pk for profile in profiles]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            issue_many(access=system_access(), invoice_ids=drafts, at=NOW)
        counts.append(sum("invoices_exchangerate" in query["sql"] for query in queries))
    assert counts == [1, 1]


def bring_in(path, rows: str, *options: str) -> tuple[str, str]:
    """What the command says, and the bad rows."""
    path.write_text(FILE + rows)
    out, errors = StringIO(), StringIO()
    try:
        call_command("import_invoices", str(path), *options, stdout=out, stderr=errors)
    except CommandError as error:
        return str(error), errors.getvalue()
    return out.getvalue(), errors.getvalue()


def test_an_import_brings_its_own_rate_or_takes_ours(dollars, tmp_path):
    rate("1.05")
    rows = (
        f"{dollars.code},A-1,2026-10-26,Hosting,100,21,1.0850,2026-10-20\n"
        f"{dollars.code},A-2,2026-10-26,Hosting,100,21,1.0850,\n"
        f"{dollars.code},A-3,2026-10-26,Hosting,100,21,,\n"
    )
    bring_in(tmp_path / "invoices.csv", rows)
    shown = {
        invoice.source_reference: (invoice.seller_tax_minor, invoice.exchange["on"], invoice.exchange["source"])
        for invoice in Invoice.objects.all()
    }
    assert shown == {
        "A-1": (1935, "2026-10-20", ""), "A-2": (1935, "2026-10-26", ""), "A-3": (2000, "2026-10-23", "ECB"),
    }  # fmt: skip
    assert "at 1 EUR = 1.0850 USD (20 October 2026)." in words(read(Invoice.objects.get(source_reference="A-1")))


@pytest.mark.parametrize(
    ("rest", "currency", "problem"),
    [
        ("21,,", "USD", MISSING),
        ("21,0,", "USD", "exchange_rate is zero."),
        ("21,,2026-10-20", "USD", "exchange_date needs the rate, exchange_rate."),
        ("21,1.0850,2026-10-27", "USD", "exchange_date 2026-10-27 is after the invoice date 2026-10-26."),
        ("21,1.0850,", "EUR", "exchange_rate is given, and the invoice is in the seller's own currency, EUR."),
    ],
)
def test_an_import_that_lacks_a_rate_names_the_row_and_writes_nothing(tmp_path, rest, currency, problem):
    profile = BillingProfileFactory(currency=currency)
    said, errors = bring_in(tmp_path / "invoices.csv", f"{profile.code},A-1,2026-10-26,Hosting,100,{rest}\n")
    assert said == "Nothing was imported. Bad rows: 1."
    assert errors.startswith(f"Line 2: {problem}")
    assert not Invoice.objects.exists()


def test_a_draft_is_imported_without_a_rate(dollars, tmp_path):
    row = f"{dollars.code},A-1,,Hosting,100,21"
    assert "Imported 1 drafts" in bring_in(tmp_path / "invoices.csv", f"{row},,\n", "--drafts")[0]
    _said, errors = bring_in(tmp_path / "invoices.csv", f"{row.replace('A-1', 'A-2')},1.0850,\n", "--drafts")
    assert "a draft has no exchange_rate" in errors


def test_credit_notes_show_their_tax_at_the_rate_of_their_invoice_and_come_to_its_together(dollars):
    rate()
    invoice = in_dollars(dollars)
    line = invoice.lines.get()
    for minor in (3333, 3333):
        credit_note(access=staff(), invoice_id=invoice.pk, amounts={line.pk: minor}, reason="Late", today=TODAY, at=NOW)
    ExchangeRate.objects.all().delete()
    void(access=staff(), invoice_id=invoice.pk, reason="Wrong", at=NOW)
    notes = CreditNote.objects.order_by("pk")
    assert [(note.tax_minor, note.seller_tax_minor) for note in notes] == [(700, 645), (700, 645), (700, 645)]
    assert sum(note.seller_tax_minor for note in notes) == invoice.seller_tax_minor
    text = words(PdfReader(BytesIO(credit_note_pdf(CreditNote.objects.select_related("invoice").first(), at=NOW))))
    assert "Tax in EUR: €6.45, at 1 EUR = 1.0850 USD (ECB, 23 October 2026)." in text
    assert list(wrong_documents()) == []


def test_staff_see_it_on_the_invoice(admin_client, dollars):
    rate()
    invoice = in_dollars(dollars)
    assert SHOWN in admin_client.get(f"/admin/invoices/invoice/{invoice.pk}/change/").content.decode()
