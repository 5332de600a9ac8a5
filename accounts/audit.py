"""The audit trail: who did what to what. Written inside the operation's own transaction, so an act that was rolled
back leaves no trace and one that was committed always does. The database refuses to change or delete an entry."""

from datetime import datetime
from typing import Any

from accounts.access import Access
from accounts.models import AuditEntry, BillingAccount, BillingProfile


def record(
    *,
    access: Access,
    at: datetime,
    action: str,
    subject: str,
    account: BillingAccount | None = None,
    profile: BillingProfile | None = None,
    **detail: Any,
) -> AuditEntry:
    """Adds an entry. ``action`` is ``thing.deed``, ``subject`` what it was done to in words a reader knows, ``detail``
    JSON values without secrets."""
    return AuditEntry.objects.create(
        at=at,
        actor=access.user,
        action=action,
        subject=subject,
        account=account,
        profile=profile,
        detail=detail,
    )
