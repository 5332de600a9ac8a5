"""The audit trail: who did what to what, and from where. Written in the operation's own transaction, so an act that was
rolled back leaves no trace. The database refuses to change or delete an entry."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core import context
from django.core.exceptions import PermissionDenied
from django.db.models import Model

from accounts.access import Access
from accounts.models import AuditEntry, BillingAccount, BillingProfile, User


def record(
    *,
    access: Access,
    at: datetime,
    action: str,
    subject: str,
    account: BillingAccount | None = None,
    profile: BillingProfile | None = None,
    person: User | None = None,
    **detail: Any,
) -> AuditEntry:
    """Adds an entry. ``action`` is ``thing.deed``, ``subject`` what it was done to in words a reader knows (cut off at
    120 characters), ``person`` whom it is about, ``detail`` JSON values without secrets. The internet address and the
    browser are those of the request that is being answered, unless somebody else than ``access.user`` is signed in."""
    row = entry(
        access=access, at=at, action=action, subject=subject[:120], account=account, profile=profile, person=person,
        detail=detail,
    )  # fmt: skip
    row.save(force_insert=True)
    return row


def entry(*, access: Access, **columns: Any) -> AuditEntry:
    """The same, not saved yet, from its columns: for whoever writes many entries at once."""
    return AuditEntry(actor=access.user, **columns, **(origin() if _may_come_from(access.user) else {}))


def _may_come_from(user: User | None) -> bool:
    """Whether the request being answered may be this person's. It is not where a colleague cancels a payment or staff
    have a message processed again. Nobody is signed in where somebody fails to sign in or uses a mailed link."""
    visitor = getattr(context.request, "user", None)
    return visitor is None or visitor.pk is None or visitor == user


def origin() -> dict[str, str]:
    """Where the request that is being answered came from, as columns of an entry; empty outside a request."""
    request = context.request
    if request is None:
        return {}
    # As the browser names itself. PostgreSQL stores no NUL.
    columns = {"browser": str(request.META.get("HTTP_USER_AGENT", "")).replace("\x00", "")[:200]}
    with suppress(PermissionDenied):  # a proxy that says less than TRUSTED_PROXY_COUNT promises
        columns["ip_address"] = get_adapter(request).get_client_ip(request)
    return columns


def belongs_to(row: Model) -> dict[str, Any]:
    """The account, the profile and the person that a row is about, as `record` takes them."""
    if isinstance(row, User):
        return {"person": row}
    if isinstance(row, BillingAccount):
        return {"account": row}
    profile = row if isinstance(row, BillingProfile) else getattr(row, "profile", None)
    if isinstance(profile, BillingProfile):
        return {"account": profile.account, "profile": profile}
    account = getattr(row, "account", None)
    return {"account": account} if isinstance(account, BillingAccount) else {}
