"""Cards of a billing profile: kept, made the default, put in order as backups, removed, forgotten by their gateway.

The row of the profile is the lock of all its cards against each other. That a gateway has to forget a card's id is a
row in the commit that gave the id up, so it outlives a gateway that is away and a process that is killed.

A provider renews cards too, and forgets them at somebody else's wish. Its message only names the card, which is then
looked up; a card that is gone shows at a charge as well, as a decline that says so.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from typing import Any, NamedTuple, cast

import structlog
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, access_of, fresh, system_access
from accounts.models import BillingProfile, User
from accounts.roles import Permission
from billing_portal.core.batches import run_each
from billing_portal.core.database import translate_lock_timeout
from billing_portal.core.leases import claim_due
from invoices.models import Invoice
from invoices.operations.invoice_payments import drop_autopay
from payments.gateways.base import DeclineCode, MethodInfo, Outcome
from payments.gateways.registry import UnknownGateway, get_gateway
from payments.models import AutomaticCharge, Detachment, Payment, PaymentMethod
from payments.operations import notifications
from payments.operations.gateway_calls import CALL_BUDGET, DAY, HOUR, MINUTE, NoAnswer, call, plain_text
from payments.states import OPEN

log = structlog.get_logger("portal.payments")

# A card that its gateway has to forget is asked for until it answers, then waits for staff.
DETACH_DELAYS = [MINUTE, 5 * MINUTE, HOUR, 6 * HOUR, *[DAY] * 14]

# What a bank may change of a card that stays the same card.
CARD_DETAILS = ("brand", "last_four", "fingerprint", "expiry_month", "expiry_year")


# How often a stored card is looked up: one that seems expired, or soon will be, may have been renewed since.
LOOKUP_EVERY, LOOKUP_EXPIRING_EVERY = 30 * DAY, DAY


class CannotChangeMethod(Exception):
    """The card was not changed. The message may be shown."""


class ExpiredHere(CannotChangeMethod):
    """Our copies of these cards say that they have expired; the gateway may know better."""

    def __init__(self, message: str, cards: Sequence[PaymentMethod]) -> None:
        super().__init__(message)
        self.cards = cards


def looks_up_expired[**Arguments, Answer](operation: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """An operation that refuses cards as expired by our copy has them looked up before it does: a bank may have renewed
    them, and its message be lost. Needs ``at`` among the arguments."""

    @wraps(operation)
    def careful(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        try:
            return operation(*args, **kwargs)
        except ExpiredHere as refusal:
            try:
                was_renewed = [renew(card, at=cast("datetime", kwargs["at"])) for card in refusal.cards]
            except NoAnswer as silence:
                raise CannotChangeMethod(str(silence)) from silence
            if not any(was_renewed):
                raise
            return operation(*args, **kwargs)

    return careful


# The changes of the backups, and what the audit trail calls them.
BACKUP_CHANGES = {
    "add": "method.made_backup",
    "drop": "method.backup_dropped",
    "up": "method.backup_moved",
    "down": "method.backup_moved",
}


class Blocker(NamedTuple):
    code: str
    reason: str
    remedy: str


def save_card(
    info: MethodInfo, *, profile_id: int, gateway: str, by: User | None, make_default: bool, at: datetime
) -> PaymentMethod:
    """Keeps a card on a profile, inside the caller's transaction; one that is there already (by fingerprint) once. Only
    the new id of a renewed card is good until its new date: the row takes it over, the gateway forgets the old."""
    profile = BillingProfile.objects.locked().get(pk=profile_id)
    known = PaymentMethod.objects.filter(profile=profile, gateway=gateway)
    method = known.filter(gateway_method=info.gateway_method).first()
    if method is None and info.fingerprint:
        method = known.active().filter(fingerprint=info.fingerprint).first()
    is_new = method is None or method.status != PaymentMethod.Status.ACTIVE
    if method is None:
        method = PaymentMethod(profile=profile, gateway=gateway, created_at=at, created_by=by)
    elif method.gateway_method != info.gateway_method:
        queue_detachment(method, at=at)
    method.gateway_method, method.gateway_customer = info.gateway_method, info.gateway_customer
    method.status, method.removed_at = PaymentMethod.Status.ACTIVE, None
    _copy_details(method, info)
    method.next_lookup_at = at + LOOKUP_EVERY
    method.save()
    record("method.added" if is_new else "method.updated", method, Access(user=by), at)
    if make_default:
        _set_default(method)
    return method


def may_save_card(by: User | None, profile: BillingProfile) -> bool:
    """Whether a person may still keep cards on a profile: the bank takes a while, and a role may have gone."""
    return by is not None and access_of(by).inside(profile).can(Permission.METHODS_MANAGE)


def forget_card(info: MethodInfo, *, profile_id: int, gateway: str, by: User | None, at: datetime) -> None:
    """Has the gateway forget a card whose owner may not keep one, unless it is on the profile. In a transaction."""
    if PaymentMethod.objects.filter(gateway=gateway, gateway_method=info.gateway_method).exists():
        return
    method = PaymentMethod(profile_id=profile_id, gateway=gateway, created_at=at, created_by=by)
    method.status, method.removed_at = PaymentMethod.Status.REMOVED, at
    method.gateway_method, method.gateway_customer = info.gateway_method, info.gateway_customer
    _copy_details(method, info)
    method.save()
    queue_detachment(method, at=at)


def _copy_details(method: PaymentMethod, info: MethodInfo) -> None:
    method.brand, method.last_four = info.brand[:20], info.last_four
    method.fingerprint = info.fingerprint or method.fingerprint
    method.expiry_month, method.expiry_year = info.expiry_month, info.expiry_year


@looks_up_expired
@translate_lock_timeout(CannotChangeMethod)
@transaction.atomic
def make_default(*, access: Access, method_id: int, at: datetime) -> PaymentMethod:
    """Makes a card the one that is charged automatically, from the next charge on. What failed before is not charged by
    itself. Raises PaymentMethod.DoesNotExist, NotAllowed, CannotChangeMethod for an expired card or a busy database."""
    method = _lock_for_change(access, method_id)
    _refuse_expired(method, at)
    _set_default(method)
    record("method.made_default", method, access, at)
    return method


def _refuse_expired(method: PaymentMethod, at: datetime) -> None:
    if method.is_expired(method.profile.day_of(at)):
        raise ExpiredHere(_("%(card)s has expired. Add a new card instead.") % {"card": method.label}, [method])


def _set_default(method: PaymentMethod) -> None:
    defaults = PaymentMethod.objects.filter(profile_id=method.profile_id, is_default=True)
    defaults.exclude(pk=method.pk).update(is_default=False)
    method.is_default, method.backup_order = True, None
    method.save(update_fields=["is_default", "backup_order"])


@looks_up_expired
@translate_lock_timeout(CannotChangeMethod)
@transaction.atomic
def change_backups(*, access: Access, method_id: int, change: str, at: datetime) -> PaymentMethod:
    """Puts a card at the end of the backups, takes it out, or moves it by one, as ``change`` (`BACKUP_CHANGES`) says.
    Backups are tried in their order when an automatic charge of the default card is refused for good. Raises
    PaymentMethod.DoesNotExist, NotAllowed, CannotChangeMethod when the default card or an expired one is added."""
    method = _lock_for_change(access, method_id)
    active = PaymentMethod.objects.active().filter(profile=method.profile_id, backup_order__isnull=False)
    places = list(active.order_by("backup_order").values_list("pk", flat=True))
    old, place = list(places), places.index(method.pk) if method.pk in places else None
    if change == "add":
        if method.is_default:
            raise CannotChangeMethod(_("This is the default card, which is charged first."))
        _refuse_expired(method, at)
        places += [method.pk] if place is None else []
    elif place is not None:
        places.remove(method.pk)
        if change != "drop":
            places.insert(max(0, place + (-1 if change == "up" else 1)), method.pk)
    if places != old:
        # Places are unique at every moment, so all are cleared first.
        PaymentMethod.objects.filter(pk__in=old).update(backup_order=None)
        for order, pk in enumerate(places, start=1):
            PaymentMethod.objects.filter(pk=pk).update(backup_order=order)
        record(BACKUP_CHANGES[change], method, access, at)
    return method


@looks_up_expired
@transaction.atomic
def set_default_method(*, access: Access, profile_id: int, method: str, at: datetime) -> BillingProfile:
    """Chooses card or check/wire, of `BillingProfile.DefaultMethod`, as what a profile pays with by default.

    New invoices follow; those that were issued are no longer charged by themselves once the profile pays by check or
    wire. Going back to card needs a card that has not expired, which becomes the default where none is. Returns the
    profile. Raises BillingProfile.DoesNotExist, NotAllowed, CannotChangeMethod.
    """
    lock_planned_invoices(profile_id)
    profile = BillingProfile.objects.visible_to(access).select_related("account").locked().get(pk=profile_id)
    fresh(access).require(Permission.METHODS_MANAGE, profile)
    default_method = BillingProfile.DefaultMethod(method)
    if profile.default_method == default_method:
        return profile
    if default_method == BillingProfile.DefaultMethod.CHECK_WIRE:
        if not profile.is_wire_approved:
            raise CannotChangeMethod(_("This billing profile may not pay by check or wire yet. Ask for it first."))
        drop_plans(profile, AutomaticCharge.Stop.BY_WIRE, at=at)
    else:
        _choose_card(profile, at)
    profile.default_method = default_method
    profile.save(update_fields=["default_method"])
    about: dict[str, Any] = {"subject": profile.name, "account": profile.account, "profile": profile}
    audit.record(access=access, at=at, action="profile.default_method", **about, method=default_method.value)
    return profile


def lock_planned_invoices(profile_id: int) -> None:
    """Locks the invoices that are going to be charged, before their profile is locked, as everywhere."""
    list(Invoice.objects.filter(profile=profile_id, autopay_on__isnull=False).only("pk").locked())


def drop_plans(profile: BillingProfile, reason: AutomaticCharge.Stop, *, at: datetime) -> int:
    """Nothing that was planned for a locked profile is charged any more. Returns how many invoices were to be."""
    planned = AutomaticCharge.objects.filter(profile=profile, status=AutomaticCharge.Status.PLANNED)
    planned.update(status=AutomaticCharge.Status.STOPPED, stopped_because=reason, changed_at=at)
    return drop_autopay(profile)


def _choose_card(profile: BillingProfile, at: datetime) -> None:
    if not profile.account.can_pay_by_card:
        name = profile.account.get_agreement_type_display()
        raise CannotChangeMethod(_("Not payable by card under this agreement type: %(type)s.") % {"type": name})
    active = list(PaymentMethod.objects.active().filter(profile=profile).in_order().locked())
    today = profile.day_of(at)
    cards = [card for card in active if not card.is_expired(today)]
    if not cards:
        raise ExpiredHere(_("Add a card that has not expired first."), active)
    if not any(card.is_default for card in cards):
        _set_default(cards[0])


def blockers_of(method: PaymentMethod, *, at: datetime, by_staff: bool = False) -> list[Blocker]:
    """What keeps a card from being removed; staff, at a customer's wish, are kept by a payment in progress only."""
    blockers = []
    if Payment.objects.filter(method=method, status__in=OPEN).exists():
        reason = _("A payment with this card is in progress.")
        blockers.append(Blocker("open_payment", reason, _("Remove it when that has ended.")))
    profile = method.profile
    if by_staff or not method.is_default:
        return blockers
    others = PaymentMethod.objects.active().filter(profile=profile).exclude(pk=method.pk)
    today = profile.day_of(at)
    could_replace = any(not other.is_expired(today) for other in others)
    if could_replace:
        remedy = _("Make another card the default first.")
        blockers.append(Blocker("default", _("This is the default card."), remedy))
    if profile.pays_by_wire or method.is_expired(today):
        return blockers
    if profile.charges_automatically and Invoice.objects.filter(profile=profile, autopay_on__isnull=False).exists():
        remedy = _("Make another card the default, or switch automatic charging off.")
        blockers.append(Blocker("planned", _("Invoices are going to be charged to it."), remedy))
    if not could_replace:
        reason = _("It is the only payment method of this billing profile.")
        blockers.append(Blocker("last", reason, _("Add another card first, or ask to pay by check or wire.")))
    return blockers


@translate_lock_timeout(CannotChangeMethod)
def remove_method(*, access: Access, method_id: int, at: datetime) -> PaymentMethod:
    """Takes a card off the profile, here first and then at the gateway; the worker asks again one that does not answer.
    Raises PaymentMethod.DoesNotExist, NotAllowed, CannotChangeMethod for what `blockers_of` knows or a busy database.
    """
    with transaction.atomic():
        method = _lock_for_change(access, method_id)
        blockers = blockers_of(method, at=at, by_staff=access.unlimited)
        if blockers:
            raise CannotChangeMethod(f"{blockers[0].reason} {blockers[0].remedy}")
        detachment = _remove(method, access, at=at)
    detach_due(at=at, only=detachment)
    return method


def replace_method(old: PaymentMethod, new: PaymentMethod, *, access: Access, at: datetime) -> None:
    """A new card takes the place of an old one, as default or among the backups, and the old one is removed, unless it
    is the same card or a payment with it is in progress. In the caller's transaction, with the profile locked."""
    active = PaymentMethod.objects.active().select_related("profile").filter(profile_id=new.profile_id, pk=old.pk)
    method = next(iter(active.locked()), None)
    if method is None or method.pk == new.pk:
        return
    place, method.backup_order = method.backup_order, None
    if method.is_default:
        _set_default(new)
        record("method.made_default", new, access, at)
        method.is_default = False
    elif place is not None:
        PaymentMethod.objects.filter(pk=method.pk).update(backup_order=None)
        PaymentMethod.objects.filter(pk=new.pk, is_default=False).update(backup_order=place)
    method.save(update_fields=["is_default", "backup_order"])
    if not blockers_of(method, at=at):
        _remove(method, access, at=at)


def _remove(method: PaymentMethod, access: Access, *, at: datetime) -> Detachment:
    deactivate(method, at=at)
    record("method.removed", method, access, at)
    return queue_detachment(method, at=at)


def deactivate(method: PaymentMethod, *, at: datetime) -> None:
    """The card is on the profile no more. Call it with the card locked."""
    method.status, method.is_default, method.removed_at = PaymentMethod.Status.REMOVED, False, at
    method.backup_order = method.next_lookup_at = None
    method.save(update_fields=["status", "is_default", "backup_order", "removed_at", "next_lookup_at"])


def record(action: str, method: PaymentMethod, access: Access, at: datetime) -> None:
    """Adds to the audit trail. What nobody did, the portal did."""
    actor = access if access.user else system_access()
    audit.record(access=actor, at=at, action=action, subject=method.label, profile=method.profile, method=method.pk)


def _lock_for_change(access: Access, method_id: int) -> PaymentMethod:
    """An active card that the person may manage, locked. Raises PaymentMethod.DoesNotExist, NotAllowed."""
    method = PaymentMethod.objects.visible_to(access).active().get(pk=method_id)
    locked = _lock(method)
    if locked is None:
        raise PaymentMethod.DoesNotExist
    fresh(access).require(Permission.METHODS_MANAGE, locked.profile)
    return locked


def _lock(method: PaymentMethod) -> PaymentMethod | None:
    """The card, if it is still on its profile, with the profile's cards locked against each other."""
    BillingProfile.objects.locked().get(pk=method.profile_id)
    active = PaymentMethod.objects.active().select_related("profile").filter(pk=method.pk)
    return next(iter(active.locked()), None)


def queue_detachment(method: PaymentMethod, *, at: datetime) -> Detachment:
    """Notes that the gateway has to forget the id that a card has now. Call it inside the transaction of the fact."""
    return Detachment.objects.create(
        method=method, gateway=method.gateway, gateway_method=method.gateway_method, created_at=at, next_try_at=at
    )


def detach_due(*, at: datetime, limit: int = 100, only: Detachment | None = None) -> int:
    """Asks gateways to forget what is due. Returns how many were asked about. Safe from several workers at once."""
    rows = Detachment.objects.filter(pk=only.pk) if only else Detachment.objects.all()
    due = claim_due(rows, "next_try_at", at=at, lease=CALL_BUDGET, limit=limit)
    return run_each(due, lambda row: _detach(row, at), log=log, event="card not forgotten")


def _detach(row: Detachment, at: datetime) -> bool:
    """An id that a card has again is left alone, and so is one that a payment in progress may still need."""
    row.next_try_at = None
    if PaymentMethod.objects.active().filter(gateway=row.gateway, gateway_method=row.gateway_method).exists():
        row.last_error = "A card has this id again."
    elif Payment.objects.filter(method=row.method_id, status__in=OPEN).exists():
        row.next_try_at = at + 5 * MINUTE
    else:
        try:
            gateway = get_gateway(row.gateway)
            call(lambda: gateway.detach(gateway_method=row.gateway_method), subject=f"card {row.method_id}")
        except (NoAnswer, UnknownGateway) as error:
            row.last_error = plain_text(f"{type(error).__name__}: {error.__cause__ or error}")
            row.next_try_at = at + DETACH_DELAYS[row.tries] if row.tries < len(DETACH_DELAYS) else None
            row.tries += 1
        else:
            row.done_at, row.last_error = at, ""
    row.save(update_fields=["next_try_at", "done_at", "tries", "last_error"])
    return True


def sync_method(*, gateway_slug: str, gateway_method: str, at: datetime) -> bool:
    """Looks up a stored card and writes it down. False for one never ours. Raises UnknownGateway, NoAnswer."""
    known = PaymentMethod.objects.filter(gateway=gateway_slug, gateway_method=gateway_method).first()
    if known is None:
        return False
    if known.status != PaymentMethod.Status.ACTIVE:
        return True
    gateway = get_gateway(gateway_slug)
    info = call(
        lambda: gateway.lookup_method(gateway_method=gateway_method, gateway_customer=known.gateway_customer),
        subject=f"card {known.pk}",
    )
    with transaction.atomic():
        method = _lock(known)
        if method is None or method.gateway_method != gateway_method:
            return True  # changed while we asked, by somebody who knows better
        if info is None:
            _remove_gone(method, at)
            return True
        before: dict[str, Any] = {name: getattr(method, name) for name in CARD_DETAILS}
        _copy_details(method, info)
        changed = [name for name, value in before.items() if getattr(method, name) != value]
        if changed:
            method.save(update_fields=changed)
            record("method.updated", method, system_access(), at)
    return True


def renew(method: PaymentMethod, *, at: datetime) -> bool:
    """Asks the gateway about a card that has expired by our copy. Returns whether it has not. Call it outside a
    transaction. Raises NoAnswer; a gateway that is no longer configured has nothing to add."""
    try:
        sync_method(gateway_slug=method.gateway, gateway_method=method.gateway_method, at=at)
    except UnknownGateway:
        return False
    card = PaymentMethod.objects.active().select_related("profile").filter(pk=method.pk).first()
    return card is not None and not card.is_expired(card.profile.day_of(at))


def renew_chargeable(profile_id: int, *, at: datetime) -> None:
    """The same for the cards of a profile that are charged automatically, before they are refused. Raises NoAnswer."""
    latest = at + DAY  # where it is latest in the world
    expired = Q(expiry_year__lt=latest.year) | Q(expiry_year=latest.year, expiry_month__lt=latest.month)
    charged = Q(is_default=True) | Q(backup_order__isnull=False)
    for method in PaymentMethod.objects.active().filter(expired, charged, profile=profile_id):
        renew(method, at=at)


def look_up_cards(*, at: datetime, limit: int = 100) -> int:
    """Looks up stored cards whose time has come: each month, and each day near the end of their time, so that a renewed
    card is charged though its message was lost. Returns how many were looked up; without an answer, again tomorrow."""
    cards = PaymentMethod.objects.active().select_related("profile")
    due = claim_due(cards, "next_lookup_at", at=at, lease=LOOKUP_EXPIRING_EVERY, limit=limit)
    return run_each(due, lambda method: _look_up_card(method, at), log=log, event="card not looked up")


def _look_up_card(method: PaymentMethod, at: datetime) -> bool:
    try:
        sync_method(gateway_slug=method.gateway, gateway_method=method.gateway_method, at=at)
    except (NoAnswer, UnknownGateway):
        log.warning("card not looked up", method=method.pk)
        return True
    method.refresh_from_db(fields=["expiry_month", "expiry_year", "next_lookup_at"])
    today = method.profile.day_of(at)
    if not (method.is_expired(today) or method.expires_soon(today)):
        own = PaymentMethod.objects.filter(pk=method.pk, next_lookup_at=method.next_lookup_at)
        own.filter(next_lookup_at__isnull=False).update(next_lookup_at=at + LOOKUP_EVERY)
    return True


def remove_gone_card(payment: Payment, outcome: Outcome, *, at: datetime) -> None:
    """After a charge that was declined because the stored card is gone, inside the transaction that settles it. A card
    that got a new id meanwhile stays. Trouble here must not undo what is written of the payment."""
    if payment.method is None or outcome.decline is None or outcome.decline.code != DeclineCode.METHOD_GONE:
        return
    try:
        with transaction.atomic():
            method = _lock(payment.method)
            renewed = Detachment.objects.filter(method=payment.method, created_at__gte=payment.started_at)
            if method is not None and not renewed.exists():
                _remove_gone(method, at)
    except DatabaseError:
        log.exception("card not taken off", payment=payment.reference)


def _remove_gone(method: PaymentMethod, at: datetime) -> None:
    was_default = method.is_default
    deactivate(method, at=at)
    record("method.gone", method, system_access(), at)
    if was_default:
        notifications.notify_gone_default(method, at=at)
