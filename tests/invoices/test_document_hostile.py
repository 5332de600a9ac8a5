"""The PDF of an invoice on which somebody printed what they should not have."""

from io import BytesIO
from threading import Thread

import pytest
from pypdf import PdfReader

from accounts.models import BillingProfile
from invoices.documents import typesetting
from invoices.documents.invoice import TEMPLATE, invoice_data
from invoices.models import Invoice
from tests.factories import NOW, issued
from tests.invoices.test_document import read, with_lines, words

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "text",
    [
        '#panic("no") $x^2$ #{1+1} #image("/etc/passwd")',
        "<script>alert(1)</script> & &amp; A < B",
        r"back\slash \n \u{41} *bold* _it_ `raw` ~ // comment",
        '"double" and single, = heading, @preview/x:1.0 [content] ]',
        "%s {page} %(number)s {{ x }}",
    ],
)
def test_markup_is_printed_as_it_was_typed(profile, text):
    BillingProfile.objects.update(name=text[:60], company=text)
    profile.refresh_from_db()
    printed = words(read(with_lines(profile, (text, text, "1", "10", "21"))))
    assert printed.replace(" ", "").count(text.replace(" ", "")) >= 3


def test_a_very_long_word_stays_on_the_page(profile):
    word = "W" * 200
    reader = read(with_lines(profile, ("", word, "1", "10", "21")))
    positions: list[float] = []
    reader.pages[0].extract_text(
        visitor_text=lambda text, _cm, tm, *_rest: positions.append(tm[4]) if text.strip() else None
    )
    assert word in words(reader).replace(" ", "")
    assert max(positions) < float(reader.pages[0].mediabox.width)


def test_a_letter_without_a_font_costs_the_label_not_the_invoice(profile):
    private = "\U000f1234"
    reader = read(with_lines(profile, ("", f"Hosting {private}", "1", "10", "21")))
    assert "Hosting" in words(reader)
    assert reader.root_object["/MarkInfo"]["/Marked"]


def test_right_to_left_text_is_set(profile):
    reader = read(with_lines(profile, ("", "שלום hosting", "1", "10", "21")))
    assert "hosting" in words(reader)


def test_two_thousand_lines_repeat_the_heading_on_every_page(profile):
    reader = read(with_lines(profile, *[("Usage", f"Line {index}", "1", "1", "21") for index in range(2000)]))
    pages = [page.extract_text() for page in (reader.pages[1], reader.pages[-2])]
    assert len(reader.pages) > 30
    assert all("Unit price" in page and "Invoice INV-000001" in page for page in pages)
    assert f"Page 2 of {len(reader.pages)}" in pages[0]


def test_threads_share_a_compiler_without_mixing_documents(profile):
    numbers = [issued(profile).number for _ in range(4)]
    data = {
        number: invoice_data(Invoice.objects.select_related("profile__account").get(number=number))
        for number in numbers
    }
    made: dict[str, bytes] = {}

    def work(number: str) -> None:
        for _ in range(5):
            made[number] = typesetting.typeset(TEMPLATE, data[number], at=NOW)

    threads = [Thread(target=work, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in numbers:
        text = words(PdfReader(BytesIO(made[number])))
        assert number in text
        assert not any(other in text for other in numbers if other != number)


def test_data_that_does_not_fit_is_an_error_not_an_unlabelled_document():
    with pytest.raises(typesetting.typst.TypstError):
        typesetting.typeset(TEMPLATE, {}, at=NOW)


def test_a_forked_process_says_so_instead_of_hanging(monkeypatch):
    typesetting._compiler()
    monkeypatch.setattr(typesetting.os, "getpid", lambda: 1)
    with pytest.raises(RuntimeError, match="before this process was forked"):
        typesetting.typeset(TEMPLATE, {}, at=NOW)
