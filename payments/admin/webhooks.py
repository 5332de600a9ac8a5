"""Messages from providers, for staff: what came, and what was done with it."""

from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.access import Access
from payments.admin.base import StaffAction, StaffActionAdmin
from payments.models import WebhookDelivery
from payments.operations.webhooks import process_again


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(StaffActionAdmin):
    list_display = ("event_id", "gateway", "type", "reference", "status", "received_at", "tries", "last_error")
    list_filter = ("status", "gateway", "kind", ("received_at", admin.DateFieldListFilter))
    search_fields = ("=event_id", "=object_id", "=gateway_payment_id", "=reference")
    search_help_text = _("Event, object, payment, or our reference")
    ordering = ("-pk",)

    @StaffAction(
        address="process",
        title=_("Process again"),
        text=[_("What the message is about is looked up at the gateway again. Doing so twice changes nothing.")],
        audit="delivery.processed",
    )
    def process(self, _access: Access, delivery: WebhookDelivery, _data: Any) -> str:
        row = process_again(delivery_id=delivery.pk, at=timezone.now())
        return _now("The message stands at: %(status)s.") % {"status": row.get_status_display()}
