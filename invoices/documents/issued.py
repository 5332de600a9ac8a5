"""The documents that are handed out: made once for each language, kept, and the same bytes ever after."""

from datetime import datetime

from django.utils.translation import get_language

from invoices.documents.credit_note import credit_note_pdf
from invoices.documents.invoice import invoice_pdf
from invoices.models import CreditNote, Invoice
from invoices.operations import keep_document, kept_document


def issued_pdf(subject: Invoice | CreditNote, *, at: datetime) -> bytes:
    """The PDF of an issued invoice or of a credit note in the language that is active.

    An invoice needs ``profile.account`` loaded, a credit note its ``invoice``. Never call it inside a transaction.
    """
    language = get_language() or "en"
    content = kept_document(subject, language=language)
    if content is None:
        make = invoice_pdf(subject, at=at) if isinstance(subject, Invoice) else credit_note_pdf(subject, at=at)
        content = keep_document(subject, language=language, content=make, at=at)
    return content
