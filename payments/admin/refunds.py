"""Refunds for staff. They are made on the page of their payment."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from payments.admin.base import DeedsAdmin
from payments.models import Refund
from payments.operations import look_up_refund


@admin.register(Refund)
class RefundAdmin(DeedsAdmin):
    list_display = ("payment", "money", "status", "reason", "started_at", "started_by", "needs_staff")
    list_filter = ("needs_staff", "status", ("started_at", admin.DateFieldListFilter))
    list_select_related = ("payment", "started_by")
    search_fields = ("=payment__reference", "=gateway_id")
    search_help_text = _("Reference of the payment, or the gateway's refund id")
    ordering = ("-started_at", "-id")
    fields = (
        "payment", "money", "missing", "status", "needs_staff", "reason", "gateway_id", "gateway_message",
        "started_at", "started_by", "finished_at", "next_lookup_at", "lookups",
    )  # fmt: skip
    deeds = {"look-up": "look_up_view"}

    @admin.display(description=_("amount"), ordering="amount_minor")
    def money(self, refund: Refund) -> str:
        return refund.amount.format()

    @admin.display(description=_("missing"))
    def missing(self, refund: Refund) -> str:
        return refund.missing.format()

    def look_up_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks the gateway how a refund stands."""
        refund = self.row(request, object_id)
        if request.method == "POST":
            return self.do(request, lambda: self._look_up(refund), refund, action="refund.looked_up")
        text = [_("The gateway is asked how this refund stands, and what it says is recorded.")]
        return self.ask(request, title=_("Look up again"), text=text, button=_("Look up"), row=refund)

    def _look_up(self, refund: Refund) -> str:
        now = look_up_refund(refund_id=refund.pk, at=timezone.now())
        return _now("The gateway was asked. The refund stands at: %(status)s.") % {"status": now.get_status_display()}
