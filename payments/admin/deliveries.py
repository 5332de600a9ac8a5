"""Messages from providers, for staff: what came, and what was done with it."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from payments.admin.base import DeedsAdmin
from payments.models import WebhookDelivery
from payments.operations import process_again


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(DeedsAdmin):
    list_display = ("event_id", "gateway", "type", "reference", "status", "received_at", "tries", "last_error")
    list_filter = ("status", "gateway", "kind", ("received_at", admin.DateFieldListFilter))
    search_fields = ("=event_id", "=object_id", "=gateway_payment_id", "=reference")
    search_help_text = _("Event, object, payment, or our reference")
    ordering = ("-pk",)
    deeds = {"process": "process_view"}

    def process_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Works on a message again."""
        delivery = self.row(request, object_id)
        if request.method == "POST":
            return self.do(request, lambda: self._process(delivery), delivery, action="delivery.processed")
        text = [_("What the message is about is looked up at the gateway again. Doing so twice changes nothing.")]
        return self.ask(request, title=_("Process again"), text=text, button=_("Process again"), row=delivery)

    def _process(self, delivery: WebhookDelivery) -> str:
        now = process_again(delivery_id=delivery.pk, at=timezone.now())
        return _now("The message stands at: %(status)s.") % {"status": now.get_status_display()}
