"""What a draft would look like if it were issued now: the same steps, rolled back, and a watermark."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.access import Access
from billing_portal.core.time_zones import seller_day
from invoices.documents import invoice as invoice_document
from invoices.documents.typesetting import typeset
from invoices.models import Invoice
from invoices.operations.issuing import issue


def preview_pdf(*, access: Access, invoice_id: int, at: datetime) -> bytes:
    """The PDF of a draft, with the number that it would get now. Nothing is kept. Rights are the caller's. Raises what
    `issue` raises, and MissingGlyphs. Never call it inside a transaction."""
    with transaction.atomic():
        issue(access=access, invoice_id=invoice_id, today=seller_day(at), at=at)
        invoice = Invoice.objects.select_related("profile__account").get(pk=invoice_id)
        language = str(invoice.buyer["language"])
        with override(language):
            data = invoice_document.invoice_data(invoice) | {"watermark": _("Preview")}
        transaction.set_rollback(True)
    with override(language):
        return typeset(invoice_document.TEMPLATE, data, at=at)
