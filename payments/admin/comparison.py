"""Proofs of the books for staff: differences with providers, a staff queue, and each day's check."""

import re
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.access import Access
from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.staff_actions import StaffAction
from invoices.money import Money
from payments.admin.base import PaymentsAdmin
from payments.admin.forms import NoteForm
from payments.models import BooksCheck, GatewayDifference
from payments.operations.comparison import end_difference
from payments.states import DisputeStatus, PaymentStatus, RefundStatus

AMOUNT_AND_STATE = re.compile(r"([-\d.]+) ([A-Z]{3}) (\w+)")
STATES = {**dict(DisputeStatus.choices), **dict(RefundStatus.choices), **dict(PaymentStatus.choices)}


class WaitingFilter(admin.EmptyFieldListFilter):
    """Whether anybody still has to look at it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = _("status")

    def choices(self, changelist: Any) -> Iterator[Any]:
        names = (_("All"), _("Waiting for staff"), _("Ended"))
        for choice, name in zip(super().choices(changelist), names, strict=True):
            yield {**choice, "display": name}


@admin.register(GatewayDifference)
class GatewayDifferenceAdmin(PaymentsAdmin):
    list_display = ("gateway", "kind", "gateway_id", "at_the_provider", "here", "payment", "found_at", "ended_at")
    list_filter = (("ended_at", WaitingFilter), "kind", "gateway")
    list_select_related = ("payment",)
    search_fields = ("=gateway_id", "=payment__reference")
    search_help_text = _("Gateway's id, or reference of the payment")
    ordering = ("-found_at", "-pk")
    fields = (
        "gateway", "kind", "gateway_id", "at_the_provider", "here", "payment", "found_at", "ended_at", "ended_by",
        "note",
    )  # fmt: skip

    @admin.display(description=_("at the provider"))
    def at_the_provider(self, row: GatewayDifference) -> str:
        return _in_words(row.theirs)

    @admin.display(description=_("here"))
    def here(self, row: GatewayDifference) -> str:
        return _in_words(row.ours)

    @StaffAction(
        address="handled",
        title=_("Mark as handled"),
        is_offered=lambda row: row.ended_at is None and row.kind != GatewayDifference.Kind.CLOCK,
        text=[_("The difference leaves the staff queue, and comes back when the provider or the books change.")],
        form=NoteForm,
    )
    def handled(self, access: Access, row: GatewayDifference, data: dict[str, Any]) -> str:
        end_difference(access=access, difference_id=row.pk, note=data["note"], at=timezone.now())
        return _now("The difference left the staff queue.")


def _in_words(text: str) -> str:
    """An amount and a state as they were noted, such as ``120.00 EUR succeeded``, in the reader's language."""
    parts = AMOUNT_AND_STATE.fullmatch(text)
    if parts is None:
        return text or _now("not known")
    amount, currency, state = parts.groups()
    return f"{Money.parse(amount, currency)}, {STATES.get(state, state)}"


@admin.register(BooksCheck)
class BooksCheckAdmin(ReadOnlyAdmin):
    list_display = ("day", "finished_at", "differences")
    ordering = ("-day",)
    actions = None
    fields = readonly_fields = ("day", "started_at", "finished_at", "sentences")

    @admin.display(description=_("differences"))
    def differences(self, row: BooksCheck) -> int | None:
        return len(row.problems) if row.finished_at else None

    @admin.display(description=_("differences"))
    def sentences(self, row: BooksCheck) -> str:
        """As the check wrote them, which is in English."""
        if not row.finished_at:
            return _now("The check has not finished.")
        if not row.problems:
            return _now("The books add up.")
        sentences = format_html_join("", "<li>{}</li>", ((problem,) for problem in row.problems))
        unit = _now("Amounts are in the smallest unit of the currency, such as cents.")
        return format_html('<ul class="differences" lang="en">{}</ul><p>{}</p>', sentences, unit)
