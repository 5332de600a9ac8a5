"""The page on which people see what happened around their own account: sign-ins, failed ones, passwords, roles."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.audit_words import PERSONAL, Kind, action_in_words, actions_of, detail_in_words
from accounts.browsers import browser_in_words
from accounts.models import AuditEntry, User
from billing_portal.core.paging import Page, page_of


@dataclass(frozen=True, slots=True)
class Event:
    """One row, in the reader's language. ``by`` is empty where it was the person, or somebody who said to be them."""

    at: datetime
    what: str
    detail: str
    ip_address: str
    browser: str
    by: str
    is_warning: bool


@require_GET
def security_activity(request: HttpRequest) -> HttpResponse:
    """Fifty events at a time, newest first; of one kind when asked."""
    assert isinstance(request.user, User)  # noqa: S101  LoginRequiredMiddleware let nobody else through
    kind = request.GET.get("kind", "")
    kinds = [Kind(kind)] if kind in PERSONAL else list(PERSONAL)
    entries = AuditEntry.objects.about(request.user).filter(action__in=actions_of(kinds)).select_related("actor")
    page = page_of(entries, request.GET.get("page", ""))
    context = {
        "page": Page([_event(entry, request.user) for entry in page.rows], page.newer, page.older),
        "kind": kind,
        "kinds": [(one.value, one.label) for one in PERSONAL],
        "newer": urlencode({"kind": kind, "page": page.newer}),
        "older": urlencode({"kind": kind, "page": page.older}),
    }
    return render(request, "accounts/security_activity.html", context)


def _event(entry: AuditEntry, reader: User) -> Event:
    """Where from is told of what was done in the reader's name, not of what others did about them."""
    is_other = entry.actor is not None and entry.actor != reader
    return Event(
        at=entry.at,
        what=action_in_words(entry.action),
        detail=detail_in_words(entry.action, entry.detail),
        ip_address="" if is_other else entry.ip_address or "",
        browser="" if is_other else browser_in_words(entry.browser),
        by=_by(entry.actor) if is_other and entry.actor is not None else "",
        is_warning=entry.action.endswith((".failed", ".blocked", ".refused")),
    )


def _by(actor: User) -> str:
    return _("our staff") if actor.is_staff else actor.display_name
