"""Letting a person sign in, and stopping it.

People are never deleted: what they did keeps their name. Deactivating somebody is refused while a scope would be left
without an owner, for the same reason as removing the last owner's role.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, NotAllowed, Place, fresh
from accounts.models import BillingAccount, BillingProfile, InvoiceSection, RoleAssignment, User
from accounts.operations.roles import has_other_owner
from accounts.roles import OWNERS


class CannotDeactivate(Exception):
    """The person stays active. The message may be shown."""


def change_activity(*, access: Access, user: User, is_active: bool, at: datetime) -> None:
    """Makes a person active or not. For staff.

    Raises NotAllowed for anybody else, CannotDeactivate when the person is the last owner of something, or asks to shut
    out themselves.
    """
    with transaction.atomic():
        if not fresh(access).unlimited:
            raise NotAllowed(_("Only staff may do this."))
        if not is_active:
            _refuse_when_needed(access, user)
        User.objects.filter(pk=user.pk).update(is_active=is_active)
        user.is_active = is_active
        action = "user.activated" if is_active else "user.deactivated"
        audit.record(access=access, at=at, action=action, subject=user.email[:120])


def _refuse_when_needed(access: Access, user: User) -> None:
    if access.user == user:
        raise CannotDeactivate(_("You cannot deactivate yourself."))
    alone = [str(place) for place in _locked_places_owned_by(user) if not has_other_owner(place, user)]
    if alone:
        raise CannotDeactivate(
            _("%(user)s is the last owner of %(places)s. Make somebody else owner first.")
            % {"user": user, "places": ", ".join(alone)}
        )


def _locked_places_owned_by(user: User) -> list[Place]:
    """Every scope the person owns directly: accounts, then profiles, then sections, each locked in order of key."""
    owned = RoleAssignment.objects.filter(user=user, role__in=OWNERS.values())
    return [
        *BillingAccount.objects.filter(pk__in=owned.values("account")).locked(),
        *BillingProfile.objects.filter(pk__in=owned.values("profile")).locked(),
        *InvoiceSection.objects.filter(pk__in=owned.values("section")).locked(),
    ]
