"""The cards that are tried, in this order, when an automatic charge of the default card is refused for good."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.access import Access
from billing_portal.core.database import translate_lock_timeout
from payments.models import PaymentMethod
from payments.operations.methods import CannotChangeMethod, lock_method, record


@translate_lock_timeout(CannotChangeMethod)
@transaction.atomic
def make_backup(*, access: Access, method_id: int, at: datetime) -> PaymentMethod:
    """Puts a card at the end of the backups; one that is there stays where it is.

    Raises PaymentMethod.DoesNotExist, NotAllowed, CannotChangeMethod for the default card or an expired one.
    """
    method = lock_method(access, method_id)
    if method.is_default:
        raise CannotChangeMethod(_("This is the default card, which is charged first."))
    if method.is_expired(method.profile.day_of(at)):
        raise CannotChangeMethod(_("%(card)s has expired. Add a new card instead.") % {"card": method.label})
    if method.backup_order is None:
        _write([*_backups(method), method])
        record("method.made_backup", method, access, at)
    return method


@translate_lock_timeout(CannotChangeMethod)
@transaction.atomic
def drop_backup(*, access: Access, method_id: int, at: datetime) -> PaymentMethod:
    """Takes a card out of the backups; it stays on the profile. Raises PaymentMethod.DoesNotExist, NotAllowed."""
    method = lock_method(access, method_id)
    if method.backup_order is not None:
        _write([card for card in _backups(method) if card.pk != method.pk], leaves=method)
        record("method.backup_dropped", method, access, at)
    return method


@translate_lock_timeout(CannotChangeMethod)
@transaction.atomic
def move_backup(*, access: Access, method_id: int, earlier: bool, at: datetime) -> PaymentMethod:
    """Changes places with the backup before it or after it; the first and the last stay where they are.

    Raises PaymentMethod.DoesNotExist, NotAllowed.
    """
    method = lock_method(access, method_id)
    cards = _backups(method)
    places = [card.pk for card in cards]
    if method.pk not in places:
        return method
    here = places.index(method.pk)
    there = here + (-1 if earlier else 1)
    if 0 <= there < len(cards):
        cards[here], cards[there] = cards[there], cards[here]
        _write(cards)
        record("method.backup_moved", method, access, at)
    return method


def _backups(method: PaymentMethod) -> list[PaymentMethod]:
    cards = PaymentMethod.objects.active().filter(profile=method.profile_id, backup_order__isnull=False)
    return list(cards.order_by("backup_order"))


def _write(cards: list[PaymentMethod], *, leaves: PaymentMethod | None = None) -> None:
    """Gives each its place. Places are unique at every moment, so all are cleared first."""
    mine = {card.pk for card in cards} | ({leaves.pk} if leaves else set())
    PaymentMethod.objects.filter(pk__in=mine).update(backup_order=None)
    for place, card in enumerate(cards, start=1):
        PaymentMethod.objects.filter(pk=card.pk).update(backup_order=place)
