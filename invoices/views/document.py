"""An invoice or a credit note as it is kept, on a page: pictures of what the PDF holds."""

from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.decorators import profile_of, profile_view
from accounts.roles import Permission
from invoices.documents.typesetting import page_count, page_image
from invoices.operations.document_archive import pdf_file
from invoices.views.downloads import download, file_response, find_invoice


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def invoice_document(request: HttpRequest, access: Access, number: str) -> HttpResponse:
    invoice = find_invoice(access, number)
    made = download(request, access, invoice, pdf_file)
    if made.status_code != HTTPStatus.OK:
        return made
    pages = range(1, page_count(made.content) + 1)
    context = {"invoice": invoice, "profile": profile_of(access), "pages": pages}
    return render(request, "invoices/document.html", context)


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def invoice_page(request: HttpRequest, access: Access, number: str, page: int) -> HttpResponse:
    made = download(request, access, find_invoice(access, number), pdf_file)
    return page_response(made.content, page) if made.status_code == HTTPStatus.OK else made


def page_response(pdf: bytes, page: int) -> HttpResponse:
    """A page as an image. Raises Http404 for one that is not there."""
    if not 1 <= page <= page_count(pdf):
        raise Http404(_("The document has no such page."))
    response = file_response(f"{page}.png", page_image(pdf, page), "image/png")
    response["Content-Disposition"] = "inline"
    return response
