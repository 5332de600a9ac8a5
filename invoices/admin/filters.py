"""How staff narrow the list of all invoices."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from invoices.models import Invoice
from invoices.states import Label


class LabelFilter(admin.SimpleListFilter):
    """By what the customer sees. Past due is judged by the portal's day here, because the list spans time zones."""

    title = _("status")
    parameter_name = "label"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(label.value, str(label.label)) for label in Label]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Invoice]) -> QuerySet[Invoice]:
        label = self.value()
        if label is None or label not in Label.values:
            return queryset
        narrowed = Invoice.objects.with_label(Label(label), timezone.localdate())
        return queryset.filter(pk__in=narrowed.values("pk"))
