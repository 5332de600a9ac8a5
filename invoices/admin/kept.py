"""What staff look at and nobody changes by hand: number series and credits."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import ReadOnlyAdmin
from invoices.models import Credit, NumberSeries
from invoices.money import Money


@admin.register(NumberSeries)
class NumberSeriesAdmin(ReadOnlyAdmin):
    """Changing a series by hand would make a gap, or the same number twice."""

    list_display = ("prefix", "next_number")
    ordering = ("prefix",)


@admin.register(Credit)
class CreditAdmin(ReadOnlyAdmin):
    list_display = ("description", "profile", "amount", "remaining", "created_at")
    list_select_related = ("profile",)
    search_fields = ("profile__name", "profile__code", "description")
    search_help_text = _("Billing profile or description")
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-pk")
    fields = ("profile", "amount", "remaining", "description", "created_at")

    @admin.display(description=_("amount"), ordering="amount_minor")
    def amount(self, credit: Credit) -> str:
        return Money(credit.amount_minor, credit.currency).format()

    @admin.display(description=_("remaining"), ordering="remaining_minor")
    def remaining(self, credit: Credit) -> str:
        return credit.remaining.format()
