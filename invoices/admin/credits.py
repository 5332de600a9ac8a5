"""Credits for staff: grant one, look at what became of it, take back what is left. Nothing is edited."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import ReadOnlyAdmin, ReadOnlyInline, access_of_staff
from billing_portal.core.staff_pages import confirm
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


class EntriesInline(ReadOnlyInline):
    model = CreditEntry
    fields = readonly_fields = ("at", "kind", "amount", "invoice", "actor", "note")
    ordering = ("pk",)
    amount = money_column("amount_minor", _("amount"), currency="credit.currency")


@admin.register(Credit)
class CreditAdmin(ReadOnlyAdmin):
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

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.take_back_view)
        return [path("<int:pk>/take-back/", view, name="invoices_credit_take_back"), *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: Credit, form: forms.ModelForm, _change: bool) -> None:
        data = dict(form.cleaned_data)
        profile_id = data.pop("profile").pk
        credit = grant_credit(access=access_of_staff(request), profile_id=profile_id, at=timezone.now(), **data)
        obj.__dict__.update(credit.__dict__)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        context["may_take_back"] = request.user.has_perm("invoices.change_credit")
        return super().render_change_form(request, context, *args, **kwargs)

    def take_back_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not request.user.has_perm("invoices.change_credit"):
            raise PermissionDenied(_now("Your staff account may look at this, but not act on it."))
        credit = get_object_or_404(Credit.objects.select_related("profile"), pk=pk)
        form = ReasonForm(request.POST or None)
        back = reverse("admin:invoices_credit_change", args=[pk])
        if request.method == "POST" and form.is_valid():
            try:
                take_back_credit(
                    access=access_of_staff(request), credit_id=pk, reason=form.cleaned_data["reason"], at=timezone.now()
                )
            except CannotCredit as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
            else:
                self.message_user(request, _now("The rest of the credit was taken back."), messages.SUCCESS)
            return HttpResponseRedirect(back)
        text = _("%(amount)s is taken away. What the credit has paid for stays paid.") % {"amount": credit.remaining}
        return confirm(
            self, request, title=_("Take back a credit"), text=[text, _("This cannot be undone.")], row=credit,
            facts=[(_("Billing profile"), credit.profile)], form=form, button=_("Take back"), back=back,
        )  # fmt: skip
