"""Files to keep: invoices and credit notes as PDF, and tables as CSV or for Excel.

The rows of a table are read some hundreds at a time, like the pages of a list. A database cursor would finish the whole
answer first, or keep a transaction open for as long as the download takes.
"""

import re
from collections.abc import Callable, Iterable, Sequence

import structlog
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.decorators import profile_of, profile_view
from accounts.roles import Permission
from invoices.documents.typesetting import MissingGlyphs
from invoices.models import CreditNote, Invoice
from invoices.operations.document_archive import File, pdf_file, xml_file
from invoices.tables import Cell, csv_lines, workbook

log = structlog.get_logger("portal.documents")

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def pdf(request: HttpRequest, access: Access, number: str) -> HttpResponse:
    """Sent as an attachment under a name of our own making."""
    return download(request, access, find_invoice(access, number), pdf_file)


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def xml(request: HttpRequest, access: Access, number: str) -> HttpResponse:
    """The e-invoice as it was sent; 404 for an invoice that is none."""
    return download(request, access, find_invoice(access, number), xml_file)


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def credit_note_pdf(request: HttpRequest, access: Access, note: str) -> HttpResponse:
    return download(request, access, _credit_note(access, note), pdf_file)


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def credit_note_xml(request: HttpRequest, access: Access, note: str) -> HttpResponse:
    return download(request, access, _credit_note(access, note), xml_file)


def find_invoice(access: Access, number: str) -> Invoice:
    invoices = Invoice.objects.visible_to(access).select_related("profile__account")
    invoice: Invoice = get_object_or_404(invoices, number=number)
    return invoice


def _credit_note(access: Access, number: str) -> CreditNote:
    notes = CreditNote.objects.visible_to(access).select_related("invoice")
    note: CreditNote = get_object_or_404(notes, number=number)
    return note


def download(
    request: HttpRequest, access: Access, subject: Invoice | CreditNote, make: Callable[..., File | None]
) -> HttpResponse:
    """The file of an invoice or a credit note. Raises Http404 where there is none."""
    invoice = subject if isinstance(subject, Invoice) else subject.invoice
    back = reverse("invoices:detail", args=[profile_of(access).code, invoice.number])
    return made_response(request, lambda: make(subject, at=timezone.now()), about=str(subject), back=back)


def made_response(request: HttpRequest, make: Callable[[], File | None], *, about: str, back: str) -> HttpResponse:
    """A document that cannot be made is said on the page ``back``, and logged for staff. Raises Http404 where there is
    none."""
    try:
        file = make()
    except MissingGlyphs as error:
        log.exception("document not made", document=about)
        messages.error(request, _("%(error)s Write to us and we will correct it.") % {"error": error})
        return redirect(back)
    if file is None:
        raise Http404(_("There is no electronic invoice of this document."))
    return file_response(*file)


def file_response(name: str, content: bytes, media_type: str = "application/pdf") -> HttpResponse:
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
