"""Calls to a gateway, outside transactions: what goes out, what a missing answer means, and when to ask again: soon at
first, because a person is waiting, then rarely. After the last look-up a row is for staff, never ended by age."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db.models import F, QuerySet
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from payments.gateways.base import Attempt, Dispute, Gateway, GatewayError, Outcome, RefundRequest, Result
from payments.gateways.registry import get_gateway
from payments.models import Payment, PaymentMethod, Refund
from payments.states import PaymentStatus

log = structlog.get_logger("portal.payments")

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

# A gateway call takes at most about a minute, so an attempt that is still only "created" then has lost its process.
CALL_BUDGET = 90 * SECOND
ABANDONED_AFTER = 30 * MINUTE
# "There is nothing, and there can be nothing any more" is believed when it is said twice, so far apart.
CONFIRM_AFTER = 5 * MINUTE
# Whether money moved is not known for so long: staff see it, and the gateway is asked on.
UNSURE_AFTER = HOUR
RESEND_REFUND_WITHIN = 20 * HOUR

WITHIN_AN_HOUR = [5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE]
LOOKUP_DELAYS: dict[str, list[timedelta]] = {
    PaymentStatus.CREATED: [CALL_BUDGET, 2 * MINUTE, *WITHIN_AN_HOUR, 2 * HOUR, 6 * HOUR, *[DAY] * 5],
    PaymentStatus.UNKNOWN: [10 * SECOND, MINUTE, *WITHIN_AN_HOUR, 2 * HOUR, 6 * HOUR, *[DAY] * 5],
    PaymentStatus.NEEDS_CUSTOMER: [ABANDONED_AFTER, 10 * MINUTE, HOUR, 6 * HOUR, *[DAY] * 5],
    PaymentStatus.PENDING: [30 * SECOND, 5 * MINUTE, HOUR, 6 * HOUR, *[DAY] * 14],
}


class NoAnswer(Exception):
    """The gateway could not be asked, and nobody will ask by themselves: ask again. The message may be shown."""

    def __init__(self) -> None:
        super().__init__(_("We could not reach the payment provider. You can try again."))


def attempt_of(
    payment: Payment, *, card_token: str = "", return_url: str = "", description: str = "", in_page: bool = False
) -> Attempt:
    """What the gateway is told of a payment; token, return address, description and page only when it charges. Needs
    ``payment.profile`` and ``payment.method`` loaded; one query more without a stored card."""
    method = payment.method
    return Attempt(
        key=str(payment.pk),
        reference=payment.reference,
        amount=payment.amount,
        profile=payment.profile.code,
        description=description or payment.reference,
        return_url=return_url,
        gateway_id=payment.gateway_id,
        gateway_customer=method.gateway_customer if method else payer_at(payment.gateway, payment.profile_id),
        method=method.gateway_method if method else card_token,
        save_method=payment.save_method,
        customer_present=payment.started_by_id is not None,
        in_page=in_page,
        started_at=payment.started_at,
    )


def payer_at(gateway: str, profile_id: int) -> str:
    """The payer's id that a gateway gave with any card of a profile, removed ones too. Empty when it gave none."""
    known = PaymentMethod.objects.filter(gateway=gateway, profile_id=profile_id).exclude(gateway_customer="")
    return known.order_by("-pk").values_list("gateway_customer", flat=True).first() or ""


def refund_request_of(refund: Refund) -> RefundRequest:
    """What the gateway is told of a refund. Needs ``refund.payment`` loaded."""
    payment = refund.payment
    return RefundRequest(str(refund.pk), payment.reference, refund.amount, payment.gateway_id, refund.gateway_id)


def challenge_in_page(gateway: Gateway, running: str) -> bool:
    """Whether the bank may be answered inside the page: the gateway whose scripts are ``running`` there draws it."""
    return bool(gateway.browser.challenge_template) and running == gateway.slug


def call[Answer](send: Callable[[], Answer], *, subject: str) -> Answer:
    """Makes one call that moves no money. Raises NoAnswer for whatever goes wrong with it, known or not."""
    try:
        return send()
    except Exception as error:
        _log_failure(error, subject)
        raise NoAnswer from error


def call_money(send: Callable[[], Outcome], *, subject: str) -> Outcome:
    """Makes one call that may move money, and never raises. A gateway that certainly did not send gives NOT_SENT; every
    other failure, known or not, gives UNKNOWN: the money may have moved."""
    try:
        return send()
    except Exception as error:  # noqa: BLE001  whatever a gateway raises, the answer is not known
        _log_failure(error, subject)
        if isinstance(error, GatewayError):
            return Outcome(Result.UNKNOWN if error.sent else Result.NOT_SENT, message=str(error)[:300])
        return Outcome(Result.UNKNOWN, message=f"{type(error).__name__}: {error}"[:300])


def _log_failure(error: Exception, subject: str) -> None:
    if isinstance(error, GatewayError):
        log.warning("gateway call failed", subject=subject, sent=error.sent, error=str(error)[:300])
    else:
        log.error("gateway call broke", subject=subject, exc_info=error)


def call_lookup(send: Callable[[], Outcome], *, subject: str) -> Outcome:
    """`call_money` for a question about money that moved before: when it is not sent, the answer is not known."""
    outcome = call_money(send, subject=subject)
    return Outcome(Result.UNKNOWN, message=outcome.message) if outcome.result == Result.NOT_SENT else outcome


def fetch_dispute(payment: Payment, dispute_id: str) -> Dispute | None:
    """How a dispute of this payment stands; None when its gateway knows none. Raises UnknownGateway, NoAnswer."""
    gateway = get_gateway(payment.gateway)
    dispute = call(lambda: gateway.lookup_dispute(dispute_id), subject=payment.reference)
    return dispute if dispute is not None and dispute.payment_id == payment.gateway_id else None


def next_lookup(status: str, lookups: int, at: datetime) -> datetime | None:
    """When to ask next about a payment or refund; None when it has ended or is for staff now."""
    delays = LOOKUP_DELAYS.get(status, [])
    return at + delays[lookups] if lookups < len(delays) else None


def plan_next_lookup(row: Payment | Refund, *, at: datetime) -> None:
    """After a look-up that changed nothing. Staff are told when the answer is missing for an hour, and at the last."""
    row.lookups += 1
    row.next_lookup_at = next_lookup(row.status, row.lookups, at)
    is_unsure = row.status in {PaymentStatus.CREATED, PaymentStatus.UNKNOWN} and at - row.started_at >= UNSURE_AFTER
    row.needs_staff = row.needs_staff or is_unsure or row.next_lookup_at is None


def poll_now(rows: QuerySet[Any], at: datetime) -> int:
    """Moves the next look-up of these payments or refunds to now, without using up one of their scheduled ones."""
    return rows.update(next_lookup_at=at, lookups=Greatest(F("lookups") - 1, 0))


def plain_text(text: str) -> str:
    return text.replace("\x00", "")[:300]
