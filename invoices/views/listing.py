"""The list of invoices of a billing profile, as a page and as a file."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import batched, chain
from typing import Any

from django.contrib import messages
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.decorators import profile_view
from accounts.models import InvoiceSection
from accounts.roles import Permission
from billing_portal.core.paging import Sort, in_pages, page_of
from invoices.documents.taxes import tax_text
from invoices.forms import SORTS, STATUSES, Filters, Period
from invoices.models import Invoice
from invoices.money import Money
from invoices.summaries import summary_of
from invoices.tables import Cell
from invoices.tax import ORDER
from invoices.views.downloads import table_response
from invoices.views.rows import Rows

COUNT_LIMIT = 1000
PAGE = 500
MAX_XLSX_ROWS = 20_000  # which takes some ten seconds to write


@require_safe
@profile_view(Permission.INVOICE_VIEW)
def invoice_list(request: HttpRequest, access: Access) -> HttpResponse:
    """Fifty invoices, newest first unless asked otherwise. htmx asks for the grid alone when a filter changes."""
    rows = Rows(access, at := timezone.now())
    sections = list(InvoiceSection.objects.visible_to(access).order_by("name"))
    filters = Filters.read(request.GET, sections)
    context = _grid(rows, filters, request.GET.get("page", ""))
    if request.headers.get("HX-Target") == "invoice-grid" and "HX-History-Restore-Request" not in request.headers:
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
    kinds = {"csv": _("CSV"), "xlsx": _("Excel")} if rows.may_download else {}
    downloads = [
        (kind, reverse(f"invoices:{kind}", args=[rows.profile.code]) + filters.query(), text)
        for kind, text in kinds.items()
    ]
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
        "downloads": downloads,
    }


def _sort(path: str, filters: Filters, key: str) -> dict[str, str]:
    """Of a column's heading: how it is sorted now, and where pressing it leads."""
    now = {f"-{key}": "descending", key: "ascending"}.get(filters.sort, "")
    return {"key": key, "now": now, "url": path + filters.query(sort=key if now == "descending" else f"-{key}")}


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def invoice_table(request: HttpRequest, access: Access, kind: str) -> HttpResponseBase:
    """The same rows and filters as the list, and its order, unless that can change while the file is made."""
    rows = Rows(access, timezone.now())
    filters = Filters.read(request.GET, list(InvoiceSection.objects.visible_to(access)))
    invoices = filters.apply(Invoice.objects.visible_to(access), rows.today)
    if kind == "xlsx" and invoices.count_up_to(MAX_XLSX_ROWS) > MAX_XLSX_ROWS:
        text = _(
            "An Excel file is made whole before it is sent, so it holds at most %(count)s invoices. Choose a period, "
            "or download CSV, which has no limit."
        )
        messages.error(request, text % {"count": MAX_XLSX_ROWS})
        return redirect(reverse("invoices:list", args=[rows.profile.code]) + filters.query())
    # A payment made meanwhile would move a row to where it is read again; by date each row stands once.
    sort = Sort("issued_on") if filters.order.column == "amount_due_minor" else filters.order
    invoices = invoices.annotate(brought_minor=F("closing__brought_minor"))
    head, lines = _table(rows, batched(in_pages(invoices, sort=sort, size=PAGE), PAGE))
    return table_response(kind, f"invoices-{rows.profile.code}-{rows.today.isoformat()}", head, lines)


def _table(rows: Rows, pages: Iterator[tuple[Invoice, ...]]) -> tuple[list[str], Iterator[list[Cell]]]:
    """Heading and rows. The tax rates of the first page have columns of their own, and where more pages follow, those
    that are met only later share one: a heading cannot wait for the last row."""
    first = next(pages, ())
    first_sums = _by_rate(rows.access, first)
    found = {treatment for of_invoice in first_sums.values() for treatment in of_invoice}
    treatments = sorted(found, key=lambda treatment: (ORDER[treatment[0]], -treatment[1]))
    has_rest = len(first) == PAGE
    head = [
        _("Invoice number"), _("Type"), _("Invoice date"), _("Due date"), _("Currency"), _("Billed"), _("Amount due"),
        _("Status"), _("Payment reference"), _("PO number"), _("Paid on"), _("Net"),
    ]  # fmt: skip
    for treatment in treatments:
        rate = {"rate": tax_text(*treatment)}
        head += [_("Net at %(rate)s") % rate, _("Tax at %(rate)s") % rate]
    head += [_("Net at other rates"), _("Tax at other rates")] if has_rest else []
    head.append(_("Of it carried over"))

    def lines() -> Iterator[list[Cell]]:
        later = ((page, _by_rate(rows.access, page)) for page in pages)
        for page, sums in chain([(first, first_sums)], later):
            for invoice in page:
                of_invoice = sums[invoice.pk]
                parts = [of_invoice.pop(treatment, (0, 0)) for treatment in treatments]
                if has_rest:
                    rest = of_invoice.values()
                    parts.append((sum(net for net, _tax in rest), sum(tax for _net, tax in rest)))
                brought = vars(invoice)["brought_minor"] or 0
                minors = [*chain.from_iterable(parts), brought]
                yield rows.cells(invoice) + [Money(minor, invoice.currency) for minor in minors]

    return head, lines()


def _by_rate(access: Access, invoices: Sequence[Invoice]) -> dict[int, dict[tuple[str, Decimal], tuple[int, int]]]:
    """Net and tax of invoices in minor units, by invoice, and tax category and rate. One query."""
    issued = Invoice.objects.visible_to(access).filter(pk__in=[invoice.pk for invoice in invoices])
    columns = ("category", "rate", "taxable_minor", "tax_minor")
    taxes: Any = (
        issued.order_by().filter(taxes__isnull=False).values_list("pk", *(f"taxes__{name}" for name in columns))
    )
    by_rate: dict[int, dict[tuple[str, Decimal], tuple[int, int]]] = {invoice.pk: {} for invoice in invoices}
    for invoice_id, category, rate, net, tax in taxes:
        by_rate[invoice_id][category, rate] = net, tax
    return by_rate
