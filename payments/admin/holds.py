"""Who is held for trying too many cards, for staff: what was tried, and letting somebody go on."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import access_of_staff
from payments.admin.base import DeedsAdmin
from payments.admin.forms import ReasonForm
from payments.models import CardHold
from payments.operations import release_hold


class HeldNowFilter(admin.SimpleListFilter):
    """Who is held at this moment."""

    title = _("held now")
    parameter_name = "now"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        return [("people", _("People")), ("profiles", _("Billing profiles"))]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[CardHold]) -> QuerySet[CardHold]:
        if self.value() == "people":
            return queryset.filter(pk__in=CardHold.objects.current(timezone.now()).filter(profile=None))
        if self.value() == "profiles":
            return queryset.filter(pk__in=CardHold.objects.current(timezone.now()).filter(person=None))
        return queryset


@admin.register(CardHold)
class CardHoldAdmin(DeedsAdmin):
    list_display = ("whose", "reason", "tries", "since", "until", "state")
    list_filter = (HeldNowFilter, "reason", ("since", admin.DateFieldListFilter))
    list_select_related = ("person", "profile", "released_by")
    search_fields = ("=person__email", "=profile__code", "profile__name")
    search_help_text = _("Email address, or profile")
    ordering = ("-since", "-pk")
    fields = (
        "person", "profile", "reason", "tries", "since", "until", "state", "released_at", "released_by",
        "release_reason",
    )  # fmt: skip
    deeds = {"release": "release_view"}

    @admin.display(description=_("person or billing profile"))
    def whose(self, hold: CardHold) -> str:
        return str(hold)

    @admin.display(description=_("state"))
    def state(self, hold: CardHold) -> str:
        if hold.released_at is not None:
            return _now("Released")
        return _now("Held") if hold.is_current(timezone.now()) else _now("Over")

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        hold = context.get("original")
        context["is_held"] = hold is not None and hold.is_current(timezone.now())
        return super().render_change_form(request, context, *args, **kwargs)

    def release_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Lets somebody who is held try again."""
        hold = self.row(request, object_id)
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            return self.do(request, lambda: self._release(request, hold, form.cleaned_data["reason"]), hold)
        text = [
            _("The tries so far no longer count, so cards can be tried again at once, up to the same limit."),
            _("Make sure first that these are cards of the customer's own: many different ones can be stolen."),
        ]
        facts = [(_("Held"), hold), (_("What was counted"), hold.get_reason_display()), (_("Tries"), hold.tries)]
        title = button = _("Release")
        return self.ask(request, title=title, text=text, button=button, row=hold, form=form, facts=facts)

    def _release(self, request: HttpRequest, hold: CardHold, reason: str) -> str:
        release_hold(access=access_of_staff(request), hold_id=hold.pk, reason=reason, at=timezone.now())
        return _now("Released. %(whose)s can try cards again.") % {"whose": hold}
