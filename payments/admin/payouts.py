"""Payouts of gateways to our bank, for staff: record one, take one back. Nothing is edited."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.access import Access
from accounts.admin.base import access_of_staff
from accounts.admin.staff_actions import StaffAction
from billing_portal.core.iso_codes import is_current_currency
from invoices.admin.base import amount_of, money_column
from payments.admin.base import PaymentsAdmin
from payments.admin.forms import ReasonForm
from payments.gateways.registry import gateways
from payments.models import Payout
from payments.operations.payouts import record_payout, take_back_payout


class PayoutForm(forms.ModelForm):
    """``cleaned_data`` holds ``amount`` and ``fees`` as Money."""

    gateway = forms.ChoiceField(label=_("Gateway"))
    amount = forms.CharField(
        label=_("Amount"), max_length=20,
        help_text=_("What reached our bank, such as 1250.00. Negative when the provider took it from there."),
    )  # fmt: skip
    fees = forms.CharField(
        label=_("Fees"), max_length=20, initial="0", help_text=_("What the provider kept besides. Zero if nothing.")
    )

    class Meta:
        model = Payout
        fields = ("gateway", "currency", "paid_on", "reference")
        widgets = {"paid_on": forms.DateInput(attrs={"type": "date"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "gateway" in self.fields:
            self.fields["gateway"].choices = [(gateway.slug, gateway.label) for gateway in gateways()]  # type: ignore[attr-defined]  # a field of choices

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).strip().upper()
        if not is_current_currency(currency):
            raise forms.ValidationError(_("This is no currency in use."))
        return currency

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for name in ("amount", "fees"):
            if name in data and "currency" in data:
                try:
                    data[name] = amount_of(data[name], data["currency"])
                except forms.ValidationError as error:
                    self.add_error(name, error)
        return data

    def validate_constraints(self) -> None:
        """The operation says what is wrong with the row: one that was taken back is no duplicate."""


@admin.register(Payout)
class PayoutAdmin(PaymentsAdmin):
    form = PayoutForm
    list_display = ("reference", "gateway", "money", "kept", "paid_on", "created_at", "created_by", "state")
    list_filter = ("gateway", "currency", ("paid_on", admin.DateFieldListFilter))
    list_select_related = ("created_by", "reversed_by")
    search_fields = ("reference",)
    search_help_text = _("Reference of the payout")
    ordering = ("-paid_on", "-pk")
    addition_recorded_as = "payout.recorded"
    shown = (
        "gateway", "money", "kept", "paid_on", "reference", "reverses", "state", "reason", "created_at", "created_by",
    )  # fmt: skip
    money, kept = money_column("amount_minor", _("amount")), money_column("fees_minor", _("fees"))

    @admin.display(description=_("status"))
    def state(self, payout: Payout) -> str:
        if payout.reverses_id is not None:
            return _now("Takes another back")
        return _now("Taken back") if hasattr(payout, "reversed_by") else "-"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.add_payout")

    def get_fields(self, _request: HttpRequest, obj: Payout | None = None) -> Any:
        return self.shown if obj else ("gateway", "currency", "amount", "fees", "paid_on", "reference")

    def get_readonly_fields(self, _request: HttpRequest, obj: Payout | None = None) -> Any:
        return self.shown if obj else ()

    def save_model(self, request: HttpRequest, obj: Payout, form: forms.ModelForm, _change: bool) -> None:
        data = dict(form.cleaned_data)
        del data["currency"]
        payout = record_payout(access=access_of_staff(request), at=timezone.now(), **data)
        obj.__dict__.update(payout.__dict__)

    @StaffAction(
        address="take-back",
        title=_("Take the payout back"),
        is_offered=lambda payout: payout.reverses_id is None and not hasattr(payout, "reversed_by"),
        text=[
            _("A row of its own takes it back in the books, on today's date. Its reference may then be recorded again.")
        ],
        facts=lambda payout: [(_("Amount"), payout.amount), (_("Fees"), payout.fees)],
        form=ReasonForm,
    )
    def take_back(self, access: Access, payout: Payout, data: dict[str, Any]) -> str:
        take_back_payout(access=access, payout_id=payout.pk, reason=data["reason"], at=timezone.now())
        return _now("The payout was taken back.")
