"""Documents in English, Dutch, German and French: nothing of them stays untranslated."""

import re
from datetime import date
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from django.conf import settings
from django.utils import translation

from accounts.access import system_access
from accounts.company_numbers import NumberKind
from accounts.models import DOCUMENT_LANGUAGES, BillingProfile
from billing_portal.translations import collect, of_documents
from invoices import payability
from invoices.documents.figures import day, short_day
from invoices.documents.invoice import invoice_data
from invoices.documents.words import WORDS
from invoices.models import Charge, Invoice, Transfer
from invoices.operations import previews
from invoices.operations.closing import close_periods
from invoices.operations.document_archive import pdf_file
from invoices.operations.usage import attached_usage
from invoices.states import Label
from invoices.tax import REASONS, TaxCategory
from payments.documents.receipt import receipt_data
from payments.documents.statement import statement_data
from payments.models import Payment, Refund, payments
from payments.operations import refunds
from payments.statements import heading_of, statement_of
from tests.factories import NOW, issued, tax_rate
from tests.invoices.billing_runs import NOVEMBER, billed_profile, charged
from tests.invoices.test_document import read, with_lines, words
from tests.payments.test_receipts import paid
from tests.tooling.test_translations import PLACEHOLDER, ids, texts

FURTHER = [code for code, _name in DOCUMENT_LANGUAGES if code not in dict(settings.LANGUAGES)]


@pytest.fixture(scope="module")
def printed():
    return {(message.id, message.context) for message in of_documents(collect(settings.BASE_DIR)) if message.id}


@pytest.fixture(params=FURTHER)
def catalogue(request):
    with (settings.BASE_DIR / "locale/documents" / request.param / "LC_MESSAGES/django.po").open("rb") as file:
        return read_po(file, locale=request.param)


def test_there_is_a_catalogue_for_every_further_language():
    folders = (settings.BASE_DIR / "locale" / "documents").iterdir()
    assert sorted(folder.name for folder in folders) == sorted(FURTHER) == ["de", "fr"]


@pytest.mark.django_db
def test_pages_are_not_offered_in_them(client):
    assert {code for code, _name in settings.LANGUAGES} == {"en", "nl"}
    assert 'lang="en"' in client.get("/accounts/login/", headers={"accept-language": "de"}).text


def test_every_text_of_a_document_is_translated_and_nothing_else(catalogue, printed):
    messages = {(message.id, message.context): message for message in catalogue if message.id}
    assert set(messages) == printed
    assert [message.id for message in messages.values() if message.fuzzy or not all(texts(message))] == []
    assert not catalogue.obsolete


def test_their_placeholders_are_those_of_the_text(catalogue):
    for message in catalogue:
        if message.id:
            wanted = {frozenset(PLACEHOLDER.findall(text)) for text in ids(message)}
            assert {frozenset(PLACEHOLDER.findall(text)) for text in texts(message)} <= wanted, message.id


def test_the_words_of_other_modules_are_those_that_they_show():
    with translation.override("en"):
        shown = {
            *map(str, (Label.PAID.label, TaxCategory.ZERO.label)),
            *map(str, [*Invoice.Kind.labels, *NumberKind.labels, *Transfer.Kind.labels, *Payment.Channel.labels]),
            *map(str, Charge.Kind.labels),
            *(reason for reason, _code in REASONS.values()),
        }
    rest = {
        "Above the card limit of %(limit)s. Pay by wire transfer.",
        "New card",
        "Refunded at the payment provider.",
        "Preview",
    }
    sources = [Path(module.__file__).read_text() for module in (payability, payments, refunds, previews)]
    assert all(any(text in source for source in sources) for text in rest)
    assert set(WORDS) == shown | rest


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["Invoice date 26 October 2026", "1,240.5 hours 1.25 21% 1,550.63", "€1,876.26", "Netherlands"]),
        ("nl", ["Factuurdatum 26 oktober 2026", "1.240,5 uur 1,25 21% 1.550,63", "€ 1.876,26", "Nederland"]),
        ("de", ["Rechnungsdatum 26. Oktober 2026", "1.240,5 Stunden 1,25 21 % 1.550,63", "1.876,26 €", "Niederlande"]),
        ("fr", ["Date de facture 26 octobre 2026", "1 240,5 heures 1,25 21 % 1 550,63", "1 876,26 €", "Pays-Bas"]),
    ],
)
def test_words_figures_dates_and_countries_are_of_the_language(profile, language, expected):
    invoice = with_lines(profile, ("", "Hosting", "1240.5", "1.25", "21"))
    with translation.override(language):
        reader = read(invoice)
    text = words(reader).replace("\u202f", " ")
    for part in expected:
        assert part in text
    assert reader.root_object["/Lang"] == language


@pytest.mark.parametrize(
    ("language", "first", "second"),
    [
        ("en", "1 October 2026", "2 Oct 2026"), ("nl", "1 oktober 2026", "2 okt 2026"),
        ("de", "1. Oktober 2026", "2. Okt. 2026"), ("fr", "1er octobre 2026", "2 oct. 2026"),
    ],
)  # fmt: skip
def test_the_first_of_a_month_is_written_as_people_do(language, first, second):
    with translation.override(language):
        assert (day(date(2026, 10, 1)), short_day(date(2026, 10, 2))) == (first, second)


@pytest.mark.django_db
@pytest.mark.parametrize("language", FURTHER)
def test_no_english_is_left(profile, language, printed):
    """Nothing that has a translation stands there in English."""
    loaded = Invoice.objects.select_related("profile__account").get(pk=issued(profile, tax_rate="21").pk)
    with translation.override(language):
        text = str(invoice_data(loaded))
    assert english_left(text, language, printed) == []


@pytest.mark.django_db
@pytest.mark.parametrize("language", FURTHER)
def test_no_english_is_left_on_receipts_and_statements(profile, language, printed):
    invoice = issued(profile)
    payment = paid(profile, (invoice, 12000), credit=500, refunded_minor=2000, channel="check", bank_reference="S-44")
    reason = "Refunded at the payment provider."
    Refund.objects.create(
        payment=payment, status="succeeded", amount_minor=2000, currency="EUR", reason=reason, started_at=NOW,
        finished_at=NOW,
    )  # fmt: skip
    statement = statement_of(profile, date(2026, 10, 1), date(2026, 10, 31))
    assert statement.lines
    with translation.override(language):
        text = str([receipt_data(payment), statement_data(statement, heading_of(statement, at=NOW))])
    assert english_left(text, language, printed) == []


@pytest.mark.django_db
def test_the_usage_and_the_names_of_files_are_in_the_language_of_the_documents():
    BillingProfile.objects.update(document_language="de")
    profile = billed_profile()
    BillingProfile.objects.update(document_language="de")
    charged(profile, "1.25", on=date(2026, 10, 9), tax_rate=tax_rate("21"))
    list(close_periods(access=system_access(), at=NOVEMBER))
    invoice = Invoice.objects.select_related("profile__account").get()
    assert pdf_file(invoice, at=NOVEMBER).name == "rechnung-INV-000001.pdf"
    with translation.override("de"):
        head, row = attached_usage(invoice).decode().splitlines()
    assert "Position;Rechnungsabschnitt;Beschreibung;Datum;Art;Menge;Einheit;Einzelpreis" in head
    assert ";Verbrauch;" in row


def english_left(text, language, printed):
    with translation.override(language):
        same = {text for text, _context in printed if isinstance(text, str) and translation.gettext(text) == text}
    english = {text for text, _context in printed if isinstance(text, str) and "%" not in text and " " in text} - same
    return [left for left in english if re.search(rf"'{re.escape(left)}'", text)]
