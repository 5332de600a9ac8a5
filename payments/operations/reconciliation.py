"""Asking the gateway how an attempt ended, closing it, and the bank's approval in between. Nothing here charges."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.access import Access, NotAllowed, fresh
from accounts.models import User
from accounts.roles import Permission
from billing_portal.core.leases import claim_due
from invoices.states import InvoiceStatus
from payments.gateways.base import Attempt, Gateway, Outcome, Result
from payments.gateways.registry import UnknownGateway, get_gateway
from payments.models import Dispute, Payment, PaymentEvent, Refund
from payments.operations.attempts import CannotPay
from payments.operations.disputes import sync_dispute
from payments.operations.gateway_calls import ABANDONED_AFTER, CALL_BUDGET, DAY, NoAnswer, attempt_of, call, call_lookup
from payments.operations.refunds import sync_refund
from payments.operations.settlement import settle, settle_further_charge
from payments.states import PaymentStatus

log = structlog.get_logger("portal.payments")
LEASE = timedelta(minutes=2)


class NotTheirs(NotAllowed):
    """It is for one person, and no role helps anybody else. The message may be shown."""

    remedy = ""


def sync_payment(
    *, payment_id: UUID, source: PaymentEvent.Source, at: datetime, by: User | None = None, named: str = ""
) -> Payment:
    """Asks the gateway and settles. Returns the payment; one that succeeded is returned as it is.

    ``named`` is the provider's id of it in a message or in its list. It is asked by that id, whatever our clock says
    about where to look, and a charge that it tells of besides the one we know is booked too (`_settle_named`).

    An attempt the gateway has never seen, one that nobody approved with the bank, and one that was declined are closed
    at the gateway first, and end here only when it promised that they can no longer be charged. Raises
    Payment.DoesNotExist, UnknownGateway, and NoAnswer when whoever asks must ask again: for an attempt that had ended,
    and for a message of the gateway, because the next look-up may be a day away.
    """
    payment = Payment.objects.select_related("profile", "method").get(pk=payment_id)
    if payment.channel != Payment.Channel.CARD:
        return payment
    is_other = bool(named and payment.gateway_id) and named != payment.gateway_id
    if is_other and (settled := _settle_named(payment, named, source=source, at=at, by=by)) is not None:
        return settled
    if payment.status == PaymentStatus.SUCCEEDED or (source != PaymentEvent.Source.STAFF and _was_refused(payment)):
        return payment
    gateway = get_gateway(payment.gateway)
    attempt = attempt_of(payment)
    attempt = replace(attempt, gateway_id=attempt.gateway_id or named)
    outcome = call_lookup(lambda: gateway.lookup(attempt), subject=payment.reference)
    if outcome.result == Result.UNKNOWN and (not payment.is_open or source == PaymentEvent.Source.WEBHOOK):
        raise NoAnswer
    if payment.is_open and _should_close(payment, outcome, source, at):
        outcome = _close_at_gateway(gateway, attempt)
    elif outcome.result == Result.NOT_FOUND and not payment.is_open:
        return payment
    return settle(payment_id=payment.pk, outcome=outcome, source=source, at=at, by=by)


def _was_refused(payment: Payment) -> bool:
    """Whether staff refused what it took and paid that back: a late message must not ask them again."""
    return payment.status == PaymentStatus.DECLINED and payment.events.filter(result="refused").exists()


def _settle_named(
    payment: Payment, named: str, *, source: PaymentEvent.Source, at: datetime, by: User | None
) -> Payment | None:
    """Settles what another charge under our reference has taken; None when it took nothing. Raises NoAnswer."""
    attempt = replace(attempt_of(payment), gateway_id=named)
    gateway = get_gateway(payment.gateway)
    outcome = call_lookup(lambda: gateway.lookup(attempt), subject=payment.reference)
    if outcome.result == Result.UNKNOWN:
        raise NoAnswer
    if outcome.result != Result.SUCCEEDED or outcome.gateway_id != named:
        return None
    return settle_further_charge(payment_id=payment.pk, outcome=outcome, source=source, at=at, by=by)


def _should_close(payment: Payment, outcome: Outcome, source: PaymentEvent.Source, at: datetime) -> bool:
    """Whether the attempt must be fenced off at the gateway, so that it cannot take money later. One that the bank
    declined too: its payer may hold what lets a browser try further cards in it, which nobody would count."""
    age = at - payment.started_at
    if outcome.result == Result.NOT_FOUND:
        return age >= CALL_BUDGET or (payment.status == PaymentStatus.UNKNOWN and source != PaymentEvent.Source.WEBHOOK)
    if outcome.result == Result.NEEDS_CUSTOMER:
        return age >= ABANDONED_AFTER or not payment.allocations.filter(invoice__status=InvoiceStatus.OPEN).exists()
    return outcome.result == Result.DECLINED


def _close_at_gateway(gateway: Gateway, attempt: Attempt) -> Outcome:
    return call_lookup(lambda: gateway.expire(attempt), subject=attempt.reference)


def return_from_bank(*, access: Access, reference: str, at: datetime) -> Payment:
    """The person is back from the bank: the gateway is asked, nothing else counts. Raises Payment.DoesNotExist."""
    payment = Payment.objects.visible_to(access).get(reference=reference)
    if not payment.is_open:
        return payment
    return sync_payment(payment_id=payment.pk, source=PaymentEvent.Source.RETURN, at=at)


def cancel_attempt(*, access: Access, reference: str, at: datetime) -> Payment:
    """Gives up a payment that waits for bank approval, at the gateway first. Returns it as it then stands: an approval
    in the same second still counts. Raises Payment.DoesNotExist, NotAllowed, CannotPay for one in another state."""
    payment = Payment.objects.visible_to(access).select_related("profile", "method").get(reference=reference)
    fresh(access).require(Permission.INVOICE_PAY, payment.profile)
    if payment.status != PaymentStatus.NEEDS_CUSTOMER:
        raise CannotPay(_("Only a payment that waits for bank approval can be canceled."), code="not_waiting")
    outcome = _close_at_gateway(get_gateway(payment.gateway), attempt_of(payment))
    return settle(payment_id=payment.pk, outcome=outcome, source=PaymentEvent.Source.CUSTOMER, at=at)


def challenge_of(*, access: Access, reference: str) -> Mapping[str, str]:
    """What our page needs to ask for the bank's approval of a payment; empty when the bank asks elsewhere or was
    answered a moment ago.

    It may hold a secret with which other cards could be tried, so it is stored nowhere, and only whoever started the
    payment gets it; colleagues can cancel the payment instead. Whether the bank approved is asked by the return page.

    Raises Payment.DoesNotExist, NotAllowed, NotTheirs, CannotPay for one that does not wait, UnknownGateway, NoAnswer.
    """
    payment = Payment.objects.visible_to(access).select_related("profile", "method").get(reference=reference)
    fresh(access).require(Permission.INVOICE_PAY, payment.profile)
    if not may_approve(access, payment):
        automatic = _(
            "This card was charged automatically, so nobody can approve it here. To pay the invoice yourself, "
            "cancel this payment first."
        )
        others = _("Only the person who started this payment can approve it with the bank.")
        raise NotTheirs(automatic if payment.started_by is None else others)
    if payment.status != PaymentStatus.NEEDS_CUSTOMER:
        raise CannotPay(_("This payment does not wait for bank approval."), code="not_waiting")
    gateway = get_gateway(payment.gateway)
    if not gateway.browser.challenge_template:
        return {}
    return call(lambda: gateway.challenge(attempt_of(payment)), subject=payment.reference)


def may_approve(access: Access, payment: Payment) -> bool:
    """Whether this person may be led to the bank's approval. Nobody may for an automatic charge, which is canceled."""
    return access.user is not None and payment.started_by_id == access.user.pk


def reconcile(*, at: datetime, limit: int = 100) -> int:
    """Asks about every payment, refund and open dispute whose next look-up has come. Returns how many were asked about.
    May be killed, run twice or run by several workers. A row that fails is logged and comes up again."""
    source = PaymentEvent.Source.RECONCILER
    syncs: list[tuple[QuerySet[Any], Callable[[Any], object]]] = [
        (Payment.objects.all(), lambda row: sync_payment(payment_id=row.pk, source=source, at=at)),
        (Refund.objects.all(), lambda row: sync_refund(refund_id=row.pk, at=at)),
        (Dispute.objects.all(), lambda row: sync_dispute(dispute_id=row.pk, source=source, at=at)),
    ]
    return sum(
        _sync(row, sync, at)
        for rows, sync in syncs
        for row in claim_due(rows, "next_lookup_at", at=at, lease=LEASE, limit=limit)
    )


def _sync(row: Payment | Refund | Dispute, sync: Callable[[Any], object], at: datetime) -> bool:
    """True for a row that fails too: it was asked about. A gateway that is gone is for staff to put back."""
    rows: QuerySet[Any] = type(row)._default_manager.all()
    itself = rows.filter(pk=row.pk)
    try:
        sync(row)
    except NoAnswer:
        log.warning("gateway gave no answer", row=str(row))
    except UnknownGateway:
        log.error("gateway not configured", row=str(row))
        itself.update(needs_staff=True, next_lookup_at=at + DAY)
    except IntegrityError:
        # Such as a gateway that names one payment of its own for two of ours: asking again will not help.
        log.exception("not reconciled", row=str(row))
        itself.update(needs_staff=True)
    except Exception:
        log.exception("not reconciled", row=str(row))
    return True
