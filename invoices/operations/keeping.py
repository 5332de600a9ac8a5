"""Documents as they were first handed out. What a customer holds and what we hand out later are the same bytes, so the
first copy is kept and no later one is ever made."""

from datetime import datetime
from hashlib import sha256

from invoices.models import CreditNote, Invoice, IssuedDocument


def kept_document(subject: Invoice | CreditNote, *, language: str) -> bytes | None:
    """The document of an invoice or a credit note in a language; None when it was never handed out. One query."""
    found = _of(subject, language).values_list("content", flat=True).first()
    return bytes(found) if found is not None else None


def keep_document(subject: Invoice | CreditNote, *, language: str, content: bytes, at: datetime) -> bytes:
    """Keeps a document for ever, unless somebody else just did. Returns the one that is kept, which is what has to be
    handed out: two people who ask at once get the same bytes."""
    row = IssuedDocument(language=language, content=content, digest=sha256(content).hexdigest(), created_at=at)
    if isinstance(subject, Invoice):
        row.invoice = subject
    else:
        row.credit_note = subject
    IssuedDocument.objects.bulk_create([row], ignore_conflicts=True)
    return bytes(_of(subject, language).values_list("content", flat=True).get())


def _of(subject: Invoice | CreditNote, language: str):  # type: ignore[no-untyped-def]
    field = "invoice" if isinstance(subject, Invoice) else "credit_note"
    return IssuedDocument.objects.filter(**{field: subject.pk}, language=language)
