"""Staff actions: what staff do about a row, each on a page of its own that asks first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import NotAllowed
from accounts.admin.base import PortalAdmin, access_of_staff
from accounts.audit import belongs_to
from billing_portal.core.staff_pages import confirm


class RowForm(forms.Form):
    """About a row that the form itself need not know."""

    def __init__(self, *args: Any, row: Model, **kwargs: Any) -> None:  # noqa: ARG002  other forms need it
        super().__init__(*args, **kwargs)


@dataclass(frozen=True, kw_only=True)
class StaffAction:
    """What the confirmation page of an action says, and for which rows a link offers it. ``audit`` is recorded
    afterwards, where the operation itself does not know who asked for it."""

    address: str
    title: str | Promise
    link: str | Promise = ""  # the title, unless it is another
    is_offered: Callable[[Any], object] = lambda _row: True
    text: Sequence[str | Promise] | Callable[[Any], Sequence[str | Promise]]
    button: str | Promise | None = None
    form: Callable[..., forms.Form] | None = None
    facts: Callable[[Any], Sequence[tuple[Any, Any]]] = lambda _row: ()
    answer: tuple[str, str] = ("", "")
    other_answer: tuple[str, str | Promise] = ("", "")
    audit: str = ""

    def __call__[Method: Callable[..., str | None]](self, perform: Method) -> Method:
        """Makes a method ``(self, access, row, data)`` of a `StaffActionAdmin` this action. It performs the action with
        what was filled in and the ``answer`` that was chosen, and returns what to tell the person."""
        perform.staff_action = self  # type: ignore[attr-defined]  # kept on the method
        return perform


class StaffActionAdmin(PortalAdmin):
    """Rows with staff actions, for whoever may change the row. What an operation refuses is told (``refusals``)."""

    def get_urls(self) -> list[URLPattern]:
        urls = super().get_urls()
        for action, perform in self._staff_actions():
            view = self.admin_site.admin_view(partial(self._serve, action, perform))
            urls.insert(0, path(f"<path:object_id>/{action.address}/", view, name=self._url_name(action.address)))
        return urls

    def _staff_actions(self) -> list[tuple[StaffAction, Callable[..., str | None]]]:
        methods = [method for method in vars(type(self)).values() if hasattr(method, "staff_action")]
        return [(method.staff_action, partial(method, self)) for method in methods]

    def _url_name(self, address: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{address.replace('-', '_')}"

    def links(self, request: HttpRequest, row: Any) -> list[tuple[str | Promise, str]]:
        """Labels and addresses above a row: the actions that are offered for it."""
        return [
            (action.link or action.title, reverse(f"admin:{self._url_name(action.address)}", args=[row.pk]))
            for action, _perform in self._staff_actions()
            if self.may_act(request) and action.is_offered(row)
        ]

    def may_act(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def require_may_act(self, request: HttpRequest) -> None:
        if not self.may_act(request):
            raise PermissionDenied(_("Your staff account may look at this, but not act on it."))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = context.get("original")
        context["links"] = self.links(request, row) if row is not None else []
        return super().render_change_form(request, context, *args, **kwargs)

    def page_of(self, row: Model) -> str:
        return reverse(f"admin:{self._url_name('change')}", args=[row.pk])

    def _serve(
        self, action: StaffAction, perform: Callable[..., str | None], request: HttpRequest, object_id: str
    ) -> HttpResponse:
        """Asks, performs, tells what came of it. A refusal is told above the form, or back on the page of the row."""
        self.require_may_act(request)
        row = self.row_or_404(request, object_id)
        form = action.form(request.POST or None, row=row) if action.form is not None else None
        page = partial(
            confirm,
            self,
            request,
            title=action.title,
            text=action.text(row) if callable(action.text) else action.text,
            button=action.button or action.title,
            back=self.page_of(row),
            row=row,
            form=form,
            facts=action.facts(row),
            answer=action.answer,
            other_answer=action.other_answer,
        )
        if request.method != "POST" or (form is not None and not form.is_valid()):
            return page()
        refusals: tuple[type[Exception], ...] = (NotAllowed, *self.refusals)
        access, data = access_of_staff(request), form.cleaned_data if form is not None else {}
        if action.other_answer[0]:
            data[action.answer[0]] = request.POST.get(action.answer[0], "")
        try:
            message = perform(access, row, data)
        except refusals as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            if form is not None:
                return page()
        else:
            if action.audit:
                belongs = belongs_to(getattr(row, "payment", row))
                audit.record(access=access, at=timezone.now(), action=action.audit, subject=str(row)[:120], **belongs)
            if message:
                self.message_user(request, message, messages.SUCCESS)
        return HttpResponseRedirect(self.page_of(row))
