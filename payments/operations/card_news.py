"""What the provider did to a card without us: renewed it, or had it forgotten by somebody else.

A message names the card and nothing more; how it stands is asked. A card that is gone shows at a charge too, as a
decline that says so. Then it is taken off the profile, and if it was the default those who manage cards are told.
"""

from datetime import datetime

import structlog
from django.db import DatabaseError, transaction

from accounts.access import system_access
from accounts.models import BillingProfile
from payments.gateways.base import DeclineCode, Outcome
from payments.gateways.registry import get_gateway
from payments.models import Detachment, Payment, PaymentMethod
from payments.operations import mails
from payments.operations.asking import reach
from payments.operations.methods import record, take_off, take_over

log = structlog.get_logger("portal.payments")

# What a bank may change of a card that stays the same card.
FACES = ("brand", "last_four", "fingerprint", "expiry_month", "expiry_year")


def refresh_method(*, gateway_slug: str, gateway_method: str, at: datetime) -> bool:
    """Asks how a stored card stands and writes it down. Returns False for a card that was never ours.

    Raises UnknownGateway, and NoAnswer when the gateway could not be asked.
    """
    known = PaymentMethod.objects.filter(gateway=gateway_slug, gateway_method=gateway_method).first()
    if known is None:
        return False
    if known.status != PaymentMethod.Status.ACTIVE:
        return True
    gateway = get_gateway(gateway_slug)
    info = reach(
        lambda: gateway.lookup_method(gateway_method=gateway_method, gateway_customer=known.gateway_customer),
        subject=f"card {known.pk}",
    )
    with transaction.atomic():
        method = _lock(known.pk)
        if method is None or method.gateway_method != gateway_method:
            return True  # changed while we asked, by somebody who knows better
        if info is None:
            _take_off_and_tell(method, at)
            return True
        before = {name: getattr(method, name) for name in FACES}
        take_over(method, info)
        changed = [name for name, value in before.items() if getattr(method, name) != value]
        if changed:
            method.save(update_fields=changed)
            record("method.updated", method, system_access(), at)
    return True


def notice_gone(payment: Payment, outcome: Outcome, *, at: datetime) -> None:
    """After a charge that was declined because the stored card is gone, inside the transaction that settles it.

    A card that got a new id since the charge was begun stays: it was the old id that is gone. Trouble here must not
    undo what is written of the payment.
    """
    if payment.method_id is None or outcome.decline is None or outcome.decline.code != DeclineCode.METHOD_GONE:
        return
    try:
        with transaction.atomic():
            method = _lock(payment.method_id)
            renewed = Detachment.objects.filter(method=payment.method_id, created_at__gte=payment.started_at)
            if method is not None and not renewed.exists():
                _take_off_and_tell(method, at)
    except DatabaseError:
        log.exception("card not taken off", payment=payment.reference)


def _lock(method_id: int) -> PaymentMethod | None:
    """The card, if it is still on its profile, with the profile's cards locked against each other."""
    profile_id = PaymentMethod.objects.values_list("profile_id", flat=True).get(pk=method_id)
    BillingProfile.objects.locked().get(pk=profile_id)
    active = PaymentMethod.objects.active().select_related("profile").filter(pk=method_id)
    return next(iter(active.locked()), None)


def _take_off_and_tell(method: PaymentMethod, at: datetime) -> None:
    was_default = method.is_default
    take_off(method, at=at)
    record("method.gone", method, system_access(), at)
    if was_default:
        mails.tell_of_gone_default(method, at=at)
