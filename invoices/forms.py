"""What a reader may ask of the invoice list. A value that means nothing is left out, never an error page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db import models
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from accounts.models import InvoiceSection
from billing_portal.core.paging import Sort
from invoices.models import InvoiceLine
from invoices.querysets import InvoiceQuerySet
from invoices.states import Label

STATUSES = [Label.DUE, Label.PAST_DUE, Label.IN_PROGRESS, Label.PAID, Label.VOID]
SORTS = {
    "number": "number", "issued": "issued_on", "due": "due_on", "billed": "total_minor", "amount": "amount_due_minor",
}  # fmt: skip
NEWEST_FIRST = "-issued"


class Period(models.TextChoices):
    THIS_YEAR = "this_year", _("This year")
    LAST_YEAR = "last_year", _("Last year")
    MONTHS_12 = "12_months", _("Last 12 months")
    MONTHS_3 = "3_months", _("Last 3 months")

    def days(self, today: date) -> tuple[date, date]:
        match self:
            case Period.THIS_YEAR:
                return date(today.year, 1, 1), date(today.year, 12, 31)
            case Period.LAST_YEAR:
                return date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)
            case Period.MONTHS_12:
                return _months_before(today, 12), today
            case Period.MONTHS_3:
                return _months_before(today, 3), today


def _months_before(day: date, months: int) -> date:
    """The day after the same day so many months ago, or after the last of that month when it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    next_month = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    last = next_month - timedelta(days=1)
    return last.replace(day=min(day.day, last.day)) + timedelta(days=1)


class FilterForm(forms.Form):
    number = forms.CharField(max_length=32, required=False)
    status = forms.TypedChoiceField(
        choices=[(status.value, status.label) for status in STATUSES], coerce=Label, empty_value=None, required=False
    )
    period = forms.TypedChoiceField(choices=Period.choices, coerce=Period, empty_value=None, required=False)
    section = forms.TypedChoiceField(coerce=int, empty_value=None, required=False)
    sort = forms.ChoiceField(choices=[(sign + key, key) for key in SORTS for sign in ("", "-")], required=False)

    def __init__(self, data: Mapping[str, Any], sections: list[InvoiceSection]) -> None:
        super().__init__(data)
        self.fields["section"].choices = [(section.pk, section.name) for section in sections]  # type: ignore[attr-defined]  # a field of choices


@dataclass(frozen=True, slots=True)
class Filters:
    """What is asked, with everything that was not understood left out."""

    number: str = ""
    status: Label | None = None
    period: Period | None = None
    section: int | None = None
    chosen_sort: str = ""

    @classmethod
    def read(cls, data: Mapping[str, Any], sections: list[InvoiceSection]) -> "Filters":
        form = FilterForm(data, sections)
        form.is_valid()
        words = {name: value for name, value in form.cleaned_data.items() if value not in ("", None)}
        sort = words.pop("sort", "")
        return cls(chosen_sort="" if sort == NEWEST_FIRST else sort, **words)

    @property
    def sort(self) -> str:
        """Newest first, unless chosen otherwise. What a search for a number finds stands together in the order of
        numbers; by date the whole list might have to be read."""
        return self.chosen_sort or ("-number" if self.number else NEWEST_FIRST)

    @property
    def narrows(self) -> bool:
        return bool(self.number or self.status or self.period or self.section)

    @property
    def is_by_date(self) -> bool:
        return self.sort in (NEWEST_FIRST, "-number")

    @property
    def order(self) -> Sort:
        return Sort(SORTS[self.sort.removeprefix("-")], descending=self.sort.startswith("-"))

    def apply(self, invoices: InvoiceQuerySet, today: date) -> InvoiceQuerySet:
        if self.number:
            invoices = invoices.numbered(self.number)
        if self.status is not None:
            invoices = invoices.with_label(self.status, today)
        if self.period is not None:
            invoices = invoices.filter(issued_on__range=self.period.days(today))
        if self.section is not None:
            invoices = invoices.filter(Exists(InvoiceLine.objects.filter(invoice=OuterRef("pk"), section=self.section)))
        return invoices

    def query(self, **changes: str) -> str:
        """The part of an address that asks the same with some changes; nothing for what is not asked."""
        words: dict[str, Any] = {
            "number": self.number, "status": self.status, "period": self.period, "section": self.section,
            "sort": self.chosen_sort, **changes,
        }  # fmt: skip
        query = urlencode({name: value for name, value in words.items() if value})
        return f"?{query}" if query else ""
