"""Second factors: demanded by a customer's owner, taken away by staff, and encrypted with a new key."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from accounts.access import (
    SECOND_FACTORS,
    Access,
    NeedsSecondFactor,
    NotAllowed,
    fresh,
    has_second_factor,
    require_staff,
)
from accounts.models import BillingAccount, User
from accounts.recipients import owners
from accounts.roles import Permission
from accounts.second_factors import UnreadableSecret, rotated
from billing_portal.core.outbox import queue

BATCH = 200
NEEDED = gettext_lazy("Staff must have a second factor. Add another one before you remove this one.")


class CannotRemoveSecondFactor(Exception):
    """The second factor stays. The message may be shown."""


@transaction.atomic
def demand_second_factor(*, access: Access, account_id: int, demanded: bool, at: datetime) -> BillingAccount:
    """Has a billing account demand a second factor of whoever pays or manages cards on its profiles, or stop it.
    Whoever decides must have one: somebody who only knows their password could lift the demand. Returns the account.
    Raises BillingAccount.DoesNotExist for one the person cannot see, NotAllowed, NeedsSecondFactor."""
    account = BillingAccount.objects.visible_to(access).locked().get(pk=account_id)
    now = fresh(access)
    now.require_at(Permission.ROLES_ASSIGN, account)
    if not now.unlimited and now.user is not None and not has_second_factor(now.user):
        raise NeedsSecondFactor(
            _(
                "Set up a second factor for yourself first. Only somebody who has one can require it of others or "
                "stop requiring it."
            )
        )  # fmt: skip
    if account.requires_second_factor == demanded:
        return account
    account.requires_second_factor = demanded
    account.save(update_fields=["requires_second_factor"])
    action = "account.second_factor_demanded" if demanded else "account.second_factor_not_demanded"
    entry = audit.record(access=access, at=at, action=action, subject=account.name, account=account)
    by = "" if access.unlimited or access.user is None else access.user.email
    context = {"place": account.name, "code": account.code, "demanded": demanded, "by": by}
    for owner in owners(account):
        if owner != access.user:
            key = f"second-factor-demand-{entry.pk}-{owner.pk}"
            queue(key=key, to=owner, template="second_factor_demand", context=context, at=at)
    return account


@transaction.atomic
def remove_second_factor(*, access: Access, authenticator_id: int, at: datetime) -> User:
    """Takes a second factor from somebody who lost it, and the recovery codes with the last one. All of the person's
    sessions end. For staff. Returns the person. Raises Authenticator.DoesNotExist, NotAllowed, and
    CannotRemoveSecondFactor for one's own last while staff must have one."""
    now = require_staff(access)
    person_id = Authenticator.objects.get(pk=authenticator_id).user_id
    # Of two that are removed at the same moment, one is the last; and one removed twice is gone the second time.
    person = User.objects.select_for_update(no_key=True).get(pk=person_id)
    factor = Authenticator.objects.select_related("user").get(pk=authenticator_id)
    if (person.is_staff or person.is_superuser) and now.user is not None and not now.user.is_superuser:
        raise NotAllowed(_("Only a superuser can remove a second factor of a member of staff."))
    if person == now.user and is_needed(factor):
        raise CannotRemoveSecondFactor(str(NEEDED))
    removed = [str(factor.type)]
    factor.delete()
    if not has_second_factor(person):
        codes = Authenticator.objects.filter(user=person, type=Authenticator.Type.RECOVERY_CODES)
        removed += [Authenticator.Type.RECOVERY_CODES.value] * codes.delete()[0]
    end_sessions(person)
    entry = audit.record(
        access=access, at=at, action="second_factor.removed", subject=person.email, person=person, methods=removed
    )
    key, context = f"second-factor-removed-{entry.pk}", {"email": person.email}
    queue(key=key, to=person, template="second_factor_removed", context=context, at=at)
    return person


def is_needed(authenticator: Authenticator) -> bool:
    """Whether it is the last second factor of a member of staff while staff must have one."""
    person: User = authenticator.user
    if not (settings.STAFF_SECOND_FACTOR and person.is_staff and authenticator.type in SECOND_FACTORS):
        return False
    others = Authenticator.objects.filter(user=person, type__in=SECOND_FACTORS).exclude(pk=authenticator.pk)
    return not others.exists()


def end_sessions(person: User) -> None:
    """Ends every session of a person. Their row in memory is brought up to date, for whoever keeps one of them."""
    User.objects.filter(pk=person.pk).update(sessions_version=F("sessions_version") + 1)
    person.refresh_from_db(fields=["sessions_version"])


@dataclass
class Rotation:
    """What `rotate_secrets` has done so far. ``unreadable`` names the rows that no key decrypts."""

    encrypted: int = 0
    kept: int = 0
    unreadable: list[str] = field(default_factory=list)


def rotate_secrets() -> Iterator[Rotation]:
    """Encrypts every secret that is not yet under the first key with it, and yields what was done after each batch. It
    may be stopped anywhere and run while people sign in. A row that no key decrypts stays as it is."""
    done, last = Rotation(), 0
    secrets = Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN).order_by("pk")
    while True:
        with transaction.atomic():
            rows = list(secrets.filter(pk__gt=last).select_for_update(of=("self",)).select_related("user")[:BATCH])
            for row in rows:
                _rotate(row, done)
        if not rows:
            return
        last = rows[-1].pk
        yield done


def _rotate(row: Authenticator, done: Rotation) -> None:
    try:
        data = rotated(row.data)
    except UnreadableSecret:
        done.unreadable.append(f"{row.get_type_display()} of {row.user.email} (row {row.pk})")
        return
    if data == row.data:
        done.kept += 1
        return
    row.data = data
    row.save(update_fields=["data"])
    done.encrypted += 1
