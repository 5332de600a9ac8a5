"""Number series, and our bank accounts, which an invoice copies when it is issued."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from stdnum import bic, iban

from accounts.admin.base import NoDeleteAdmin, ReadOnlyAdmin
from accounts.models import BillingProfile
from invoices.models import NumberSeries, RemittanceAccount
from invoices.money import UnknownCurrency, exponent
from invoices.remittances import Remittances, compact, looks_like_iban


class RemittanceAccountForm(forms.ModelForm):
    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).strip().upper()
        try:
            exponent(currency)
        except UnknownCurrency as error:
            raise forms.ValidationError(str(error)) from error
        return currency

    def clean_iban(self) -> str:
        """Money that is sent to an IBAN with a wrong digit comes back after days, or never."""
        number = compact(str(self.cleaned_data["iban"]))
        if looks_like_iban(number) and not iban.is_valid(number):
            raise forms.ValidationError(_("The check digits of this IBAN are wrong."))
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
        accounts, today = Remittances(), timezone.localdate()
        missing = [
            currency
            for currency in BillingProfile.objects.order_by("currency").values_list("currency", flat=True).distinct()
            if accounts.on(currency, today) is None
        ]
        if missing and request.method == "GET":
            text = gettext("No account to send money to in: %(currencies)s. Invoices say to contact us.")
            self.message_user(request, text % {"currencies": ", ".join(missing)}, messages.WARNING)
        return super().changelist_view(request, extra_context)


@admin.register(NumberSeries)
class NumberSeriesAdmin(ReadOnlyAdmin):
    """Changing a series by hand would make a gap, or the same number twice."""

    list_display = ("prefix", "next_number")
    ordering = ("prefix",)
