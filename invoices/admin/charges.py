"""Charges, tax rates and closed periods for staff. A charge can be recorded, and removed until it is on an invoice."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminDateWidget
from django.db import transaction
from django.db.models import Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from accounts.access import system_access
from accounts.admin.base import NoDeleteAdmin, PortalAdmin, ReadOnlyAdmin, access_of_staff, never
from accounts.operations.profiles import CurrencyChanged
from invoices.admin import base
from invoices.admin.base import decimal_column, money_column
from invoices.documents import figures
from invoices.documents.figures import unit_price
from invoices.documents.taxes import tax_text
from invoices.models import Charge, PeriodClosing, TaxRate
from invoices.models.charges import UNBILLED
from invoices.operations.charges import CannotCharge, record_charge, remove_charge
from invoices.tax import complete

WRITTEN = (
    "section", "kind", "description", "quantity", "unit", "unit_price", "tax_rate", "happened_on", "is_creditable",
    "source_reference",
)  # fmt: skip


class BilledFilter(admin.SimpleListFilter):
    title = _("invoiced")
    parameter_name = "billed"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("Not yet")), ("yes", _("On an invoice")), ("credit", _("Made a credit"))]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Charge]) -> QuerySet[Charge]:
        chosen = {"no": UNBILLED, "yes": Q(invoice__isnull=False), "credit": Q(settled_by__isnull=False)}
        return queryset.filter(chosen.get(self.value() or "", Q()))


class ChargeForm(ModelForm):
    """Records the charge and rolls back, so that what cannot be charged is shown beside the fields."""

    class Meta:
        model = Charge
        fields = WRITTEN
        widgets = {"happened_on": AdminDateWidget}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rates = self.fields.get("tax_rate")
        if isinstance(rates, forms.ModelChoiceField):
            rates.queryset = TaxRate.objects.filter(is_active=True).order_by("name")

    def charge(self) -> Charge:
        facts = {name: self.cleaned_data[name] for name in WRITTEN}
        return Charge(**facts, profile=facts["section"].profile)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                with transaction.atomic():
                    record_charge(access=system_access(), charge=self.charge(), at=timezone.now())
                    transaction.set_rollback(True)
            except (CannotCharge, CurrencyChanged) as refusal:
                raise forms.ValidationError(str(refusal)) from refusal
        return data


@admin.register(Charge)
class ChargeAdmin(PortalAdmin):
    form = ChargeForm
    autocomplete_fields = ("section",)
    list_display = (
        "description", "profile_link", "section_name", "kind", "happened_on", "counted", "amount", "percent",
        "invoice_link", "source_reference",
    )  # fmt: skip
    list_filter = (BilledFilter, "kind", "tax_rate")
    list_select_related = ("profile", "section", "invoice")
    date_hierarchy = "happened_on"
    ordering = ("-pk",)
    show_full_result_count = False
    search_fields = ("description", "source_reference", "profile__name", "profile__code", "section__name")
    search_help_text = _("Description, reference, section, or the name or code of a billing profile")
    addition_recorded_as = "charge.recorded"
    refusals = (CannotCharge, CurrencyChanged)
    has_change_permission = never  # a wrong charge is removed and recorded anew: an invoice holds what was recorded
    profile_link, invoice_link = base.profile_link, base.invoice_link

    @admin.display(description=_("invoice section"), ordering="section__name")
    def section_name(self, charge: Charge) -> str:
        return charge.section.name

    @admin.display(description=_("quantity"), ordering="quantity")
    def counted(self, charge: Charge) -> str:
        return figures.counted(charge.quantity, charge.unit)

    @admin.display(description=_("unit price"))
    def price(self, charge: Charge) -> str:
        """To the decimals that it has, which may be more than its currency has."""
        return f"{charge.profile.currency} {unit_price(charge.unit_price, charge.profile.currency)}"

    @admin.display(description=_("amount"))
    def amount(self, charge: Charge) -> str:
        """Not rounded: that happens on the invoice, where charges are added up."""
        return f"{charge.profile.currency} {unit_price(charge.exact_amount, charge.profile.currency)}"

    @admin.display(description=_("tax"))
    def percent(self, charge: Charge) -> str:
        return tax_text(charge.tax_category, charge.tax_percent)

    def get_fieldsets(self, _request: HttpRequest, obj: Charge | None = None) -> Any:
        if obj is None:
            text = _("It appears on the next invoice of the section's billing profile, in that profile's currency.")
            return [(None, {"fields": WRITTEN, "description": text})]
        what = ("profile_link", "section", "kind", "description", "happened_on", "is_creditable", "source_reference")
        amounts = ("counted", "price", "amount", "tax_rate", "percent", "exemption_reason", "exemption_code")
        since = ("invoice_link", "created_at", "created_by")
        return [(None, {"fields": what}), (_("Amounts"), {"fields": amounts}), (_("Recorded"), {"fields": since})]

    def get_readonly_fields(self, _request: HttpRequest, obj: Charge | None = None) -> Any:
        shown = ("profile_link", "counted", "price", "percent", "amount", "invoice_link")
        return (
            shown
            if obj is None
            else (*shown, *WRITTEN, "exemption_reason", "exemption_code", "created_at", "created_by")
        )

    def has_delete_permission(self, request: HttpRequest, obj: Charge | None = None) -> bool:
        is_billed = obj is not None and (obj.invoice_id or obj.settled_by_id) is not None
        return not is_billed and super().has_delete_permission(request, obj)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Charge:
        """Recorded by the operation, which refuses what it must once more."""
        super().save_form(request, form, change)
        return record_charge(access=access_of_staff(request), charge=form.charge(), at=timezone.now())

    def save_model(self, request: HttpRequest, obj: Charge, form: ModelForm, change: bool) -> None:
        """It is recorded by now."""

    def delete_model(self, request: HttpRequest, obj: Charge) -> None:
        remove_charge(access=access_of_staff(request), charge_id=obj.pk, at=timezone.now())

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._show_refusal(request, partial(super().changelist_view, request, *args, **kwargs))

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._show_refusal(request, partial(super().delete_view, request, *args, **kwargs))

    def _show_refusal(self, request: HttpRequest, act: Callable[[], HttpResponse]) -> HttpResponse:
        """A refusal under the lock, because a charge was billed or removed meanwhile, is shown as a message."""
        try:
            return act()
        except CannotCharge as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:invoices_charge_changelist"))


@admin.register(TaxRate)
class TaxRateAdmin(NoDeleteAdmin):
    """The percentage stays once a charge was made with it: another percentage is another rate."""

    list_display = ("name", "percentage", "tax_category", "exemption_reason", "exemption_code", "is_active")
    list_filter = ("is_active", "tax_category")
    search_fields = ("name", "exemption_reason", "exemption_code")
    search_help_text = _("Name, or reason for no tax")
    ordering = ("name",)
    percentage = decimal_column("percent", _("percent"))

    def get_fields(self, request: HttpRequest, obj: TaxRate | None = None) -> tuple[str, ...]:
        percent = "percentage" if self._is_used(obj) or not self.has_change_permission(request, obj) else "percent"
        return ("name", "tax_category", percent, "exemption_reason", "exemption_code", "is_active")

    def get_readonly_fields(self, _request: HttpRequest, obj: TaxRate | None = None) -> tuple[str, ...]:
        return ("percentage", "tax_category") if self._is_used(obj) else ("percentage",)

    def save_model(self, request: HttpRequest, obj: TaxRate, form: ModelForm, change: bool) -> None:
        """With the reason and code that follow from the category, where none was typed."""
        complete(obj, obj.percent)
        super().save_model(request, obj, form, change)

    @staticmethod
    def _is_used(rate: TaxRate | None) -> bool:
        return rate is not None and Charge.objects.filter(tax_rate=rate).exists()


@admin.register(PeriodClosing)
class PeriodClosingAdmin(ReadOnlyAdmin):
    invoice_link = base.invoice_link
    carried = money_column("carried_minor", _("carried"))
    brought = money_column("brought_minor", _("carried from before"))
    list_display = ("profile", "first_day", "last_day", "outcome", "carried", "invoice_link", "closed_at")
    list_filter = ("outcome",)
    list_select_related = ("profile", "invoice")
    search_fields = ("profile__name", "profile__code", "invoice__number")
    search_help_text = _("Number of the invoice, or name or code of the billing profile")
    date_hierarchy = "closed_at"
    ordering = ("-pk",)
    fields = (
        "profile", "first_day", "last_day", "outcome", "carried", "brought", "brought_from_on", "invoice_link",
        "credit", "closed_at",
    )  # fmt: skip
    readonly_fields = ("first_day", "last_day", "carried", "brought", "invoice_link")

    @admin.display(description=_("first day"), ordering="start_on")
    def first_day(self, closing: PeriodClosing) -> str:
        return date_format(closing.start_on)

    @admin.display(description=_("last day"), ordering="end_on")
    def last_day(self, closing: PeriodClosing) -> str:
        return date_format(closing.last_on)
