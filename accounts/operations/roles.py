"""Granting and removing roles.

The rules, beside the tables in `accounts.roles`: a role is granted at the scope where it exists and reaches everything
below; what is inherited can only be removed where it was granted; the last direct owner of a scope stays. Both
operations lock the row of the scope first and read the asker's own roles again under that lock, so two owners who
remove each other at the same moment cannot both succeed. Granting locks the person as well, whose address staff may be
correcting: the role is meant for whoever reads the mail at the address that was seen.
"""

from datetime import datetime
from typing import TypedDict

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, NotAllowed, ScopeObject, fresh, reason_for_role, scope_type_of
from accounts.models import BillingAccount, BillingProfile, InvoiceSection, RoleAssignment, User
from accounts.recipients import owners
from accounts.roles import OWNERS, ROLES_OF, Permission, Role, Scope
from billing_portal.core.outbox import queue


class CannotChangeRoles(Exception):
    """The grant or removal is refused. The message may be shown."""


class At(TypedDict):
    """Where an audit entry belongs."""

    account: BillingAccount
    profile: BillingProfile | None


def grant_role(*, access: Access, user: User, role: Role, place: ScopeObject, at: datetime) -> RoleAssignment:
    """Gives a person a role at an account, a profile or a section.

    Raises NotAllowed when the asker may not assign roles there, CannotChangeRoles when the role does not exist at that
    scope, the person is not active, holds the role there already, is the member of staff who asks, or has got another
    address since ``user`` was read.
    """
    scope = scope_type_of(place)
    with transaction.atomic():
        place = locked_place(place)
        _require_assigning(access, place)
        if role not in ROLES_OF[scope]:
            raise CannotChangeRoles(
                _("%(role)s is not a role of this kind of scope. Choose one of: %(roles)s.")
                % {"role": role.label, "roles": ", ".join(str(one.label) for one in ROLES_OF[scope])}
            )
        if access.unlimited and access.user == user:
            raise CannotChangeRoles(_("You cannot give yourself a role. Ask a colleague."))
        person = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if person.email != user.email:
            raise CannotChangeRoles(_("The address of %(user)s has just changed. Look at it again.") % {"user": person})
        if not person.is_active:
            raise CannotChangeRoles(_("%(user)s is not active and cannot be given a role.") % {"user": person})
        assignment, is_new = RoleAssignment.objects.get_or_create(
            user=user, role=role, **{field_of(scope): place}, defaults={"created_at": at}
        )
        if not is_new:
            raise CannotChangeRoles(
                _("%(user)s is %(role)s of %(place)s already.") % {"user": user, "role": role.label, "place": place}
            )
        _record(access, at, "role.granted", assignment, place)
        if access.unlimited and access.user is not None:
            _tell_owners(assignment, place, at)
    return assignment


def remove_role(*, access: Access, assignment_id: int, place: ScopeObject, at: datetime) -> None:
    """Takes a role away at the scope where it was granted.

    Raises NotAllowed when the asker may not assign roles there, CannotChangeRoles when the role is gone already, is
    inherited from a higher scope, or is that of the scope's last owner.
    """
    scope = scope_type_of(place)
    with transaction.atomic():
        place = locked_place(place)
        _require_assigning(access, place)
        assignment = RoleAssignment.objects.select_related("user", "account").filter(pk=assignment_id).first()
        if assignment is None:
            raise CannotChangeRoles(_("This role has been removed already."))
        if getattr(assignment, f"{field_of(scope)}_id") != place.pk:
            raise CannotChangeRoles(
                _("This role was granted at another scope. Remove it where it was granted.")
                if assignment.account is None
                else _("This role is inherited from %(account)s. Remove it there.") % {"account": assignment.account}
            )
        if assignment.role == OWNERS[scope] and not has_other_owner(place, assignment.user):
            raise CannotChangeRoles(
                _("%(user)s is the last owner of %(place)s. Make somebody else owner first.")
                % {"user": assignment.user, "place": place}
            )
        _record(access, at, "role.removed", assignment, place)
        assignment.delete()


def field_of(scope: Scope) -> str:
    """The column of RoleAssignment that holds a scope."""
    return {Scope.ACCOUNT: "account", Scope.PROFILE: "profile", Scope.SECTION: "section"}[scope]


def locked_place(place: ScopeObject) -> ScopeObject:
    """The scope's row, locked and read anew; what it hangs under is loaded, not locked."""
    match place:
        case InvoiceSection():
            return InvoiceSection.objects.select_related("profile__account").locked().get(pk=place.pk)
        case BillingProfile():
            return BillingProfile.objects.select_related("account").locked().get(pk=place.pk)
        case BillingAccount():
            return BillingAccount.objects.locked().get(pk=place.pk)


def has_other_owner(place: ScopeObject, user: User) -> bool:
    """Whether somebody active besides this person owns the scope directly."""
    scope = scope_type_of(place)
    owners = RoleAssignment.objects.filter(role=OWNERS[scope], user__is_active=True, **{field_of(scope): place})
    return owners.exclude(user=user).exists()


def _require_assigning(access: Access, place: ScopeObject) -> None:
    if Permission.ROLES_ASSIGN not in fresh(access).permissions_at(place):
        raise NotAllowed(reason_for_role(Permission.ROLES_ASSIGN, scope_type_of(place)))


def _record(access: Access, at: datetime, action: str, assignment: RoleAssignment, place: ScopeObject) -> None:
    audit.record(
        access=access,
        at=at,
        action=action,
        subject=assignment.user.email[:120],
        person=assignment.user,
        **_belongs_to(place),
        role=assignment.role,
        scope=scope_type_of(place).value,
        place=str(place),
    )


def _tell_owners(assignment: RoleAssignment, place: ScopeObject, at: datetime) -> None:
    """What staff grant is told to those who could have granted it, so that nobody gets in unseen."""
    for owner in owners(place):
        if owner.pk != assignment.user_id:
            queue(
                key=f"role-{assignment.pk}-granted-{owner.pk}",
                to=owner,
                template="role_granted",
                # The label as it is in the source: the mail is translated when it is drawn.
                context={
                    "person": assignment.user.email,
                    "role": _in_english(assignment),
                    "place": str(place),
                    "scope": scope_type_of(place).value,
                    "code": getattr(place, "code", ""),
                },
                at=at,
            )


def _in_english(assignment: RoleAssignment) -> str:
    with translation.override("en"):
        return str(Role(assignment.role).label)


def _belongs_to(place: ScopeObject) -> At:
    match place:
        case InvoiceSection():
            return {"account": place.profile.account, "profile": place.profile}
        case BillingProfile():
            return {"account": place.account, "profile": place}
        case BillingAccount():
            return {"account": place, "profile": None}
