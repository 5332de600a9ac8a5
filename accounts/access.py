"""Who is asking, and what follows from it.

An `Access` is made once a request (or once by a job) and handed to every operation and to every `.visible_to()`.
Operations that move money make a fresh one under their lock (`fresh`), because a role may have been taken away since. A
billing account may demand a second factor of whoever pays or manages cards: who has none then holds neither permission
there, whatever the role.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Exists, OuterRef, Q, When
from django.utils.translation import gettext as _

from accounts.models import BillingAccount, BillingProfile, InvoiceSection, RoleAssignment, User
from accounts.roles import Permission, Role, Scope, permissions_of, roles_with

ScopeObject = BillingAccount | BillingProfile | InvoiceSection

# What an account may demand a second factor for.
PROTECTED = frozenset({Permission.INVOICE_PAY, Permission.METHODS_MANAGE})

# What counts as a second factor. Recovery codes alone do not: they stand in for one that was lost.
SECOND_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)

# Of role assignments: whether the person has a second factor.
WITH_SECOND_FACTOR = Exists(Authenticator.objects.filter(user=OuterRef("user"), type__in=SECOND_FACTORS))

# The columns of `RoleGrant`, built once, because every page asks. A section's roles hold nothing that is protected.
HELD = (
    RoleAssignment.objects.filter(user__is_active=True)
    .annotate(
        lacks_second_factor=Case(
            When(
                Q(account__requires_second_factor=True) | Q(profile__account__requires_second_factor=True),
                then=~WITH_SECOND_FACTOR,
            ),
            default=False,
        )
    )
    .values_list("role", "account", "profile", "section", "lacks_second_factor")
)


class NotAllowed(PermissionDenied):
    """The person may see the object but may not do this with it. The message may be shown; ``remedy`` says what would
    help: another role, a second factor, or nothing the person can do."""

    remedy = "role"


class NeedsSecondFactor(NotAllowed):
    """The role would do, but the person lacks the second factor that this takes."""

    remedy = "second_factor"


@dataclass(frozen=True)
class RoleGrant:
    """A person's role and the id of its one scope. ``lacks_second_factor``: its account demands one they lack."""

    role: Role
    account_id: int | None = None
    profile_id: int | None = None
    section_id: int | None = None
    lacks_second_factor: bool = False

    def reaches(self, profile: BillingProfile) -> bool:
        """Whether it was granted on the profile or is inherited from its account."""
        return self.profile_id == profile.pk or (self.account_id is not None and self.account_id == profile.account_id)

    def grants(self, permission: Permission, scope: Scope) -> bool:
        return self.role in roles_with(permission, scope) and not (self.lacks_second_factor and permission in PROTECTED)


@dataclass(frozen=True)
class Access:
    """``user`` is None for the portal's own jobs. ``unlimited``, for those and for staff, holds every permission."""

    user: User | None
    held: tuple[RoleGrant, ...] = ()
    profile: BillingProfile | None = None
    unlimited: bool = False

    @cached_property
    def permissions(self) -> frozenset[Permission]:
        """What this person may do in `profile`, or on any account when there is none."""
        if self.profile is None and not self.unlimited:
            return permissions_with((held for held in self.held if held.account_id), Scope.ACCOUNT)
        return frozenset(Permission) if self.profile is None else self.permissions_at(self.profile)

    def held_at(self, place: ScopeObject) -> tuple[RoleGrant, ...]:
        """The roles that reach a scope, inherited ones included. A section needs its ``profile`` loaded."""
        if isinstance(place, BillingAccount):
            return tuple(held for held in self.held if held.account_id == place.pk)
        if isinstance(place, BillingProfile):
            return tuple(held for held in self.held if held.reaches(place))
        return tuple(held for held in self.held if held.section_id == place.pk or held.reaches(place.profile))

    def roles_at(self, place: ScopeObject) -> frozenset[Role]:
        return frozenset(held.role for held in self.held_at(place))

    def permissions_at(self, place: ScopeObject) -> frozenset[Permission]:
        if self.unlimited:
            return frozenset(Permission)
        return permissions_with(self.held_at(place), scope_type_of(place))

    def can(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission, profile: BillingProfile | None = None) -> None:
        """Raises NotAllowed, with a sentence that says which roles would do; NeedsSecondFactor where the role does."""
        allowed = self.permissions if profile is None else self.permissions_at(profile)
        if permission not in allowed:
            raise self.refusal(permission, profile)

    def require_at(self, permission: Permission, place: ScopeObject) -> None:
        """The same at a billing account, a profile or a section, for what takes no second factor."""
        if permission not in self.permissions_at(place):
            raise NotAllowed(reason_for_role(permission, scope_type_of(place)))

    def refusal(self, permission: Permission, profile: BillingProfile | None = None) -> NotAllowed:
        """Why a permission is not held on a profile, or on the one this is inside."""
        place = profile or self.profile
        roles = self.roles_at(place) if place is not None else frozenset()
        if permission in PROTECTED and roles & roles_with(permission, Scope.PROFILE):
            return NeedsSecondFactor(
                _(
                    "Your organization requires a second factor for paying. Set it up under Account > Two-factor "
                    "authentication."
                )
                if permission == Permission.INVOICE_PAY
                else _(
                    "Your organization requires a second factor for managing payment methods. Set it up under "
                    "Account > Two-factor authentication."
                )
            )  # fmt: skip
        return NotAllowed(reason_for_role(permission))

    def inside(self, profile: BillingProfile) -> "Access":
        return replace(self, profile=profile)

    def scope_filter(self, permission: Permission, path: str = "") -> Q:
        """Rows of profiles on which this person holds a permission, inside one only its own; ``path`` leads to it."""
        own, above = (f"{path}__in", f"{path}__account__in") if path else ("pk__in", "account__in")
        if self.profile is not None:
            return Q(**{own: [self.profile.pk]}) if self.can(permission) else Q(pk__in=[])
        if self.unlimited:
            return Q()
        holding = [held for held in self.held if held.grants(permission, Scope.PROFILE)]
        profiles = {held.profile_id for held in holding if held.profile_id}
        accounts = {held.account_id for held in holding if held.account_id}
        return Q(**{own: profiles}) | Q(**{above: accounts})


def permissions_with(held: Iterable[RoleGrant], scope: Scope) -> frozenset[Permission]:
    """What these roles allow at a scope that they reach; nothing protected through one that lacks the second factor."""
    lacking, full = set[Role](), set[Role]()
    for grant in held:
        (lacking if grant.lacks_second_factor else full).add(grant.role)
    allowed = permissions_of(frozenset(full), scope)
    return allowed | (permissions_of(frozenset(lacking), scope) - PROTECTED) if lacking else allowed


def scope_type_of(place: ScopeObject) -> Scope:
    if isinstance(place, BillingProfile):
        return Scope.PROFILE
    return Scope.SECTION if isinstance(place, InvoiceSection) else Scope.ACCOUNT


def access_of(user: User) -> Access:
    """What a person may do, read now. One query. A person who is not active holds nothing."""
    held = tuple(
        RoleGrant(Role(role), account, profile, section, lacks)
        for role, account, profile, section, lacks in HELD.filter(user=user)
    )
    return Access(user=user, held=held)


def fresh(access: Access) -> Access:
    """The same question asked again now; used under a lock, before anything is written. One query, none for jobs."""
    if access.user is None:
        return access
    if access.unlimited:
        staff = User.objects.filter(pk=access.user.pk, is_active=True, is_staff=True)
        if settings.STAFF_SECOND_FACTOR:
            staff = staff.filter(authenticator__type__in=SECOND_FACTORS)
        return replace(access, unlimited=staff.exists())
    return replace(access, held=access_of(access.user).held)


def require_staff(access: Access) -> Access:
    """The access as it is now; call it under the locks of an act for staff. Raises NotAllowed for anybody else."""
    now = fresh(access) if access.unlimited else access
    if not now.unlimited:
        raise NotAllowed(_("Only staff may do this."))
    return now


def system_access(profile: BillingProfile | None = None) -> Access:
    """The portal's own jobs. The books call them "Automatic"."""
    return Access(user=None, profile=profile, unlimited=True)


def staff_access(user: User) -> Access:
    """A member of staff in admin. Raises NotAllowed for anybody else, NeedsSecondFactor for staff without one."""
    if not (user.is_staff and user.is_active):
        raise NotAllowed(_("Only staff may do this."))
    if lacks_second_factor_of_staff(user):
        raise NeedsSecondFactor(
            _("The staff pages require a second factor. Set up an authenticator app or a security key, then continue.")
        )
    return Access(user=user, unlimited=True)


def has_second_factor(user: User) -> bool:
    """Whether a person signs in with more than a password. One query."""
    return bool(Authenticator.objects.filter(user=user.pk, type__in=SECOND_FACTORS).exists())


def lacks_second_factor_of_staff(user: User) -> bool:
    """Whether the staff pages stay closed to a member of staff: `STAFF_SECOND_FACTOR` is on, and they have none."""
    return bool(settings.STAFF_SECOND_FACTOR) and not has_second_factor(user)


def reason_for_role(permission: Permission, scope: Scope = Scope.PROFILE) -> str:
    """Why somebody may not, and who may, in one sentence, from the role tables."""
    roles = [role for role in Role if role in roles_with(permission, scope)]
    names = ", ".join(str(role.label) for role in roles)
    if permission == Permission.INVOICE_PAY:
        return _("Your role does not include paying. These roles do: %(roles)s.") % {"roles": names}
    text = _("Your role does not include: %(permission)s. These roles do: %(roles)s.")
    return text % {"permission": permission.label, "roles": names}
