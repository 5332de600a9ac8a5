"""One file that is PDF/A-3a, PDF/UA-1 and Factur-X, read back."""

from io import BytesIO

import facturx
import pytest
from lxml import etree
from pypdf import PdfReader

from invoices.documents.einvoice.facturx import EXTENSION, FX, embedded_xml, facturx_pdf
from invoices.documents.einvoice.reading import read_terms
from invoices.documents.einvoice.terms import Format, terms_of, terms_of_note
from invoices.models import CreditNote, Invoice
from invoices.operations.credit_notes import credit_note
from tests.factories import NOW, TODAY
from tests.invoices.einvoice.judge import judged, written
from tests.invoices.einvoice.test_terms import issued, with_parties
from tests.payments.acts import staff

pytestmark = pytest.mark.django_db
PDFA, PDFUA = "{http://www.aiim.org/pdfa/ns/id/}", "{http://www.aiim.org/pdfua/ns/id/}"


@pytest.fixture
def documents(profile):
    """An invoice and a credit note of it, each with its terms."""
    invoice = issued(profile)
    note = credit_note(access=staff(), invoice_id=invoice.pk, reason="Too much", today=TODAY, at=NOW)
    return [
        (Invoice.objects.select_related("profile__account").get(pk=invoice.pk), terms_of(invoice)),
        (CreditNote.objects.select_related("invoice").get(pk=note.pk), terms_of_note(with_parties(note))),
    ]


def test_the_file_carries_the_terms_of_the_document(documents):
    for subject, terms in documents:
        pdf = facturx_pdf(subject, terms, at=NOW)
        xml = embedded_xml(pdf)
        assert xml == written(terms, Format.FACTURX)
        assert judged(xml).broken == set()
        assert read_terms(xml) == read_terms(written(terms, Format.UBL))
        name, theirs = facturx.get_facturx_xml_from_pdf(BytesIO(pdf), check_xsd=True)
        assert (name, theirs) == ("factur-x.xml", xml)


def test_what_it_claims_to_be(documents):
    invoice, terms = documents[0]
    reader = PdfReader(BytesIO(facturx_pdf(invoice, terms, at=NOW)))
    root = reader.trailer["/Root"]
    xmp = etree.fromstring(root["/Metadata"].get_data())
    claims = [f"{PDFA}part", f"{PDFA}conformance", f"{PDFUA}part"]
    assert [xmp.findtext(f".//{claim}") for claim in claims] == ["3", "A", "1"]
    names = ("DocumentFileName", "DocumentType", "Version", "ConformanceLevel")
    assert [xmp.findtext(f".//{{{FX}}}{name}") for name in names] == ["factur-x.xml", "INVOICE", "1.0", "EN 16931"]
    assert len(xmp.findall(f".//{{{EXTENSION}}}schemas")) == 1
    assert FX in [node.text for node in xmp.iter("{*}namespaceURI")]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/StructTreeRoot"]
    assert root["/Lang"] == "en"


def test_the_attached_file_is_an_alternative_of_the_document(documents):
    invoice, terms = documents[0]
    root = PdfReader(BytesIO(facturx_pdf(invoice, terms, at=NOW))).trailer["/Root"]
    (file,) = [part.get_object() for part in root["/AF"]]
    assert (file["/AFRelationship"], file["/UF"], file["/F"]) == ("/Alternative", "factur-x.xml", "factur-x.xml")
    assert file["/EF"]["/F"]["/Subtype"] == "/text/xml"


def test_every_font_is_embedded(documents):
    invoice, terms = documents[0]
    reader = PdfReader(BytesIO(facturx_pdf(invoice, terms, at=NOW)))
    fonts = [font.get_object() for page in reader.pages for font in page["/Resources"]["/Font"].values()]
    descriptors = [font["/DescendantFonts"][0]["/FontDescriptor"] for font in fonts]
    assert fonts
    assert all({"/FontFile2", "/FontFile3"} & set(descriptor) for descriptor in descriptors)


def test_only_the_metadata_are_written_again(documents):
    """So what Typst has made, with its tags and identifiers, stays byte for byte."""
    invoice, terms = documents[0]
    first, second = (facturx_pdf(invoice, terms, at=NOW) for _ in range(2))
    assert first == second
    start = first[: first.index(b"%%EOF") + 5]
    assert PdfReader(BytesIO(start)).trailer["/ID"] == PdfReader(BytesIO(first)).trailer["/ID"]


def test_a_file_without_an_invoice():
    assert embedded_xml(PDF_WITHOUT_FILES) is None


PDF_WITHOUT_FILES = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    b"xref\n0 3\n0000000000 65535 f \n0000000009 00000 n \n0000000052 00000 n \n"
    b"trailer<</Size 3/Root 1 0 R>>\nstartxref\n101\n%%EOF\n"
)
