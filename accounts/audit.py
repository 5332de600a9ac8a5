"""The audit trail: who did what to what, and from where. Written inside the operation's own transaction, so an act that
was rolled back leaves no trace and one that was committed always does. The database refuses to change or delete an
entry."""

from datetime import datetime
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core import context
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

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
    """Adds an entry. ``action`` is ``thing.deed``, ``subject`` what it was done to in words a reader knows, ``person``
    whom it is about, ``detail`` JSON values without secrets. The internet address and the browser are those of the
    request that is being answered, unless somebody else than ``access.user`` is signed in on it; the portal's own jobs
    have none."""
    row = entry(
        access=access, at=at, action=action, subject=subject, account=account, profile=profile, person=person,
        detail=detail,
    )  # fmt: skip
    row.save(force_insert=True)
    return row


def entry(*, access: Access, **columns: Any) -> AuditEntry:
    """The same, not saved yet, from its columns: for whoever writes many entries at once."""
    return AuditEntry(actor=access.user, **columns, **(origin() if _may_come_from(access.user) else {}))


def _may_come_from(user: User | None) -> bool:
    """Whether the request that is being answered may be this person's. It is not where a colleague cancels a payment or
    staff have a message processed again: what comes of it is still recorded as the payer's. Nobody is signed in where
    somebody fails to sign in, or uses a link out of a mail."""
    visitor = getattr(context.request, "user", None)
    return visitor is None or visitor.pk is None or visitor == user


def origin() -> dict[str, str]:
    """Where the request that is being answered came from, as columns of an entry; empty outside a request."""
    request = context.request
    if request is None:
        return {}
    try:
        ip_address = get_adapter(request).get_client_ip(request)
    except PermissionDenied:  # a proxy that says less than TRUSTED_PROXY_COUNT promises
        return {"browser": _browser(request)}
    return {"ip_address": ip_address, "browser": _browser(request)}


def _browser(request: HttpRequest) -> str:
    """As it names itself. PostgreSQL stores no NUL."""
    return str(request.META.get("HTTP_USER_AGENT", "")).replace("\x00", "")[:200]
