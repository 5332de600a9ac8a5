"""Files to keep: invoices and credit notes as PDF, and tables as CSV or for Excel.

The rows of a table are read some hundreds at a time, like the pages of a list. A database cursor would finish the whole
answer first, or keep a transaction open for as long as the download takes.
"""

import re
from collections.abc import Iterable, Sequence

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.decorators import profile_view
from accounts.roles import Permission
from invoices.models import CreditNote, Invoice
from invoices.operations.document_archive import pdf_file, xml_file
from invoices.tables import Cell, csv_lines, workbook

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def pdf(_request: HttpRequest, access: Access, number: str) -> HttpResponse:
    """Sent as an attachment under a name of our own making."""
    invoices = Invoice.objects.visible_to(access).select_related("profile__account")
    invoice = get_object_or_404(invoices, number=number)
    file = pdf_file(invoice, at=timezone.now())
    return file_response(file.content, file.name)


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def xml(_request: HttpRequest, access: Access, number: str) -> HttpResponse:
    """The e-invoice as it was sent; 404 for an invoice that is none."""
    invoices = Invoice.objects.visible_to(access).select_related("profile__account")
    return _xml_response(get_object_or_404(invoices, number=number))


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def credit_note_xml(_request: HttpRequest, access: Access, note: str) -> HttpResponse:
    return _xml_response(
        get_object_or_404(CreditNote.objects.visible_to(access).select_related("invoice"), number=note)
    )


def _xml_response(subject: Invoice | CreditNote) -> HttpResponse:
    file = xml_file(subject, at=timezone.now())
    if file is None:
        raise Http404(_("There is no electronic invoice of this document."))
    return file_response(file.content, file.name, file.media_type)


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def credit_note_pdf(_request: HttpRequest, access: Access, note: str) -> HttpResponse:
    notes = CreditNote.objects.visible_to(access).select_related("invoice")
    file = pdf_file(get_object_or_404(notes, number=note), at=timezone.now())
    return file_response(file.content, file.name)


def file_response(content: bytes, name: str, media_type: str = "application/pdf") -> HttpResponse:
    """A download that no cache keeps: what is in it belongs to one customer."""
    response = HttpResponse(content, content_type=media_type)
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=UNSAFE.sub("-", name))
    response["Cache-Control"] = "private, no-store"
    return response


def table_response(kind: str, name: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> HttpResponseBase:
    """The download of a table as ``csv`` or ``xlsx``. ``name`` gets the ending; no text is taken for a formula."""
    if kind == "xlsx":
        return FileResponse(workbook(head, rows), as_attachment=True, filename=f"{name}.xlsx")
    return StreamingHttpResponse(
        csv_lines(head, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )
