"""Cards of a billing profile: kept, made the default, removed."""

from datetime import datetime

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, fresh, system_access
from accounts.models import BillingProfile
from accounts.roles import Permission
from payments.gateways.base import GatewayError, MethodInfo
from payments.gateways.registry import UnknownGateway, get_gateway
from payments.models import Payment, PaymentMethod
from payments.states import OPEN

log = structlog.get_logger("portal.payments")


class CannotChangeMethod(Exception):
    """The card was not changed. The message may be shown."""


def remember_card(payment: Payment, info: MethodInfo, *, at: datetime) -> PaymentMethod:
    """Keeps the card of a payment on its profile, inside the caller's transaction. A card that is there already (by
    fingerprint) is not kept twice."""
    profile = BillingProfile.objects.locked().get(pk=payment.profile_id)
    known = PaymentMethod.objects.filter(profile=profile, gateway=payment.gateway)
    method = known.filter(gateway_method=info.gateway_method).first()
    if method is None and info.fingerprint:
        method = known.active().filter(fingerprint=info.fingerprint).first()
    if method is None:
        method = PaymentMethod(
            profile=profile,
            gateway=payment.gateway,
            created_at=at,
            created_by=payment.started_by,
        )
    # A renewed card has the number of the old one; only the new id is good until the new date.
    method.gateway_method, method.gateway_customer = info.gateway_method, info.gateway_customer
    method.status, method.removed_at = PaymentMethod.Status.ACTIVE, None
    method.brand, method.last_four, method.fingerprint = info.brand[:20], info.last_four, info.fingerprint
    method.expiry_month, method.expiry_year = info.expiry_month, info.expiry_year
    method.save()
    _record("method.added", method, Access(user=payment.started_by), at)
    if payment.make_default:
        _set_default(method)
    return method


@transaction.atomic
def make_default(*, access: Access, method_id: int, at: datetime) -> PaymentMethod:
    """Makes a card the one that is charged automatically. Raises PaymentMethod.DoesNotExist, NotAllowed,
    CannotChangeMethod for a card that has expired."""
    method = _lock_method(access, method_id)
    if method.is_expired(method.profile.day_of(at)):
        raise CannotChangeMethod(_("%(card)s has expired. Add a new card instead.") % {"card": method.label})
    _set_default(method)
    _record("method.made_default", method, access, at)
    return method


def remove_method(*, access: Access, method_id: int, at: datetime) -> PaymentMethod:
    """Takes a card off the profile, here first and then at the gateway, where "already gone" counts as done.

    Raises PaymentMethod.DoesNotExist, NotAllowed, CannotChangeMethod while a payment with it is in progress, or for
    the default card while there is another that could take its place.
    """
    with transaction.atomic():
        method = _lock_method(access, method_id)
        if Payment.objects.filter(method=method, status__in=OPEN).exists():
            raise CannotChangeMethod(_("A payment with this card is in progress. Remove it when that has ended."))
        others = PaymentMethod.objects.active().filter(profile=method.profile).exclude(pk=method.pk)
        if method.is_default and any(not other.is_expired(method.profile.day_of(at)) for other in others):
            raise CannotChangeMethod(_("This is the default card. Make another card the default first."))
        method.status, method.is_default, method.removed_at = PaymentMethod.Status.REMOVED, False, at
        method.save(update_fields=["status", "is_default", "removed_at"])
        _record("method.removed", method, access, at)
    try:
        get_gateway(method.gateway).detach(gateway_method=method.gateway_method)
    except (GatewayError, UnknownGateway) as error:
        log.warning("card not detached at the gateway", method=method.pk, error=str(error))
    return method


def _lock_method(access: Access, method_id: int) -> PaymentMethod:
    """The profile's row is the lock of all its cards against each other; the card's own keeps payers off it."""
    method = PaymentMethod.objects.visible_to(access).active().select_related("profile").get(pk=method_id)
    BillingProfile.objects.locked().get(pk=method.profile_id)
    method = PaymentMethod.objects.active().select_related("profile").locked().get(pk=method.pk)
    fresh(access).require(Permission.METHODS_MANAGE, method.profile)
    return method


def _set_default(method: PaymentMethod) -> None:
    PaymentMethod.objects.filter(profile_id=method.profile_id, is_default=True).exclude(pk=method.pk).update(
        is_default=False
    )
    method.is_default = True
    method.save(update_fields=["is_default"])


def _record(action: str, method: PaymentMethod, access: Access, at: datetime) -> None:
    who = access if access.user else system_access()
    audit.record(access=who, at=at, action=action, subject=method.label, profile=method.profile, method=method.pk)
