"""The forms by which staff write a draft: the invoice, and its lines below it."""

from copy import copy
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms.models import ModelChoiceField
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.admin.base import NamedFormSet, PortalInline
from accounts.models import InvoiceSection
from invoices.models import Invoice, InvoiceLine
from invoices.money import Money
from invoices.operations.issuing import CannotIssue, compute_sums
from invoices.states import InvoiceStatus


class DraftForm(forms.ModelForm):
    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        start, end = data.get("period_start_on"), data.get("period_end_on")
        if start and end and end < start:
            self.add_error("period_end_on", _("The billing period ends before it starts."))
        profile, reference = data.get("profile") or self.instance.profile_id, data.get("source_reference")
        others = Invoice.objects.filter(profile=profile, source_reference=reference).exclude(pk=self.instance.pk)
        if profile and reference and others.exists():
            self.add_error("source_reference", _("Another invoice of this billing profile has this reference."))
        return data


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
    """Lines of a draft can be written; those of an issued invoice are shown."""

    model = InvoiceLine
    formset = LineFormSet
    fields = (
        "position", "description", "section", "quantity", "unit", "unit_price", "tax_rate", "tax_note", "amount", "tax",
    )  # fmt: skip
    readonly_fields = ("amount", "tax")
    ordering = ("position", "pk")

    def get_formset(self, request: HttpRequest, obj: Invoice | None = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        field = formset.form.base_fields.get("section")
        if isinstance(field, ModelChoiceField) and obj is not None:
            field.queryset = InvoiceSection.objects.filter(profile=obj.profile_id).order_by("name")
        return formset

    def has_add_permission(self, request: HttpRequest, obj: Invoice | None = None) -> bool:
        return _is_draft(obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Invoice | None = None) -> bool:
        return _is_draft(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Invoice | None = None) -> bool:
        return _is_draft(obj) and super().has_delete_permission(request, obj)

    @admin.display(description=InvoiceLine._meta.get_field("amount_minor").verbose_name)
    def amount(self, line: InvoiceLine) -> str:
        return Money(line.amount_minor, line.invoice.currency).format() if line.pk else ""

    @admin.display(description=InvoiceLine._meta.get_field("tax_minor").verbose_name)
    def tax(self, line: InvoiceLine) -> str:
        return Money(line.tax_minor, line.invoice.currency).format() if line.pk else ""


def _is_draft(invoice: Invoice | None) -> bool:
    return invoice is None or invoice.status == InvoiceStatus.DRAFT
