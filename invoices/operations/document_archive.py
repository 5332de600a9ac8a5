"""Documents as they were first handed out: made once, in the language of the billing profile, kept, and the same bytes
ever after. A PDF for people, and where the profile chose an electronic invoice its XML."""

from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import override

from invoices.documents.credit_note import credit_note_pdf
from invoices.documents.einvoice.facturx import facturx_pdf
from invoices.documents.einvoice.terms import Attachment, Format, Terms, terms_of, terms_of_note
from invoices.documents.einvoice.ubl import write_ubl
from invoices.documents.invoice import invoice_pdf
from invoices.models import CreditNote, Invoice, IssuedDocument
from invoices.operations.usage import attached_usage

Kind = IssuedDocument.Kind
WITH_XML = {Format.UBL, Format.XRECHNUNG}


class File(NamedTuple):
    """A document ready to be handed out, under a name of our making."""

    name: str
    content: bytes
    media_type: str


def format_of(subject: Invoice | CreditNote) -> Format:
    """How the buyer wanted it when it was issued."""
    return Format(subject.buyer.get("format") or Format.PDF)


def issued_pdf(subject: Invoice | CreditNote, *, at: datetime) -> bytes:
    """The PDF of an issued invoice (needs ``profile.account``) or credit note (needs ``invoice``), in the language of
    the document; with the data inside where that was chosen. Never call it inside a transaction. Raises MissingGlyphs
    for a letter that no font has."""
    language = str(subject.buyer["language"])
    content = kept_document(subject, kind=Kind.PDF, language=language)
    if content is None:
        with override(language):
            content = _make_pdf(subject, at)
        content = keep_document(subject, kind=Kind.PDF, language=language, content=content, at=at)
    return content


def issued_xml(subject: Invoice | CreditNote, *, at: datetime) -> bytes | None:
    """The electronic invoice, with the PDF and the usage detail inside; None where the buyer chose none. As above."""
    if format_of(subject) not in WITH_XML:
        return None
    language = str(subject.buyer["language"])
    content = kept_document(subject, kind=Kind.XML, language=language)
    if content is None:
        attachments = [Attachment(f"{subject}.pdf", "application/pdf", issued_pdf(subject, at=at))]
        with override(language):
            usage = attached_usage(subject) if isinstance(subject, Invoice) else None
        if usage is not None:
            attachments.append(Attachment(f"{subject}-usage.csv", "text/csv", usage))
        xml = write_ubl(_terms(subject), format_of(subject), attachments=attachments)
        content = keep_document(subject, kind=Kind.XML, language=language, content=xml, at=at)
    return content


def files_of(subject: Invoice | CreditNote, *, at: datetime) -> list[File]:
    """What is handed out of it: the PDF, and the electronic invoice where there is one. As above."""
    files = [pdf_file(subject, at=at), xml_file(subject, at=at)]
    return [file for file in files if file is not None]


def pdf_file(subject: Invoice | CreditNote, *, at: datetime) -> File:
    return File(_name(subject, "pdf"), issued_pdf(subject, at=at), "application/pdf")


def xml_file(subject: Invoice | CreditNote, *, at: datetime) -> File | None:
    content = issued_xml(subject, at=at)
    return File(_name(subject, "xml"), content, "application/xml") if content is not None else None


def _name(subject: Invoice | CreditNote, ending: str) -> str:
    """In the language of the document."""
    with override(str(subject.buyer["language"])):
        name = (
            _("invoice-%(number)s.%(ending)s")
            if isinstance(subject, Invoice)
            else _("credit-note-%(number)s.%(ending)s")
        )
    return name % {"number": subject, "ending": ending}


def kept_document(subject: Invoice | CreditNote, *, kind: str, language: str) -> bytes | None:
    """A document of an invoice or a credit note; None when it was never handed out. One query."""
    kept = IssuedDocument.objects.filter(**_of(subject), kind=kind, language=language)
    content = kept.values_list("content", flat=True).first()
    return bytes(content) if content is not None else None


def keep_document(subject: Invoice | CreditNote, *, kind: str, language: str, content: bytes, at: datetime) -> bytes:
    """Keeps a document for ever. Returns the one that is kept: two people who ask at once get the same bytes."""
    row = IssuedDocument(
        **_of(subject), kind=kind, language=language, content=content, digest=sha256(content).hexdigest(), created_at=at
    )
    IssuedDocument.objects.bulk_create([row], ignore_conflicts=True)
    kept = IssuedDocument.objects.values_list("content", flat=True)
    return bytes(kept.get(**_of(subject), kind=kind, language=language))


def _make_pdf(subject: Invoice | CreditNote, at: datetime) -> bytes:
    if format_of(subject) == Format.FACTURX:
        return facturx_pdf(subject, _terms(subject), at=at)
    return invoice_pdf(subject, at=at) if isinstance(subject, Invoice) else credit_note_pdf(subject, at=at)


def _terms(subject: Invoice | CreditNote) -> Terms:
    return terms_of(subject) if isinstance(subject, Invoice) else terms_of_note(subject)


def _of(subject: Invoice | CreditNote) -> dict[str, Invoice | CreditNote]:
    return {"invoice" if isinstance(subject, Invoice) else "credit_note": subject}
