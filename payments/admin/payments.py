"""Payments for staff: find them, read everything about one, and do what staff may do with it.

The list filtered by "needs staff" is the staff queue: payments that are still unknown after the last look-up, that
took another amount than asked, or whose money fitted no invoice.

What belongs to a payment, on its staff page: where the money went, what went back, what happened.
"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.admin.base import access_of_staff
from billing_portal.core.staff_pages import confirm
from invoices.money import Money
from payments.admin.base import ReadOnlyInline, StaffActionAdmin
from payments.admin.forms import NoteForm, RecordForm, RefundForm
from payments.gateways.registry import gateways
from payments.models import Dispute, Payment, PaymentAllocation, PaymentEvent, Refund
from payments.operations.manual_payments import (
    CannotRecord,
    end_unanswered,
    mark_handled,
    record_bounce,
    record_payment,
    resolve_mismatch,
)
from payments.operations.reconciliation import sync_payment
from payments.operations.refunds import refund
from payments.states import PaymentStatus
from payments.views.payment_status_text import event_text


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


class GatewayFilter(admin.SimpleListFilter):
    """The gateways that are configured. Money that staff recorded came by none of them."""

    title = _("gateway")
    parameter_name = "gateway"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(gateway.slug, gateway.label) for gateway in gateways()]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        return queryset.filter(gateway=self.value()) if self.value() else queryset


@admin.register(Payment)
class PaymentAdmin(StaffActionAdmin):
    list_display = ("reference", "money", "status", "profile", "paid_by", "started_at", "started_by", "queue")
    list_filter = ("needs_staff", "status", "channel", GatewayFilter, ("started_at", admin.DateFieldListFilter))
    list_select_related = ("profile", "started_by")
    search_fields = (
        *("=reference", "=gateway_id", "=allocations__invoice__number", "=bank_reference", "=profile__code"),
        "=started_by__email",
    )
    search_help_text = _(
        "Reference, gateway's id, invoice number, bank or check reference, profile code, email address"
    )
    ordering = ("-started_at", "-id")
    inlines = (AllocationsInline, RefundsInline, DisputesInline, EventsInline)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    *("reference", "status", "needs_staff", "money"),
                    *("refunded", "charged_back", "disputed_at", "profile"),
                )
            },
        ),
        (_("Method"), {"fields": ("channel", "paid_by", "method", "save_method", "make_default")}),
        (
            _("At the gateway"),
            {"fields": ("gateway", "gateway_id", "decline_code", "decline_bucket", "gateway_message")},
        ),
        (_("At the bank"), {"fields": ("bank_reference", "received_on")}),
        (_("Times"), {"fields": ("started_at", "started_by", "finished_at", "next_lookup_at", "lookups")}),
    )
    row_actions = {
        "look-up": "look_up_view",
        "refund": "refund_view",
        "mismatch": "mismatch_view",
        "handled": "handled_view",
        "end": "end_view",
        "returned": "returned_view",
    }

    def get_urls(self) -> list[URLPattern]:
        record = path("record/", self.admin_site.admin_view(self.record_view), name="payments_payment_record")
        return [record, *super().get_urls()]

    @admin.display(description=_("amount"), ordering="amount_minor")
    def money(self, payment: Payment) -> str:
        return payment.amount.format()

    @admin.display(description=_("staff queue"), ordering="needs_staff")
    def queue(self, payment: Payment) -> str:
        return _now("Needs staff") if payment.needs_staff else ""

    @admin.display(description=_("refunded"))
    def refunded(self, payment: Payment) -> str:
        return payment.refunded.format()

    @admin.display(description=_("taken back by the bank"))
    def charged_back(self, payment: Payment) -> str:
        return payment.charged_back.format()

    @admin.display(description=_("paid with"))
    def paid_by(self, payment: Payment) -> str:
        return payment.method_label

    def look_up_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks the gateway how a payment stands."""
        payment = self.row(request, object_id)

        def perform() -> str:
            by = access_of_staff(request).user
            row = sync_payment(payment_id=payment.pk, source=PaymentEvent.Source.STAFF, at=timezone.now(), by=by)
            status = row.get_status_display()
            return _now("The gateway was asked. The payment stands at: %(status)s.") % {"status": status}

        text = [_("The gateway is asked how this payment stands, and what it says is recorded. Nothing is charged.")]
        title, button = _("Look up again"), _("Look up")
        return self.act(
            request, payment, perform, audit_action="payment.looked_up", title=title, text=text, button=button
        )

    def refund_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Pays back all or part of a payment."""
        payment = self.row(request, object_id)
        form = RefundForm(request.POST or None, payment=payment)

        def perform() -> str:
            row = refund(
                access=access_of_staff(request),
                payment_id=payment.pk,
                amount=form.cleaned_data["amount"],
                reason=form.cleaned_data["reason"],
                attempt_key=form.cleaned_data["attempt_key"],
                at=timezone.now(),
            )
            facts = {"amount": row.amount, "status": row.get_status_display()}
            return _now("Refund of %(amount)s: %(status)s.") % facts

        text = [
            _("The money goes back to the card it came from. The invoices show at once that it is due again."),
            _("This cannot be taken back."),
        ]
        title = button = _("Refund")
        return self.act(request, payment, perform, form=form, title=title, text=text, button=button)

    def mismatch_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Decides about a payment for which the gateway took another amount than asked."""
        payment = self.row(request, object_id)

        def perform() -> str:
            answer = request.POST.get("accept")
            if answer not in {"yes", "no"}:
                raise CannotRecord(_now("Accept or refuse."))
            accept, access = answer == "yes", access_of_staff(request)
            resolve_mismatch(access=access, payment_id=payment.pk, accept=accept, at=timezone.now())
            return _now("The decision is recorded.")

        event = payment.events.filter(new_status=PaymentStatus.MISMATCH).order_by("-pk").first()
        text = [
            _("Accepting books what was really taken: less leaves the rest due, more becomes a credit."),
            _("Refuse only after you paid the money back at the provider. The payment then ends as declined."),
        ]
        return self.act(
            request,
            payment,
            perform,
            title=_("Amounts do not agree"),
            text=text,
            button=_("Accept what was taken"),
            facts=[(_("Asked"), payment.amount), (_("Taken"), _taken(event))],
            answer=("accept", "yes"),
            other_answer=("no", _("Refuse")),
        )

    def handled_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Takes a payment out of the staff queue."""
        payment = self.row(request, object_id)
        form = NoteForm(request.POST or None)

        def perform() -> str:
            note = form.cleaned_data["note"]
            mark_handled(access=access_of_staff(request), payment_id=payment.pk, note=note, at=timezone.now())
            return _now("The payment left the staff queue.")

        text = [_("The payment leaves the staff queue. No money moves, and the note is kept with the payment.")]
        title = button = _("Mark as handled")
        return self.act(request, payment, perform, form=form, title=title, text=text, button=button)

    def end_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ends an attempt for which the gateway never answered."""
        payment = self.row(request, object_id)
        form = NoteForm(request.POST or None)

        def perform() -> str:
            note = form.cleaned_data["note"]
            end_unanswered(access=access_of_staff(request), payment_id=payment.pk, note=note, at=timezone.now())
            return _now("The payment ended without money.")

        text = [
            _("Look at the provider first and make sure that it took nothing. The invoice can then be paid again."),
            _("If the provider tells us later that it took the money after all, the money is booked."),
        ]
        title = button = _("End without money")
        return self.act(request, payment, perform, form=form, title=title, text=text, button=button)

    def returned_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Books that a recorded check or wire came back."""
        payment = self.row(request, object_id)
        form = NoteForm(request.POST or None)

        def perform() -> str:
            reason = form.cleaned_data["note"]
            record_bounce(access=access_of_staff(request), payment_id=payment.pk, reason=reason, at=timezone.now())
            return _now("The return is recorded. What it paid is due again.")

        text = [
            _("For a check that bounced or a wire that was recalled. What it paid is due again; the payer is told."),
            _("This cannot be taken back."),
        ]
        facts, title = [(_("Amount"), payment.rest)], _("Record that it came back")
        return self.act(request, payment, perform, form=form, title=title, text=text, button=title, facts=facts)

    def record_view(self, request: HttpRequest) -> HttpResponse:
        """Records money that came by check or wire, after showing what will become of it."""
        self.require_may_act(request)
        form = RecordForm(request.POST or None, initial={"invoice": request.GET.get("invoice", "")})
        page: dict[str, Any] = {
            "title": _("Record a payment"),
            "text": [_("For money that came by check or wire transfer.")],
            "button": _("Continue"),
            "back": reverse("admin:payments_payment_changelist"),
            "form": form,
        }
        if not form.is_valid():
            return confirm(self, request, **page)
        if "confirmed" in request.POST:
            data = form.cleaned_data
            try:
                payment = record_payment(
                    access=access_of_staff(request),
                    invoice_id=data["invoice"].pk,
                    amount=data["amount"],
                    channel=data["channel"],
                    bank_reference=data["bank_reference"],
                    received_on=data["received_on"],
                    attempt_key=data["attempt_key"],
                    at=timezone.now(),
                )
            except CannotRecord as refusal:
                form.add_error(None, str(refusal))
                return confirm(self, request, **page)
            self.message_user(request, _now("%(reference)s is recorded.") % {"reference": payment.reference})
            return HttpResponseRedirect(self.page_of(payment))
        facts, outcome = _what_will_happen(form.cleaned_data)
        form.hide()
        page |= {"text": [outcome], "button": _("Record the payment"), "facts": facts, "answer": ("confirmed", "yes")}
        return confirm(self, request, **page)


def _taken(event: PaymentEvent | None) -> str:
    detail = event.detail if event is not None else {}
    if "amount_minor" not in detail:
        return _now("not known")
    return Money(detail["amount_minor"], detail["currency"]).format()


def _what_will_happen(data: dict[str, Any]) -> tuple[list[tuple[Any, Any]], str]:
    """The facts of a recording and, in words, where its money goes."""
    invoice, amount = data["invoice"], data["amount"]
    due: Money = invoice.amount_due
    facts = [
        (_("Invoice"), f"{invoice.number}, {invoice.profile.name}"),
        (_("Amount due"), due),
        (_("Amount received"), amount),
        (_("How it came"), Payment.Channel(data["channel"]).label),
        (_("Bank or check reference"), data["bank_reference"]),
        (_("Received on"), data["received_on"]),
    ]
    if invoice.amount_due_minor <= 0:
        text = _now("Nothing is due on this invoice. All of it becomes a credit of the billing profile.")
    elif amount < due:
        text = _now("Less than what is due: %(rest)s stays due.") % {"rest": due - amount}
    elif due < amount:
        text = _now("More than what is due: %(rest)s becomes a credit of the billing profile.") % {"rest": amount - due}
    else:
        text = _now("The invoice is then paid in full.")
    return facts, text
