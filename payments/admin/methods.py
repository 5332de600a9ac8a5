"""Stored cards for staff: to be seen, and removed at a customer's wish."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import access_of_staff
from payments.admin.base import DeedsAdmin
from payments.models import PaymentMethod
from payments.operations import CannotChangeMethod, remove_method


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
