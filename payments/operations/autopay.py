"""Charging a profile's default card for its invoices by the clock.

An invoice says on which day it is charged next (``autopay_on``); an `AutomaticCharge` is its plan. A try is an ordinary
payment (`attempts`), except that nobody is there to answer the bank, so a bank that wants approval ends the plan and
the payer gets a mail. Whatever a person does (pays, voids, disputes, switches off, goes over to wire) ends it too.

The default card is tried again on the days of ``AUTOPAY_RETRY_DAYS`` after a refusal that may pass. After a refusal for
good come the backup cards, in their order, once each. Without a default card nothing is charged.

`begin_charge` reads every fact again under the invoice's lock and writes the plan in the commit that begins the
payment, so an invoice is due for the clock, or has a payment that waits, never both. When that payment has ended,
whoever comes by calls `advance`, so it makes no difference where a process is killed.
"""

from datetime import date, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID, uuid5

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, fresh, system_access
from accounts.models import BillingProfile
from accounts.roles import Permission
from billing_portal.core.batches import run_each
from billing_portal.core.database import translate_lock_timeout
from billing_portal.core.time_zones import has_come
from invoices.models import Invoice
from invoices.operations.invoice_payments import note_declined, plan_autopay
from invoices.states import InvoiceStatus
from payments.gateways.base import Bucket
from payments.models import AutomaticCharge, Payment, PaymentMethod
from payments.operations import notifications
from payments.operations.attempts import CannotPay, begin, charge
from payments.operations.methods import CannotChangeMethod, drop_plans, lock_planned_invoices, renew_chargeable
from payments.states import OPEN, PaymentStatus

log = structlog.get_logger("portal.payments")
S = AutomaticCharge.Status
Stop = AutomaticCharge.Stop

ATTEMPTS = UUID("a75a7dfe-3b3e-4f0c-9d57-52b1c04d6e13")
TERMINAL = (Bucket.NEW_METHOD, Bucket.NEVER)
CAP_WINDOW = timedelta(days=30)
# How long an invoice is tried again each day while the provider gives no answer at all.
NO_ANSWER_FOR = timedelta(days=7)

STATES = {InvoiceStatus.PAID: Stop.PAID, InvoiceStatus.VOID: Stop.VOID}
BOUNDS = {"too_small": Stop.TOO_SMALL, "too_large": Stop.TOO_LARGE}
REFUSALS = {"method_expired": Stop.CARD_EXPIRED, "method_gone": Stop.NO_CARD, "no_method": Stop.NO_CARD}


class CannotPlan(Exception):
    """The invoice was not planned to be charged. The message may be shown to staff."""


def charge_due(*, at: datetime, limit: int) -> int:
    """Goes on with plans whose last payment has ended, then charges invoices whose day has come where they are.
    Returns how many were worked on; 0: nothing is left. May be killed, run twice, or run by several workers."""

    def put_off(invoice_id: int) -> None:
        """Tomorrow where its card is still to be charged, to the end of the line where its plan waits."""
        with transaction.atomic():
            invoice = lock_invoice(invoice_id)
            if invoice.autopay_on is not None:
                plan_autopay(invoice, invoice.profile.day_of(at) + timedelta(days=1))
            AutomaticCharge.objects.filter(invoice=invoice).update(changed_at=at)

    event = "not charged automatically"
    ended = Q(status=S.WAITING) & ~Q(last_payment__status__in=OPEN)
    needless = Q(status=S.PLANNED, invoice__autopay_on=None)
    plans = AutomaticCharge.objects.filter(ended | needless, status__in=(S.PLANNED, S.WAITING))
    to_advance = list(plans.order_by("changed_at", "pk").values_list("invoice_id", flat=True)[:limit])
    done = run_each(to_advance, lambda pk: advance(invoice_id=pk, at=at), log=log, event=event, on_failure=put_off)
    # A payment that somebody began comes first: the invoice is due again when that has ended.
    day_has_come = has_come("autopay_on", zone="profile__time_zone", at=at)
    invoices = Invoice.objects.filter(day_has_come, autopay_on__isnull=False, payment_started_at=None)
    to_charge = list(invoices.order_by("autopay_on", "pk").values_list("pk", flat=True)[: max(0, limit - done)])
    return done + run_each(to_charge, lambda pk: _charge(pk, at), log=log, event=event, on_failure=put_off)


def _charge(invoice_id: int, at: datetime) -> bool:
    started = monotonic()
    # A card that has expired by our copy is looked up before it is refused; without an answer, all is put off.
    renew_chargeable(Invoice.objects.values_list("profile_id", flat=True).get(pk=invoice_id), at=at)
    was_due, begun = begin_charge(invoice_id=invoice_id, at=at)
    if begun is not None:
        payment, invoices = begun
        if invoices:
            path = reverse("payments:return", args=[payment.profile.code, payment.reference])
            charge(payment, invoices, at=at, started=started, return_url=settings.PUBLIC_URL + path)
        advance(invoice_id=invoice_id, at=at)
    return was_due


@transaction.atomic(durable=True)
def begin_charge(*, invoice_id: int, at: datetime) -> tuple[bool, tuple[Payment, list[Invoice]] | None]:
    """Begins the next try of an invoice, or ends its plan. Returns whether it was due, and what `begin` returned."""
    invoice = lock_invoice(invoice_id)
    if invoice.autopay_on is None or invoice.autopay_on > invoice.profile.day_of(at) or invoice.is_being_paid:
        return False, None
    plan = lock_plan(invoice) or AutomaticCharge.objects.create(
        invoice=invoice, profile=invoice.profile, created_at=at, changed_at=at
    )
    if plan.status != S.PLANNED:
        # Its day was written by something that knows nothing of the plan, which says that it is over.
        log.error("invoice due without a plan", invoice=invoice.number, plan=plan.status)
        plan_autopay(invoice, None)
        return True, None
    begun, stop = _begin(plan, at=at)
    if begun is None:
        end(plan, stop or Stop.CONFIG, at=at)
        return True, None
    plan.status, plan.last_payment, plan.changed_at = S.WAITING, begun[0], at
    plan.save(update_fields=["status", "tries", "last_payment", "changed_at"])
    plan_autopay(invoice, None)
    return True, begun


def _begin(plan: AutomaticCharge, *, at: datetime) -> tuple[tuple[Payment, list[Invoice]] | None, Stop | None]:
    stop = reason_to_stop(plan.invoice)
    if stop is None and not settings.PAYMENT_GATEWAYS:
        stop = Stop.CONFIG
    if stop is not None:
        return None, stop
    card, stop = next_card(plan, at=at)
    if card is None:
        return None, stop
    if is_capped(card, at=at):
        return None, Stop.CAPPED
    plan.tries += 1
    try:
        return begin(
            access=system_access(plan.profile),
            invoice_ids=[plan.invoice_id],
            shown=plan.invoice.amount_due,
            attempt_key=attempt_key_of(plan.invoice, plan.tries),
            method_id=card.pk,
            at=at,
        ), None
    except CannotPay as refused:
        if refused.code in REFUSALS:
            return None, REFUSALS[refused.code]
        return None, Stop(refused.code) if refused.code in Stop.values else Stop.CONFIG


def attempt_key_of(invoice: Invoice, number: int) -> UUID:
    """The same whoever makes the try, so that it is made once."""
    return uuid5(ATTEMPTS, f"{invoice.pk}/{number}")


def lock_invoice(invoice_id: int) -> Invoice:
    """The invoice, locked, with its profile and account. Every act on a plan takes this lock first."""
    return Invoice.objects.select_related("profile__account").filter(pk=invoice_id).locked().get()


def lock_plan(invoice: Invoice) -> AutomaticCharge | None:
    plan = AutomaticCharge.objects.select_related("last_payment").filter(invoice=invoice).first()
    if plan is not None:
        plan.invoice, plan.profile = invoice, invoice.profile
    return plan


def reason_to_stop(invoice: Invoice) -> Stop | None:
    """What somebody did meanwhile that ends the plan. Needs ``invoice.profile``, read under the invoice's lock."""
    if invoice.status != InvoiceStatus.OPEN:
        return STATES.get(InvoiceStatus(invoice.status), Stop.NOTHING_DUE)
    if invoice.amount_due_minor <= 0:
        return Stop.NOTHING_DUE
    if invoice.disputed_at is not None:
        return Stop.DISPUTED
    if not invoice.profile.charges_automatically:
        return Stop.SWITCHED_OFF
    return Stop.BY_WIRE if invoice.profile.pays_by_wire else None


def payments_of(plan: AutomaticCharge) -> QuerySet[Payment]:
    """The tries of this plan. What people tried does not count, nor what was tried before the plan began anew."""
    return Payment.objects.filter(
        allocations__invoice=plan.invoice_id, is_automatic=True, started_at__gte=plan.created_at
    )


def next_card(plan: AutomaticCharge, *, at: datetime) -> tuple[PaymentMethod | None, Stop | None]:
    """The card of the next try, as the profile's cards stand now, or why there is none."""
    declined = list(payments_of(plan).filter(status=PaymentStatus.DECLINED).values_list("method_id", "decline_bucket"))
    refused = {method for method, bucket in declined if bucket in TERMINAL}
    cards = PaymentMethod.objects.active().filter(profile=plan.profile_id)
    default = cards.filter(is_default=True).first()
    today = plan.profile.day_of(at)
    if default is not None and default.pk not in refused:
        return (None, Stop.CARD_EXPIRED) if default.is_expired(today) else (default, None)
    if not refused:
        return None, Stop.NO_CARD
    backups = cards.filter(backup_order__isnull=False).exclude(pk__in=[method for method, _bucket in declined])
    usable = (card for card in backups.order_by("backup_order") if not card.is_expired(today))
    card = next(usable, None)
    return card, None if card else Stop.REFUSED


def is_capped(card: PaymentMethod, *, at: datetime) -> bool:
    """Whether automatic charges of this card number were refused as often as the networks allow within 30 days."""
    same_card = Q(method=card)
    if card.fingerprint:
        same_card |= Q(method__gateway=card.gateway, method__fingerprint=card.fingerprint)
    refused = Payment.objects.filter(
        same_card, is_automatic=True, status=PaymentStatus.DECLINED, started_at__gt=at - CAP_WINDOW
    )
    return refused.count() >= settings.AUTOPAY_MAX_TRIES_PER_CARD


def next_retry_on(plan: AutomaticCharge, *, at: datetime) -> date | None:
    """The next of the days after the first try; a day that was missed is not made up for."""
    first, today = plan.profile.day_of(plan.created_at), plan.profile.day_of(at)
    days = (first + timedelta(days=days) for days in sorted(settings.AUTOPAY_RETRY_DAYS))
    return next((day for day in days if day > today), None)


@transaction.atomic
def advance(*, invoice_id: int, at: datetime) -> bool:
    """Plans what follows when the last try has ended, or ends a needless plan; run twice, it changes nothing twice."""
    invoice = lock_invoice(invoice_id)
    plan = lock_plan(invoice)
    if plan is None or plan.status not in (S.PLANNED, S.WAITING):
        return False
    if plan.status == S.PLANNED:
        if invoice.autopay_on is not None:
            return False
        end(plan, reason_to_stop(invoice) or Stop.SWITCHED_OFF, at=at)
        return True
    payment = plan.last_payment
    if payment is not None and payment.status in OPEN:
        return False
    _after(plan, payment, at=at)
    return True


def _after(plan: AutomaticCharge, payment: Payment | None, *, at: datetime) -> None:
    reason = reason_to_stop(plan.invoice)
    if payment is not None and payment.status == PaymentStatus.DECLINED:
        note_declined(plan.invoice, plan.profile.day_of(payment.started_at))
    if reason is not None or payment is None or payment.status == PaymentStatus.SUCCEEDED:
        end(plan, reason or Stop.NOTHING_DUE, at=at)
    elif payment.status != PaymentStatus.DECLINED:
        _after_no_answer(plan, payment, at=at)
    elif payment.decline_bucket == Bucket.CUSTOMER_MUST_ACT:
        end(plan, Stop.MUST_ACT, at=at)
    elif payment.decline_bucket == Bucket.CONFIG_ERROR:
        Payment.objects.filter(pk=payment.pk).update(needs_staff=True)
        end(plan, BOUNDS.get(payment.decline_code, Stop.CONFIG), at=at)
    else:
        _after_refusal(plan, payment, at=at)


def _after_refusal(plan: AutomaticCharge, payment: Payment, *, at: datetime) -> None:
    card, stop = next_card(plan, at=at)
    if card is None:
        end(plan, stop or Stop.REFUSED, at=at)
        return
    on = next_retry_on(plan, at=at) if card.pk == payment.method_id else plan.profile.day_of(at)
    if on is None:
        end(plan, Stop.USED_UP, at=at)
        return
    _plan_on(plan, on, at=at)
    notifications.notify_first_failure(plan, payment, card, on=on, at=at)


def _after_no_answer(plan: AutomaticCharge, payment: Payment, *, at: datetime) -> None:
    """Nothing was charged: once more tomorrow, for a week. An approval that nobody was there to give ends the plan."""
    if payment.events.filter(new_status=PaymentStatus.NEEDS_CUSTOMER).exists():
        end(plan, Stop.MUST_ACT, at=at)
    elif at - plan.created_at >= NO_ANSWER_FOR:
        end(plan, Stop.NO_ANSWER, at=at)
    else:
        _plan_on(plan, plan.profile.day_of(at) + timedelta(days=1), at=at)


def _plan_on(plan: AutomaticCharge, on: date, *, at: datetime) -> None:
    plan_autopay(plan.invoice, on)
    plan.status, plan.changed_at = S.PLANNED, at
    plan.save(update_fields=["status", "changed_at"])


def end(plan: AutomaticCharge, reason: Stop, *, at: datetime) -> None:
    """Ends a plan, its invoice locked: done when an automatic charge paid it, else stopped, which people are told."""
    plan_autopay(plan.invoice, None)
    paid = payments_of(plan).filter(status=PaymentStatus.SUCCEEDED).exists()
    plan.status, plan.stopped_because, plan.changed_at = S.DONE if paid else S.STOPPED, "" if paid else reason, at
    plan.save(update_fields=["status", "stopped_because", "changed_at"])
    if not paid:
        about: dict[str, Any] = {"subject": str(plan.invoice), "profile": plan.profile, "reason": reason.value}
        audit.record(access=system_access(), at=at, action="autopay.stopped", **about)
        notifications.notify_stop(plan, reason, at=at)


@transaction.atomic
def plan_again(*, access: Access, invoice_id: int, at: datetime) -> AutomaticCharge:
    """Has an invoice charged today, as if it had never been tried; the networks' cap of each card still holds. Rights
    are the caller's: staff. Raises CannotPlan, Invoice.DoesNotExist."""
    invoice = lock_invoice(invoice_id)
    if invoice.is_being_paid:
        raise CannotPlan(_("A payment of this invoice is already in progress."))
    stop = reason_to_stop(invoice)
    if stop is not None:
        raise CannotPlan(_("It cannot be charged automatically: %(reason)s.") % {"reason": stop.label})
    plan = lock_plan(invoice) or AutomaticCharge(invoice=invoice, profile=invoice.profile)
    plan.status, plan.stopped_because = S.PLANNED, ""
    plan.created_at = plan.changed_at = at
    plan.save()
    plan_autopay(invoice, invoice.profile.day_of(at))
    subject, profile = str(invoice), invoice.profile
    audit.record(access=access, at=at, action="autopay.planned_again", subject=subject, profile=profile)
    return plan


@translate_lock_timeout(CannotChangeMethod)
@transaction.atomic
def switch_autopay(*, access: Access, on: bool, at: datetime) -> BillingProfile:
    """Switches automatic charging of the profile of ``access`` on, for invoices from now on, or off, for planned ones
    too. Raises BillingProfile.DoesNotExist, NotAllowed, CannotChangeMethod for a profile that pays by wire."""
    profile = BillingProfile.objects.visible_to(access).get()
    lock_planned_invoices(profile.pk)
    profile = BillingProfile.objects.locked().get(pk=profile.pk)
    fresh(access).require(Permission.METHODS_MANAGE, profile)
    if on and profile.pays_by_wire:
        raise CannotChangeMethod(_("This billing profile pays by check or wire. Make a card its default first."))
    if profile.charges_automatically == on:
        return profile
    profile.charges_automatically = on
    profile.save(update_fields=["charges_automatically"])
    dropped = 0 if on else drop_plans(profile, Stop.SWITCHED_OFF, at=at)
    action = "autopay.switched_on" if on else "autopay.switched_off"
    audit.record(access=access, at=at, action=action, subject=profile.name, profile=profile, dropped=dropped)
    return profile
