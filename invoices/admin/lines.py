"""The lines of an invoice on its staff page: written on a draft, read on an issued one, with their table of taxes."""

from copy import copy
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms.models import ModelChoiceField
from django.http import HttpRequest
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import NamedFormSet, PortalInline
from accounts.models import InvoiceSection
from invoices.admin.base import TaxesInline, decimal_column, money_column
from invoices.documents.figures import unit_price
from invoices.documents.taxes import tax_text
from invoices.models import Invoice, InvoiceLine, InvoiceTax, TaxRate
from invoices.operations.issuing import CannotIssue, compute_sums
from invoices.states import InvoiceStatus

# Of a line, and what it copies from the tax rate that is chosen for it.
COPIED = {
    "tax_category": "tax_category", "tax_rate": "percent", "exemption_reason": "exemption_reason",
    "exemption_code": "exemption_code",
}  # fmt: skip


def may_change(invoice: Invoice | None) -> bool:
    return invoice is None or invoice.status == InvoiceStatus.DRAFT


class LineForm(forms.ModelForm):
    """Offers the tax rates by name. A line whose tax is none of them keeps it until another is chosen."""

    rates: ClassVar[dict[str, TaxRate]] = {}
    tax = forms.ChoiceField(label=_("tax"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        line, field = self.instance, self.fields.get("tax")
        if not isinstance(field, forms.ChoiceField):
            return
        now = tax_text(line.tax_category, line.tax_rate) if line.pk else "---------"
        field.choices = [("", now), *((pk, rate.name) for pk, rate in self.rates.items())]
        own = [pk for pk, rate in self.rates.items() if line.pk and _taxed_as(line, rate)]
        self.initial["tax"] = own[0] if own else ""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        rate = self.rates.get(data.get("tax") or "")
        if rate is not None:
            for name, copied in COPIED.items():
                setattr(self.instance, name, getattr(rate, copied))
        elif not self.instance.pk and "tax" not in self.errors:
            self.add_error("tax", _now("Choose a tax rate."))
        return data


def _taxed_as(line: InvoiceLine, rate: TaxRate) -> bool:
    return all(getattr(line, name) == getattr(rate, copied) for name, copied in COPIED.items())


class LineFormSet(NamedFormSet):
    """Refuses lines that together make no invoice, before anything is saved."""

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        gone = set(self.deleted_forms)
        lines = [form.instance for form in self.forms if form not in gone and (form.has_changed() or form.instance.pk)]
        try:
            compute_sums(copy(self.instance), lines)
        except CannotIssue as error:
            raise ValidationError(str(error)) from error


class LinesInline(PortalInline):
    model = InvoiceLine
    formset = LineFormSet
    form = LineForm
    fields = (
        "position", "description", "section", "quantity", "unit", "unit_price", "tax", "is_allowance", "amount",
    )  # fmt: skip
    readonly_fields = ("counted", "price", "taxed", "amount")
    ordering = ("position", "pk")
    counted = decimal_column("quantity", _("quantity"))
    amount = money_column("amount_minor", _("amount"), currency="invoice.currency")

    @admin.display(description=_("unit price"))
    def price(self, line: InvoiceLine) -> str:
        return unit_price(line.unit_price, line.invoice.currency)

    @admin.display(description=_("tax"))
    def taxed(self, line: InvoiceLine) -> str:
        return tax_text(line.tax_category, line.tax_rate)

    def get_fields(self, request: HttpRequest, obj: Invoice | None = None) -> Any:
        if self.has_change_permission(request, obj):
            return self.fields
        read = {"quantity": "counted", "unit_price": "price", "tax": "taxed"}
        return [read.get(name, name) for name in self.fields]

    def get_formset(self, request: HttpRequest, obj: Invoice | None = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        field = formset.form.base_fields.get("section")
        if isinstance(field, ModelChoiceField) and obj is not None:
            field.queryset = InvoiceSection.objects.filter(profile=obj.profile_id).order_by("name")
        rates = TaxRate.objects.filter(is_active=True).order_by("name")
        formset.form.rates = {str(rate.pk): rate for rate in rates}  # type: ignore[attr-defined]  # LineForm's
        return formset

    def has_add_permission(self, request: HttpRequest, obj: Invoice | None = None) -> bool:
        return may_change(obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Invoice | None = None) -> bool:
        return may_change(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Invoice | None = None) -> bool:
        return may_change(obj) and super().has_delete_permission(request, obj)


class InvoiceTaxesInline(TaxesInline):
    model = InvoiceTax
    taxable = money_column("taxable_minor", _("taxable amount"), currency="invoice.currency")
    tax = money_column("tax_minor", _("tax"), currency="invoice.currency")
