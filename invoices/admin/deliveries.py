"""How documents reached their buyers, and the button that sends one again."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.access import Access
from accounts.admin.base import never
from accounts.admin.staff_actions import StaffAction, StaffActionAdmin
from invoices.models import CreditNote, Delivery, Invoice
from invoices.operations.deliveries import BAD, send_again
from invoices.states import WrongState


def deliveries_of(document: Invoice | CreditNote) -> SafeString | str:
    """Each way that a document went and how far it came, with a link."""
    rows = [
        (
            reverse("admin:invoices_delivery_change", args=[row.pk]),
            f"{row.get_channel_display()}: {row.get_status_display()}",
        )
        for row in document.deliveries.order_by("pk")
    ]
    return format_html_join(" · ", '<a href="{}">{}</a>', rows) or "-"


@admin.register(Delivery)
class DeliveryAdmin(StaffActionAdmin):
    show_full_result_count = False
    has_add_permission = has_delete_permission = never
    list_display = ("document", "channel", "recipient", "status", "reason", "created_at", "answered_at")
    list_display_links = ("status",)  # the document leads to itself
    list_filter = ("status", "channel", "is_repeated")
    list_select_related = ("invoice__profile", "credit_note__profile")
    search_fields = ("invoice__number", "credit_note__number", "recipient")
    search_help_text = _("Number of the invoice or credit note, or recipient")
    ordering = ("-pk",)
    fields = readonly_fields = (
        "document", "channel", "recipient", "status", "reason", "message_id", "created_at", "sent_at", "answered_at",
        "next_try_at", "tries", "is_repeated",
    )  # fmt: skip
    refusals = (WrongState,)

    @admin.display(description=_("document"))
    def document(self, delivery: Delivery) -> SafeString:
        kind = "invoice" if isinstance(delivery.document, Invoice) else "creditnote"
        url = reverse(f"admin:invoices_{kind}_change", args=[delivery.document.pk])
        return format_html('<a href="{}">{}</a>', url, delivery.document)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Of its page nothing can be changed; the permission is for sending again."""
        return obj is None and super().has_change_permission(request)

    @StaffAction(
        address="send-again",
        title=_("Send again"),
        is_offered=lambda delivery: delivery.status in BAD and not delivery.is_repeated,
        text=[
            _("The same document goes the same way once more, under a new message ID."),
            _("If it was rejected because of what it says, make a credit note and a new invoice instead."),
        ],
        facts=lambda delivery: [
            (_("Document"), delivery.document), (_("Recipient"), delivery.recipient), (_("Reason"), delivery.reason),
        ],
    )  # fmt: skip
    def repeat(self, access: Access, delivery: Delivery, _data: Any) -> str:
        send_again(access=access, delivery_id=delivery.pk, at=timezone.now())
        return _now("The document is sent again within minutes.")
