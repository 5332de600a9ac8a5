"""Invoices and credit notes as files to keep."""

import re

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.decorators import profile_view
from accounts.roles import Permission
from invoices.models import CreditNote, Invoice
from invoices.operations.document_archive import issued_pdf

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def pdf(_request: HttpRequest, access: Access, number: str) -> HttpResponse:
    """Sent as an attachment under a name of our own making."""
    invoices = Invoice.objects.visible_to(access).select_related("profile__account")
    invoice = get_object_or_404(invoices, number=number)
    content = issued_pdf(invoice, at=timezone.now())
    return pdf_response(content, _("invoice-%(number)s.pdf") % {"number": invoice.number})


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def credit_note_pdf(_request: HttpRequest, access: Access, note: str) -> HttpResponse:
    """The credit note of an invoice that the person may see."""
    notes = CreditNote.objects.visible_to(access).select_related("invoice")
    row = get_object_or_404(notes, number=note)
    content = issued_pdf(row, at=timezone.now())
    return pdf_response(content, _("credit-note-%(number)s.pdf") % {"number": row.number})


def pdf_response(content: bytes, name: str) -> HttpResponse:
    """A download that no cache keeps: what is in it belongs to one customer."""
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=UNSAFE.sub("-", name))
    response["Cache-Control"] = "private, no-store"
    return response
