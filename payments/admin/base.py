"""What the staff pages of payments share: rows that cannot be edited, and deeds that ask first."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import NotAllowed
from accounts.admin.base import PortalInline, ReadOnlyAdmin, access_of_staff
from accounts.admin.changes import belongs_to
from billing_portal.core.staff_pages import confirm
from payments.gateways.registry import UnknownGateway
from payments.operations import CannotChangeMethod, CannotPlan, CannotRecord, CannotRefund, CannotRelease, NoAnswer

REFUSALS = (
    *(CannotChangeMethod, CannotPlan, CannotRecord, CannotRefund, CannotRelease),
    *(NoAnswer, NotAllowed, UnknownGateway),
)


class ReadOnlyInline(PortalInline):
    can_delete = False

    def has_add_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False


class DeedsAdmin(ReadOnlyAdmin):
    """Read-only rows with deeds. Doing one takes the permission to change the row, which nobody can use otherwise.

    ``deeds`` maps the last part of an address to the name of the method that serves it.
    """

    deeds: dict[str, str] = {}
    actions = None

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        own = [
            path(
                f"<path:object_id>/{deed}/",
                self.admin_site.admin_view(getattr(self, method)),
                name=f"{name}_{deed.replace('-', '_')}",
            )
            for deed, method in self.deeds.items()
        ]
        return [*own, *super().get_urls()]

    def may_act(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        context["may_act"] = self.may_act(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def row(self, request: HttpRequest, object_id: str) -> Any:
        """The row a deed is about. Raises PermissionDenied, Http404."""
        if not self.may_act(request):
            raise PermissionDenied(_("Your staff account may look at this, but not act on it."))
        try:
            pk = self.opts.pk.to_python(object_id) if self.opts.pk is not None else object_id
        except forms.ValidationError:
            pk = None
        return get_object_or_404(self.get_queryset(request), pk=pk)

    def page_of(self, row: Model) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])

    def ask(self, request: HttpRequest, *, row: Model | None = None, **page: Any) -> HttpResponse:
        """The page that says what will happen, with the button that does it."""
        queue = reverse(f"admin:{self.opts.app_label}_payment_changelist")
        return confirm(self, request, row=row, back=self.page_of(row) if row is not None else queue, **page)

    def do(
        self, request: HttpRequest, deed: Callable[[], str | Promise], row: Model, *, action: str = ""
    ) -> HttpResponse:
        """Does it, tells what came of it (or why it was refused), and goes back to the row.

        ``action`` is audited afterwards, where the operation itself does not know who asked for it.
        """
        try:
            said = deed()
        except REFUSALS as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        else:
            if action:
                belongs = belongs_to(getattr(row, "payment", row))
                audit.record(
                    access=access_of_staff(request), at=timezone.now(), action=action, subject=str(row)[:120], **belongs
                )
            self.message_user(request, str(said), messages.SUCCESS)
        return HttpResponseRedirect(self.page_of(row))
