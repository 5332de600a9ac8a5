"""Calls to a gateway: what goes out, and what an answer that is no answer means. No transaction is open here."""

from collections.abc import Callable

import structlog
from django.utils.timezone import now
from django.utils.translation import gettext as _

from payments.gateways.base import Attempt, Dispute, Gateway, GatewayError, Outcome, RefundRequest, Result
from payments.gateways.registry import get_gateway
from payments.models import Payment, PaymentMethod, Refund

log = structlog.get_logger("portal.payments")


class NoAnswer(Exception):
    """The gateway could not be asked, and nobody will ask by themselves: ask again. The message may be shown."""

    def __init__(self) -> None:
        super().__init__(_("We could not reach the payment provider. You can try again."))


def attempt_of(
    payment: Payment, *, card_token: str = "", return_url: str = "", description: str = "", in_page: bool = False
) -> Attempt:
    """What the gateway is told of a payment; token, return address, description and page only when it charges.

    Needs ``payment.profile`` and ``payment.method`` loaded; one query more without a stored card.
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
    return RefundRequest(
        key=str(refund.pk),
        reference=refund.payment.reference,
        amount=refund.amount,
        gateway_id=refund.payment.gateway_id,
        refund_id=refund.gateway_id,
    )


def draws_checks(gateway: Gateway, running: str) -> bool:
    """Whether a check may be passed inside the page: the gateway can draw it, and it is the one whose scripts are
    running in the person's browser, which names it."""
    return bool(gateway.browser.challenge_template) and running == gateway.slug


def reach[Answer](call: Callable[[], Answer], *, subject: str) -> Answer:
    """Makes one call that moves no money. Raises NoAnswer for whatever goes wrong with it, known or not."""
    try:
        return call()
    except GatewayError as error:
        log.warning("gateway call failed", subject=subject, sent=error.sent, error=str(error)[:300])
        raise NoAnswer from error
    except Exception as error:
        log.exception("gateway call broke", subject=subject)
        raise NoAnswer from error


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


def ask_about_dispute(payment: Payment, dispute_id: str) -> Dispute | None:
    """How a dispute of a payment stands at its gateway; None when the gateway knows none, or when it is another
    payment's. Raises UnknownGateway, NoAnswer."""
    gateway = get_gateway(payment.gateway)
    try:
        told = gateway.lookup_dispute(dispute_id)
    except Exception as error:  # whatever a gateway raises, the answer is not known
        if not isinstance(error, GatewayError):
            log.exception("gateway call broke", subject=payment.reference)
        raise NoAnswer from error
    return told if told is not None and told.payment_id == payment.gateway_id else None
