"""Who is asking, and what follows from it.

An `Access` is made once a request (or once by a job) and handed to every operation and to every `.visible_to()`. It
holds the person's role assignments and, when a page is inside one billing profile, that profile. Nothing in it is a
promise for later: operations that move money make a fresh one under their lock (`fresh`), because a role may have been
taken away since the page was drawn.
"""

from dataclasses import dataclass, replace
from functools import cached_property

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import BillingAccount, BillingProfile, InvoiceSection, RoleAssignment, User
from accounts.roles import Permission, Role, Scope, permissions_of, roles_with

Place = BillingAccount | BillingProfile | InvoiceSection

# The columns of `Held`, in its order. Built once, because every page and every payment asks for it.
HELD = RoleAssignment.objects.filter(user__is_active=True).values_list("role", "account", "profile", "section")


class NotAllowed(PermissionDenied):
    """The person may see the object but may not do this with it. The message may be shown."""


@dataclass(frozen=True)
class Held:
    """One role of a person and the id of the one scope it was granted on."""

    role: Role
    account_id: int | None = None
    profile_id: int | None = None
    section_id: int | None = None


@dataclass(frozen=True)
class Access:
    """``user`` is None for the portal's own jobs. ``unlimited`` is for those jobs and for staff in admin, whose own
    permission check Django's admin makes; they hold every permission on every profile."""

    user: User | None
    held: tuple[Held, ...] = ()
    profile: BillingProfile | None = None
    unlimited: bool = False

    @cached_property
    def permissions(self) -> frozenset[Permission]:
        """What this person may do in `profile`, or on any account when there is none."""
        if self.unlimited:
            return frozenset(Permission)
        if self.profile is None:
            return permissions_of(frozenset(held.role for held in self.held if held.account_id), Scope.ACCOUNT)
        return self.permissions_on(self.profile)

    def roles_on(self, profile: BillingProfile) -> frozenset[Role]:
        """The roles that reach a profile: its own and those inherited from its account."""
        return frozenset(
            held.role
            for held in self.held
            if held.profile_id == profile.pk or (held.account_id is not None and held.account_id == profile.account_id)
        )

    def roles_at(self, place: Place) -> frozenset[Role]:
        """The roles that reach an account, a profile or a section (which needs ``profile`` loaded)."""
        if isinstance(place, BillingProfile):
            return self.roles_on(place)
        if isinstance(place, InvoiceSection):
            direct = frozenset(held.role for held in self.held if held.section_id == place.pk)
            return direct | self.roles_on(place.profile)
        return frozenset(held.role for held in self.held if held.account_id == place.pk)

    def permissions_at(self, place: Place) -> frozenset[Permission]:
        return frozenset(Permission) if self.unlimited else permissions_of(self.roles_at(place), scope_of_place(place))

    def permissions_on(self, profile: BillingProfile) -> frozenset[Permission]:
        return frozenset(Permission) if self.unlimited else permissions_of(self.roles_on(profile), Scope.PROFILE)

    def can(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission, profile: BillingProfile | None = None) -> None:
        """Raises NotAllowed, with a sentence that says which roles would do."""
        allowed = self.permissions if profile is None else self.permissions_on(profile)
        if permission not in allowed:
            raise NotAllowed(reason_for_role(permission))

    def inside(self, profile: BillingProfile) -> "Access":
        """The same person, looking at one profile."""
        return replace(self, profile=profile)

    def scope_filter(self, permission: Permission, path: str = "") -> Q:
        """Rows of profiles on which this person holds a permission; ``path`` leads to the profile, e.g. ``profile``.

        Inside one profile only that profile's rows match.
        """
        own, above = (f"{path}__in", f"{path}__account__in") if path else ("pk__in", "account__in")
        if self.profile is not None:
            return Q(**{own: [self.profile.pk]}) if self.can(permission) else Q(pk__in=[])
        if self.unlimited:
            return Q()
        roles = roles_with(permission, Scope.PROFILE)
        profiles = {held.profile_id for held in self.held if held.profile_id and held.role in roles}
        accounts = {held.account_id for held in self.held if held.account_id and held.role in roles}
        return Q(**{own: profiles}) | Q(**{above: accounts})


def scope_of_place(place: Place) -> Scope:
    if isinstance(place, BillingProfile):
        return Scope.PROFILE
    return Scope.SECTION if isinstance(place, InvoiceSection) else Scope.ACCOUNT


def access_of(user: User) -> Access:
    """What a person may do, read now. One query. A person who is not active holds nothing."""
    return Access(user=user, held=tuple(Held(Role(role), *place) for role, *place in HELD.filter(user=user)))


def fresh(access: Access) -> Access:
    """The same question asked again now; used under a lock, before anything is written. One query, none for jobs."""
    if access.user is None:
        return access
    if access.unlimited:
        still_staff = User.objects.filter(pk=access.user.pk, is_active=True, is_staff=True).exists()
        return replace(access, unlimited=still_staff)
    return replace(access, held=access_of(access.user).held)


def system_access(profile: BillingProfile | None = None) -> Access:
    """The portal's own jobs. The books call them "Automatic"."""
    return Access(user=None, profile=profile, unlimited=True)


def staff_access(user: User) -> Access:
    """A member of staff in admin. Raises NotAllowed for anybody else."""
    if not (user.is_staff and user.is_active):
        raise NotAllowed(_("Only staff may do this."))
    return Access(user=user, unlimited=True)


def reason_for_role(permission: Permission, scope: Scope = Scope.PROFILE) -> str:
    """Why somebody may not, and who may, in one sentence, from the role tables."""
    roles = [role for role in Role if role in roles_with(permission, scope)]
    names = ", ".join(str(role.label) for role in roles)
    if permission == Permission.INVOICE_PAY:
        return _("Your role does not include paying. These roles do: %(roles)s.") % {"roles": names}
    return _("Your role does not include this. These roles do: %(roles)s.") % {"roles": names}
