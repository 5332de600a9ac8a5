"""Files to keep: invoices and credit notes as PDF, and tables as CSV.

A table is streamed and its rows are read some hundreds at a time, like the pages of a list. A database cursor would
finish the whole answer first, or keep a transaction open for as long as the download takes.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
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
BYTE_ORDER_MARK = "\ufeff"  # without it spreadsheets read the file as if it were not UTF-8
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


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


class Echo:
    """A file that hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def csv_response(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """The download of a table under a file name. Texts in ``rows`` are made safe for spreadsheets."""
    return StreamingHttpResponse(
        _lines(head, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _lines(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    write = csv.writer(Echo()).writerow
    yield BYTE_ORDER_MARK + write(head)
    for cells in rows:
        yield write([plain(cell) if isinstance(cell, str) else cell for cell in cells])


def plain(text: str) -> str:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front, which makes it text again."""
    return f"'{text}" if text.startswith(STARTS_A_FORMULA) else text
