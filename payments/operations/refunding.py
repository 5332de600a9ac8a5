"""Refunds, through the gateway the money came by.

A refund reserves its amount first, under the lock of the payment, so that two clerks cannot pay back more than was
taken; the invoices show at once what is due again. If the gateway says no, now or days later, everything is put back.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from time import monotonic
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import audit
from accounts.access import Access, NotAllowed, fresh, system_access
from invoices.models import Credit, Invoice
from invoices.money import Money
from invoices.operations import (
    book_credit,
    change_credit,
    give_back_refund,
    mark_payment_started,
    take_back_payment,
)
from payments.gateways.base import Outcome, Result
from payments.gateways.registry import get_gateway
from payments.models import Payment, PaymentAllocation, Refund, RefundAllocation
from payments.operations import mails
from payments.operations.asking import NoAnswer, ask, refund_request_of
from payments.operations.schedule import CALL_BUDGET, RESEND_REFUND_WITHIN, next_look
from payments.operations.settling import lock
from payments.states import REFUND_MOVES, REFUND_OPEN, PaymentStatus, RefundStatus

STATUS_OF = {
    Result.SUCCEEDED: RefundStatus.SUCCEEDED,
    Result.PENDING: RefundStatus.PENDING,
    Result.DECLINED: RefundStatus.FAILED,
    Result.NOT_SENT: RefundStatus.FAILED,
}


class CannotRefund(Exception):
    """Nothing was refunded. The message may be shown to staff."""


def refund(*, access: Access, payment_id: UUID, amount: Money, reason: str, attempt_key: UUID, at: datetime) -> Refund:
    """Pays back all or part of a card payment.

    Returns the refund, whose status says how it went; sending the same form twice returns the same refund. Raises
    NotAllowed, Payment.DoesNotExist, CannotRefund.
    """
    started = monotonic()
    try:
        row, is_new = _begin(
            access=access, payment_id=payment_id, amount=amount, reason=reason.strip(), attempt_key=attempt_key, at=at
        )
    except IntegrityError:
        if not Refund.objects.filter(attempt_key=attempt_key).exists():
            raise
        raise CannotRefund(_("This page was used for another refund. Open the payment again.")) from None
    if not is_new:
        return row
    request = refund_request_of(row)
    outcome = ask(lambda: get_gateway(row.payment.gateway).refund(request), subject=row.payment.reference)
    return settle_refund(refund_id=row.pk, outcome=outcome, at=at + timedelta(seconds=monotonic() - started))


@transaction.atomic(durable=True)
def _begin(
    *, access: Access, payment_id: UUID, amount: Money, reason: str, attempt_key: UUID, at: datetime
) -> tuple[Refund, bool]:
    if not (access.unlimited and fresh(access).unlimited):
        raise NotAllowed(_("Only staff may do this."))
    payment = lock(payment_id)[0].payment
    earlier = Refund.objects.filter(attempt_key=attempt_key, payment=payment).select_related("payment").first()
    if earlier is not None:
        if earlier.amount != amount:
            raise CannotRefund(_("This page was used for another refund. Open the payment again."))
        return earlier, False
    if payment.status != PaymentStatus.SUCCEEDED:
        raise CannotRefund(_("Only a payment that succeeded can be refunded."))
    if payment.channel != Payment.Channel.CARD:
        raise CannotRefund(_("This money came by check or wire. Pay it back from your bank."))
    if not reason:
        raise CannotRefund(_("Say why the money is paid back."))
    rest = Money(payment.amount_minor - payment.refunded_minor, payment.currency)
    if amount.currency != payment.currency or amount.minor <= 0 or rest < amount:
        raise CannotRefund(_("Refund an amount of more than zero and at most %(rest)s.") % {"rest": rest})
    row = _reserve(payment, amount, reason=reason, attempt_key=attempt_key, by=access, at=at)
    return row, True


def _reserve(
    payment: Payment,
    amount: Money,
    *,
    reason: str,
    attempt_key: UUID | None,
    by: Access,
    at: datetime,
    gateway_id: str = "",
) -> Refund:
    """Writes a refund and takes its amount off credits and invoices of a locked payment."""
    row = Refund(
        payment=payment,
        amount_minor=amount.minor,
        currency=amount.currency,
        reason=reason[:200],
        gateway_id=gateway_id,
        started_at=at,
        started_by=by.user,
        next_lookup_at=at + CALL_BUDGET,
    )
    if attempt_key is not None:
        row.attempt_key = attempt_key
    row.save(force_insert=True)
    for allocation, part in _parts(payment, amount):
        RefundAllocation.objects.create(refund=row, allocation=allocation, amount_minor=part.minor)
        _change_allocation(allocation, part.minor)
        if allocation.invoice is not None:
            take_back_payment(allocation.invoice, part)
            _note_open_attempt(allocation.invoice)
        elif allocation.credit is not None:
            change_credit(allocation.credit, -part)
    payment.refunded_minor += amount.minor
    payment.save(update_fields=["refunded_minor"])
    audit.record(
        access=by, at=at, action="refund.started", subject=payment.reference, profile=payment.profile,
        amount_minor=amount.minor, currency=amount.currency, reason=reason,
    )  # fmt: skip
    return row


def _note_open_attempt(invoice: Invoice) -> None:
    """An attempt that was under way when the invoice was paid in another way is in progress again."""
    other = Payment.objects.filter(allocations__invoice=invoice, allocations__is_open=True).first()
    if other is not None:
        mark_payment_started(invoice, by=other.started_by, at=other.started_at)


def _parts(payment: Payment, amount: Money) -> Iterator[tuple[PaymentAllocation, Money]]:
    """Where a refund is taken from: first what became a credit and is still there, then the invoices, newest first."""
    rows = list(payment.allocations.select_related("invoice", "credit").order_by("-pk"))
    kept = _locked_credits(payment)
    left = amount.minor
    for row in sorted(rows, key=lambda row: row.credit_id is None):
        rest = row.amount_minor - row.refunded_minor
        if row.credit_id is not None:
            row.credit = kept[row.credit_id]
            rest = min(rest, row.credit.remaining_minor)
        part = min(left, rest)
        if part:
            left -= part
            yield row, Money(part, payment.currency)
    if left:
        raise CannotRefund(_("Part of this money is a credit that has been used. Refund less."))


def _locked_credits(payment: Payment) -> dict[int, Credit]:
    rows = Credit.objects.filter(allocation__payment=payment).order_by("pk").select_for_update(of=("self",))
    return {credit.pk: credit for credit in rows}


def _change_allocation(allocation: PaymentAllocation, minor: int) -> None:
    allocation.refunded_minor += minor
    allocation.save(update_fields=["refunded_minor"])


@transaction.atomic(durable=True)
def settle_refund(*, refund_id: UUID, outcome: Outcome, at: datetime) -> Refund:
    """Records how a refund stands. Safe to call any number of times; a move that is not allowed changes nothing."""
    payment_id = Refund.objects.values_list("payment_id", flat=True).get(pk=refund_id)
    payment = lock(payment_id)[0].payment
    row = Refund.objects.select_for_update(of=("self",)).get(pk=refund_id)
    row.payment = payment
    old, new = RefundStatus(row.status), STATUS_OF.get(outcome.result, RefundStatus.UNKNOWN)
    if new == RefundStatus.SUCCEEDED and outcome.amount != row.amount:
        new = RefundStatus.UNKNOWN
        row.needs_staff = True
    if new not in REFUND_MOVES[old]:
        if old in REFUND_OPEN:
            row.gateway_id = row.gateway_id or outcome.gateway_id
            row.lookups += 1
            row.next_lookup_at = next_look(old, row.lookups, at)
            row.needs_staff = row.needs_staff or row.next_lookup_at is None
            row.save(update_fields=["gateway_id", "lookups", "next_lookup_at", "needs_staff"])
        return row
    row.status = new
    row.gateway_id = row.gateway_id or outcome.gateway_id
    row.gateway_message = outcome.message.replace("\x00", "")[:300]
    row.lookups, row.next_lookup_at = 0, next_look(new, 0, at)
    if new not in REFUND_OPEN:
        row.finished_at, row.needs_staff = at, False
    row.save()
    if new == RefundStatus.FAILED:
        _put_back(row, at)
    if new == RefundStatus.SUCCEEDED:
        mails.tell_of_refund(row, at=at)
    if new not in REFUND_OPEN:
        access = Access(user=row.started_by) if row.started_by else system_access()
        audit.record(
            access=access, at=at, action=f"refund.{new.value}", subject=payment.reference, profile=payment.profile,
            amount_minor=row.amount_minor, currency=row.currency,
        )  # fmt: skip
    return row


def _put_back(row: Refund, at: datetime) -> None:
    """Undoes `_reserve`: the money stayed with us."""
    payment = row.payment
    surplus, kept = Money(0, row.currency), _locked_credits(payment)
    for part in row.allocations.select_related("allocation__invoice").order_by("pk"):
        allocation, amount = part.allocation, Money(part.amount_minor, row.currency)
        _change_allocation(allocation, -part.amount_minor)
        if allocation.invoice is not None:
            left = give_back_refund(allocation.invoice, amount, at=at, paid_with=payment.method_on_record)
            if left:
                allocation.amount_minor -= left.minor
                allocation.save(update_fields=["amount_minor"])
                surplus += left
        elif allocation.credit_id is not None:
            change_credit(kept[allocation.credit_id], amount)
    payment.refunded_minor -= row.amount_minor
    payment.needs_staff = True
    payment.save(update_fields=["refunded_minor", "needs_staff"])
    if surplus:
        credit = book_credit(payment.profile, surplus, description=payment.reference, at=at)
        PaymentAllocation.objects.create(payment=payment, credit=credit, amount_minor=surplus.minor, is_open=False)


def look_up_refund(*, refund_id: UUID, at: datetime) -> Refund:
    """Asks the gateway about a refund and settles. One it never got is sent again under the same key, as long as the
    provider still knows keys of that age; after that it waits for staff. Raises Refund.DoesNotExist, UnknownGateway,
    and NoAnswer for one that had ended."""
    row = Refund.objects.select_related("payment").get(pk=refund_id)
    if row.status == RefundStatus.FAILED:
        return row
    gateway, request = get_gateway(row.payment.gateway), refund_request_of(row)
    outcome = ask(lambda: gateway.lookup_refund(request), subject=row.payment.reference)
    if outcome.result == Result.NOT_FOUND and at - row.started_at < RESEND_REFUND_WITHIN:
        outcome = ask(lambda: gateway.refund(request), subject=row.payment.reference)
    if outcome.result == Result.NOT_SENT:
        outcome = Outcome(Result.UNKNOWN, message=outcome.message)
    if outcome.result == Result.UNKNOWN and row.status not in REFUND_OPEN:
        raise NoAnswer
    return settle_refund(refund_id=row.pk, outcome=outcome, at=at)


@transaction.atomic(durable=True)
def adopt_refund(*, payment_id: UUID, gateway_id: str, outcome: Outcome, at: datetime) -> Refund | None:
    """Books a refund that was made at the provider, not here. Once: a refund known by its id, or one of ours that is
    still waiting for its answer with the same amount, is not booked again. Returns None when there is nothing to book.
    """
    payment = lock(payment_id)[0].payment
    if outcome.amount is None or outcome.amount.currency != payment.currency:
        return None
    if Refund.objects.filter(payment=payment, gateway_id=gateway_id).exists():
        return None
    waiting = Refund.objects.filter(payment=payment, gateway_id="", status__in=REFUND_OPEN)
    if waiting.filter(amount_minor=outcome.amount.minor).exists():
        return None
    rest = Money(payment.amount_minor - payment.refunded_minor, payment.currency)
    amount = min(outcome.amount, rest)
    if amount < outcome.amount:
        payment.needs_staff = True
        payment.save(update_fields=["needs_staff"])
    if not amount:
        return None
    reason = gettext_noop("Refunded at the payment provider.")  # translated where it is shown
    return _reserve(payment, amount, reason=reason, attempt_key=None, by=system_access(), at=at, gateway_id=gateway_id)
