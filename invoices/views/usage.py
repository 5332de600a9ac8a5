"""The usage detail of an invoice, as a file."""

from django.contrib import messages
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.decorators import profile_of, profile_view
from accounts.roles import Permission
from invoices.models import Invoice
from invoices.operations.usage import charges_of, usage_head, usage_rows
from invoices.views.downloads import UNSAFE, table_response

MAX_XLSX_ROWS = 50_000  # which takes some ten seconds to write


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def usage_table(request: HttpRequest, access: Access, number: str, kind: str) -> HttpResponseBase:
    """404 for an invoice that was not made from charges."""
    invoice = get_object_or_404(Invoice.objects.visible_to(access), number=number)
    charges = charges_of(invoice)
    if not charges.exists():
        raise Http404(_("This invoice was not made from charges."))
    if kind == "xlsx" and charges.order_by()[MAX_XLSX_ROWS : MAX_XLSX_ROWS + 1].exists():
        text = _(
            "An Excel file is made whole before it is sent, so it holds at most %(count)s charges. Download CSV, which"
            " has no limit."
        )
        messages.error(request, text % {"count": MAX_XLSX_ROWS})
        return redirect("invoices:detail", profile_of(access).code, number)
    name = UNSAFE.sub("-", _("usage-%(number)s") % {"number": number})
    return table_response(kind, name, usage_head(), usage_rows(invoice))
