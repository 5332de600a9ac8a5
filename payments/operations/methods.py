"""Cards of a billing profile: kept, made the default, put in order as backups, removed, forgotten by their gateway.

The row of the profile is the lock of all its cards against each other. What keeps a card on its profile is listed by
`blockers_of`, which the page shows and the operation obeys. That a gateway has to forget a card's id is a row in the
commit that gave the id up, so it outlives a gateway that is away and a process that is killed.

A provider renews cards too, and forgets them at somebody else's wish. Its message names the card and nothing more; how
the card stands is asked. A card that is gone shows at a charge as well, as a decline that says so. It is then taken off
the profile, and if it was the default those who manage cards are told.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import structlog
from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, access_of, fresh, system_access
from accounts.models import BillingProfile, User
from accounts.roles import Permission
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


class CannotChangeMethod(Exception):
    """The card was not changed. The message may be shown."""


class Block(StrEnum):
    OPEN_PAYMENT = "open_payment"
    PLANNED = "planned"
    DEFAULT = "default"
    LAST = "last"


class Blocker(NamedTuple):
    """Why a card stays, and the remedy, as sentences for the reader."""

    code: Block
    reason: str
    remedy: str


def save_card(
    info: MethodInfo, *, profile_id: int, gateway: str, by: User | None, make_default: bool, at: datetime
) -> PaymentMethod:
    """Keeps a card on a profile, inside the caller's transaction. A card that is there already (by fingerprint) is not
    kept twice.

    A renewed card has the number of the old one; only the new id is good until the new date, so the row takes it over
    and the gateway is told to forget the old one.
    """
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
    method.save()
    record("method.added" if is_new else "method.updated", method, Access(user=by), at)
    if make_default:
        _set_default(method)
    return method


def may_save_card(by: User | None, profile: BillingProfile) -> bool:
    """Whether a person may still keep cards on a profile: the bank takes a while, and a role may have gone."""
    return by is not None and access_of(by).inside(profile).can(Permission.METHODS_MANAGE)


def forget_card(info: MethodInfo, *, profile_id: int, gateway: str, by: User | None, at: datetime) -> None:
    """Has the gateway forget a card that it kept for somebody who may not keep one any more, inside the caller's
    transaction. A card that is on the profile stays."""
    if PaymentMethod.objects.filter(gateway=gateway, gateway_method=info.gateway_method).exists():
        return
    method = PaymentMethod(
        profile_id=profile_id,
        gateway=gateway,
        gateway_method=info.gateway_method,
        gateway_customer=info.gateway_customer,
        status=PaymentMethod.Status.REMOVED,
        created_at=at,
        created_by=by,
        removed_at=at,
    )
    _copy_details(method, info)
    method.save()
    queue_detachment(method, at=at)


def _copy_details(method: PaymentMethod, info: MethodInfo) -> None:
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
    method = _lock_for_change(access, method_id)
    _refuse_expired(method, at)
    _set_default(method)
    record("method.made_default", method, access, at)
    return method


def _refuse_expired(method: PaymentMethod, at: datetime) -> None:
    if method.is_expired(method.profile.day_of(at)):
        raise CannotChangeMethod(_("%(card)s has expired. Add a new card instead.") % {"card": method.label})


def _set_default(method: PaymentMethod) -> None:
    PaymentMethod.objects.filter(profile_id=method.profile_id, is_default=True).exclude(pk=method.pk).update(
        is_default=False
    )
    method.is_default, method.backup_order = True, None
    method.save(update_fields=["is_default", "backup_order"])


@translate_lock_timeout(CannotChangeMethod)
@transaction.atomic
def make_backup(*, access: Access, method_id: int, at: datetime) -> PaymentMethod:
    """Puts a card at the end of the backups, which are tried in their order when an automatic charge of the default
    card is refused for good; one that is there stays where it is.

    Raises PaymentMethod.DoesNotExist, NotAllowed, CannotChangeMethod for the default card or an expired one.
    """
    method = _lock_for_change(access, method_id)
    if method.is_default:
        raise CannotChangeMethod(_("This is the default card, which is charged first."))
    _refuse_expired(method, at)
    if method.backup_order is None:
        _write_backups([*_backups(method), method])
        record("method.made_backup", method, access, at)
    return method


@translate_lock_timeout(CannotChangeMethod)
@transaction.atomic
def drop_backup(*, access: Access, method_id: int, at: datetime) -> PaymentMethod:
    """Takes a card out of the backups; it stays on the profile. Raises PaymentMethod.DoesNotExist, NotAllowed."""
    method = _lock_for_change(access, method_id)
    if method.backup_order is not None:
        PaymentMethod.objects.filter(pk=method.pk).update(backup_order=None)
        _write_backups(_backups(method))
        record("method.backup_dropped", method, access, at)
    return method


@translate_lock_timeout(CannotChangeMethod)
@transaction.atomic
def move_backup(*, access: Access, method_id: int, earlier: bool, at: datetime) -> PaymentMethod:
    """Changes places with the backup before it or after it; the first and the last stay where they are.

    Raises PaymentMethod.DoesNotExist, NotAllowed.
    """
    method = _lock_for_change(access, method_id)
    cards = _backups(method)
    places = [card.pk for card in cards]
    if method.pk not in places:
        return method
    old = places.index(method.pk)
    new = old + (-1 if earlier else 1)
    if 0 <= new < len(cards):
        cards[old], cards[new] = cards[new], cards[old]
        _write_backups(cards)
        record("method.backup_moved", method, access, at)
    return method


def _backups(method: PaymentMethod) -> list[PaymentMethod]:
    cards = PaymentMethod.objects.active().filter(profile=method.profile_id, backup_order__isnull=False)
    return list(cards.order_by("backup_order"))


def _write_backups(cards: list[PaymentMethod]) -> None:
    """Gives each its place. Places are unique at every moment, so all are cleared first."""
    PaymentMethod.objects.filter(pk__in=[card.pk for card in cards]).update(backup_order=None)
    for place, card in enumerate(cards, start=1):
        PaymentMethod.objects.filter(pk=card.pk).update(backup_order=place)


@transaction.atomic
def set_default_method(*, access: Access, profile_id: int, method: str, at: datetime) -> BillingProfile:
    """Chooses card or check/wire, of `BillingProfile.DefaultMethod`, as what a profile pays with by default. Choosing
    what is chosen already changes nothing.

    New invoices follow. One that was issued keeps what its document says, but it is not charged by itself any more once
    the profile pays by check or wire. Going back to card needs a card that has not expired; the default card is
    charged, or else the first of them becomes it. Returns the profile. Raises BillingProfile.DoesNotExist, NotAllowed,
    CannotChangeMethod.
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
    audit.record(
        access=access,
        at=at,
        action="profile.default_method",
        subject=profile.name,
        account=profile.account,
        profile=profile,
        method=default_method.value,
    )
    return profile


def lock_planned_invoices(profile_id: int) -> None:
    """Locks the invoices that are going to be charged, before their profile is locked, as everywhere: who charges one
    now is waited for."""
    list(Invoice.objects.filter(profile=profile_id, autopay_on__isnull=False).only("pk").locked())


def drop_plans(profile: BillingProfile, reason: AutomaticCharge.Stop, *, at: datetime) -> int:
    """Nothing that was planned for a locked profile is charged any more. Returns how many invoices were to be."""
    planned = AutomaticCharge.objects.filter(profile=profile, status=AutomaticCharge.Status.PLANNED)
    planned.update(status=AutomaticCharge.Status.STOPPED, stopped_because=reason, changed_at=at)
    return drop_autopay(profile)


def _choose_card(profile: BillingProfile, at: datetime) -> None:
    """Makes sure that there is a card to charge. Raises CannotChangeMethod when there is none."""
    if not profile.account.can_pay_by_card:
        name = profile.account.get_agreement_type_display()
        raise CannotChangeMethod(_("Not payable by card under this agreement type: %(type)s.") % {"type": name})
    today = profile.day_of(at)
    cards = [
        card
        for card in PaymentMethod.objects.active().filter(profile=profile).in_order().locked()
        if not card.is_expired(today)
    ]
    if not cards:
        raise CannotChangeMethod(_("Add a card that has not expired first."))
    if not any(card.is_default for card in cards):
        _set_default(cards[0])


def blockers_of(method: PaymentMethod, *, at: datetime, by_staff: bool = False) -> list[Blocker]:
    """Everything that keeps a card from being removed; needs ``method.profile``. Staff, who remove at a customer's
    wish, are held up by a payment in progress only."""
    blockers = []
    if Payment.objects.filter(method=method, status__in=OPEN).exists():
        blockers.append(
            Blocker(
                Block.OPEN_PAYMENT,
                _("A payment with this card is in progress."),
                _("Remove it when that has ended."),
            )
        )
    profile = method.profile
    if by_staff or not method.is_default:
        return blockers
    others = PaymentMethod.objects.active().filter(profile=profile).exclude(pk=method.pk)
    today = profile.day_of(at)
    could_replace = any(not other.is_expired(today) for other in others)
    if could_replace:
        remedy = _("Make another card the default first.")
        blockers.append(Blocker(Block.DEFAULT, _("This is the default card."), remedy))
    if profile.pays_by_wire or method.is_expired(today):
        return blockers
    if profile.charges_automatically and Invoice.objects.filter(profile=profile, autopay_on__isnull=False).exists():
        remedy = _("Make another card the default, or switch automatic charging off.")
        blockers.append(Blocker(Block.PLANNED, _("Invoices are going to be charged to it."), remedy))
    if not could_replace:
        blockers.append(
            Blocker(
                Block.LAST,
                _("It is the only payment method of this billing profile."),
                _("Add another card first, or ask to pay by check or wire."),
            )
        )
    return blockers


@translate_lock_timeout(CannotChangeMethod)
def remove_method(*, access: Access, method_id: int, at: datetime) -> PaymentMethod:
    """Takes a card off the profile, here first and then at the gateway, where "already gone" counts as done. A gateway
    that does not answer is asked again by the worker.

    Raises PaymentMethod.DoesNotExist, NotAllowed, and CannotChangeMethod for each reason that `blockers_of` knows, or
    when the database is busy.
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
    """A new card takes the place of an old one, as default or among the backups, and the old one is removed. In the
    caller's transaction, with the profile locked.

    The old one stays when it is the same card, or a payment with it is in progress; then the new card has its place all
    the same, so nothing stands in the way of removing the old one later.
    """
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
    method.backup_order = None
    method.save(update_fields=["status", "is_default", "backup_order", "removed_at"])


def record(action: str, method: PaymentMethod, access: Access, at: datetime) -> None:
    """Adds to the audit trail. What nobody did, the portal did."""
    actor = access if access.user else system_access()
    audit.record(access=actor, at=at, action=action, subject=method.label, profile=method.profile, method=method.pk)


def _lock_for_change(access: Access, method_id: int) -> PaymentMethod:
    """An active card of a profile whose cards the person may manage, locked: its own lock keeps payers off it. Raises
    PaymentMethod.DoesNotExist, NotAllowed."""
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
    """Asks the gateways to forget what is due. Returns how many were asked about. Never raises for a gateway.

    May be killed, run twice, or run by several workers.
    """
    rows = Detachment.objects.filter(pk=only.pk) if only else Detachment.objects.all()
    done = 0
    for row in claim_due(rows, "next_try_at", at=at, lease=CALL_BUDGET, limit=limit):
        _detach(row, at)
        done += 1
    return done


def _detach(row: Detachment, at: datetime) -> None:
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


def sync_method(*, gateway_slug: str, gateway_method: str, at: datetime) -> bool:
    """Asks how a stored card stands and writes it down. Returns False for a card that was never ours.

    Raises UnknownGateway, and NoAnswer when the gateway could not be asked.
    """
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


def remove_gone_card(payment: Payment, outcome: Outcome, *, at: datetime) -> None:
    """After a charge that was declined because the stored card is gone, inside the transaction that settles it.

    A card that got a new id since the charge was begun stays: it was the old id that is gone. Trouble here must not
    undo what is written of the payment.
    """
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
