"""What staff decide about a billing profile: they hold it, with a reason, until they lift that; they close it and open
it again. Warned and disabled are the clock's (`invoices.operations.dunning`), which leaves both alone."""

from collections.abc import Iterable
from datetime import datetime
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, require_staff
from accounts.models import BillingProfile

Status = BillingProfile.Status


class CannotChangeProfile(Exception):
    """The profile stays as it was. The message may be shown to staff."""


class CurrencyChanged(Exception):
    """Nothing was written. The message may be shown to staff."""


@transaction.atomic
def hold_profile(*, access: Access, profile_id: int, reason: str, at: datetime) -> BillingProfile:
    """Disables a profile, whatever it pays, until `release_profile`. Its people read the ``reason``. For staff. Raises
    NotAllowed, CannotChangeProfile without a reason and for a closed or held profile."""
    profile = _locked(access, profile_id)
    if not reason.strip():
        raise CannotChangeProfile(_("Give the reason; the customer reads it."))
    if profile.status in (Status.HELD, Status.CLOSED):
        raise CannotChangeProfile(_("The billing profile is held or closed already."))
    return _set(profile, Status.HELD, access=access, reason=reason.strip(), at=at)


@transaction.atomic
def close_profile(*, access: Access, profile_id: int, at: datetime) -> BillingProfile:
    """Settles what is not invoiced yet (`PROFILE_SETTLEMENT`); after that no new invoices, no paying online. For staff.
    Raises NotAllowed, CannotChangeProfile for a closed one and for one that cannot be settled."""
    require_staff(access)
    # A lock that rows which refer to the profile wait for, too: a charge that is being recorded is there by then, or
    # finds the profile closed.
    profile = BillingProfile.objects.select_related("account").select_for_update(of=("self",)).get(pk=profile_id)
    if profile.is_closed:
        raise CannotChangeProfile(_("The billing profile is closed."))
    import_module(settings.PROFILE_SETTLEMENT).settle(profile, access=access, at=at)
    return _set(profile, Status.CLOSED, access=access, at=at)


@transaction.atomic
def release_profile(*, access: Access, profile_id: int, at: datetime) -> BillingProfile:
    """Lifts a hold, or opens a closed profile again: it is active, and the clock's next pass warns or disables it if
    something is past due. For staff. Raises NotAllowed, CannotChangeProfile for one that is neither."""
    profile = _locked(access, profile_id)
    if profile.status not in (Status.HELD, Status.CLOSED):
        raise CannotChangeProfile(_("The billing profile is neither held nor closed."))
    return _set(profile, Status.ACTIVE, access=access, at=at)


def not_invoiced_yet(profile: BillingProfile) -> str:
    """For staff: what waits for the next invoice, as text; empty for nothing."""
    return str(import_module(settings.PROFILE_SETTLEMENT).waiting(profile))


def foretold_of_closing(profile: BillingProfile) -> str:
    """For staff: what closing the profile now would do with what waits; empty for nothing."""
    return str(import_module(settings.PROFILE_SETTLEMENT).foretold(profile))


def keep_currencies(profiles: Iterable[BillingProfile]) -> None:
    """Keeps the currencies of profiles as they are until the caller's transaction ends, which writes amounts in them.
    Others may do the same, and bill and pay meanwhile. Raises CurrencyChanged when one is another by now.

    A foreign key does not do that: it is checked at the end of the transaction, when the currency may have changed.
    """
    known = {profile.pk: profile for profile in profiles}
    if not known:
        return
    rows: Any = BillingProfile.objects.filter(pk__in=known).order_by("pk").values_list("pk", "currency")
    if connection.vendor == "postgresql":  # SQLite lets one transaction write at a time
        sql, params = rows.query.sql_with_params()
        with connection.cursor() as cursor:
            cursor.execute(f"{sql} FOR KEY SHARE", params)
            rows = cursor.fetchall()
    for pk, currency in rows:
        if currency != known[pk].currency:
            text = _("The currency of %(profile)s was changed a moment ago. Nothing was saved. Try again.")
            raise CurrencyChanged(text % {"profile": known[pk].name})


def _locked(access: Access, profile_id: int) -> BillingProfile:
    require_staff(access)
    return BillingProfile.objects.select_related("account").locked().get(pk=profile_id)


def _set(profile: BillingProfile, status: Status, *, access: Access, at: datetime, reason: str = "") -> BillingProfile:
    detail: dict[str, Any] = {"before": profile.status} | ({"reason": reason} if reason else {})
    action = f"profile.{'released' if status == Status.ACTIVE else status.value}"
    profile.status, profile.hold_reason, profile.held_at = status, reason, at if status == Status.HELD else None
    profile.save(update_fields=["status", "hold_reason", "held_at"])
    audit.record(access=access, at=at, action=action, subject=profile.name, **audit.belongs_to(profile), **detail)
    return profile
