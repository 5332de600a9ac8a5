"""Calls to a gateway: what goes out, and what an answer that is no answer means. No transaction is open here."""

from collections.abc import Callable

import structlog
from django.utils.timezone import now
from django.utils.translation import gettext as _

from payments.gateways.base import Attempt, GatewayError, Outcome, RefundRequest, Result
from payments.models import Payment, Refund

log = structlog.get_logger("portal.payments")


class NoAnswer(Exception):
    """The gateway could not be asked about something that had ended, and nobody will ask by themselves: ask again.
    The message may be shown to staff."""

    def __init__(self) -> None:
        super().__init__(_("We could not reach the payment provider. You can try again."))


def attempt_of(payment: Payment, *, card_token: str = "", return_url: str = "", description: str = "") -> Attempt:
    """What the gateway is told of a payment; token, return address and description only when it charges.

    Needs ``payment.profile`` and ``payment.method`` loaded.
    """
    method = payment.method
    return Attempt(
        key=str(payment.pk),
        reference=payment.reference,
        amount=payment.amount,
        profile=payment.profile.code,
        description=description or payment.reference,
        return_url=return_url,
        gateway_id=payment.gateway_id,
        gateway_customer=method.gateway_customer if method else "",
        method=method.gateway_method if method else card_token,
        save_method=payment.save_method,
        customer_present=payment.started_by_id is not None,
        started_at=payment.started_at,
    )


def refund_request_of(refund: Refund) -> RefundRequest:
    """What the gateway is told of a refund. Needs ``refund.payment`` loaded."""
    return RefundRequest(
        key=str(refund.pk),
        reference=refund.payment.reference,
        amount=refund.amount,
        gateway_id=refund.payment.gateway_id,
        refund_id=refund.gateway_id,
    )


def ask(call: Callable[[], Outcome], *, subject: str) -> Outcome:
    """Makes one call to a gateway and never raises.

    A gateway that certainly did not send gives NOT_SENT; every other failure, known or not, gives UNKNOWN: the money
    may have moved.
    """
    started = now()
    try:
        return call()
    except GatewayError as error:
        log.warning("gateway call failed", subject=subject, sent=error.sent, error=str(error)[:300], since=started)
        return Outcome(Result.UNKNOWN if error.sent else Result.NOT_SENT, message=str(error)[:300])
    except Exception as error:  # whatever a gateway raises, the answer is not known
        log.exception("gateway call broke", subject=subject)
        return Outcome(Result.UNKNOWN, message=f"{type(error).__name__}: {error}"[:300])
