"""Number series, and what an invoice copies when it is issued: our bank accounts and rates of exchange."""

from datetime import date
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
from invoices.admin.base import decimal_column
from invoices.models import ExchangeRate, NumberSeries, RemittanceAccount
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
    list_display = ("currency", "seller", "valid_from_on", "account_holder", "iban", "bank")
    list_filter = ("currency", ("seller", admin.RelatedFieldListFilter))
    list_select_related = ("seller",)
    search_fields = ("iban", "account_holder", "bank")
    search_help_text = _("IBAN, account holder or bank")
    ordering = ("currency", "-valid_from_on")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Says in which currencies customers are invoiced while no account is there to send the money to."""
        billed = BillingProfile.objects.order_by().values_list("account__seller", "currency").distinct()
        missing = without_account(billed, timezone.localdate())
        if missing and request.method == "GET":
            text = gettext(
                "There is no bank account for payments in %(currencies)s. The invoices tell customers to contact us."
            )
            self.message_user(request, text % {"currencies": ", ".join(missing)}, messages.WARNING)
        return super().changelist_view(request, extra_context)


class ExchangeRateForm(forms.ModelForm):
    def clean_from_currency(self) -> str:
        return self._currency("from_currency")

    def clean_to_currency(self) -> str:
        return self._currency("to_currency")

    def clean_quoted_on(self) -> date:
        quoted_on: date = self.cleaned_data["quoted_on"]
        if quoted_on > timezone.localdate():
            raise forms.ValidationError(_("The day is in the future."))
        return quoted_on

    def _currency(self, name: str) -> str:
        currency = str(self.cleaned_data[name]).strip().upper()
        validate_currency(currency)
        return currency


@admin.register(ExchangeRate)
class ExchangeRateAdmin(NoDeleteAdmin):
    """A rate that is corrected holds for invoices that are issued from then on."""

    form = ExchangeRateForm
    list_display = ("quoted_on", "from_currency", "to_currency", "published", "source")
    list_filter = ("from_currency", "to_currency")
    date_hierarchy = "quoted_on"
    search_fields = ("from_currency", "to_currency", "source")
    search_help_text = _("Currency or source")
    ordering = ("-quoted_on", "from_currency", "to_currency")
    published = decimal_column("rate", _("rate"))


@admin.register(NumberSeries)
class NumberSeriesAdmin(ReadOnlyAdmin):
    """Changing a series by hand would make a gap, or the same number twice."""

    list_display = ("prefix", "next_number")
    ordering = ("prefix",)
