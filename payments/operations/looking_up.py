"""Asking the gateway how an attempt ended, and closing what can no longer end well.

Used by the page that comes back from the bank, by the provider's messages, by the reconciler and by staff. None of
them charges anything.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from accounts.access import Access, fresh
from accounts.models import User
from accounts.roles import Permission
from invoices.states import InvoiceStatus
from payments.gateways.base import Attempt, Gateway, Outcome, Result
from payments.gateways.registry import UnknownGateway, get_gateway
from payments.models import Dispute, Payment, PaymentEvent, Refund
from payments.operations.asking import NoAnswer, ask, attempt_of
from payments.operations.beginning import CannotPay
from payments.operations.disputing import look_up_dispute
from payments.operations.refunding import look_up_refund
from payments.operations.schedule import ABANDONED_AFTER, CALL_BUDGET, DAY
from payments.operations.settling import settle
from payments.states import PaymentStatus

log = structlog.get_logger("portal.payments")
LEASE = timedelta(minutes=2)
Asked = Payment | Refund | Dispute


def look_up(*, payment_id: UUID, source: PaymentEvent.Source, at: datetime, by: User | None = None) -> Payment:
    """Asks the gateway and settles. Returns the payment; one that succeeded is returned as it is.

    An attempt the gateway has never seen, a check that nobody finished, and one that was declined are closed at the
    gateway first; only when the gateway promised that it can no longer be charged does it end here. Raises
    Payment.DoesNotExist, UnknownGateway, and NoAnswer when whoever asks must ask again: for an attempt that had ended,
    which has no next look-up, and for a message of the gateway, because the next look-up may be a day away.
    """
    payment = Payment.objects.select_related("profile", "method").get(pk=payment_id)
    if payment.status == PaymentStatus.SUCCEEDED or payment.channel != Payment.Channel.CARD:
        return payment
    gateway = get_gateway(payment.gateway)
    attempt = attempt_of(payment)
    outcome = ask(lambda: gateway.lookup(attempt), subject=payment.reference)
    if outcome.result == Result.NOT_SENT:
        outcome = Outcome(Result.UNKNOWN, message=outcome.message)  # it is the question that was not sent
    if outcome.result == Result.UNKNOWN and (not payment.is_open or source == PaymentEvent.Source.WEBHOOK):
        raise NoAnswer
    if payment.is_open and _should_close(payment, outcome, source, at):
        outcome = _close_at_gateway(gateway, attempt)
    elif outcome.result == Result.NOT_FOUND and not payment.is_open:
        return payment
    return settle(payment_id=payment.pk, outcome=outcome, source=source, at=at, by=by)


def _should_close(payment: Payment, outcome: Outcome, source: PaymentEvent.Source, at: datetime) -> bool:
    """Whether the attempt must be fenced off at the gateway, so that it cannot take money later. One that the bank
    declined too: a payer who was led to the bank may hold what lets a browser try further cards in the same attempt,
    and those would be counted by nobody."""
    age = at - payment.started_at
    if outcome.result == Result.NOT_FOUND:
        return age >= CALL_BUDGET or (payment.status == PaymentStatus.UNKNOWN and source != PaymentEvent.Source.WEBHOOK)
    if outcome.result == Result.DECLINED:
        return True
    if outcome.result == Result.NEEDS_CUSTOMER:
        return age >= ABANDONED_AFTER or not payment.allocations.filter(invoice__status=InvoiceStatus.OPEN).exists()
    return False


def _close_at_gateway(gateway: Gateway, attempt: Attempt) -> Outcome:
    outcome = ask(lambda: gateway.expire(attempt), subject=attempt.reference)
    return Outcome(Result.UNKNOWN, message=outcome.message) if outcome.result == Result.NOT_SENT else outcome


def come_back(*, access: Access, reference: str, at: datetime) -> Payment:
    """The person is back from the bank's check. Nothing in the address counts: the gateway is asked.

    Raises Payment.DoesNotExist for a payment the person cannot see.
    """
    payment = Payment.objects.visible_to(access).get(reference=reference)
    if not payment.is_open:
        return payment
    return look_up(payment_id=payment.pk, source=PaymentEvent.Source.RETURN, at=at)


def cancel_attempt(*, access: Access, reference: str, at: datetime) -> Payment:
    """Gives up a payment that waits for the bank's check, at the gateway first. Returns it as it then stands: a check
    that was passed in the same second still counts.

    Raises Payment.DoesNotExist, NotAllowed, CannotPay for a payment in another state.
    """
    payment = Payment.objects.visible_to(access).select_related("profile", "method").get(reference=reference)
    fresh(access).require(Permission.INVOICE_PAY, payment.profile)
    if payment.status != PaymentStatus.NEEDS_CUSTOMER:
        raise CannotPay(_("Only a payment that waits for your bank's check can be cancelled."), code="not_waiting")
    outcome = _close_at_gateway(get_gateway(payment.gateway), attempt_of(payment))
    return settle(payment_id=payment.pk, outcome=outcome, source=PaymentEvent.Source.CUSTOMER, at=at)


def reconcile(*, at: datetime, limit: int = 100) -> int:
    """Asks about every payment, refund and open dispute whose next look-up has come. Returns how many were asked about.

    Finds its work in rows, so it may be killed, run twice or run by several workers: each row is leased by moving its
    next look-up ahead, and whoever changed the row does the work. A row that fails is logged and comes up again.
    """
    done, source = 0, PaymentEvent.Source.RECONCILER
    for payment in Payment.objects.to_look_up(at)[:limit]:
        if _lease(payment, at):
            done += 1
            _guarded(payment, at, partial(look_up, payment_id=payment.pk, source=source, at=at))
    for refund in Refund.objects.filter(next_lookup_at__lte=at).order_by("next_lookup_at", "pk")[:limit]:
        if _lease(refund, at):
            done += 1
            _guarded(refund, at, partial(look_up_refund, refund_id=refund.pk, at=at))
    for dispute in Dispute.objects.filter(next_lookup_at__lte=at).order_by("next_lookup_at", "pk")[:limit]:
        if _lease(dispute, at):
            done += 1
            _guarded(dispute, at, partial(look_up_dispute, dispute_id=dispute.pk, source=source, at=at))
    return done


def _guarded(row: Asked, at: datetime, act: Callable[[], object]) -> None:
    """One row's trouble does not keep the others waiting. A gateway that is no longer configured is for staff to put
    back; until then there is nobody to ask, so the next look-up comes tomorrow."""
    try:
        act()
    except NoAnswer:
        log.warning("gateway gave no answer", row=str(row))
    except UnknownGateway:
        log.error("gateway not configured", row=str(row))
        _only(row).update(needs_staff=True, next_lookup_at=at + DAY)
    except IntegrityError:
        # Such as a gateway that names one payment of its own for two of ours: asking again will not help.
        log.exception("not reconciled", row=str(row))
        _only(row).update(needs_staff=True)
    except Exception:
        log.exception("not reconciled", row=str(row))


def _only(row: Asked) -> QuerySet[Any]:
    rows: QuerySet[Any] = type(row).objects.all()
    return rows.filter(pk=row.pk)


def _lease(row: Asked, at: datetime) -> bool:
    """Takes a row for two minutes. False when another worker was quicker."""
    mine = _only(row).filter(next_lookup_at=row.next_lookup_at)
    return (
        mine.update(next_lookup_at=F("next_lookup_at") + max(at - (row.next_lookup_at or at), timedelta()) + LEASE) == 1
    )
