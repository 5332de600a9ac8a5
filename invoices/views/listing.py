"""The list of invoices of a billing profile, as a page and as a CSV file."""

from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.decorators import profile_view
from accounts.models import InvoiceSection
from accounts.roles import Permission
from billing_portal.core.paging import Sort, in_pages, page_of
from invoices.forms import SORTS, STATUSES, Filters, Period
from invoices.models import Invoice
from invoices.summaries import summary_of
from invoices.views.downloads import csv_response
from invoices.views.rows import Rows

COUNT_LIMIT = 1000


@require_safe
@profile_view(Permission.INVOICE_VIEW)
def invoice_list(request: HttpRequest, access: Access) -> HttpResponse:
    """Fifty invoices, newest first unless asked otherwise. htmx asks for the grid alone when a filter changes."""
    rows = Rows(access, at := timezone.now())
    sections = list(InvoiceSection.objects.visible_to(access).order_by("name"))
    filters = Filters.read(request.GET, sections)
    context = _grid(rows, filters, request.GET.get("page", ""))
    htmx = request.htmx  # type: ignore[attr-defined]
    if htmx.target == "invoice-grid" and not htmx.history_restore_request:
        response = render(request, "invoices/_grid.html", {**context, "alone": True})
        response["HX-Replace-Url"] = context["here"]
        return response
    context |= {
        "at": at,
        "profile": rows.profile,
        "may_pay": rows.may_pay,
        "summary": summary_of(rows.profile, rows.today),
        "statuses": [(status.value, status.label) for status in STATUSES],
        "periods": Period.choices,
        "sections": [(str(section.pk), section.name) for section in sections],
        "refusal": None if access.can(Permission.INVOICE_PAY) else access.refusal(Permission.INVOICE_PAY),
    }
    return render(request, "invoices/list.html", context)


def _grid(rows: Rows, filters: Filters, word: str) -> dict[str, Any]:
    """What `invoices/_grid.html` needs: the rows of one page, and the addresses of everything around them."""
    access, path = rows.access, reverse("invoices:list", args=[rows.profile.code])
    invoices = filters.apply(Invoice.objects.visible_to(access), rows.today)
    page = page_of(invoices.for_rows(), word, sort=filters.order)
    is_whole = not (page.newer or page.older)
    csv = reverse("invoices:csv", args=[rows.profile.code]) if rows.may_download else ""
    return {
        "filters": filters,
        "rows": [rows.row(invoice) for invoice in page.rows],
        "count": len(page.rows) if is_whole else invoices.count_up_to(COUNT_LIMIT),
        "count_limit": COUNT_LIMIT,
        "list_url": path,
        "here": path + filters.query(page=word),
        "newer_url": page.newer and path + filters.query(page=page.newer),
        "older_url": page.older and path + filters.query(page=page.older),
        "newer_text": _("Newer") if filters.is_by_date else _("Previous"),
        "older_text": _("Older") if filters.is_by_date else _("Next"),
        "sorts": {key: _sort(path, filters, key) for key in SORTS},
        "csv_url": csv and csv + filters.query(),
    }


def _sort(path: str, filters: Filters, key: str) -> dict[str, str]:
    """Of a column's heading: how it is sorted now, and where pressing it leads."""
    now = {f"-{key}": "descending", key: "ascending"}.get(filters.sort, "")
    return {"key": key, "now": now, "url": path + filters.query(sort=key if now == "descending" else f"-{key}")}


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def invoice_csv(request: HttpRequest, access: Access) -> StreamingHttpResponse:
    """The same rows and filters as the list, and its order, unless that can change while the file is made."""
    rows = Rows(access, timezone.now())
    filters = Filters.read(request.GET, list(InvoiceSection.objects.visible_to(access)))
    invoices = filters.apply(Invoice.objects.visible_to(access), rows.today)
    # A payment made meanwhile would move a row to where it is read again; by date each row stands once.
    sort = Sort("issued_on") if filters.order.column == "amount_due_minor" else filters.order
    head = [
        _("Invoice number"), _("Type"), _("Invoice date"), _("Due date"), _("Currency"), _("Billed"), _("Amount due"),
        _("Status"), _("Payment reference"), _("PO number"),
    ]  # fmt: skip
    name = f"invoices-{rows.profile.code}-{rows.today.isoformat()}.csv"
    return csv_response(name, head, map(rows.cells, in_pages(invoices, sort=sort)))
