"""The PDF of an invoice on which somebody printed what they should not have."""

import re
import subprocess
from io import BytesIO
from shutil import which
from threading import Thread

import pytest
from pypdf import PdfReader

from accounts.models import BillingProfile
from billing_portal.core.letters import hidden
from invoices.documents import typesetting
from invoices.documents.invoice import TEMPLATE, invoice_data, invoice_pdf
from invoices.documents.typesetting import Attachment, MissingGlyphs
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


@pytest.mark.parametrize("letter", ["\U000f1234", "𓀀", "\ufeff", "\x07"])
def test_a_letter_without_a_glyph_refuses_the_document_by_name(profile, letter):
    with pytest.raises(MissingGlyphs, match=rf"cannot print U\+{ord(letter):04X}.* in “Hosting {letter}”"):
        read(with_lines(profile, ("", f"Hosting {letter}", "1", "10", "21")))


@pytest.mark.parametrize(
    ("text", "font"),
    [
        ("株式会社さくら商事", "NotoSansCJKjp"), ("주식회사", "NotoSansCJKjp"), ("שלום", "NotoSansHebrew"),
        ("شركة", "NotoSansArabic"), ("शर्मा", "NotoSansDevanagari"), ("บริษัท", "NotoSansThai"),
        ("தமிழ்", "NotoSansTamil"), ("Ромашка", "NotoSans"), ("😀", "NotoEmoji"), ("⎋", "NotoSansSymbols"),
    ],
)  # fmt: skip
def test_every_script_is_set_in_its_font_of_which_only_the_letters_used_are_kept(profile, text, font):
    reader = read(with_lines(profile, ("", f"{text} hosting", "1", "10", "21")))
    assert "hosting" in words(reader)
    names = [value.get_object()["/BaseFont"] for value in reader.pages[0]["/Resources"]["/Font"].values()]
    assert font in {name.split("+")[1].split("-")[0] for name in names}
    assert all(re.match("/[A-Z]{6}[+]", name) for name in names)


def test_copied_text_has_no_character_that_nobody_typed(profile):
    """A PO number of 35 letters and a long address of a mailbox are copied as they are."""
    number = "PO-2026/000012345-AMSTERDAM-DEPT-77"
    mailbox = "accounts.receivable.department.netherlands@example-cloud-billing.example.com"
    invoice = with_lines(profile, ("", "W" * 200, "1", "10", "21"), po_number=number)
    loaded = Invoice.objects.select_related("profile__account").get(pk=invoice.pk)
    loaded.seller |= {"email": mailbox}
    pdf = invoice_pdf(loaded, at=NOW)
    text = " ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)
    assert number in text
    assert mailbox in text
    assert not hidden(text.replace("\n", " "))
    if program := which("pdftotext"):
        copied = subprocess.run([program, "-", "-"], input=pdf, capture_output=True, check=True).stdout.decode()
        assert number in copied
        assert mailbox in copied


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


def test_a_file_can_be_carried_and_the_standards_are_kept(profile):
    data = invoice_data(Invoice.objects.select_related("profile__account").get(pk=issued(profile).pk))
    xml = '<?xml version="1.0" encoding="UTF-8"?><a>é</a>'
    reader = PdfReader(
        BytesIO(typesetting.typeset(TEMPLATE, data, at=NOW, attachment=Attachment("factur-x.xml", xml, "Data")))
    )
    assert reader.attachments == {"factur-x.xml": [xml.encode()]}
    file = reader.root_object["/AF"][0].get_object()
    assert (file["/AFRelationship"], file["/EF"]["/F"].get_object()["/Subtype"]) == ("/Alternative", "/text/xml")
    assert claims(reader) == {"pdfaid:part": "3", "pdfaid:conformance": "A", "pdfuaid:part": "1"}


def test_a_document_without_a_file_keeps_them_too(profile):
    assert claims(read(issued(profile))) == {"pdfaid:part": "3", "pdfaid:conformance": "A", "pdfuaid:part": "1"}


def claims(reader: PdfReader) -> dict[str, str]:
    text = reader.root_object["/Metadata"].get_object().get_data().decode()
    return dict(re.findall("<(pdf[a-z]+id:(?:part|conformance))>([^<]+)<", text))
