"""What keeps a card on its profile, each reason beside what helps: listed by the page, refused by the operation."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from django.utils.translation import gettext as _

from invoices.models import Invoice
from payments.models import Payment, PaymentMethod
from payments.states import OPEN


class Block(StrEnum):
    OPEN_PAYMENT = "open_payment"
    PLANNED = "planned"
    DEFAULT = "default"
    LAST = "last"


class Blocker(NamedTuple):
    """Why the card stays, and the remedy, as sentences for the reader."""

    code: Block
    reason: str
    remedy: str


def blockers_of(method: PaymentMethod, *, at: datetime, by_staff: bool = False) -> list[Blocker]:
    """Everything that keeps a card from being removed; needs ``method.profile``. Staff, who remove at a customer's
    wish, are held up by a payment in progress only."""
    found = []
    if Payment.objects.filter(method=method, status__in=OPEN).exists():
        found.append(
            Blocker(
                Block.OPEN_PAYMENT,
                _("A payment with this card is in progress."),
                _("Remove it when that has ended."),
            )
        )
    profile = method.profile
    if by_staff or not method.is_default:
        return found
    others = PaymentMethod.objects.active().filter(profile=profile).exclude(pk=method.pk)
    today = profile.day_of(at)
    could_replace = any(not other.is_expired(today) for other in others)
    if could_replace:
        found.append(Blocker(Block.DEFAULT, _("This is the default card."), _("Make another card the default first.")))
    if profile.pays_by_wire or method.is_expired(today):
        return found
    if profile.charges_automatically and Invoice.objects.filter(profile=profile, autopay_on__isnull=False).exists():
        found.append(
            Blocker(
                Block.PLANNED,
                _("Invoices are going to be charged to it."),
                _("Make another card the default, or switch automatic charging off."),
            )
        )
    if not could_replace:
        found.append(
            Blocker(
                Block.LAST,
                _("It is the only payment method of this billing profile."),
                _("Add another card first, or ask to pay by check or wire."),
            )
        )
    return found
