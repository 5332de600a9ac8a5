"""Factur-X: the PDF of a document that carries its terms as CII, one file for people and for software.

Typst sets it as PDF/A-3a and PDF/UA-1 with the XML attached. What is added here is the part of its metadata that tells
software what is attached, as an update behind the file, so that nothing else of it changes.
"""

from datetime import datetime
from io import BytesIO

from lxml import etree
from pypdf import PdfReader, PdfWriter
from pypdf.generic import StreamObject

from invoices.documents import credit_note, invoice
from invoices.documents.einvoice.cii import write_cii
from invoices.documents.einvoice.terms import Terms
from invoices.documents.typesetting import Attachment, typeset
from invoices.models import CreditNote, Invoice

FILE_NAME = "factur-x.xml"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
EXTENSION = "http://www.aiim.org/pdfa/ns/extension/"
# Factur-X 1.0, 6.2.2: four properties, and the schema of them that PDF/A asks for.
FX = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
PROPERTIES = {
    "DocumentFileName": (FILE_NAME, "name of the embedded XML invoice file"),
    "DocumentType": ("INVOICE", "INVOICE"),
    "Version": ("1.0", "The actual version of the Factur-X XML schema"),
    "ConformanceLevel": ("EN 16931", "The conformance level of the embedded Factur-X data"),
}


def facturx_pdf(subject: Invoice | CreditNote, terms: Terms, *, at: datetime) -> bytes:
    """The PDF in the language that is active, with ``terms``, those of the same document.
    Needs what `invoice_pdf` or `credit_note_pdf` needs. Never call it inside a transaction. Raises MissingGlyphs."""
    if isinstance(subject, Invoice):
        template, data = invoice.TEMPLATE, invoice.invoice_data(subject)
    else:
        template, data = credit_note.TEMPLATE, credit_note.credit_note_data(subject)
    attachment = Attachment(FILE_NAME, write_cii(terms).decode(), "Factur-X")
    return with_metadata(typeset(template, data, at=at, attachment=attachment))


def with_metadata(pdf: bytes) -> bytes:
    """The file with the metadata of Factur-X. Only the metadata are written again, behind the rest."""
    writer = PdfWriter(BytesIO(pdf), incremental=True)
    stream = writer.root_object["/Metadata"].get_object()
    assert isinstance(stream, StreamObject)  # noqa: S101  as PDF/A has it
    stream.set_data(_extended(stream.get_data()))
    content = BytesIO()
    writer.write(content)
    return content.getvalue()


def embedded_xml(pdf: bytes) -> bytes | None:
    """The XML that a Factur-X or ZUGFeRD file carries; None for a file without one."""
    for name, contents in PdfReader(BytesIO(pdf)).attachments.items():
        if name.rpartition("/")[2].lower() in {FILE_NAME, "zugferd-invoice.xml", "xrechnung.xml"} and contents:
            return contents[0]
    return None


def _extended(xmp: bytes) -> bytes:
    tree = etree.ElementTree(etree.fromstring(xmp))
    rdf = tree.find(f".//{{{RDF}}}RDF")
    schemas = tree.find(f".//{{{EXTENSION}}}schemas/{{{RDF}}}Bag")
    schemas.append(_schema())
    description = etree.SubElement(rdf, f"{{{RDF}}}Description", {f"{{{RDF}}}about": ""}, nsmap={"fx": FX})
    for name, (value, _meaning) in PROPERTIES.items():
        etree.SubElement(description, f"{{{FX}}}{name}").text = value
    content: bytes = etree.tostring(tree, encoding="utf-8")
    return content


def _schema() -> etree._Element:
    schema, prop = "http://www.aiim.org/pdfa/ns/schema#", "http://www.aiim.org/pdfa/ns/property#"
    resource = {f"{{{RDF}}}parseType": "Resource"}
    item = etree.Element(f"{{{RDF}}}li", resource, nsmap={"rdf": RDF, "pdfaSchema": schema, "pdfaProperty": prop})
    for name, text in (("schema", "Factur-X PDFA Extension Schema"), ("namespaceURI", FX), ("prefix", "fx")):
        etree.SubElement(item, f"{{{schema}}}{name}").text = text
    sequence = etree.SubElement(etree.SubElement(item, f"{{{schema}}}property"), f"{{{RDF}}}Seq")
    for name, (_value, meaning) in PROPERTIES.items():
        entry = etree.SubElement(sequence, f"{{{RDF}}}li", resource)
        for key, text in (("name", name), ("valueType", "Text"), ("category", "external"), ("description", meaning)):
            etree.SubElement(entry, f"{{{prop}}}{key}").text = text
    return item
