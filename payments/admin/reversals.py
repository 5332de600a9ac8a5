"""Money that went back, for staff: refunds, which are made on the page of their payment, and disputes. The list of
disputes filtered by "needs staff" is a staff queue of its own."""

from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.access import Access
from accounts.admin.staff_actions import StaffAction
from invoices.admin.base import money_column
from payments.admin.base import PaymentsAdmin
from payments.admin.forms import NoteForm, WriteOffForm
from payments.models import Dispute, PaymentEvent, Refund
from payments.operations.disputes import sync_dispute
from payments.operations.manual_payments import mark_dispute_handled, write_off
from payments.operations.refunds import sync_refund

WRITING_OFF = StaffAction(
    address="write-off",
    title=_("Write off what is missing"),
    is_offered=lambda claim: claim.unmatched,
    text=[
        _("This money is gone and could be taken off no invoice and no credit. The ledger books it as a loss."),
        _("What can be taken off by now, such as a credit that was given back, is taken off first."),
        _("If it comes back or is found after all, the loss is undone automatically."),
    ],
    button=_("Write off"),
    facts=lambda claim: [(_("Payment"), claim.payment), (_("Missing"), claim.unmatched)],
    form=WriteOffForm,
)


def _write_off(access: Access, claim: Refund | Dispute, data: dict[str, Any]) -> str:
    amount = write_off(access=access, claim=claim, at=timezone.now(), **data)
    if not amount:
        return _now("All of it was taken off credits and invoices now. Nothing was written off.")
    return _now("%(amount)s was written off.") % {"amount": amount}


@admin.register(Refund)
class RefundAdmin(PaymentsAdmin):
    list_display = ("payment", "money", "status", "reason", "started_at", "started_by", "needs_staff")
    list_filter = ("needs_staff", "status", "started_at")
    list_select_related = ("payment", "started_by")
    search_fields = ("=payment__reference", "=gateway_id")
    search_help_text = _("Reference of the payment, or the gateway's refund id")
    ordering = ("-started_at", "-id")
    fields = (
        "payment", "money", "missing", "written_off", "status", "needs_staff", "reason",
        "gateway_id", "gateway_message", "bank_reference", "paid_on",
        "started_at", "started_by", "finished_at", "next_lookup_at", "lookups",
    )  # fmt: skip

    money = money_column("amount_minor", _("amount"))
    missing = money_column("missing", _("missing"))
    written_off = money_column("written_off", _("written off"))

    @StaffAction(
        address="look-up",
        title=_("Look up again"),
        is_offered=lambda refund: refund.payment.channel == "card" and refund.paid_on is None,
        text=[_("The gateway is asked for the status of this refund, and its answer is recorded.")],
        button=_("Look up"),
        audit="refund.looked_up",
    )
    def look_up(self, _access: Access, refund: Refund, _data: Any) -> str:
        row = sync_refund(refund_id=refund.pk, at=timezone.now())
        return _now("The gateway was asked. The status of the refund is: %(status)s.") % {
            "status": row.get_status_display()
        }

    @WRITING_OFF
    def write_off(self, access: Access, refund: Refund, data: dict[str, Any]) -> str:
        return _write_off(access, refund, data)


@admin.register(Dispute)
class DisputeAdmin(PaymentsAdmin):
    list_display = ("payment", "money", "status", "reason", "evidence_due_at", "opened_at", "closed_at", "needs_staff")
    list_filter = ("needs_staff", "status", "evidence_due_at", "opened_at")
    list_select_related = ("payment",)
    search_fields = ("=payment__reference", "=gateway_id", "=payment__allocations__invoice__number")
    search_help_text = _("Reference of the payment, the gateway's dispute id, or invoice number")
    ordering = ("-opened_at", "-id")
    fields = (
        "payment", "money", "status", "needs_staff", "reason", "evidence_due_at", "taken_back", "missing",
        "written_off", "gateway", "gateway_id", "opened_at", "closed_at", "next_lookup_at",
    )  # fmt: skip

    money = money_column("amount_minor", _("amount"))
    taken_back = money_column("taken", _("taken back"))
    missing = money_column("missing", _("missing"))
    written_off = money_column("written_off", _("written off"))

    @StaffAction(
        address="look-up",
        title=_("Look up again"),
        text=[_("The gateway is asked for the status of this dispute, and its answer is recorded.")],
        button=_("Look up"),
        audit="dispute.looked_up",
    )
    def look_up(self, _access: Access, dispute: Dispute, _data: Any) -> str:
        row = sync_dispute(dispute_id=dispute.pk, source=PaymentEvent.Source.STAFF, at=timezone.now())
        return _now("The gateway was asked. The status of the dispute is: %(status)s.") % {
            "status": row.get_status_display()
        }

    @StaffAction(
        address="handled",
        title=_("Mark as handled"),
        is_offered=lambda dispute: dispute.needs_staff,
        text=[_("The dispute leaves the staff queue, and comes back when the bank decides against us.")],
        form=NoteForm,
    )
    def handled(self, access: Access, dispute: Dispute, data: dict[str, Any]) -> str:
        mark_dispute_handled(access=access, dispute_id=dispute.pk, note=data["note"], at=timezone.now())
        return _now("The dispute left the staff queue.")

    @WRITING_OFF
    def write_off(self, access: Access, dispute: Dispute, data: dict[str, Any]) -> str:
        return _write_off(access, dispute, data)
