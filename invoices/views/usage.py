"""The usage detail of an invoice: every charge with its day, as a file. Exact, so it adds up to the lines."""

from collections.abc import Iterator

from django.contrib import messages
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.decorators import profile_of, profile_view
from accounts.roles import Permission
from billing_portal.core.paging import Sort, in_pages
from invoices.documents.taxes import tax_text
from invoices.models import Invoice
from invoices.operations.closing import SAME
from invoices.units import unit_name
from invoices.views.downloads import UNSAFE, Cell, table_response

MAX_XLSX_ROWS = 50_000  # which takes some ten seconds to write


def billed_before(invoice: Invoice) -> Invoice:
    """The invoice that has the charges: charges of a void one stay with it when another takes its place."""
    while invoice.replaces is not None and not hasattr(invoice, "closing"):
        invoice = invoice.replaces
    return invoice


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def usage_table(request: HttpRequest, access: Access, number: str, kind: str) -> HttpResponseBase:
    """One row for each charge, in the order in which they were recorded, with the position of its line, which is empty
    where that was changed when the invoice was made again. 404 for an invoice that was not made from charges."""
    invoice = get_object_or_404(Invoice.objects.visible_to(access), number=number)
    charges = billed_before(invoice).billed_charges.select_related("section")
    if not charges.exists():
        raise Http404(_("This invoice was not made from charges."))
    if kind == "xlsx" and charges.order_by()[MAX_XLSX_ROWS : MAX_XLSX_ROWS + 1].exists():
        text = _(
            "An Excel file is made whole before it is sent, so it holds at most %(count)s charges. Download CSV, which"
            " has no limit."
        )
        messages.error(request, text % {"count": MAX_XLSX_ROWS})
        return redirect("invoices:detail", profile_of(access).code, number)
    head = [
        _("Line"), _("Invoice section"), _("Description"), _("Date"), _("Type"), _("Quantity"), _("Unit"),
        _("Unit price"), _("Amount, not rounded"), _("Currency"), _("Tax rate"), _("Reference"),
    ]  # fmt: skip

    def rows() -> Iterator[list[Cell]]:
        names = [name.replace("tax_percent", "tax_rate") for name in SAME]
        positions = {tuple(key): position for position, *key in invoice.lines.values_list("position", *names)}
        for charge in in_pages(charges, sort=Sort(descending=False)):
            position = positions.get(tuple(getattr(charge, name) for name in SAME))
            yield [
                str(position or ""), charge.section.name, charge.description, charge.happened_on,
                charge.get_kind_display(), charge.quantity, unit_name(charge.unit, charge.quantity), charge.unit_price,
                charge.exact_amount, invoice.currency, tax_text(charge.tax_category, charge.tax_percent),
                charge.source_reference,
            ]  # fmt: skip

    name = UNSAFE.sub("-", _("usage-%(number)s") % {"number": number})
    return table_response(kind, name, head, rows())
