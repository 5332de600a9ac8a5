"""The staff page that shows a document as it is kept, or a draft as it would be issued now."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.base import access_of_staff
from invoices.documents.typesetting import MissingGlyphs, page_count
from invoices.models import CreditNote, Invoice
from invoices.operations.document_archive import files_of, pdf_file
from invoices.operations.issuing import CannotIssue
from invoices.operations.previews import preview_pdf
from invoices.states import InvoiceStatus, WrongState
from invoices.views.document import page_response
from invoices.views.downloads import file_response

# A preview is made once for all its pages.
KEPT_FOR = 300
LABEL, PREVIEW = gettext_lazy("View the document"), gettext_lazy("Preview")


def document_urls(model_admin: admin.ModelAdmin) -> list[URLPattern]:
    """The pages of a document, for the staff pages of its model."""
    pages, name = _Pages(model_admin), f"invoices_{model_admin.opts.model_name}"

    def wrap(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        return model_admin.admin_site.admin_view(pages.or_back(view))

    return [
        path("<int:pk>/document/", wrap(pages.show), name=f"{name}_document"),
        path("<int:pk>/document/<int:page>.png", wrap(pages.page), name=f"{name}_page"),
        path("<int:pk>/document/<str:kind>", wrap(pages.download), name=f"{name}_download"),
    ]


class _Pages:
    def __init__(self, model_admin: admin.ModelAdmin) -> None:
        self.model_admin, self.opts = model_admin, model_admin.opts

    def or_back(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        """The view, and where its document cannot be made, the page of the row with the reason."""

        def guarded(request: HttpRequest, pk: int, **which: Any) -> HttpResponse:
            try:
                return view(request, pk, **which)
            except (CannotIssue, WrongState) as refusal:
                words = str(refusal)
            except MissingGlyphs as refusal:
                todo = _("Correct the draft; in place of what is issued, make a credit note and a new invoice.")
                words = f"{refusal} {todo}"
            self.model_admin.message_user(request, words, messages.ERROR)
            return HttpResponseRedirect(self._back(pk))

        return guarded

    def _back(self, pk: int) -> str:
        return reverse(f"admin:invoices_{self.opts.model_name}_change", args=[pk])

    def show(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = self._row(request, pk)
        content = _content(request, row, afresh=True)
        is_draft = _is_draft(row)
        files = [] if is_draft else files_of(row, at=timezone.now())
        context: dict[str, Any] = {
            **self.model_admin.admin_site.each_context(request),
            "title": _("Preview of %(draft)s") % {"draft": row} if is_draft else str(row),
            "opts": self.opts,
            "row": row,
            "back": self._back(pk),
            "is_draft": is_draft,
            "pages": [
                reverse(f"admin:invoices_{self.opts.model_name}_page", args=[pk, page])
                for page in range(1, page_count(content) + 1)
            ],
            "files": [
                (reverse(f"admin:invoices_{self.opts.model_name}_download", args=[pk, file.name]), file.name)
                for file in files
            ],
        }
        return render(request, "admin/invoices/document.html", context)

    def page(self, request: HttpRequest, pk: int, page: int) -> HttpResponse:
        return page_response(_content(request, self._row(request, pk)), page)

    def download(self, request: HttpRequest, pk: int, kind: str) -> HttpResponse:
        row = self._row(request, pk)
        if not _is_draft(row):
            for file in files_of(row, at=timezone.now()):
                if file.name == kind:
                    return file_response(*file)
        return HttpResponse(status=404)

    def _row(self, request: HttpRequest, pk: int) -> Invoice | CreditNote:
        row: Invoice | CreditNote
        if self.opts.model is Invoice:
            row = get_object_or_404(Invoice.objects.select_related("profile__account"), pk=pk)
        else:
            row = get_object_or_404(CreditNote.objects.select_related("invoice", "profile__account"), pk=pk)
        if not self.model_admin.has_view_permission(request, row):
            raise PermissionDenied
        return row


def _is_draft(row: Invoice | CreditNote) -> bool:
    return isinstance(row, Invoice) and row.status == InvoiceStatus.DRAFT


def _content(request: HttpRequest, row: Invoice | CreditNote, *, afresh: bool = False) -> bytes:
    if not _is_draft(row):
        return pdf_file(row, at=timezone.now()).content
    key = f"preview:{request.user.pk}:{row.pk}"
    content: bytes | None = None if afresh else cache.get(key)
    if content is None:
        content = preview_pdf(access=access_of_staff(request), invoice_id=row.pk, at=timezone.now())
        cache.set(key, content, KEPT_FOR)
    return content
