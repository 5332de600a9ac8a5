"""An invoice or a credit note as it is kept, on a page: pictures of what the PDF holds."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.decorators import profile_of, profile_view
from accounts.roles import Permission
from invoices.documents.typesetting import page_count, page_image
from invoices.models import Invoice
from invoices.operations.document_archive import pdf_file
from invoices.views.downloads import file_response


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def invoice_document(request: HttpRequest, access: Access, number: str) -> HttpResponse:
    invoice = _invoice(access, number)
    pages = range(1, page_count(pdf_file(invoice, at=timezone.now()).content) + 1)
    return render(
        request, "invoices/document.html", {"invoice": invoice, "profile": profile_of(access), "pages": pages}
    )


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def invoice_page(_request: HttpRequest, access: Access, number: str, page: int) -> HttpResponse:
    return page_response(pdf_file(_invoice(access, number), at=timezone.now()).content, page)


def page_response(pdf: bytes, page: int) -> HttpResponse:
    """A page as an image. Raises Http404 for one that is not there."""
    if not 1 <= page <= page_count(pdf):
        raise Http404(_("The document has no such page."))
    response = file_response(page_image(pdf, page), f"{page}.png", "image/png")
    response["Content-Disposition"] = "inline"
    return response


def _invoice(access: Access, number: str) -> Invoice:
    invoices = Invoice.objects.visible_to(access).select_related("profile__account")
    invoice: Invoice = get_object_or_404(invoices, number=number)
    return invoice
