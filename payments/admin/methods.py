"""Stored cards for staff, to be seen and removed at a customer's wish; and who is held for trying too many cards."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.access import Access
from accounts.admin.base import ReadOnlyInline
from accounts.admin.staff_actions import StaffAction
from payments.admin.base import PaymentsAdmin
from payments.admin.forms import ReasonForm
from payments.declines import reason_in_words
from payments.models import CardHold, Detachment, MethodSetup, PaymentMethod
from payments.operations.card_holds import release_hold
from payments.operations.methods import CannotChangeMethod, remove_method


class DetachmentInline(ReadOnlyInline):
    model = Detachment
    fields = readonly_fields = ("gateway_method", "created_at", "done_at", "next_try_at", "tries", "last_error")


@admin.register(MethodSetup)
class MethodSetupAdmin(PaymentsAdmin):
    list_display = ("created_at", "profile", "status", "decline", "gateway", "created_by")
    list_filter = ("status", "gateway", "created_at")
    list_select_related = ("profile", "created_by")
    search_fields = ("=profile__code", "profile__name", "=setup_id", "=created_by__email")
    search_help_text = _("Profile, person, or the gateway's id")
    ordering = ("-created_at",)
    fields = (
        "profile", "status", "decline", "make_default", "method", "gateway", "setup_id", "created_at",
        "created_by", "finished_at",
    )  # fmt: skip

    @admin.display(description=_("reason for the decline"))
    def decline(self, setup: MethodSetup) -> str:
        return reason_in_words(setup.decline_code) or "-"


@admin.register(PaymentMethod)
class PaymentMethodAdmin(PaymentsAdmin):
    list_display = ("label", "profile", "expiry", "is_default", "status", "gateway", "created_at")
    list_filter = ("status", "is_default", "gateway", "brand")
    list_select_related = ("profile",)
    search_fields = ("=last_four", "=profile__code", "profile__name", "=gateway_method")
    search_help_text = _("Last four digits, profile, or the gateway's card id")
    ordering = ("-pk",)
    fields = (
        "label", "profile", "status", "is_default", "expiry", "gateway", "gateway_customer", "gateway_method",
        "created_at", "created_by", "removed_at",
    )  # fmt: skip
    inlines = (DetachmentInline,)

    @admin.display(description=_("expires"))
    def expiry(self, method: PaymentMethod) -> str:
        return method.expiry

    @StaffAction(
        address="remove",
        title=_("Remove card"),
        is_offered=lambda method: method.status == "active",
        text=[_("The card can no longer be used to pay. Earlier payments still name it. This cannot be undone.")],
        button=_("Remove"),
    )
    def remove(self, access: Access, method: PaymentMethod, _data: Any) -> str:
        try:
            remove_method(access=access, method_id=method.pk, at=timezone.now())
        except PaymentMethod.DoesNotExist as error:
            raise CannotChangeMethod(_now("This card was removed before.")) from error
        return _now("%(card)s was removed.") % {"card": method.label}


class HeldNowFilter(admin.SimpleListFilter):
    title = _("held now")
    parameter_name = "now"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        return [("people", _("People")), ("profiles", _("Billing profiles"))]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[CardHold]) -> QuerySet[CardHold]:
        if self.value() not in {"people", "profiles"}:
            return queryset
        current = CardHold.objects.current(timezone.now()).filter(profile__isnull=self.value() == "people")
        return queryset.filter(pk__in=current)


@admin.register(CardHold)
class CardHoldAdmin(PaymentsAdmin):
    list_display = ("whose", "reason", "tries", "since", "until", "state")
    list_filter = (HeldNowFilter, "reason", "since")
    list_select_related = ("person", "profile", "released_by")
    search_fields = ("=person__email", "=profile__code", "profile__name")
    search_help_text = _("Email address, or profile")
    ordering = ("-since", "-pk")
    fields = (
        "person", "profile", "reason", "tries", "since", "until", "state", "released_at", "released_by",
        "release_reason",
    )  # fmt: skip

    @admin.display(description=_("person or billing profile"))
    def whose(self, hold: CardHold) -> str:
        return str(hold)

    @admin.display(description=_("status"))
    def state(self, hold: CardHold) -> str:
        if hold.released_at is not None:
            return _now("Released")
        return _now("Held") if hold.is_current(timezone.now()) else _now("Ended")

    def links(self, request: HttpRequest, row: CardHold) -> list[tuple[str | Promise, str]]:
        links = super().links(request, row)
        for label, model, person in (
            (_("Payments"), "payment", "started_by"),
            (_("Cards being added"), "methodsetup", "created_by"),
        ):
            if request.user.has_perm(f"payments.view_{model}"):
                column, pk = (person, row.person_id) if row.person_id else ("profile", row.profile_id)
                query = {f"{column}__id__exact": pk}
                links.append((label, reverse(f"admin:payments_{model}_changelist", query=query)))
        return links

    @StaffAction(
        address="release",
        title=_("Release"),
        is_offered=lambda hold: hold.is_current(timezone.now()),
        text=[
            _("The attempts so far no longer count, so cards can be tried again at once, up to the same limit."),
            _("Make sure first that these are cards of the customer's own: many different ones can be stolen."),
        ],
        form=ReasonForm,
        facts=lambda hold: [
            (_("Held"), hold),
            (_("What was counted"), hold.get_reason_display()),
            (_("Attempts"), hold.tries),
        ],
    )
    def release(self, access: Access, hold: CardHold, data: dict[str, Any]) -> str:
        release_hold(access=access, hold_id=hold.pk, reason=data["reason"], at=timezone.now())
        return _now("Released. %(whose)s can try cards again.") % {"whose": hold}
