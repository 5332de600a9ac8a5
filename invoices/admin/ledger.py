"""The ledger for staff: its transfers, the codes of its accounts, and what accountants ask of it. Nothing is edited."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from accounts.admin.base import NoDeleteAdmin, ReadOnlyAdmin
from billing_portal.core.time_zones import month_before
from invoices.admin.base import money_column
from invoices.journal import (
    account_codes,
    held_by_providers,
    journal,
    last_closed_day,
    receivables_by_age,
    trial_balance,
)
from invoices.models import LedgerAccount, Transfer
from invoices.money import Money
from invoices.tables import Cell
from invoices.views.downloads import table_response

Head = list[str]
Rows = Iterator[list[Cell]]


@admin.register(LedgerAccount)
class LedgerAccountAdmin(NoDeleteAdmin):
    list_display = ("account", "code")
    ordering = ("account",)


class DayInput(forms.DateInput):
    """A browser's own choice of a day. It takes ISO 8601 alone, whatever the language of the page."""

    def __init__(self) -> None:
        super().__init__(attrs={"type": "date"}, format="%Y-%m-%d")


class DaysForm(forms.Form):
    """The days of a report. They have ended, so that it says the same whenever it is made."""

    first_on = forms.DateField(label=_("First day"), widget=DayInput)
    last_on = forms.DateField(label=_("Last day"), widget=DayInput)

    def __init__(self, *args: Any, last_day: date, has_period: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.last_day = last_day
        if not has_period:
            del self.fields["first_on"]
            self.fields["last_on"].label = _("At the end of")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        first_on, last_on = data.get("first_on"), data.get("last_on")
        if last_on is not None and last_on > self.last_day:
            text = _now("Something may still be booked on that day. Choose a day up to %(day)s.")
            self.add_error("last_on", text % {"day": date_format(self.last_day)})
        elif first_on is not None and last_on is not None and last_on < first_on:
            self.add_error("last_on", _now("The last day is before the first."))
        return data


def journal_table(first_on: date, last_on: date) -> tuple[Head, Rows]:
    codes = account_codes()
    head = [
        _now("Date"), _now("Debit"), _now("Code"), pgettext("side of an account", "Credit"), _now("Code"),
        _now("Amount"), _now("Currency"), _now("Kind"), _now("Billing profile"), _now("Invoice"), _now("Reference"),
        _now("Key"),
    ]  # fmt: skip

    def rows() -> Rows:
        for row in journal(first_on, last_on).iterator(chunk_size=2000):
            yield [
                row.booked_on, row.debit, codes.get(row.debit, ""), row.credit, codes.get(row.credit, ""), row.amount,
                row.currency, str(row.get_kind_display()), row.profile.code if row.profile else "",
                str(row.invoice or ""), row.reference,
                row.key,
            ]  # fmt: skip

    return head, rows()


def balance_table(_first_on: date, last_on: date) -> tuple[Head, Rows]:
    """Every account, and the sums of each currency, of which debit and credit are the same."""
    codes, balances = account_codes(), trial_balance(last_on)
    head = [
        _now("Ledger account"), _now("Code"), _now("Currency"), _now("Debit"), pgettext("side of an account", "Credit"),
        _now("Balance"),
    ]  # fmt: skip

    def rows() -> Rows:
        for currency in sorted({row.debit.currency for row in balances}):
            own = [row for row in balances if row.debit.currency == currency]
            for row in own:
                yield [row.account, codes.get(row.account, ""), currency, row.debit, row.credit, row.balance]
            debit = Money.total((row.debit for row in own), currency)
            credit = Money.total((row.credit for row in own), currency)
            yield [_now("Total"), "", currency, debit, credit, debit - credit]

    return head, rows()


def age_table(_first_on: date, last_on: date) -> tuple[Head, Rows]:
    """Every billing profile that owed something, and the sums of each currency."""
    owed = list(receivables_by_age(last_on))
    head = [
        _now("Billing profile"), _now("Name"), _now("Currency"), _now("Not past due"), _now("1 to 30 days late"),
        _now("31 to 60"), _now("61 to 90"), _now("Over 90"), _now("Total"),
    ]  # fmt: skip

    def rows() -> Rows:
        for currency in sorted({row.total.currency for row in owed}):
            own = [row for row in owed if row.total.currency == currency]
            for row in own:
                yield [row.profile, row.name, currency, *row.parts, row.total]
            sums = [Money.total(column, currency) for column in zip(*(row.parts for row in own), strict=True)]
            yield [_now("Total"), "", currency, *sums, Money.total(sums, currency)]

    return head, rows()


def provider_table(_first_on: date, last_on: date) -> tuple[Head, Rows]:
    """What each payment provider has of ours, by currency."""
    head = [
        _now("Payment provider"), _now("Currency"), _now("Booked"), _now("Paid out"), _now("Fees"),
        _now("Still at the provider"),
    ]  # fmt: skip

    def rows() -> Rows:
        for row in held_by_providers(last_on):
            yield [row.provider, row.booked.currency, row.booked, row.paid_out, row.fees, row.held]

    return head, rows()


# The title of each, its table, and what a page without rows says.
REPORTS = {
    "journal": (_("Journal"), journal_table, _("Nothing was booked on these days.")),
    "trial-balance": (_("Trial balance"), balance_table, _("Nothing was booked up to that day.")),
    "providers": (
        _("Money at payment providers"),
        provider_table,
        _("Nothing was booked with a provider up to that day."),
    ),
    "receivables": (_("Receivables by age"), age_table, _("No customer owed anything at the end of that day.")),
}
SHOWN_AT_MOST = 500


@admin.register(Transfer)
class TransferAdmin(ReadOnlyAdmin):
    list_display = ("booked_on", "kind", "debit", "credit", "amount", "profile", "invoice", "reference")
    list_display_links = ("booked_on",)
    list_filter = ("kind", ("booked_on", admin.DateFieldListFilter))
    list_select_related = ("profile", "invoice")
    search_fields = ("=invoice__number", "=profile__code", "=reference", "=key")
    search_help_text = _("Invoice number, code of the billing profile, or reference, in full")
    ordering = ("-booked_on", "-pk")
    actions = None
    amount = money_column("amount_minor", _("amount"))
    fields = readonly_fields = (
        "booked_on", "booked_at", "kind", "debit", "credit", "amount", "profile", "invoice", "lot", "reference", "key",
    )  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        reports = [
            path(f"{name}/", self.admin_site.admin_view(self.report), {"name": name}, name=f"invoices_{name}")
            for name in REPORTS
        ]
        return [*reports, *super().get_urls()]

    def report(self, request: HttpRequest, name: str) -> HttpResponseBase:
        """A report as a page of its first rows, or whole as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        title, table, nothing = REPORTS[name]
        last_day = last_closed_day(timezone.now())
        # The journal of the last month that has ended, until others are asked for.
        first_on, last_on = month_before(last_day + timedelta(days=1)) if name == "journal" else (last_day, last_day)
        asked = {"first_on": first_on, "last_on": last_on, **request.GET.dict()}
        form = DaysForm(asked, last_day=last_day, has_period=name == "journal")
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "form": form,
            "name": name,
        }
        if form.is_valid():
            last_on = form.cleaned_data["last_on"]
            head, rows = table(form.cleaned_data.get("first_on", last_on), last_on)
            if request.GET.get("as") in {"csv", "xlsx"}:
                days = "-".join(str(day) for day in form.cleaned_data.values())
                return table_response(request.GET["as"], f"{name}-{days}", head, rows)
            shown = [row for row, _number in zip(rows, range(SHOWN_AT_MOST + 1), strict=False)]
            amounts = [isinstance(cell, Money) for cell in shown[0]] if shown else []
            context |= {
                "head": list(zip(head, amounts, strict=False)),
                "rows": [list(zip(row, amounts, strict=True)) for row in shown[:SHOWN_AT_MOST]],
                "total": _now("Total"),
                "nothing": nothing,
                "is_cut": len(shown) > SHOWN_AT_MOST,
                "query": "&".join(f"{key}={day}" for key, day in form.cleaned_data.items()),
            }
        return render(request, "admin/invoices/transfer/report.html", context)
