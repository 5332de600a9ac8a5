"""Disputes for staff: what payers' banks ask back, until when evidence counts, and what was missing when one was lost.

The list filtered by "needs staff" is a staff queue of its own.
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import access_of_staff
from payments.admin.base import DeedsAdmin
from payments.admin.forms import NoteForm
from payments.models import Dispute, PaymentEvent
from payments.operations import look_up_dispute, mark_dispute_handled


@admin.register(Dispute)
class DisputeAdmin(DeedsAdmin):
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
    deeds = {"look-up": "look_up_view", "handled": "handled_view"}

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
        if request.method == "POST":
            return self.do(request, lambda: self._look_up(dispute), dispute, action="dispute.looked_up")
        text = [_("The gateway is asked how this dispute stands, and what it says is recorded.")]
        return self.ask(request, title=_("Look up again"), text=text, button=_("Look up"), row=dispute)

    def _look_up(self, dispute: Dispute) -> str:
        now = look_up_dispute(dispute_id=dispute.pk, source=PaymentEvent.Source.STAFF, at=timezone.now())
        return _now("The gateway was asked. The dispute stands at: %(status)s.") % {"status": now.get_status_display()}

    def handled_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Takes a dispute out of the staff queue."""
        dispute = self.row(request, object_id)
        form = NoteForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            return self.do(request, lambda: self._handled(request, dispute, form.cleaned_data["note"]), dispute)
        title: Any = _("Mark as handled")
        text = [_("The dispute leaves the staff queue, and comes back when the bank decides against us.")]
        return self.ask(request, title=title, text=text, button=title, row=dispute, form=form)

    def _handled(self, request: HttpRequest, dispute: Dispute, note: str) -> str:
        mark_dispute_handled(access=access_of_staff(request), dispute_id=dispute.pk, note=note, at=timezone.now())
        return _now("The dispute left the staff queue.")
