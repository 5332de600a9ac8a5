"""Credits for staff: grant one, look at what became of it, take back what is left. Nothing is edited."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.access import Access
from accounts.admin.base import ReadOnlyAdmin, ReadOnlyInline, access_of_staff
from accounts.admin.staff_actions import RowForm, StaffAction, StaffActionAdmin
from invoices.admin.base import ReasonForm, amount_of, money_column
from invoices.models import Credit, CreditEntry
from invoices.operations.credits import GRANTABLE, CannotCredit, grant_credit, take_back_credit


class GrantForm(forms.ModelForm):
    """``cleaned_data["amount"]`` is Money, in the currency of the profile."""

    amount = forms.CharField(
        label=_("Amount"), max_length=20, help_text=_("Such as 12.50, in the billing profile's currency.")
    )

    class Meta:
        model = Credit
        fields = ("profile", "source", "description", "starts_on", "expires_on")
        help_texts = {
            "expires_on": _("It pays for each period that has one of its days, also when the invoice comes later.")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "source" in self.fields:
            self.fields["source"] = forms.ChoiceField(
                label=self.fields["source"].label, choices=[(source.value, source.label) for source in GRANTABLE]
            )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        profile = data.get("profile")
        if profile is not None and "amount" in data:
            try:
                data["amount"] = amount_of(data["amount"], profile.currency)
            except forms.ValidationError as error:
                self.add_error("amount", error)
        return data


class TakeBackForm(ReasonForm, RowForm):
    pass


class EntriesInline(ReadOnlyInline):
    model = CreditEntry
    fields = readonly_fields = ("at", "kind", "amount", "invoice", "actor", "note")
    ordering = ("pk",)
    amount = money_column("amount_minor", _("amount"), currency="credit.currency")


@admin.register(Credit)
class CreditAdmin(StaffActionAdmin, ReadOnlyAdmin):
    form = GrantForm
    inlines = (EntriesInline,)
    autocomplete_fields = ("profile",)
    list_display = ("description", "profile", "source", "amount", "remaining", "starts_on", "expires_on", "created_at")
    list_filter = ("source", ("expires_on", admin.DateFieldListFilter))
    list_select_related = ("profile",)
    search_fields = ("profile__name", "profile__code", "description")
    search_help_text = _("Billing profile or description")
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-pk")
    actions = None
    addition_recorded_as = "credit.granted"
    refusals = (CannotCredit,)
    amount, remaining = money_column("amount_minor", _("amount")), money_column("remaining_minor", _("remaining"))
    shown = (
        "profile", "source", "amount", "remaining", "description", "starts_on", "expires_on", "created_at",
        "created_by",
    )  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("invoices.add_credit")

    def get_fields(self, _request: HttpRequest, obj: Credit | None = None) -> Any:
        return self.shown if obj else ("profile", "source", "amount", "description", "starts_on", "expires_on")

    def get_readonly_fields(self, _request: HttpRequest, obj: Credit | None = None) -> Any:
        return self.shown if obj else ()

    def get_inlines(self, _request: HttpRequest, obj: Credit | None) -> Any:
        return self.inlines if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Credit, form: forms.ModelForm, _change: bool) -> None:
        data = dict(form.cleaned_data)
        profile_id = data.pop("profile").pk
        credit = grant_credit(access=access_of_staff(request), profile_id=profile_id, at=timezone.now(), **data)
        obj.__dict__.update(credit.__dict__)

    @StaffAction(
        address="take-back",
        title=_("Take back a credit"),
        link=_("Take back"),
        is_offered=lambda credit: credit.remaining_minor and credit.source != Credit.Source.OVERPAYMENT,
        text=lambda credit: [
            _("%(amount)s is taken away. What the credit has paid for stays paid.") % {"amount": credit.remaining},
            _("This cannot be undone."),
        ],
        facts=lambda credit: [(_("Billing profile"), credit.profile)],
        form=TakeBackForm,
        button=_("Take back"),
    )
    def take_back(self, access: Access, credit: Credit, data: dict[str, Any]) -> str:
        take_back_credit(access=access, credit_id=credit.pk, reason=data["reason"], at=timezone.now())
        return _now("The rest of the credit was taken back.")
