"""Who has access to a scope, and what each role may do there: what the page "Access control" shows."""

from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import PROTECTED, WITH_SECOND_FACTOR, Access, scope_type_of
from accounts.models import BillingAccount, BillingProfile, RoleAssignment, User
from accounts.roles import GRANTS, ROLES_OF, Permission, Role, Scope, roles_with, scope_of, short_label


def members_of(place: BillingAccount | BillingProfile, access: Access) -> list[dict[str, Any]]:
    """Everybody whose role reaches the scope, as ``access`` may know them; inherited roles first, then the highest.
    One query; a profile needs its account."""
    granted = Q(account=place) if isinstance(place, BillingAccount) else Q(profile=place) | Q(account=place.account_id)
    order = [role for scope in Scope for role in ROLES_OF[scope]]
    rows = RoleAssignment.objects.filter(granted).select_related("user").annotate(has_second_factor=WITH_SECOND_FACTOR)
    members = sorted(rows, key=lambda assignment: (order.index(Role(assignment.role)), assignment.user.email))
    return [_member(assignment, place, access) for assignment in members]


def role_table(scope: Scope) -> dict[str, Any]:
    """The role tables as a page shows them: ``columns`` of roles by scope, the scope's own first, and ``rows`` of tasks
    in words, each with whether the role of each column may do it."""
    scopes = [scope] if scope == Scope.ACCOUNT else [scope, Scope.ACCOUNT]
    roles = [role for origin in scopes for role in ROLES_OF[origin]]
    return {
        "columns": [
            {"scope": origin, "is_inherited": origin != scope, "names": [*map(short_label, ROLES_OF[origin])]}
            for origin in scopes
        ],
        "rows": [
            (_task(permission), [role in holders for role in roles])
            for permission, holders in GRANTS[scope].items()
            if permission != Permission.ROLES_ASSIGN or scope == Scope.ACCOUNT
        ],
    }


def _task(permission: Permission) -> str:
    """Of the right to assign roles, what its holders do on the account's page: staff give the roles themselves."""
    return _("Require a second factor") if permission == Permission.ROLES_ASSIGN else str(permission.label)


def people_stopped(account: BillingAccount) -> list[User]:
    """Whom a demand for a second factor stops: active people whose role lets them pay or manage cards on a profile of
    the account, and who have none. By address. One query."""
    stopped = RoleAssignment.objects.filter(~WITH_SECOND_FACTOR, Q(account=account) | Q(profile__account=account))
    people = User.objects.filter(is_active=True, pk__in=stopped.filter(role__in=_roles_stopped()).values("user"))
    return list(people.order_by("email"))


def _roles_stopped() -> set[Role]:
    return {role for permission in PROTECTED for role in roles_with(permission, Scope.PROFILE)}


def _member(assignment: RoleAssignment, place: BillingAccount | BillingProfile, access: Access) -> dict[str, Any]:
    role, at = Role(assignment.role), assignment.created_at
    is_inherited = scope_of(role) != scope_type_of(place)
    return {
        "email": assignment.user.email,
        "name": assignment.user.name,
        "role_name": str(role.label) if is_inherited else short_label(role),
        "is_inherited": is_inherited,
        "is_active": assignment.user.is_active,
        # False also where the reader is not told.
        "lacks_second_factor": not assignment.has_second_factor  # type: ignore[attr-defined]  # annotated above
        and _may_know_factor(assignment, place, access),
        "since": place.day_of(at) if isinstance(place, BillingProfile) else timezone.localdate(at),
    }


def _may_know_factor(assignment: RoleAssignment, place: BillingAccount | BillingProfile, access: Access) -> bool:
    """Whether the reader may know: those who decide about roles, and people whom it stops, about themselves."""
    if Permission.ROLES_ASSIGN in access.permissions_at(place):
        return True
    account = place if isinstance(place, BillingAccount) else place.account
    is_stopped = account.requires_second_factor and assignment.role in _roles_stopped()
    return is_stopped and assignment.user == access.user
