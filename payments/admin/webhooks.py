"""Messages from providers, for staff: what came, and what was done with it."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from payments.admin.base import StaffActionAdmin
from payments.models import WebhookDelivery
from payments.operations.webhooks import process_again


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(StaffActionAdmin):
    list_display = ("event_id", "gateway", "type", "reference", "status", "received_at", "tries", "last_error")
    list_filter = ("status", "gateway", "kind", ("received_at", admin.DateFieldListFilter))
    search_fields = ("=event_id", "=object_id", "=gateway_payment_id", "=reference")
    search_help_text = _("Event, object, payment, or our reference")
    ordering = ("-pk",)
    row_actions = {"process": "process_view"}

    def process_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Works on a message again."""
        delivery = self.row(request, object_id)

        def perform() -> str:
            row = process_again(delivery_id=delivery.pk, at=timezone.now())
            return _now("The message stands at: %(status)s.") % {"status": row.get_status_display()}

        text = [_("What the message is about is looked up at the gateway again. Doing so twice changes nothing.")]
        title = button = _("Process again")
        return self.act(
            request, delivery, perform, audit_action="delivery.processed", title=title, text=text, button=button
        )
