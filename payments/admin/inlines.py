"""What belongs to a payment, on its staff page: where the money went, what went back, what happened."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from invoices.money import Money
from payments.admin.base import ReadOnlyInline
from payments.models import Dispute, PaymentAllocation, PaymentEvent, Refund
from payments.views.story import event_text


class AllocationsInline(ReadOnlyInline):
    model = PaymentAllocation
    fields = readonly_fields = ("invoice", "credit", "money", "refunded", "is_open")
    ordering = ("pk",)

    @admin.display(description=_("amount"))
    def money(self, row: PaymentAllocation) -> str:
        return Money(row.amount_minor, row.payment.currency).format()

    @admin.display(description=_("refunded"))
    def refunded(self, row: PaymentAllocation) -> str:
        return Money(row.refunded_minor, row.payment.currency).format()


class RefundsInline(ReadOnlyInline):
    model = Refund
    fields = readonly_fields = ("money", "status", "reason", "started_at", "started_by", "finished_at")
    ordering = ("started_at",)
    show_change_link = True

    @admin.display(description=_("amount"))
    def money(self, row: Refund) -> str:
        return row.amount.format()


class DisputesInline(ReadOnlyInline):
    model = Dispute
    fields = readonly_fields = ("money", "status", "reason", "evidence_due_at", "opened_at", "closed_at")
    ordering = ("opened_at",)
    show_change_link = True

    @admin.display(description=_("amount"))
    def money(self, row: Dispute) -> str:
        return row.amount.format()


class EventsInline(ReadOnlyInline):
    model = PaymentEvent
    fields = readonly_fields = ("at", "source", "words", "result", "old_status", "new_status", "detail")
    ordering = ("at", "pk")

    @admin.display(description=_("what happened"))
    def words(self, event: PaymentEvent) -> str:
        return event_text(event)
