"""Stored cards for staff: to be seen, and removed at a customer's wish."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import access_of_staff
from payments.admin.base import DeedsAdmin, ReadOnlyInline
from payments.models import Detachment, MethodSetup, PaymentMethod
from payments.operations import CannotChangeMethod, remove_method


class DetachmentInline(ReadOnlyInline):
    """Ids of this card that the gateway has to forget."""

    model = Detachment
    fields = readonly_fields = ("gateway_method", "created_at", "done_at", "next_try_at", "tries", "last_error")


@admin.register(MethodSetup)
class MethodSetupAdmin(DeedsAdmin):
    list_display = ("created_at", "profile", "status", "decline_code", "gateway", "created_by")
    list_filter = ("status", "gateway", ("created_at", admin.DateFieldListFilter))
    list_select_related = ("profile", "created_by")
    search_fields = ("=profile__code", "profile__name", "=setup_id", "=created_by__email")
    search_help_text = _("Profile, person, or the gateway's id")
    ordering = ("-created_at",)
    fields = (
        "profile", "status", "decline_code", "make_default", "method", "gateway", "setup_id", "created_at",
        "created_by", "finished_at",
    )  # fmt: skip


@admin.register(PaymentMethod)
class PaymentMethodAdmin(DeedsAdmin):
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
    deeds = {"remove": "remove_view"}
    inlines = (DetachmentInline,)

    @admin.display(description=_("expires"))
    def expiry(self, method: PaymentMethod) -> str:
        return f"{method.expiry_month:02d}/{method.expiry_year}"

    def remove_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Takes a card off its profile."""
        method = self.row(request, object_id)
        if request.method == "POST":
            return self.do(request, lambda: self._remove(request, method), method)
        text = [_("The card can no longer be used to pay. Earlier payments keep naming it. This cannot be taken back.")]
        return self.ask(request, title=_("Remove card"), text=text, button=_("Remove"), row=method)

    def _remove(self, request: HttpRequest, method: PaymentMethod) -> str:
        try:
            remove_method(access=access_of_staff(request), method_id=method.pk, at=timezone.now())
        except PaymentMethod.DoesNotExist as error:
            raise CannotChangeMethod(_now("This card was removed before.")) from error
        return _now("%(card)s was removed.") % {"card": method.label}
