"""Granting and removing roles.

A role is granted at the scope where it exists and reaches everything below; what is inherited can only be removed where
it was granted; the last direct owner of a scope stays. Both operations lock the scope first and read the asker's own
roles again under that lock, so two owners who remove each other at the same moment cannot both succeed. Granting locks
the person as well, whose address staff may be correcting: the role is meant for whoever reads mail at the one seen.
"""

from datetime import datetime

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, ScopeObject, fresh, scope_type_of
from accounts.models import BillingAccount, BillingProfile, InvoiceSection, RoleAssignment, User
from accounts.recipients import owners
from accounts.roles import OWNERS, ROLES_OF, Permission, Role
from billing_portal.core.outbox import queue


class CannotChangeRoles(Exception):
    """The grant or removal is refused. The message may be shown."""


def grant_role(*, access: Access, user: User, role: Role, place: ScopeObject, at: datetime) -> RoleAssignment:
    """Gives a person a role at a scope. Raises NotAllowed when the asker may not assign roles there, CannotChangeRoles
    when the role does not exist at that scope, the person is not active, holds it already, is the member of staff who
    asks, or has another address since ``user`` was read."""
    scope = scope_type_of(place)
    with transaction.atomic():
        place = locked_place(place)
        fresh(access).require_at(Permission.ROLES_ASSIGN, place)
        if role not in ROLES_OF[scope]:
            raise CannotChangeRoles(
                _("%(role)s is not a role of this kind of scope. Choose one of: %(roles)s.")
                % {"role": role.label, "roles": ", ".join(str(allowed.label) for allowed in ROLES_OF[scope])}
            )
        if access.unlimited and access.user == user:
            raise CannotChangeRoles(_("You cannot give yourself a role. Ask a colleague."))
        person = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if person.email != user.email:
            raise CannotChangeRoles(_("The address of %(user)s has just changed. Look at it again.") % {"user": person})
        if not person.is_active:
            raise CannotChangeRoles(_("%(user)s is not active and cannot be given a role.") % {"user": person})
        assignment, is_new = RoleAssignment.objects.get_or_create(
            user=user, role=role, **{scope.value: place}, defaults={"created_at": at}
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
    """Takes a role away at the scope where it was granted. Raises NotAllowed when the asker may not assign roles there,
    CannotChangeRoles when it is gone, was granted elsewhere, or is that of the scope's last owner."""
    scope = scope_type_of(place)
    with transaction.atomic():
        place = locked_place(place)
        fresh(access).require_at(Permission.ROLES_ASSIGN, place)
        assignment = RoleAssignment.objects.select_related("user", "account").filter(pk=assignment_id).first()
        if assignment is None:
            raise CannotChangeRoles(_("This role has been removed already."))
        if getattr(assignment, f"{scope.value}_id") != place.pk:
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


def locked_place(place: ScopeObject) -> ScopeObject:
    """The scope's row, locked and read anew; what it hangs under is loaded, not locked."""
    above = {BillingAccount: None, BillingProfile: "account", InvoiceSection: "profile__account"}[type(place)]
    locked: ScopeObject = type(place).objects.select_related(above).locked().get(pk=place.pk)
    return locked


def has_other_owner(place: ScopeObject, user: User) -> bool:
    """Whether somebody active besides this person owns the scope directly."""
    scope = scope_type_of(place)
    owners = RoleAssignment.objects.filter(role=OWNERS[scope], user__is_active=True, **{scope.value: place})
    return owners.exclude(user=user).exists()


def _record(access: Access, at: datetime, action: str, assignment: RoleAssignment, place: ScopeObject) -> None:
    person, scope = assignment.user, scope_type_of(place)
    audit.record(
        access=access, at=at, action=action, subject=person.email, person=person, **audit.belongs_to(place),
        role=assignment.role, scope=scope.value, place=str(place),
    )  # fmt: skip


def _tell_owners(assignment: RoleAssignment, place: ScopeObject, at: datetime) -> None:
    """What staff grant is told to those who could have granted it, so that nobody gets in unseen."""
    with translation.override("en"):  # the mail translates the label when it is rendered
        role = str(Role(assignment.role).label)
    context = {
        "person": assignment.user.email,
        "role": role,
        "place": str(place),
        "scope": scope_type_of(place).value,
        "code": getattr(place, "code", ""),
    }
    for owner in owners(place):
        if owner.pk != assignment.user_id:
            key = f"role-{assignment.pk}-granted-{owner.pk}"
            queue(key=key, to=owner, template="role_granted", context=context, at=at)
