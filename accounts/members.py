"""Who has access to a scope, and what each role may do there: what the page "Access control" shows."""

from dataclasses import dataclass
from datetime import date

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import PROTECTED, WITH_SECOND_FACTOR, Access, scope_type_of
from accounts.models import BillingAccount, BillingProfile, RoleAssignment, User
from accounts.roles import GRANTS, ROLES_OF, Permission, Role, Scope, roles_with, scope_of, short_label


@dataclass(frozen=True)
class Member:
    """One role of one person, as it reaches a scope."""

    email: str
    name: str
    role_name: str
    is_inherited: bool
    is_active: bool
    lacks_second_factor: bool  # False also where the reader is not told
    since: date


@dataclass(frozen=True)
class RoleColumns:
    """The roles of one scope in the table of what each may do."""

    scope: Scope
    is_inherited: bool
    names: list[str]


@dataclass(frozen=True)
class RoleTable:
    """``rows`` are tasks in words, each with whether the role of each column may do it."""

    columns: list[RoleColumns]
    rows: list[tuple[str, list[bool]]]


# What somebody with a role does on pages of the portal, by scope. Staff do what else stands in the role tables: they
# give roles, and set up profiles and sections.
_OF_INVOICES = {Permission.INVOICE_VIEW, Permission.INVOICE_PAY, Permission.INVOICE_DOWNLOAD}
_OF_EVERY_SCOPE = {Permission.ROLES_VIEW, Permission.PROPERTIES_VIEW}
DONE_IN_THE_PORTAL = {
    Scope.ACCOUNT: _OF_EVERY_SCOPE | _OF_INVOICES | {Permission.PROFILES_VIEW, Permission.ROLES_ASSIGN},
    Scope.PROFILE: _OF_EVERY_SCOPE | _OF_INVOICES
    | {Permission.PROPERTIES_UPDATE, Permission.SECTIONS_VIEW, Permission.METHODS_VIEW, Permission.METHODS_MANAGE,
       Permission.CREDITS_VIEW},
}  # fmt: skip


def members_of_profile(profile: BillingProfile, access: Access) -> list[Member]:
    """Everybody whose role reaches the profile, inherited ones first, as ``access`` may know them. One query; needs the
    profile's account."""
    assignments = RoleAssignment.objects.filter(Q(profile=profile) | Q(account=profile.account_id))
    return [
        _member(assignment, profile, access, profile.day_of(assignment.created_at))
        for assignment in _in_order(assignments)
    ]


def members_of_account(account: BillingAccount, access: Access) -> list[Member]:
    """Everybody with a role on the account itself, as ``access`` may know them. One query."""
    assignments = RoleAssignment.objects.filter(account=account)
    return [
        _member(assignment, account, access, timezone.localdate(assignment.created_at))
        for assignment in _in_order(assignments)
    ]


def role_table(scope: Scope) -> RoleTable:
    """The role tables as a page shows them: the scope's own roles first, then the inherited ones."""
    scopes = [scope] + ([Scope.ACCOUNT] if scope != Scope.ACCOUNT else [])
    roles = [role for one in scopes for role in ROLES_OF[one]]
    return RoleTable(
        columns=[RoleColumns(one, one != scope, [short_label(role) for role in ROLES_OF[one]]) for one in scopes],
        rows=[
            (_task(permission), [role in holders for role in roles])
            for permission, holders in GRANTS[scope].items()
            if permission in DONE_IN_THE_PORTAL[scope]
        ],
    )


def _task(permission: Permission) -> str:
    """Of the right to assign roles, what its holders do here: decide who needs a second factor."""
    return _("Demand a second factor") if permission == Permission.ROLES_ASSIGN else str(permission.label)


def people_stopped(account: BillingAccount) -> list[User]:
    """Whom a demand for a second factor stops: active people whose role lets them pay or manage cards on a profile of
    the account, and who have none. By address. One query."""
    stopped = RoleAssignment.objects.filter(~WITH_SECOND_FACTOR, Q(account=account) | Q(profile__account=account))
    people = User.objects.filter(is_active=True, pk__in=stopped.filter(role__in=_roles_stopped()).values("user"))
    return list(people.order_by("email"))


def _roles_stopped() -> set[Role]:
    return {role for permission in PROTECTED for role in roles_with(permission, Scope.PROFILE)}


def _in_order(assignments: QuerySet[RoleAssignment]) -> list[RoleAssignment]:
    """By scope and role, the highest first, then by address; each with whether its person has a second factor."""
    roles = [role for scope in Scope for role in ROLES_OF[scope]]
    order = {role.value: place for place, role in enumerate(roles)}
    rows = assignments.select_related("user").annotate(has_second_factor=WITH_SECOND_FACTOR)
    return sorted(rows, key=lambda assignment: (order[assignment.role], assignment.user.email))


def _member(assignment: RoleAssignment, place: BillingAccount | BillingProfile, access: Access, since: date) -> Member:
    role = Role(assignment.role)
    is_inherited = scope_of(role) != scope_type_of(place)
    return Member(
        email=assignment.user.email,
        name=assignment.user.name,
        role_name=str(role.label) if is_inherited else short_label(role),
        is_inherited=is_inherited,
        is_active=assignment.user.is_active,
        lacks_second_factor=not assignment.has_second_factor  # type: ignore[attr-defined]  # annotated by `_in_order`
        and _may_know_factor(assignment, place, access),
        since=since,
    )


def _may_know_factor(assignment: RoleAssignment, place: BillingAccount | BillingProfile, access: Access) -> bool:
    """Whose password alone lets somebody in is told to those who decide about roles. Others read it of themselves,
    where it stops them."""
    if Permission.ROLES_ASSIGN in access.permissions_at(place):
        return True
    account = place if isinstance(place, BillingAccount) else place.account
    is_stopped = account.requires_second_factor and assignment.role in _roles_stopped()
    return is_stopped and assignment.user == access.user
