"""The bank's check of a payment inside our own page, where its gateway can draw it.

What the page needs for it may hold a secret of the payer's, so it is asked from the gateway for each page, handed to
that page, and written down nowhere. Only whoever started the payment gets it: the bank asks the holder of the card, and
whoever has the secret could try other cards with it. Colleagues can cancel the payment instead. Whether the bank
approved is never learned here: the page goes on to the return page, which asks.
"""

from collections.abc import Mapping

from django.utils.translation import gettext as _

from accounts.access import Access, NotAllowed, fresh
from accounts.roles import Permission
from payments.gateways.registry import get_gateway
from payments.models import Payment
from payments.operations.asking import attempt_of, reach
from payments.operations.beginning import CannotPay
from payments.states import PaymentStatus


class NotTheirs(NotAllowed):
    """It is for one person, and no role helps anybody else. The message may be shown."""

    remedy = ""


def check_of(*, access: Access, reference: str) -> Mapping[str, str]:
    """What the page needs for the check of a payment; empty when there is nothing to pass in the page, because the
    check is passed elsewhere or was passed a moment ago.

    Raises Payment.DoesNotExist, NotAllowed, NotTheirs for a payment that somebody else started, CannotPay for one that
    does not wait, UnknownGateway, NoAnswer.
    """
    payment = Payment.objects.visible_to(access).select_related("profile", "method").get(reference=reference)
    fresh(access).require(Permission.INVOICE_PAY, payment.profile)
    if not may_approve(access, payment):
        raise NotTheirs(_("Only the person who started this payment can approve it with the bank."))
    if payment.status != PaymentStatus.NEEDS_CUSTOMER:
        raise CannotPay(_("This payment does not wait for your bank's check."), code="not_waiting")
    gateway = get_gateway(payment.gateway)
    if not gateway.browser.challenge_template:
        return {}
    return reach(lambda: gateway.challenge(attempt_of(payment)), subject=payment.reference)


def may_approve(access: Access, payment: Payment) -> bool:
    """Whether this person may be led to the bank's approval. Nobody may for an automatic charge: it is cancelled, and
    somebody pays the invoice anew."""
    return access.user is not None and payment.started_by_id == access.user.pk
