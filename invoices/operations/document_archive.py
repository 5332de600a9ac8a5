"""Documents as they were first handed out: made once for each language, kept, and the same bytes ever after."""

from datetime import datetime
from hashlib import sha256

from django.utils.translation import get_language

from invoices.documents.credit_note import credit_note_pdf
from invoices.documents.invoice import invoice_pdf
from invoices.models import CreditNote, Invoice, IssuedDocument


def issued_pdf(subject: Invoice | CreditNote, *, at: datetime) -> bytes:
    """The PDF of an issued invoice (needs ``profile.account``) or credit note (needs ``invoice``), in the active
    language. Never call it inside a transaction."""
    language = get_language() or "en"
    content = kept_document(subject, language=language)
    if content is None:
        pdf = invoice_pdf(subject, at=at) if isinstance(subject, Invoice) else credit_note_pdf(subject, at=at)
        content = keep_document(subject, language=language, content=pdf, at=at)
    return content


def kept_document(subject: Invoice | CreditNote, *, language: str) -> bytes | None:
    """The document of an invoice or a credit note in a language; None when it was never handed out. One query."""
    content = IssuedDocument.objects.filter(**_of(subject), language=language).values_list("content", flat=True).first()
    return bytes(content) if content is not None else None


def keep_document(subject: Invoice | CreditNote, *, language: str, content: bytes, at: datetime) -> bytes:
    """Keeps a document for ever. Returns the one that is kept: two people who ask at once get the same bytes."""
    row = IssuedDocument(
        **_of(subject), language=language, content=content, digest=sha256(content).hexdigest(), created_at=at
    )
    IssuedDocument.objects.bulk_create([row], ignore_conflicts=True)
    return bytes(IssuedDocument.objects.values_list("content", flat=True).get(**_of(subject), language=language))


def _of(subject: Invoice | CreditNote) -> dict[str, Invoice | CreditNote]:
    return {"invoice" if isinstance(subject, Invoice) else "credit_note": subject}
