"""The page on which people see what happened around their own account: sign-ins, failed ones, passwords, roles."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.audit_words import PERSONAL, Kind, action_in_words, actions_of, browser_in_words, detail_in_words
from accounts.decorators import signed_in
from accounts.models import AuditEntry, User
from billing_portal.core.paging import Page, page_of


@require_GET
def security_activity(request: HttpRequest) -> HttpResponse:
    """Fifty events at a time, newest first; of one kind when asked."""
    person, kind = signed_in(request), request.GET.get("kind", "")
    kinds = [Kind(kind)] if kind in PERSONAL else list(PERSONAL)
    entries = AuditEntry.objects.filter(person=person, action__in=actions_of(kinds)).select_related("actor")
    page = page_of(entries, request.GET.get("page", ""))
    context = {
        "page": Page([_event(entry, person) for entry in page.rows], page.newer, page.older),
        "kind": kind,
        "kinds": [(each.value, each.label) for each in PERSONAL],
        "newer": urlencode({"kind": kind, "page": page.newer}),
        "older": urlencode({"kind": kind, "page": page.older}),
    }
    return render(request, "accounts/security_activity.html", context)


def _event(entry: AuditEntry, reader: User) -> dict[str, Any]:
    """One row, in the reader's language. Where from is told of what was done in the reader's name, not of what others
    did about them; ``by`` is empty where it was the person, or somebody who said to be them."""
    other = entry.actor if entry.actor != reader else None
    return {
        "at": entry.at,
        "what": action_in_words(entry.action),
        "detail": detail_in_words(entry.action, entry.detail),
        "ip_address": "" if other else entry.ip_address or "",
        "browser": "" if other else browser_in_words(entry.browser),
        "by": "" if other is None else _("our staff") if other.is_staff else other.display_name,
        "is_warning": entry.action.endswith((".failed", ".blocked", ".refused")),
    }
