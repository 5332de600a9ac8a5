"""How documents reached their buyers, and the button that sends one again."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.access import Access
from accounts.admin.base import never
from accounts.admin.staff_actions import RowForm, StaffAction, StaffActionAdmin
from billing_portal.core.letters import validate_seen
from invoices.models import CreditNote, Delivery, Invoice
from invoices.operations.deliveries import may_be_sent_again, send_again, settle, take_later_answer
from invoices.states import WrongState

TO_DO = {
    Delivery.Status.REJECTED: _(
        "Read the reason. If the document is wrong, make a credit note and a new invoice; if the buyer's side was"
        " wrong, send it again."
    ),
    Delivery.Status.UNCLEAR: _(
        "The access point took the document over and does not know what became of it. Ask the access point or the"
        " buyer, with the message ID. If it arrived, mark it as handled; if not, send it again."
    ),
    Delivery.Status.FAILED: _("Read the reason, and send it again once that is gone."),
}
CONTRADICTED = _(
    "The buyer first answered one thing and then another, which has changed nothing here. Ask the buyer. If the later"
    " answer holds, take it over; if the first one does, mark it as handled."
)


def _to(delivery: Delivery) -> str:
    """An endpoint, or how many people a mail went to."""
    if delivery.channel != Delivery.Channel.MAIL:
        return delivery.recipient
    return ngettext("%(people)s person", "%(people)s people", delivery.readers) % {"people": delivery.readers}


class NoteForm(RowForm):
    note = forms.CharField(label=_("What was done"), max_length=300, validators=[validate_seen])


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
    list_display = ("document", "channel", "to", "status", "why", "created_at", "answered_at")
    list_display_links = ("status",)  # the document leads to itself
    list_filter = ("needs_staff", "status", "channel", "is_repeated")
    list_select_related = ("invoice__profile", "credit_note__profile")
    search_fields = ("invoice__number", "credit_note__number", "recipient")
    search_help_text = _("Number of the invoice or credit note, or recipient")
    ordering = ("-pk",)
    fields = readonly_fields = (
        "document", "channel", "to", "status", "why", "contradiction", "what_to_do", "message_id",
        "created_at", "sent_at", "handed_on_at", "answered_at", "next_try_at", "tries", "is_repeated", "needs_staff",
    )  # fmt: skip
    refusals = (WrongState,)

    @admin.display(description=_("document"))
    def document(self, delivery: Delivery) -> SafeString:
        kind = "invoice" if isinstance(delivery.document, Invoice) else "creditnote"
        url = reverse(f"admin:invoices_{kind}_change", args=[delivery.document.pk])
        return format_html('<a href="{}">{}</a>', url, delivery.document)

    @admin.display(description=_("recipient"), ordering="recipient")
    def to(self, delivery: Delivery) -> str:
        return _to(delivery)

    @admin.display(description=_("reason"))
    def why(self, delivery: Delivery) -> str:
        return delivery.why

    @admin.display(description=_("what to do"))
    def what_to_do(self, delivery: Delivery) -> str:
        if not delivery.needs_staff:
            return "-"
        return str(CONTRADICTED if delivery.contradiction else TO_DO[Delivery.Status(delivery.status)])

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Of its page nothing can be changed; the permission is for sending again."""
        return obj is None and super().has_change_permission(request)

    @StaffAction(
        address="send-again",
        title=_("Send again"),
        is_offered=may_be_sent_again,
        text=[
            _("The same document goes the same way once more, under a new message ID."),
            _("If it was rejected because of what it says, make a credit note and a new invoice instead."),
            _("If the buyer may have it already, ask first: it would get the document twice."),
        ],
        facts=lambda delivery: [
            (_("Document"), delivery.document), (_("Recipient"), _to(delivery)), (_("Reason"), delivery.why),
        ],
    )  # fmt: skip
    def repeat(self, access: Access, delivery: Delivery, _data: Any) -> str:
        send_again(access=access, delivery_id=delivery.pk, at=timezone.now())
        return _now("The document is sent again within minutes.")

    @StaffAction(
        address="settle",
        title=_("Mark as handled"),
        is_offered=lambda delivery: delivery.needs_staff,
        text=lambda delivery: [
            _("The buyer has the document: it counts as delivered.")
            if delivery.status == Delivery.Status.UNCLEAR
            else _("The delivery leaves the staff queue, and its status stays."),
        ],
        form=NoteForm,
        facts=lambda delivery: [
            (_("Document"), delivery.document), (_("Recipient"), _to(delivery)), (_("Reason"), delivery.why),
        ],
    )  # fmt: skip
    def settle(self, access: Access, delivery: Delivery, data: dict[str, Any]) -> str:
        settle(access=access, delivery_id=delivery.pk, note=data["note"], at=timezone.now())
        return _now("The delivery left the staff queue.")

    @StaffAction(
        address="take-later-answer",
        title=_("Take over the later answer"),
        is_offered=lambda delivery: delivery.needs_staff and delivery.contradiction,
        text=[_("What the buyer answered afterwards holds, as you found out.")],
        facts=lambda delivery: [
            (_("Document"), delivery.document), (_("Status"), delivery.get_status_display()),
            (_("Answered afterwards"), delivery.contradiction),
        ],
    )  # fmt: skip
    def take_over(self, access: Access, delivery: Delivery, _data: Any) -> str:
        take_later_answer(access=access, delivery_id=delivery.pk, at=timezone.now())
        return _now("The later answer of the buyer holds.")
