"""Files to keep: invoices and credit notes as PDF, and tables as CSV or for Excel.

The rows of a table are read some hundreds at a time, like the pages of a list. A database cursor would finish the whole
answer first, or keep a transaction open for as long as the download takes.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from tempfile import TemporaryFile
from typing import IO

from babel.numbers import get_decimal_symbol
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from xlsxwriter import Workbook

from accounts.access import Access
from accounts.decorators import profile_view
from accounts.roles import Permission
from invoices.models import CreditNote, Invoice
from invoices.money import Money, exponent
from invoices.operations.document_archive import pdf_file, xml_file

Cell = str | date | Decimal | Money | None
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
BYTE_ORDER_MARK = "\ufeff"  # without it spreadsheets read the file as if it were not UTF-8
SPREADSHEET_DIGITS = 15
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


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


class Echo:
    """A file that hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def table_response(kind: str, name: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> HttpResponseBase:
    """The download of a table as ``csv`` or ``xlsx``. ``name`` gets the ending; no text is taken for a formula."""
    if kind == "xlsx":
        return FileResponse(_workbook(head, rows), as_attachment=True, filename=f"{name}.xlsx")
    return StreamingHttpResponse(
        _lines(head, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def _lines(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """As the spreadsheets of the reader's language read them: where the decimal mark is a comma, semicolons part."""
    mark = get_decimal_symbol(get_language() or "en")
    write = csv.writer(Echo(), delimiter=";" if mark == "," else ",").writerow

    def text(cell: Cell) -> object:
        if isinstance(cell, Money | Decimal):
            return f"{cell.amount if isinstance(cell, Money) else cell:f}".replace(".", mark)
        return plain(cell) if isinstance(cell, str) else cell

    yield BYTE_ORDER_MARK + write(map(plain, head))
    for cells in rows:
        yield write(map(text, cells))


def _workbook(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> IO[bytes]:
    """Written to the disk row by row. Amounts are numbers with the decimals of their currency, days are dates. A number
    of more digits than a spreadsheet keeps is a text."""
    file = TemporaryFile()  # noqa: SIM115  closed when it has been sent
    with Workbook(file, {"constant_memory": True, "default_date_format": "yyyy-mm-dd"}) as book:
        sheet, bold = book.add_worksheet(), book.add_format({"bold": True})
        amounts = {digits: book.add_format({"num_format": f"#,##0.{'0' * digits}".rstrip(".")}) for digits in range(5)}
        sheet.freeze_panes(1, 0)
        for column, name in enumerate(head):
            sheet.set_column(column, column, max(18, len(name) + 4))
            sheet.write_string(0, column, name, bold)
        for line, cells in enumerate(rows, start=1):
            for column, cell in enumerate(cells):
                if isinstance(cell, Money):
                    sheet.write_number(line, column, cell.amount, amounts[exponent(cell.currency)])
                elif isinstance(cell, Decimal) and len(cell.as_tuple().digits) <= SPREADSHEET_DIGITS:
                    sheet.write_number(line, column, cell)
                elif isinstance(cell, date):
                    sheet.write_datetime(line, column, cell)
                elif cell:
                    sheet.write_string(line, column, f"{cell:f}" if isinstance(cell, Decimal) else cell)
    file.seek(0)
    return file


def plain(text: str) -> str:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front, which makes it text again."""
    return f"'{text}" if text.startswith(STARTS_A_FORMULA) else text
