"""Number series, and our bank accounts, which an invoice copies when it is issued."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from stdnum import bic

from accounts.admin.base import NoDeleteAdmin, ReadOnlyAdmin
from accounts.models import BillingProfile
from billing_portal.core.iso_codes import validate_currency
from invoices.models import NumberSeries, RemittanceAccount
from invoices.remittances import compact, is_account_number, without_account


class RemittanceAccountForm(forms.ModelForm):
    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).strip().upper()
        validate_currency(currency)
        return currency

    def clean_iban(self) -> str:
        """Money that is sent to an IBAN with a wrong digit comes back after days, or never."""
        number = compact(str(self.cleaned_data["iban"]))
        if not is_account_number(number):
            raise forms.ValidationError(_("This is not an account number, or its check digits are wrong."))
        return number

    def clean_bic(self) -> str:
        number = compact(str(self.cleaned_data["bic"]))
        if number and not bic.is_valid(number):
            raise forms.ValidationError(_("This is not a BIC."))
        return number


@admin.register(RemittanceAccount)
class RemittanceAccountAdmin(NoDeleteAdmin):
    form = RemittanceAccountForm
    list_display = ("currency", "valid_from_on", "account_holder", "iban", "bank")
    list_filter = ("currency",)
    search_fields = ("iban", "account_holder", "bank")
    search_help_text = _("IBAN, account holder or bank")
    ordering = ("currency", "-valid_from_on")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Says in which currencies customers are invoiced while no account is there to send the money to."""
        billed = BillingProfile.objects.order_by("currency").values_list("currency", flat=True).distinct()
        missing = without_account(billed, timezone.localdate())
        if missing and request.method == "GET":
            text = gettext(
                "There is no bank account for payments in %(currencies)s. The invoices tell customers to contact us."
            )
            self.message_user(request, text % {"currencies": ", ".join(missing)}, messages.WARNING)
        return super().changelist_view(request, extra_context)


@admin.register(NumberSeries)
class NumberSeriesAdmin(ReadOnlyAdmin):
    """Changing a series by hand would make a gap, or the same number twice."""

    list_display = ("prefix", "next_number")
    ordering = ("prefix",)
