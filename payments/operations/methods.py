"""Cards of a billing profile: kept, made the default, removed. What the provider says of them is in `card_news`."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, access_of, fresh, system_access
from accounts.models import BillingProfile, User
from accounts.roles import Permission
from billing_portal.core.database import translate_lock_timeout
from payments.gateways.base import MethodInfo
from payments.models import Detachment, PaymentMethod
from payments.operations.blockers import blockers_of
from payments.operations.detaching import detach_due, give_up_id


class CannotChangeMethod(Exception):
    """The card was not changed. The message may be shown."""


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """Whose card it is that is kept, at which gateway, by whom, and whether it becomes the default."""

    profile_id: int
    gateway: str
    by: User | None
    make_default: bool


def remember_card(info: MethodInfo, keeping: Keeping, *, at: datetime) -> PaymentMethod:
    """Keeps a card on a profile, inside the caller's transaction. A card that is there already (by fingerprint) is not
    kept twice.

    A renewed card has the number of the old one; only the new id is good until the new date, so the row takes it over
    and the gateway is told to forget the old one.
    """
    profile = BillingProfile.objects.locked().get(pk=keeping.profile_id)
    known = PaymentMethod.objects.filter(profile=profile, gateway=keeping.gateway)
    method = known.filter(gateway_method=info.gateway_method).first()
    if method is None and info.fingerprint:
        method = known.active().filter(fingerprint=info.fingerprint).first()
    is_new = method is None or method.status != PaymentMethod.Status.ACTIVE
    if method is None:
        method = PaymentMethod(profile=profile, gateway=keeping.gateway, created_at=at, created_by=keeping.by)
    elif method.gateway_method != info.gateway_method:
        give_up_id(method, at=at)
    method.gateway_method, method.gateway_customer = info.gateway_method, info.gateway_customer
    method.status, method.removed_at = PaymentMethod.Status.ACTIVE, None
    take_over(method, info)
    method.save()
    record("method.added" if is_new else "method.updated", method, Access(user=keeping.by), at)
    if keeping.make_default:
        _set_default(method)
    return method


def may_keep(by: User | None, profile: BillingProfile) -> bool:
    """Whether a person may still keep cards on a profile: the bank's check takes a while, and a role may have gone."""
    return by is not None and access_of(by).inside(profile).can(Permission.METHODS_MANAGE)


def forget_card(info: MethodInfo, keeping: Keeping, *, at: datetime) -> None:
    """Has the gateway forget a card that it kept for somebody who may not keep one any more, inside the caller's
    transaction. A card that is on the profile stays."""
    known = PaymentMethod.objects.filter(gateway=keeping.gateway, gateway_method=info.gateway_method)
    if known.exists():
        return
    method = PaymentMethod(
        profile_id=keeping.profile_id,
        gateway=keeping.gateway,
        gateway_method=info.gateway_method,
        gateway_customer=info.gateway_customer,
        status=PaymentMethod.Status.REMOVED,
        created_at=at,
        created_by=keeping.by,
        removed_at=at,
    )
    take_over(method, info)
    method.save()
    give_up_id(method, at=at)


def take_over(method: PaymentMethod, info: MethodInfo) -> None:
    """Copies what a card looks like onto its row, unsaved."""
    method.brand, method.last_four = info.brand[:20], info.last_four
    method.fingerprint = info.fingerprint or method.fingerprint
    method.expiry_month, method.expiry_year = info.expiry_month, info.expiry_year


@translate_lock_timeout(CannotChangeMethod)
@transaction.atomic
def make_default(*, access: Access, method_id: int, at: datetime) -> PaymentMethod:
    """Makes a card the one that is charged automatically, from the next charge on. What failed before is not charged by
    itself: the page offers to pay it. Raises PaymentMethod.DoesNotExist, NotAllowed,
    CannotChangeMethod for a card that has expired, or when the database is busy."""
    method = lock_method(access, method_id)
    if method.is_expired(method.profile.day_of(at)):
        raise CannotChangeMethod(_("%(card)s has expired. Add a new card instead.") % {"card": method.label})
    _set_default(method)
    record("method.made_default", method, access, at)
    return method


@translate_lock_timeout(CannotChangeMethod)
def remove_method(*, access: Access, method_id: int, at: datetime) -> PaymentMethod:
    """Takes a card off the profile, here first and then at the gateway, where "already gone" counts as done. A gateway
    that does not answer is asked again by the worker.

    Raises PaymentMethod.DoesNotExist, NotAllowed, and CannotChangeMethod for each reason that `blockers_of` knows, or
    when the database is busy.
    """
    with transaction.atomic():
        method = lock_method(access, method_id)
        blockers = blockers_of(method, at=at, by_staff=access.unlimited)
        if blockers:
            raise CannotChangeMethod(f"{blockers[0].reason} {blockers[0].remedy}")
        detachment = _give_up(method, access, at=at)
    detach_due(at=at, only=detachment)
    return method


def replace_method(old: PaymentMethod, new: PaymentMethod, *, access: Access, at: datetime) -> bool:
    """A new card takes the place of an old one, as default or among the backups, and the old one is removed. In the
    caller's transaction, with the profile locked.

    Returns False when the old one stays: it is gone already, it is the same card, or a payment with it is in progress;
    then the new card has its place all the same, so nothing stands in the way of removing it later.
    """
    active = PaymentMethod.objects.active().select_related("profile").filter(profile_id=new.profile_id, pk=old.pk)
    found = next(iter(active.locked()), None)
    if found is None or found.pk == new.pk:
        return False
    place, found.backup_order = found.backup_order, None
    if found.is_default:
        _set_default(new)
        record("method.made_default", new, access, at)
        found.is_default = False
    elif place is not None:
        PaymentMethod.objects.filter(pk=found.pk).update(backup_order=None)
        PaymentMethod.objects.filter(pk=new.pk, is_default=False).update(backup_order=place)
    found.save(update_fields=["is_default", "backup_order"])
    if blockers_of(found, at=at):
        return False
    _give_up(found, access, at=at)
    return True


def _give_up(method: PaymentMethod, access: Access, *, at: datetime) -> Detachment:
    take_off(method, at=at)
    record("method.removed", method, access, at)
    return give_up_id(method, at=at)


def take_off(method: PaymentMethod, *, at: datetime) -> None:
    """The card is on the profile no more. Call it with the card locked."""
    method.status, method.is_default, method.removed_at = PaymentMethod.Status.REMOVED, False, at
    method.backup_order = None
    method.save(update_fields=["status", "is_default", "backup_order", "removed_at"])


def record(action: str, method: PaymentMethod, access: Access, at: datetime) -> None:
    """Adds to the audit trail. What nobody did, the portal did."""
    who = access if access.user else system_access()
    audit.record(access=who, at=at, action=action, subject=method.label, profile=method.profile, method=method.pk)


def lock_method(access: Access, method_id: int) -> PaymentMethod:
    """An active card of a profile whose cards the person may manage, locked. The profile's row is the lock of all its
    cards against each other; the card's own keeps payers off it. Raises PaymentMethod.DoesNotExist, NotAllowed."""
    method = PaymentMethod.objects.visible_to(access).active().select_related("profile").get(pk=method_id)
    BillingProfile.objects.locked().get(pk=method.profile_id)
    method = PaymentMethod.objects.active().select_related("profile").locked().get(pk=method.pk)
    fresh(access).require(Permission.METHODS_MANAGE, method.profile)
    return method


def _set_default(method: PaymentMethod) -> None:
    PaymentMethod.objects.filter(profile_id=method.profile_id, is_default=True).exclude(pk=method.pk).update(
        is_default=False
    )
    method.is_default, method.backup_order = True, None
    method.save(update_fields=["is_default", "backup_order"])
