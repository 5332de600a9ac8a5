"""Who has access to a scope, and what each role may do there: what the page "Access control" shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db.models import Q
from django.utils import timezone

from accounts.models import BillingAccount, BillingProfile, RoleAssignment
from accounts.roles import GRANTS, ROLES_OF, Permission, Role, Scope, scope_of, short_label


@dataclass(frozen=True)
class Member:
    """One role of one person, as it reaches a scope."""

    email: str
    name: str
    role_name: str
    is_inherited: bool
    is_active: bool
    since: date


@dataclass(frozen=True)
class RoleColumns:
    """The roles of one scope in the table of what each may do."""

    scope: Scope
    is_inherited: bool
    names: list[str]


@dataclass(frozen=True)
class RoleTable:
    columns: list[RoleColumns]
    rows: list[tuple[Permission, list[bool]]]


def members_of_profile(profile: BillingProfile) -> list[Member]:
    """Everybody whose role reaches the profile, inherited ones first. One query."""
    assignments = RoleAssignment.objects.filter(Q(profile=profile) | Q(account=profile.account_id))
    return [
        _member(assignment, Scope.PROFILE, profile.day_of(assignment.created_at))
        for assignment in _in_order(assignments.select_related("user"))
    ]


def members_of_account(account: BillingAccount) -> list[Member]:
    """Everybody with a role on the account itself. One query."""
    assignments = RoleAssignment.objects.filter(account=account).select_related("user")
    return [
        _member(assignment, Scope.ACCOUNT, timezone.localdate(assignment.created_at))
        for assignment in _in_order(assignments)
    ]


def role_table(scope: Scope) -> RoleTable:
    """The role tables as a page shows them: the scope's own roles first, then the inherited ones."""
    scopes = [scope] + ([Scope.ACCOUNT] if scope != Scope.ACCOUNT else [])
    roles = [role for one in scopes for role in ROLES_OF[one]]
    return RoleTable(
        columns=[RoleColumns(one, one != scope, [short_label(role) for role in ROLES_OF[one]]) for one in scopes],
        rows=[(permission, [role in holders for role in roles]) for permission, holders in GRANTS[scope].items()],
    )


def _in_order(assignments: Iterable[RoleAssignment]) -> list[RoleAssignment]:
    """By scope and role, the highest first, then by address."""
    roles = [role for scope in Scope for role in ROLES_OF[scope]]
    order = {role.value: place for place, role in enumerate(roles)}
    return sorted(assignments, key=lambda assignment: (order[assignment.role], assignment.user.email))


def _member(assignment: RoleAssignment, scope: Scope, since: date) -> Member:
    role = Role(assignment.role)
    is_inherited = scope_of(role) != scope
    return Member(
        email=assignment.user.email,
        name=assignment.user.name,
        role_name=str(role.label) if is_inherited else short_label(role),
        is_inherited=is_inherited,
        is_active=assignment.user.is_active,
        since=since,
    )
