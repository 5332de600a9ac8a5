"""What the staff pages of payments share: rows that cannot be edited, and actions that ask first."""

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
from payments.operations.autopay import CannotPlan
from payments.operations.card_holds import CannotRelease
from payments.operations.gateway_calls import NoAnswer
from payments.operations.manual_payments import CannotRecord
from payments.operations.methods import CannotChangeMethod
from payments.operations.refunds import CannotRefund

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


class StaffActionAdmin(ReadOnlyAdmin):
    """Read-only rows with staff actions, each on a page of its own. Taking one needs the permission to change the row,
    which nobody can use otherwise.

    ``row_actions`` maps the last part of an address to the name of the method that serves it.
    """

    row_actions: dict[str, str] = {}
    actions = None

    class Media:
        css = {"all": ("admin-theme/payments.css",)}

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        own = [
            path(
                f"<path:object_id>/{action}/",
                self.admin_site.admin_view(getattr(self, method)),
                name=f"{name}_{action.replace('-', '_')}",
            )
            for action, method in self.row_actions.items()
        ]
        return [*own, *super().get_urls()]

    def may_act(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def require_may_act(self, request: HttpRequest) -> None:
        if not self.may_act(request):
            raise PermissionDenied(_("Your staff account may look at this, but not act on it."))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        context["may_act"] = self.may_act(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def row(self, request: HttpRequest, object_id: str) -> Any:
        """The row that an action is about. Raises PermissionDenied, Http404."""
        self.require_may_act(request)
        try:
            pk = self.opts.pk.to_python(object_id) if self.opts.pk is not None else object_id
        except forms.ValidationError:
            pk = None
        return get_object_or_404(self.get_queryset(request), pk=pk)

    def page_of(self, row: Model) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])

    def act(
        self,
        request: HttpRequest,
        row: Model,
        perform: Callable[[], str | Promise],
        *,
        form: forms.Form | None = None,
        audit_action: str = "",
        **page: Any,
    ) -> HttpResponse:
        """Asks first, on the confirmation page that ``page`` describes. When that is sent, performs the action, tells
        what came of it (or why it was refused), and goes back to the row.

        ``audit_action`` is recorded afterwards, where the operation itself does not know who asked for it.
        """
        if request.method != "POST" or (form is not None and not form.is_valid()):
            return confirm(self, request, row=row, form=form, back=self.page_of(row), **page)
        try:
            message = perform()
        except REFUSALS as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        else:
            if audit_action:
                audit.record(
                    access=access_of_staff(request),
                    at=timezone.now(),
                    action=audit_action,
                    subject=str(row)[:120],
                    **belongs_to(getattr(row, "payment", row)),
                )
            self.message_user(request, str(message), messages.SUCCESS)
        return HttpResponseRedirect(self.page_of(row))
