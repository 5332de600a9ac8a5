"""The rows of the list are drawn in Python, so nothing but these tests stands between a text and the page."""

from html.parser import HTMLParser

import pytest
from django.utils import translation

from billing_portal.templatetags.invoice_rows import invoice_rows
from invoices.models import Invoice
from invoices.operations.invoice_payments import mark_payment_started
from invoices.states import BADGES, Label
from invoices.views.rows import Rows
from tests.factories import NOW, access_for, issued, member
from tests.invoices.pages import list_url

pytestmark = pytest.mark.django_db
HOSTILE = "<B>&AMP;'\"{NUMBER}{0}%(ID)S</TD>"
COMMON = {"id", "number", "kind", "issued_on", "due_heading", "due_on", "total", "amount_due", "label", "detail_url"}
TAGS = {"tr", "td", "a", "span", "svg", "path", "circle", "line"}


class Parsed(HTMLParser):
    """What a browser would make of it: the tags, the values of attributes, and the words between."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.values, self.words = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.values += [value for _name, value in attrs]

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def rows(profile, payer):
    return Rows(access_for(payer, profile), NOW)


def row_of(rows, invoice):
    return rows.row(Invoice.objects.for_rows().get(pk=invoice.pk))


@pytest.mark.parametrize(
    ("links", "more"),
    [
        ({"pay_url"}, {"pay_label", "pay_text", "note"}),
        ({"payment_url"}, {"why", "payment_label", "payment_text"}),
        ({"pdf_url"}, {"why", "download_label"}),
    ],
)
def test_every_text_of_a_row_is_escaped(rows, profile, links, more):
    row = row_of(rows, issued(profile))
    for name in COMMON | links | more:
        row[name] = name + HOSTILE
    row |= dict.fromkeys({"pay_url", "payment_url", "pdf_url", "note"} - links - more, "")
    page = Parsed(invoice_rows([row]))
    assert set(page.tags) <= TAGS
    hostile = [text.removeprefix("invoice-") for text in [*page.values, *page.words] if text and "<" in text]
    assert set(hostile) == {name + HOSTILE for name in COMMON | links | more}


def test_what_people_typed_reaches_the_page_as_text(client, profile, payer):
    client.force_login(payer)
    void, paid, busy, named = issued(profile), issued(profile, "0.00"), issued(profile), issued(profile)
    Invoice.objects.filter(pk=void.pk).update(status="void", void_reason=HOSTILE)
    Invoice.objects.filter(pk=paid.pk).update(paid_at=NOW, paid_with=HOSTILE)
    Invoice.objects.filter(pk=named.pk).update(number=HOSTILE)
    mark_payment_started(busy, by=member(profile, "profile_owner", name=HOSTILE), at=NOW)
    html = client.get(list_url(profile)).content.decode()
    table = Parsed(html[html.index("<tbody>") : html.index("</tbody>")])
    assert set(table.tags) - {"tbody"} <= TAGS
    words = " ".join(table.words)
    assert f"Void: {HOSTILE}" in words
    assert words.count(HOSTILE) == 4
    assert f"Download {HOSTILE}" in table.values


def test_a_row_is_drawn_in_the_readers_language_whoever_read_it_before(profile, payer):
    invoice = issued(profile, "1250.00")
    drawn = {}
    for language in ("en", "nl", "en"):
        with translation.override(language):
            row = row_of(Rows(access_for(payer, profile), NOW), invoice)
            drawn.setdefault(language, invoice_rows([row]))
            assert invoice_rows([row]) == drawn[language]
    assert ">€1,250.00<" in drawn["en"]
    assert ">€\xa01.250,00<" in drawn["nl"]
    assert ">Te betalen<" in drawn["nl"]


def test_the_texts_of_a_row_are_all_loaded_with_it(rows, profile, django_assert_num_queries):
    busy, paid, void = issued(profile), issued(profile, "0.00"), issued(profile)
    mark_payment_started(busy, by=member(profile, "profile_owner"), at=NOW)
    Invoice.objects.filter(pk=paid.pk).update(paid_at=NOW, paid_with="Visa")
    Invoice.objects.filter(pk=void.pk).update(status="void", void_reason="Sent twice")
    issued(profile)
    invoices = list(Invoice.objects.for_rows())
    with django_assert_num_queries(0):
        drawn = invoice_rows([rows.row(invoice) for invoice in invoices])
    assert drawn.count("<tr ") == 4


def test_a_row_for_htmx_says_that_it_goes_over_the_old_one(rows, profile):
    row = row_of(rows, issued(profile))
    assert invoice_rows([row], oob=True).startswith(f'<tr id="invoice-{row["id"]}" hx-swap-oob="true">')
    row |= {"label": Label.VOID.label, "look": BADGES[Label.VOID], "is_void": True}
    assert f'<tr id="invoice-{row["id"]}" class="is-void" hx-swap-oob="true">' in invoice_rows([row], oob=True)
