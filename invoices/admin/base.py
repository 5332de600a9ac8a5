"""What several staff pages share: columns of amounts and links, and the form that asks for a reason."""

from operator import attrgetter
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import ReadOnlyInline
from billing_portal.core.letters import validate_printed
from invoices.documents.figures import quantity
from invoices.documents.taxes import tax_label
from invoices.money import Money


def money_column(field: str, description: Any, *, currency: str = "currency") -> Any:
    """An amount in minor units as money, or an attribute that is Money already; ``currency`` leads from the row to its
    currency. Empty for a new row."""
    currency_of = attrgetter(currency)

    @admin.display(description=description, ordering=field)
    def show(_model_admin: admin.ModelAdmin, row: Model) -> str:
        amount = getattr(row, field) if row.pk else ""
        return str(Money(amount, currency_of(row)) if isinstance(amount, int) else amount)

    return show


def decimal_column(field: str, description: Any) -> Any:
    """A number in the reader's language, to the decimals that it has: ``3``, where the column keeps ``3.0000``."""

    @admin.display(description=description, ordering=field)
    def show(_model_admin: admin.ModelAdmin, row: Model) -> str:
        return quantity(getattr(row, field))

    return show


@admin.display(description=_("billing profile"), ordering="profile__name")
def profile_link(_model_admin: admin.ModelAdmin, row: Any) -> SafeString:
    url = reverse("admin:accounts_billingprofile_change", args=[row.profile_id])
    return format_html('<a href="{}">{}</a>', url, row.profile.name)


@admin.display(description=_("invoice"), ordering="invoice__number")
def invoice_link(_model_admin: admin.ModelAdmin, row: Any) -> SafeString | str:
    if row.invoice is None:
        return "-"
    url = reverse("admin:invoices_invoice_change", args=[row.invoice_id])
    return format_html('<a href="{}">{}</a>', url, row.invoice)


def amount_of(text: str, currency: str) -> Money:
    """An amount as somebody typed it. Raises ValidationError."""
    try:
        return Money.parse(text, currency)
    except ValueError as error:
        message = _("Write the amount as digits with a decimal point, such as 12.50, in %(currency)s.")
        raise forms.ValidationError(message, params={"currency": currency}) from error


class TaxesInline(ReadOnlyInline):
    """The table of taxes of a document."""

    verbose_name_plural = _("tax by rate")
    fields = readonly_fields = ("label", "taxable", "tax")
    ordering = ("pk",)

    @admin.display(description=_("tax rate"))
    def label(self, row: Any) -> str:
        return tax_label(row.as_tax)


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        validators=[validate_printed],
        help_text=_("The customer sees it."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
