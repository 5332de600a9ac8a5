"""What a billing profile pays with by default: a card, or check or wire where staff have approved that.

New invoices follow. One that was issued keeps what its document says, but it is not charged by itself any more once
the profile pays by check or wire.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, fresh
from accounts.models import BillingProfile
from accounts.roles import Permission
from payments.models import AutomaticCharge, PaymentMethod
from payments.operations.autopay.switching import drop_plans, lock_planned
from payments.operations.methods import CannotChangeMethod


@transaction.atomic
def set_default_method(*, access: Access, profile_id: int, method: str, at: datetime) -> BillingProfile:
    """Chooses card or check/wire, of `BillingProfile.DefaultMethod`. Choosing what is chosen already changes nothing.

    Going back to card needs a card that has not expired; the default card is charged, or else the first of them becomes
    it. Returns the profile. Raises BillingProfile.DoesNotExist, NotAllowed, CannotChangeMethod.
    """
    lock_planned(profile_id)
    profile = BillingProfile.objects.visible_to(access).select_related("account").locked().get(pk=profile_id)
    fresh(access).require(Permission.METHODS_MANAGE, profile)
    wanted = BillingProfile.DefaultMethod(method)
    if profile.default_method == wanted:
        return profile
    if wanted == BillingProfile.DefaultMethod.CHECK_WIRE:
        if not profile.is_wire_approved:
            raise CannotChangeMethod(_("This billing profile may not pay by check or wire yet. Ask for it first."))
        drop_plans(profile, AutomaticCharge.Stop.BY_WIRE, at=at)
    else:
        _choose_card(profile, at)
    profile.default_method = wanted
    profile.save(update_fields=["default_method"])
    audit.record(
        access=access,
        at=at,
        action="profile.default_method",
        subject=profile.name,
        account=profile.account,
        profile=profile,
        method=wanted.value,
    )
    return profile


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
    if any(card.is_default for card in cards):
        return
    PaymentMethod.objects.filter(profile=profile, is_default=True).update(is_default=False)
    cards[0].is_default = True
    cards[0].save(update_fields=["is_default"])
