"""Payments, automatic charges and the messages of providers, for staff: find them, read everything, act on one. The
list of payments filtered by "needs staff" is the staff queue: those that are still unknown after the last look-up, that
took another amount than asked, or whose money fitted no invoice."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts.access import Access
from accounts.admin.base import ReadOnlyInline, access_of_staff
from accounts.admin.staff_actions import StaffAction
from accounts.audit_words import Value, facts_in_words
from billing_portal.core.staff_pages import confirm, hide_fields
from invoices.admin.base import money_column
from invoices.models import Credit
from invoices.money import Money
from invoices.payability import day_text
from payments.admin.base import PaymentsAdmin
from payments.admin.forms import NoteForm, PaidBackForm, RecordForm, RefundForm
from payments.declines import reason_in_words
from payments.gateways.registry import gateways
from payments.models import AutomaticCharge, Dispute, Payment, PaymentAllocation, PaymentEvent, Refund, WebhookDelivery
from payments.operations import manual_payments, refunds
from payments.operations.autopay import plan_again
from payments.operations.manual_payments import CannotRecord
from payments.operations.reconciliation import sync_payment
from payments.operations.webhooks import process_again
from payments.states import PaymentStatus, RefundStatus
from payments.views.payment_status_text import event_text


def _facts_of_refund(payment: Payment) -> list[tuple[Any, Any]]:
    facts = [(_("Billing profile"), payment.profile), (_("Payment method"), payment.method_label)]
    kept = Credit.objects.filter(allocation__payment=payment).aggregate(minor=Sum("remaining_minor"))["minor"]
    if kept:
        facts.append((_("Overpayment, which goes back first"), Money(kept, payment.currency)))
    return facts


class AllocationsInline(ReadOnlyInline):
    model = PaymentAllocation
    fields = readonly_fields = ("invoice", "credit", "money", "refunded", "is_open")
    ordering = ("pk",)

    money = money_column("amount", _("amount"))
    refunded = money_column("refunded", _("refunded"))


class RefundsInline(ReadOnlyInline):
    model: Any = Refund
    fields = readonly_fields = ("money", "missing", "status", "reason", "started_at", "started_by", "finished_at")
    ordering = ("started_at",)
    show_change_link = True

    money = money_column("amount_minor", _("amount"))
    missing = money_column("unmatched", _("missing"))


class DisputesInline(RefundsInline):
    model = Dispute
    fields = readonly_fields = ("money", "missing", "status", "reason", "evidence_due_at", "opened_at", "closed_at")
    ordering = ("opened_at",)


class EventsInline(ReadOnlyInline):
    model = PaymentEvent
    fields = readonly_fields = ("at", "source", "words", "before", "after", "facts")
    ordering = ("at", "pk")

    @admin.display(description=_("what happened"))
    def words(self, event: PaymentEvent) -> str:
        return event_text(event)

    @admin.display(description=_("status before"))
    def before(self, event: PaymentEvent) -> str:
        return _status(event.old_status)

    @admin.display(description=_("status after"))
    def after(self, event: PaymentEvent) -> str:
        return _status(event.new_status)

    @admin.display(description=_("detail"))
    def facts(self, event: PaymentEvent) -> str:
        detail = dict(event.detail)
        if "decline" in detail:
            detail["reason"] = reason_in_words(detail.pop("decline"))
        return "; ".join(f"{name}: {_text(value)}" for name, value in facts_in_words("payment", detail)) or "-"


class GatewayFilter(admin.SimpleListFilter):
    """The gateways that are configured. Money that staff recorded came by none of them."""

    title = _("gateway")
    parameter_name = "gateway"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [(gateway.slug, gateway.label) for gateway in gateways()]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        return queryset.filter(gateway=self.value()) if self.value() else queryset


@admin.register(Payment)
class PaymentAdmin(PaymentsAdmin):
    list_display = ("reference", "money", "status", "profile", "paid_by", "started_at", "started_by", "queue")
    list_filter = ("needs_staff", "status", "channel", GatewayFilter, "started_at")
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
    fieldsets = [
        (title, {"fields": fields})
        for title, fields in (
            (
                None,
                ("reference", "status", "needs_staff", "money", "refunded", "charged_back", "disputed_at", "profile"),
            ),
            (_("Method"), ("channel", "paid_by", "method", "save_method", "make_default")),
            (_("At the gateway"), ("gateway", "gateway_id", "decline", "gateway_message")),
            (_("At the bank"), ("bank_reference", "received_on")),
            (_("Times"), ("started_at", "started_by", "finished_at", "next_lookup_at", "lookups")),
        )
    ]

    money = money_column("amount_minor", _("amount"))
    refunded = money_column("refunded", _("refunded"))
    charged_back = money_column("charged_back", _("taken back by the bank"))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Payment], search_term: str) -> Any:
        """A bank reference is found in whatever spelling, also one with spaces, which would be several words."""
        rows, may_repeat = super().get_search_results(request, queryset, search_term)
        if search_term.strip():
            # As keys: SQLite does not parse the comparison deep inside another query.
            found = manual_payments.same_reference(search_term).values_list("pk", flat=True)
            rows |= queryset.filter(pk__in=list(found))
        return rows, may_repeat

    def get_urls(self) -> list[URLPattern]:
        record = path("record/", self.admin_site.admin_view(self.record_view), name="payments_payment_record")
        return [record, *super().get_urls()]

    @admin.display(description=_("reason for the decline"))
    def decline(self, payment: Payment) -> str:
        return reason_in_words(payment.decline_code) or "-"

    @admin.display(description=_("staff queue"), ordering="needs_staff")
    def queue(self, payment: Payment) -> str:
        return _now("Needs staff") if payment.needs_staff else ""

    @admin.display(description=_("paid with"))
    def paid_by(self, payment: Payment) -> str:
        return payment.method_label

    @StaffAction(
        address="look-up",
        title=_("Look up again"),
        is_offered=lambda payment: payment.channel == "card" and payment.status != "succeeded",
        text=[
            _("The gateway is asked for the status of this payment, and its answer is recorded. Nothing is charged.")
        ],
        button=_("Look up"),
        audit="payment.looked_up",
    )
    def look_up(self, access: Access, payment: Payment, _data: Any) -> str:
        source = PaymentEvent.Source.STAFF
        row = sync_payment(payment_id=payment.pk, source=source, at=timezone.now(), by=access.user)
        return _now("The gateway was asked. The status of the payment is: %(status)s.") % {
            "status": row.get_status_display()
        }

    @StaffAction(
        address="refund",
        title=_("Refund"),
        is_offered=lambda payment: (
            payment.channel == "card" and payment.status == "succeeded" and payment.rest and not payment.disputed_at
        ),
        text=[
            _("The money goes back to the card it came from."),
            _("This cannot be undone."),
        ],
        facts=_facts_of_refund,
        form=RefundForm,
    )
    def refund(self, access: Access, payment: Payment, data: dict[str, Any]) -> str:
        _require_may_correct(access, data)
        row = refunds.refund(access=access, payment_id=payment.pk, at=timezone.now(), **data)
        facts = {"amount": row.amount, "status": row.get_status_display()}
        text = _now("Refund of %(amount)s: %(status)s.") % facts
        if row.status == RefundStatus.FAILED and data["takes_back_invoices"]:
            text += " " + _now("The invoice stays credited. The money is a credit now, and can be refunded again.")
        return text

    @StaffAction(
        address="paid-back",
        title=_("Record that it was paid back"),
        is_offered=lambda payment: (
            payment.status == "succeeded"
            and payment.rest
            and not payment.disputed_at
            and (payment.channel != "card" or refunds.has_failed_refund(payment))
        ),
        text=[
            _("For money that you paid back from your bank."),
            _("This cannot be undone."),
        ],
        facts=_facts_of_refund,
        form=PaidBackForm,
        button=_("Record"),
    )
    def paid_back(self, access: Access, payment: Payment, data: dict[str, Any]) -> str:
        _require_may_correct(access, data)
        row = refunds.refund(access=access, payment_id=payment.pk, at=timezone.now(), **data)
        return _now("The repayment of %(amount)s was recorded.") % {"amount": row.amount}

    @StaffAction(
        address="mismatch",
        title=_("Amounts do not agree"),
        link=_("Decide about the amount"),
        is_offered=lambda payment: payment.status == "mismatch",
        text=[
            _("Accepting books what was really taken: less leaves the rest due, more becomes a credit."),
            _("Refuse only after you paid the money back at the provider. The payment then ends as declined."),
        ],
        button=_("Accept what was taken"),
        facts=lambda payment: [(_("Asked"), payment.amount), (_("Taken"), _taken(payment))],
        answer=("accept", "yes"),
        other_answer=("no", _("Refuse")),
    )
    def mismatch(self, access: Access, payment: Payment, data: dict[str, Any]) -> str:
        answer = data["accept"]
        if answer not in {"yes", "no"}:
            raise CannotRecord(_now("Accept or refuse."))
        manual_payments.resolve_mismatch(
            access=access, payment_id=payment.pk, accept=answer == "yes", at=timezone.now()
        )
        return _now("The decision is recorded.")

    @StaffAction(
        address="handled",
        title=_("Mark as handled"),
        is_offered=lambda payment: payment.needs_staff and not payment.is_open,
        text=[_("The payment leaves the staff queue. No money moves, and the note is kept with the payment.")],
        form=NoteForm,
    )
    def handled(self, access: Access, payment: Payment, data: dict[str, Any]) -> str:
        manual_payments.mark_handled(access=access, payment_id=payment.pk, note=data["note"], at=timezone.now())
        return _now("The payment left the staff queue.")

    @StaffAction(
        address="end",
        title=_("End without money"),
        is_offered=manual_payments.is_stuck,
        text=[
            _("Look at the provider first and make sure that it took nothing. The invoice can then be paid again."),
            _("If the provider tells us later that it took the money after all, the money is booked."),
        ],
        form=NoteForm,
    )
    def end(self, access: Access, payment: Payment, data: dict[str, Any]) -> str:
        manual_payments.end_unanswered(access=access, payment_id=payment.pk, note=data["note"], at=timezone.now())
        return _now("The payment ended without money.")

    @StaffAction(
        address="returned",
        title=_("Record that it came back"),
        is_offered=lambda payment: payment.channel != "card" and payment.status == "succeeded" and payment.rest,
        text=[
            _("For a check that bounced or a wire that was recalled. What it paid is due again; the payer is told."),
            _("This cannot be undone."),
        ],
        form=NoteForm,
        facts=lambda payment: [(_("Amount"), payment.rest)],
    )
    def returned(self, access: Access, payment: Payment, data: dict[str, Any]) -> str:
        manual_payments.record_bounce(access=access, payment_id=payment.pk, reason=data["note"], at=timezone.now())
        return _now("The return is recorded. What it paid is due again.")

    def record_view(self, request: HttpRequest) -> HttpResponse:
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
            data = dict(form.cleaned_data)
            invoice_id = data.pop("invoice").pk
            try:
                access = access_of_staff(request)
                payment = manual_payments.record_payment(
                    access=access, invoice_id=invoice_id, at=timezone.now(), **data
                )
            except CannotRecord as refusal:
                form.add_error(None, str(refusal))
                return confirm(self, request, **page)
            self.message_user(request, _now("%(reference)s is recorded.") % {"reference": payment.reference})
            return HttpResponseRedirect(self.page_of(payment))
        facts, outcome = _what_will_happen(form.cleaned_data)
        hide_fields(form)
        page |= {"text": [outcome], "button": _("Record the payment"), "facts": facts, "answer": ("confirmed", "yes")}
        return confirm(self, request, **page)


def _require_may_correct(access: Access, data: dict[str, Any]) -> None:
    """To credit an invoice needs what the page of credit notes needs."""
    if data["takes_back_invoices"] and not (access.user and access.user.has_perm("invoices.add_creditnote")):
        raise refunds.CannotRefund(
            _now("Your staff account may not make credit notes. Refund without taking the invoice back.")
        )


def _status(code: str) -> str:
    return str(dict(PaymentStatus.choices).get(code, code)) or "-"


def _text(value: Value) -> str:
    return value.text if value.minor is None else Money(value.minor, value.currency).format()


def _taken(payment: Payment) -> str:
    event = payment.events.filter(new_status=PaymentStatus.MISMATCH).order_by("-pk").first()
    detail = event.detail if event is not None else {}
    if "amount_minor" not in detail:
        return _now("not known")
    return Money(detail["amount_minor"], detail["currency"]).format()


def _what_will_happen(data: dict[str, Any]) -> tuple[list[tuple[Any, Any]], str]:
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


@admin.register(AutomaticCharge)
class AutomaticChargeAdmin(PaymentsAdmin):
    list_display = ("invoice", "profile", "status", "stopped_because", "next_on", "tries", "last_payment", "changed_at")
    list_filter = ("status", "stopped_because", "changed_at")
    list_select_related = ("invoice", "profile", "last_payment")
    search_fields = ("=invoice__number", "=profile__code", "=last_payment__reference")
    search_help_text = _("Invoice number, profile code, or reference of the last payment")
    ordering = ("-changed_at", "-pk")
    fields = (
        "invoice", "profile", "status", "stopped_because", "next_on", "tries", "last_payment", "created_at",
        "changed_at",
    )  # fmt: skip

    @admin.display(description=_("charged next on"), ordering="invoice__autopay_on")
    def next_on(self, charge: AutomaticCharge) -> str:
        return day_text(charge.invoice.autopay_on)

    def links(self, request: HttpRequest, row: AutomaticCharge) -> list[tuple[str | Promise, str]]:
        invoice = (_("Invoice"), reverse("admin:invoices_invoice_change", args=[row.invoice_id]))
        return [invoice, *super().links(request, row)]

    @StaffAction(
        address="again",
        title=_("Plan again"),
        is_offered=lambda charge: charge.status != "waiting" and charge.invoice.status == "open",
        text=[
            _("The default card is charged today, as if the invoice had not been tried before."),
            _("The limit that the card networks set for each card still holds."),
        ],
        button=_("Charge today"),
    )
    def again(self, access: Access, charge: AutomaticCharge, _data: Any) -> str:
        plan_again(access=access, invoice_id=charge.invoice_id, at=timezone.now())
        return _now("%(invoice)s is charged today.") % {"invoice": charge.invoice}


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(PaymentsAdmin):
    list_display = ("event_id", "gateway", "type", "reference", "status", "received_at", "tries", "last_error")
    list_filter = ("status", "gateway", "kind", "received_at")
    search_fields = ("=event_id", "=object_id", "=gateway_payment_id", "=reference")
    search_help_text = _("Event, object, payment, or our reference")
    ordering = ("-pk",)

    @StaffAction(
        address="process",
        title=_("Process again"),
        text=[_("What the message is about is looked up at the gateway again. Doing so twice changes nothing.")],
        audit="delivery.processed",
    )
    def process(self, _access: Access, delivery: WebhookDelivery, _data: Any) -> str:
        row = process_again(delivery_id=delivery.pk, at=timezone.now())
        return _now("The status of the message is: %(status)s.") % {"status": row.get_status_display()}
