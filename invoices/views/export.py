"""The list of invoices as a CSV file: everything that the filters leave, streamed, so its length costs no memory.

The rows are read some hundreds at a time, each time after the last one, like the pages of the list. A cursor of the
database would have to finish the whole answer before its first row, or keep a transaction open for as long as somebody
takes to download.
"""

import csv
from collections.abc import Iterator

from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.models import InvoiceSection
from accounts.roles import Permission
from accounts.scoping import profile_view
from billing_portal.core.paging import Sort, in_pages
from invoices.forms import Filters
from invoices.models import Invoice
from invoices.states import Label
from invoices.views.rows import Rows

BYTE_ORDER_MARK = "\ufeff"  # without it spreadsheets read the file as if it were not UTF-8
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Echo:
    """A file that hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def invoice_csv(request: HttpRequest, access: Access) -> StreamingHttpResponse:
    """The same rows and filters as the list, and its order, unless that can change while the file is made."""
    rows = Rows(access, timezone.now())
    filters = Filters.read(request.GET, list(InvoiceSection.objects.visible_to(access)))
    invoices = filters.apply(Invoice.objects.visible_to(access), rows.today)
    # A payment made meanwhile would move a row to where it is read again; by date each row stands once.
    sort = Sort("issued_on") if filters.order.column == "amount_due_minor" else filters.order
    name = f"invoices-{rows.profile.code}-{rows.today.isoformat()}.csv"
    return StreamingHttpResponse(
        _lines(in_pages(invoices, sort=sort), rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _lines(invoices: Iterator[Invoice], rows: Rows) -> Iterator[str]:
    write = csv.writer(Echo()).writerow
    labels = {label: str(label.label) for label in Label}
    kinds = {value: str(label) for value, label in Invoice.Kind.choices}
    yield BYTE_ORDER_MARK + write(_head())
    for invoice in invoices:
        label = invoice.label_on(rows.today)
        cells = [
            invoice.number,
            kinds[invoice.kind],
            invoice.issued_on,
            invoice.due_on,
            invoice.currency,
            invoice.total.amount,
            invoice.amount_due.amount,
            labels[label],
            invoice.payment_reference,
            invoice.po_number,
        ]
        yield write([plain(cell) if isinstance(cell, str) else cell for cell in cells])


def _head() -> list[str]:
    return [
        _("Invoice number"),
        _("Type"),
        _("Invoice date"),
        _("Due date"),
        _("Currency"),
        _("Billed"),
        _("Amount due"),
        _("Status"),
        _("Payment reference"),
        _("PO number"),
    ]


def plain(text: str) -> str:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front, which makes it text again."""
    return f"'{text}" if text.startswith(STARTS_A_FORMULA) else text
