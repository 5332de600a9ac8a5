"""Second factors, demanded by a customer's owner."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import (
    Access,
    NeedsSecondFactor,
    NotAllowed,
    fresh,
    has_second_factor,
    reason_for_role,
)
from accounts.models import BillingAccount
from accounts.roles import Permission, Scope


@transaction.atomic
def demand_second_factor(*, access: Access, account_id: int, demanded: bool, at: datetime) -> BillingAccount:
    """Has a billing account demand a second factor of whoever pays or manages cards on its profiles, or stop it.

    Whoever decides must have one themselves: they would lock themselves out of paying, and somebody who only knows
    their password could lift the demand. Staff decide at the customer's wish. Choosing what holds already changes
    nothing. Returns the account. Raises BillingAccount.DoesNotExist for one the person cannot see, NotAllowed without
    the right to assign roles there, NeedsSecondFactor.
    """
    account = BillingAccount.objects.visible_to(access).locked().get(pk=account_id)
    now = fresh(access)
    if Permission.ROLES_ASSIGN not in now.permissions_at(account):
        raise NotAllowed(reason_for_role(Permission.ROLES_ASSIGN, Scope.ACCOUNT))
    if not now.unlimited and now.user is not None and not has_second_factor(now.user):
        raise NeedsSecondFactor(
            _(
                "Set up a second factor for yourself first."
                " Only somebody who has one can demand it of others or stop demanding it."
            )
        )
    if account.requires_second_factor == demanded:
        return account
    account.requires_second_factor = demanded
    account.save(update_fields=["requires_second_factor"])
    action = "account.second_factor_demanded" if demanded else "account.second_factor_not_demanded"
    audit.record(access=access, at=at, action=action, subject=account.name, account=account)
    return account
