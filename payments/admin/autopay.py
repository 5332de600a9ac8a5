"""Automatic charges for staff: how each stands, why it stopped, and once more."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.access import Access
from invoices.payability import day_text
from payments.admin.base import StaffAction, StaffActionAdmin
from payments.models import AutomaticCharge
from payments.operations.autopay import plan_again


@admin.register(AutomaticCharge)
class AutomaticChargeAdmin(StaffActionAdmin):
    list_display = ("invoice", "profile", "status", "stopped_because", "next_on", "tries", "last_payment", "changed_at")
    list_filter = ("status", "stopped_because", ("changed_at", admin.DateFieldListFilter))
    list_select_related = ("invoice", "profile", "last_payment")
    search_fields = ("=invoice__number", "=profile__code", "=last_payment__reference")
    search_help_text = _("Invoice number, profile code, or reference of the last payment")
    ordering = ("-changed_at", "-pk")
    fields = (
        "invoice", "profile", "status", "stopped_because", "next_on", "tries", "last_payment", "created_at",
        "changed_at",
    )  # fmt: skip

    @admin.display(description=_("charged next on"), ordering="invoice__autopay_on")
    def next_on(self, charge: AutomaticCharge) -> str:
        return day_text(charge.invoice.autopay_on)

    def links(self, request: HttpRequest, row: AutomaticCharge) -> list[tuple[str | Promise, str]]:
        invoice = (_("Invoice"), reverse("admin:invoices_invoice_change", args=[row.invoice_id]))
        return [invoice, *super().links(request, row)]

    @StaffAction(
        address="again",
        title=_("Plan again"),
        is_offered=lambda charge: charge.status != "waiting" and charge.invoice.status == "open",
        text=[
            _("The default card is charged today, as if the invoice had not been tried before."),
            _("The limit that the card networks set for each card still holds."),
        ],
        button=_("Charge today"),
    )
    def again(self, access: Access, charge: AutomaticCharge, _data: Any) -> str:
        plan_again(access=access, invoice_id=charge.invoice_id, at=timezone.now())
        return _now("%(invoice)s is charged today.") % {"invoice": charge.invoice}
