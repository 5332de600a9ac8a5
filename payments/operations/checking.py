"""The bank's check of a payment inside our own page, where its gateway can draw it.

What the page needs for it may hold a secret of the payer's, so it is asked from the gateway for each page, handed to
that page, and written down nowhere. Whether the check was passed is never learned here: the page goes on to the return
page, which asks.
"""

from collections.abc import Mapping

from django.utils.translation import gettext as _

from accounts.access import Access, fresh
from accounts.roles import Permission
from payments.gateways.registry import get_gateway
from payments.models import Payment
from payments.operations.asking import attempt_of, reach
from payments.operations.beginning import CannotPay
from payments.states import PaymentStatus


def check_of(*, access: Access, reference: str) -> Mapping[str, str]:
    """What the page needs for the check of a payment; empty when there is nothing to pass in the page, because the
    check is passed elsewhere or was passed a moment ago.

    Raises Payment.DoesNotExist, NotAllowed, CannotPay for a payment that does not wait, UnknownGateway, NoAnswer.
    """
    payment = Payment.objects.visible_to(access).select_related("profile", "method").get(reference=reference)
    fresh(access).require(Permission.INVOICE_PAY, payment.profile)
    if payment.status != PaymentStatus.NEEDS_CUSTOMER:
        raise CannotPay(_("This payment does not wait for your bank's check."), code="not_waiting")
    gateway = get_gateway(payment.gateway)
    if not gateway.browser.check_template:
        return {}
    return reach(lambda: gateway.check(attempt_of(payment)), subject=payment.reference)
