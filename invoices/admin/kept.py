"""What staff look at and nobody changes by hand: number series."""

from django.contrib import admin

from accounts.admin.base import ReadOnlyAdmin
from invoices.models import NumberSeries


@admin.register(NumberSeries)
class NumberSeriesAdmin(ReadOnlyAdmin):
    """Changing a series by hand would make a gap, or the same number twice."""

    list_display = ("prefix", "next_number")
    ordering = ("prefix",)
