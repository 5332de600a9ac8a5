"""Refunds, through the gateway the money came by, or from our bank when it came by check or wire.

A refund reserves its amount first, under the lock of the payment, so that two clerks cannot pay back more than was
taken; the invoices show at once what is due again. If the gateway says no, now or days later, everything is put back.

A refund may take what it pays back off the invoices too, by credit notes in the same commit, so that nothing is due
again. Those stay when the refund fails later: the money is then a credit of the profile, and can be refunded again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet, Value
from django.db.models.lookups import Exact
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from accounts.access import Access, require_staff, system_access
from billing_portal.core.database import lock_text
from billing_portal.core.spelling import Compact, compact, typed
from invoices.money import Money
from invoices.operations.credit_notes import CannotCorrect, take_off
from invoices.operations.dunning import lock_profile
from payments.gateways.base import Outcome, Result
from payments.gateways.registry import get_gateway
from payments.models import Payment, PaymentEvent, Refund
from payments.operations import gateway_calls, notifications
from payments.operations.gateway_calls import CALL_BUDGET, NoAnswer, call_lookup, call_money, next_lookup, plain_text
from payments.operations.reversals import parts_of, plan_reversal, take, total_of, undo
from payments.operations.settlement import lock, record_audit, record_event, was_spent
from payments.states import REFUND_MOVES, REFUND_OPEN, PaymentStatus, RefundStatus

STATUS_OF = {
    Result.SUCCEEDED: RefundStatus.SUCCEEDED,
    Result.PENDING: RefundStatus.PENDING,
    Result.DECLINED: RefundStatus.FAILED,
    Result.NOT_SENT: RefundStatus.FAILED,
}
USED_BEFORE = gettext_lazy("This page was used for another refund. Open the payment again.")


class CannotRefund(Exception):
    """Nothing was refunded. The message may be shown to staff."""


class SameReference(CannotRefund):
    """The reference was recorded for a refund to another customer. Staff say whether one transfer paid both."""


def refund(
    *,
    access: Access,
    payment_id: UUID,
    amount: Money,
    reason: str,
    attempt_key: UUID,
    at: datetime,
    takes_back_invoices: bool = False,
    bank_reference: str = "",
    paid_on: date | None = None,
    is_other_money: bool = False,
) -> Refund:
    """Pays back all or part of a card payment. With ``bank_reference`` and ``paid_on`` it records that a check or wire,
    or a card payment whose provider has refused a refund, was paid back from our bank. What became a credit goes back
    first. Returns the refund, whose status says how it went; sending the same form twice returns the same refund.
    Raises NotAllowed, Payment.DoesNotExist, CannotRefund; SameReference for a bank reference of another customer's
    refund, unless ``is_other_money``."""
    started, reason, bank_reference = monotonic(), reason.strip(), typed(bank_reference)
    with _once(attempt_key), transaction.atomic(durable=True):
        require_staff(access)
        payment = lock(payment_id)[0].payment
        earlier = Refund.objects.filter(attempt_key=attempt_key, payment=payment).select_related("payment").first()
        if earlier is not None:
            if (earlier.amount, earlier.bank_reference) != (amount, bank_reference):
                raise CannotRefund(USED_BEFORE)
            return earlier
        _check(payment, amount, reason)
        lock_profile(payment.profile)
        _check_channel(payment, bank_reference, paid_on, at=at)
        if paid_on is not None and not is_other_money:
            lock_text(f"refund {compact(bank_reference)}")
            refuse_same_reference(payment, bank_reference)
        own: dict[str, Any] = {"attempt_key": attempt_key, "bank_reference": bank_reference, "paid_on": paid_on}
        row = _reserve(payment, amount, reason=reason, by=access, at=at, **own)
        if takes_back_invoices:
            _take_back_invoices(row, access=access, at=at)
        if paid_on is not None:
            return _settle(row, Outcome(Result.SUCCEEDED, amount=amount), at=at)
    request = gateway_calls.refund_request_of(row)
    outcome = call_money(lambda: get_gateway(payment.gateway).refund(request), subject=payment.reference)
    return settle_refund(refund_id=row.pk, outcome=outcome, at=at + timedelta(seconds=monotonic() - started))


@contextmanager
def _once(attempt_key: UUID) -> Iterator[None]:
    """Two forms with one key at the same moment. Raises CannotRefund for the second."""
    try:
        yield
    except IntegrityError as duplicate:
        if not Refund.objects.filter(attempt_key=attempt_key).exists():
            raise
        raise CannotRefund(USED_BEFORE) from duplicate


def _check(payment: Payment, amount: Money, reason: str) -> None:
    if payment.status != PaymentStatus.SUCCEEDED:
        raise CannotRefund(_("Only a payment that succeeded can be refunded."))
    if payment.disputed_at is not None:
        raise CannotRefund(
            _(
                "The payer's bank has asked for this money back and is deciding about it. A refund now could "
                "pay it back twice."
            )
        )
    if not reason:
        raise CannotRefund(_("Give the reason for paying the money back."))
    rest = payment.rest
    if amount.currency != payment.currency or amount.minor <= 0 or rest < amount:
        raise CannotRefund(_("Refund an amount of more than zero and at most %(rest)s.") % {"rest": rest})


def _check_channel(payment: Payment, bank_reference: str, paid_on: date | None, *, at: datetime) -> None:
    """Money goes back the way it came: by its gateway, or from our bank under a reference that no other refund of the
    profile has. Needs the profile's lock."""
    if payment.channel == Payment.Channel.CARD and paid_on is None:
        return
    if payment.channel == Payment.Channel.CARD and not has_failed_refund(payment):
        raise CannotRefund(_("This money came by card. Refund it, so that it goes back the same way."))
    if paid_on is None:
        raise CannotRefund(_("This money came by check or wire. Pay it back from your bank and record that."))
    if not bank_reference:
        raise CannotRefund(_("Give the reference of the transfer at your bank."))
    came_on = payment.received_on or payment.profile.day_of(payment.started_at)
    if not came_on <= paid_on <= payment.profile.day_of(at):
        raise CannotRefund(_("The day must lie between the day on which the money came and today."))
    if _same_reference(bank_reference).filter(payment__profile=payment.profile_id).exists():
        text = _(
            "A refund with this bank or check reference is recorded already. If one transfer paid back several "
            "payments, record its parts with -1, -2 and so on after the reference."
        )
        raise CannotRefund(text)


def _same_reference(text: str) -> QuerySet[Refund]:
    """The refunds that were recorded under a bank or check reference, in whatever spelling."""
    spelled_alike = Exact(Compact("bank_reference"), Compact(Value(typed(text))))
    return Refund.objects.exclude(bank_reference="").filter(spelled_alike)


def refuse_same_reference(payment: Payment, reference: str) -> None:
    """Raises SameReference when the reference was recorded for a refund to another billing profile."""
    others = _same_reference(reference).exclude(payment__profile=payment.profile_id)
    other = others.select_related("payment__profile").first()
    if other is not None:
        facts = {"payment": other.payment.reference, "amount": other.amount, "profile": other.payment.profile.name}
        text = _("This reference was recorded for another customer: %(payment)s, %(amount)s of %(profile)s.")
        raise SameReference(text % facts)


def has_failed_refund(payment: Payment) -> bool:
    """Whether its provider has refused to pay it back, as of a card that is closed: only our bank is left then."""
    return Refund.objects.filter(payment=payment, status=RefundStatus.FAILED).exists()


def _take_back_invoices(row: Refund, *, access: Access, at: datetime) -> None:
    for allocation, part in parts_of(row):
        if allocation.invoice_id is not None:
            try:
                take_off(access=access, invoice_id=allocation.invoice_id, minor=part.minor, reason=row.reason, at=at)
            except CannotCorrect as refusal:
                raise CannotRefund(str(refusal)) from refusal


def _reserve(
    payment: Payment, amount: Money, *, reason: str, by: Access, at: datetime, gateway_id: str = "", **columns: Any
) -> Refund:
    """Writes a refund and takes its amount off credits and invoices of a locked payment. Raises CannotRefund when less
    than that is there, unless the provider has made it already: then what is missing is noted."""
    if not gateway_id and total_of(plan_reversal(payment, amount), payment.currency) < amount:
        raise CannotRefund(_("Part of this money is a credit that has been used. Refund less."))
    row = Refund.objects.create(
        payment=payment,
        amount_minor=amount.minor,
        currency=amount.currency,
        missing_minor=amount.minor,  # until it is taken
        reason=reason[:200],
        gateway_id=gateway_id,
        started_at=at,
        started_by=by.user,
        next_lookup_at=at + CALL_BUDGET,
        **columns,
    )
    take(payment, row, at=at)
    record_audit("refund.started", payment, by, at, amount_minor=amount.minor, currency=amount.currency, reason=reason)
    return row


@transaction.atomic(durable=True)
def settle_refund(*, refund_id: UUID, outcome: Outcome, at: datetime) -> Refund:
    """Records how a refund stands. Safe to call any number of times; a move that is not allowed changes nothing."""
    payment_id = Refund.objects.values_list("payment_id", flat=True).get(pk=refund_id)
    payment = lock(payment_id)[0].payment
    row = Refund.objects.select_for_update(of=("self",)).get(pk=refund_id)
    row.payment = payment
    return _settle(row, outcome, at=at)


def _settle(row: Refund, outcome: Outcome, *, at: datetime) -> Refund:
    payment = row.payment
    old, new = RefundStatus(row.status), STATUS_OF.get(outcome.result, RefundStatus.UNKNOWN)
    if new == RefundStatus.SUCCEEDED and outcome.amount != row.amount:
        new = RefundStatus.UNKNOWN
        row.needs_staff = True
    if outcome.result == Result.SPENT:
        new = _status_after_spent(row, outcome, at=at)
    if new not in REFUND_MOVES[old]:
        if old in REFUND_OPEN:
            row.gateway_id = row.gateway_id or outcome.gateway_id
            gateway_calls.plan_next_lookup(row, at=at)
            row.save(update_fields=["gateway_id", "lookups", "next_lookup_at", "needs_staff"])
        return row
    row.status = new
    row.gateway_id = row.gateway_id or outcome.gateway_id
    row.gateway_message = plain_text(outcome.message)
    row.lookups, row.next_lookup_at = 0, next_lookup(new, 0, at)
    if new not in REFUND_OPEN:
        row.finished_at, row.needs_staff = at, False
    row.save()
    if new == RefundStatus.FAILED:
        undo(payment, row, at=at)
    if new == RefundStatus.SUCCEEDED:
        notifications.notify_refund(row, at=at)
    if new not in REFUND_OPEN:
        access = Access(user=row.started_by) if row.started_by else system_access()
        record_audit(f"refund.{new.value}", payment, access, at, amount_minor=row.amount_minor, currency=row.currency)
    return row


def _status_after_spent(row: Refund, outcome: Outcome, *, at: datetime) -> RefundStatus:
    """Unknown at first; the same answer some minutes later means that nothing was paid back, nor can be."""
    payment = row.payment
    if was_spent(payment, at=at, refund=str(row.pk)):
        return RefundStatus.FAILED
    if row.status in REFUND_OPEN:
        detail = {"refund": str(row.pk), "message": plain_text(outcome.message)}
        source = PaymentEvent.Source.RECONCILER
        record_event(payment, old=payment.status, result=outcome.result, source=source, at=at, detail=detail)
    return RefundStatus.UNKNOWN


def sync_refund(*, refund_id: UUID, at: datetime) -> Refund:
    """Asks the gateway about a refund and settles. One it never got is sent again while the provider still knows its
    key; one that our bank sent is none of its business. Raises Refund.DoesNotExist, UnknownGateway, NoAnswer for one
    that had ended."""
    row = Refund.objects.select_related("payment").get(pk=refund_id)
    if row.status == RefundStatus.FAILED or row.paid_on is not None:
        return row
    gateway, request = get_gateway(row.payment.gateway), gateway_calls.refund_request_of(row)
    outcome = call_lookup(lambda: gateway.lookup_refund(request), subject=row.payment.reference)
    if outcome.result == Result.NOT_FOUND and at - row.started_at < gateway_calls.RESEND_REFUND_WITHIN:
        outcome = call_lookup(lambda: gateway.refund(request), subject=row.payment.reference)
    if outcome.result == Result.UNKNOWN and row.status not in REFUND_OPEN:
        raise NoAnswer
    return settle_refund(refund_id=row.pk, outcome=outcome, at=at)


@transaction.atomic(durable=True)
def adopt_refund(*, payment_id: UUID, gateway_id: str, outcome: Outcome, at: datetime) -> Refund | None:
    """Books a refund that was made at the provider, not here, unless it is known by its id, or one of ours waits for
    its answer with the same amount.

    What cannot be taken back, because a credit was used or more went back than came, is noted with the refund and goes
    to staff; so does a refund in another currency, which is not booked. Returns None when nothing was booked, also
    while one of ours that waits for its answer holds what is missing.
    """
    payment = lock(payment_id)[0].payment
    if outcome.amount is None or not outcome.amount:
        return None
    if Refund.objects.filter(payment=payment, gateway_id=gateway_id).exists():
        return None
    if outcome.amount.currency != payment.currency:
        _for_staff(payment, "refund_currency", outcome.amount, gateway_id, at)
        return None
    waiting = Refund.objects.filter(payment=payment, gateway_id="", status__in=REFUND_OPEN)
    if waiting.filter(amount_minor=outcome.amount.minor).exists():
        return None
    missing = outcome.amount - total_of(plan_reversal(payment, outcome.amount), payment.currency)
    if missing and waiting.exists():
        return None
    if missing:
        _for_staff(payment, "refund_too_much", missing, gateway_id, at)
    reason = gettext_noop("Refunded at the payment provider.")  # translated where it is shown
    return _reserve(payment, outcome.amount, reason=reason, by=system_access(), at=at, gateway_id=gateway_id)


def _for_staff(payment: Payment, result: str, amount: Money, gateway_id: str, at: datetime) -> None:
    """Puts a payment into the staff queue, once for each refund, with what they have to look at in its history."""
    if payment.events.filter(result=result, detail__gateway_id=gateway_id).exists():
        return
    payment.needs_staff = True
    payment.save(update_fields=["needs_staff"])
    detail = {"gateway_id": gateway_id, "amount_minor": amount.minor, "currency": amount.currency}
    record_event(payment, old=payment.status, result=result, source=PaymentEvent.Source.WEBHOOK, at=at, detail=detail)
