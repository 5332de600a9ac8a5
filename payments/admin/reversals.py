"""Money that went back, for staff: refunds, which are made on the page of their payment, and disputes.

Of a dispute they see what the payer's bank asks back, until when evidence counts, and what was missing when it was
lost. The list filtered by "needs staff" is a staff queue of its own.
"""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import access_of_staff
from payments.admin.base import StaffActionAdmin
from payments.admin.forms import NoteForm
from payments.models import Dispute, PaymentEvent, Refund
from payments.operations.disputes import sync_dispute
from payments.operations.manual_payments import mark_dispute_handled
from payments.operations.refunds import sync_refund


@admin.register(Refund)
class RefundAdmin(StaffActionAdmin):
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
    row_actions = {"look-up": "look_up_view"}

    @admin.display(description=_("amount"), ordering="amount_minor")
    def money(self, refund: Refund) -> str:
        return refund.amount.format()

    @admin.display(description=_("missing"))
    def missing(self, refund: Refund) -> str:
        return refund.missing.format()

    def look_up_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks the gateway about a refund."""
        refund = self.row(request, object_id)

        def perform() -> str:
            row = sync_refund(refund_id=refund.pk, at=timezone.now())
            status = row.get_status_display()
            return _now("The gateway was asked. The refund stands at: %(status)s.") % {"status": status}

        text = [_("The gateway is asked how this refund stands, and what it says is recorded.")]
        title, button = _("Look up again"), _("Look up")
        return self.act(
            request, refund, perform, audit_action="refund.looked_up", title=title, text=text, button=button
        )


@admin.register(Dispute)
class DisputeAdmin(StaffActionAdmin):
    list_display = ("payment", "money", "status", "reason", "evidence_due_at", "opened_at", "closed_at", "needs_staff")
    list_filter = (
        "needs_staff",
        "status",
        ("evidence_due_at", admin.DateFieldListFilter),
        ("opened_at", admin.DateFieldListFilter),
    )
    list_select_related = ("payment",)
    search_fields = ("=payment__reference", "=gateway_id", "=payment__allocations__invoice__number")
    search_help_text = _("Reference of the payment, the gateway's dispute id, or invoice number")
    ordering = ("-opened_at", "-id")
    fields = (
        "payment", "money", "status", "needs_staff", "reason", "evidence_due_at", "taken_back", "missing",
        "gateway", "gateway_id", "opened_at", "closed_at", "next_lookup_at",
    )  # fmt: skip
    row_actions = {"look-up": "look_up_view", "handled": "handled_view"}

    @admin.display(description=_("amount"), ordering="amount_minor")
    def money(self, dispute: Dispute) -> str:
        return dispute.amount.format()

    @admin.display(description=_("taken back"))
    def taken_back(self, dispute: Dispute) -> str:
        return dispute.taken.format()

    @admin.display(description=_("missing"))
    def missing(self, dispute: Dispute) -> str:
        return dispute.missing.format()

    def look_up_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks the gateway how a dispute stands."""
        dispute = self.row(request, object_id)

        def perform() -> str:
            row = sync_dispute(dispute_id=dispute.pk, source=PaymentEvent.Source.STAFF, at=timezone.now())
            status = row.get_status_display()
            return _now("The gateway was asked. The dispute stands at: %(status)s.") % {"status": status}

        text = [_("The gateway is asked how this dispute stands, and what it says is recorded.")]
        title, button = _("Look up again"), _("Look up")
        return self.act(
            request, dispute, perform, audit_action="dispute.looked_up", title=title, text=text, button=button
        )

    def handled_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Takes a dispute out of the staff queue."""
        dispute = self.row(request, object_id)
        form = NoteForm(request.POST or None)

        def perform() -> str:
            note = form.cleaned_data["note"]
            mark_dispute_handled(access=access_of_staff(request), dispute_id=dispute.pk, note=note, at=timezone.now())
            return _now("The dispute left the staff queue.")

        title = button = _("Mark as handled")
        text = [_("The dispute leaves the staff queue, and comes back when the bank decides against us.")]
        return self.act(request, dispute, perform, form=form, title=title, text=text, button=button)
