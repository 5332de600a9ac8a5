"""Inviting people, making them active or not, and their preferences. They are never deleted: what they did stays."""

from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, ScopeObject, require_staff
from accounts.models import BillingAccount, BillingProfile, InvoiceSection, RoleAssignment, User
from accounts.operations.addresses import AddressTaken, drop_claims, invite, refuse_taken_address, valid_address
from accounts.operations.roles import has_other_owner
from accounts.roles import OWNERS


class CannotDeactivate(Exception):
    """The person stays active. The message may be shown."""


def invite_person(*, access: Access, email: str, name: str, language: str, at: datetime) -> User:
    """Adds a person without a password and mails them the link that sets one. For staff. Returns the person. Raises
    NotAllowed, and CannotChangeAddress for an address that is none, that a user has, or after `MAX_LINKS` to it."""
    email = valid_address(email)
    try:
        with transaction.atomic():
            require_staff(access)
            refuse_taken_address(email)
            drop_claims(access=access, email=email, at=at)
            user = User.objects.create_user(email, name=name.strip(), language=language, joined_at=at)
            EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=False)
            invite(access=access, user=user, at=at)
    except IntegrityError as taken:
        raise AddressTaken from taken
    return user


def change_activity(*, access: Access, user: User, is_active: bool, at: datetime) -> None:
    """Makes a person active or not. For staff. Raises NotAllowed, and CannotDeactivate for the last owner of something,
    for oneself, and to make somebody active who was erased."""
    with transaction.atomic():
        require_staff(access)
        if not is_active:
            if access.user == user:
                raise CannotDeactivate(_("You cannot deactivate yourself."))
            if alone := places_owned_alone(user):
                sentence = _("%(user)s is the last owner of %(places)s. Make somebody else owner first.")
                raise CannotDeactivate(sentence % {"user": user, "places": ", ".join(alone)})
        person = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if is_active and person.is_erased:
            raise CannotDeactivate(_("This person was erased. Add somebody new instead."))
        User.objects.filter(pk=person.pk).update(is_active=is_active)
        user.is_active = is_active
        action = "user.activated" if is_active else "user.deactivated"
        audit.record(access=access, at=at, action=action, subject=person.email, person=person)


def places_owned_alone(user: User) -> list[str]:
    """The names of the scopes that would have no active owner without this person. Locks every scope they own."""
    return [str(place) for place in locked_places_owned_by(user) if not has_other_owner(place, user)]


def locked_places_owned_by(user: User) -> list[ScopeObject]:
    """Every scope the person owns directly, each kind locked in order of key. Scopes are locked before people."""
    owned = RoleAssignment.objects.filter(user=user, role__in=OWNERS.values())
    return [
        *BillingAccount.objects.filter(pk__in=owned.values("account")).locked(),
        *BillingProfile.objects.filter(pk__in=owned.values("profile")).locked(),
        *InvoiceSection.objects.filter(pk__in=owned.values("section")).locked(),
    ]


def choose_preferences(*, user: User, **chosen: str) -> None:
    """Keeps a person's own ``language`` or ``theme``, for every browser they sign in with."""
    User.objects.filter(pk=user.pk).update(**chosen)


def remember_scope(*, access: Access, key: str) -> None:
    """Notes the scope that a person opened: they come back to it the next time."""
    if access.user is not None and access.user.last_scope != key:
        access.user.last_scope = key
        with transaction.atomic():
            access.user.save(update_fields=["last_scope"])
