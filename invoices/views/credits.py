"""The credits of a billing profile: what it may still spend, where that came from, and every movement of it."""

from collections.abc import Iterator
from datetime import MAXYEAR, date
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, Sum
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.decorators import profile_of, profile_view
from accounts.models import BillingProfile
from accounts.roles import Permission
from billing_portal.core.paging import in_pages, page_of
from invoices.models import Credit, CreditEntry
from invoices.money import Money
from invoices.periods import closing_day
from invoices.querysets import LAST_DAY_WAITS, CreditEntryQuerySet, CreditQuerySet
from invoices.states import CREDIT_BADGES, SOON, CreditState
from invoices.tables import Cell
from invoices.views.downloads import table_response


@require_safe
@profile_view(Permission.CREDITS_VIEW)
def credit_list(request: HttpRequest, access: Access) -> HttpResponse:
    """Balances, the lots of one state or of all, and the ledger; fifty of each at a time, newest first."""
    profile = profile_of(access)
    today = profile.day_of(timezone.now())
    state = request.GET.get("status", "")
    owned = Credit.objects.visible_to(access)
    shown = owned.with_expiry()
    if state in CreditState.values:
        shown = shown.in_state(CreditState(state), today)
    else:
        state = ""
    lots = page_of(shown, request.GET.get("credits", ""))
    entries = page_of(_ledger(access), request.GET.get("page", ""))
    context = {
        "profile": profile,
        "balances": _balances(owned, today, profile.currency),
        "lots": lots,
        "rows": [_lot(lot, profile, today) for lot in lots.rows],
        "entries": entries,
        "state": state,
        "states": CreditState.choices,
        "newer_lots": urlencode({"status": state, "credits": lots.newer}),
        "older_lots": urlencode({"status": state, "credits": lots.older}),
        "newer": urlencode({"status": state, "page": entries.newer}),
        "older": urlencode({"status": state, "page": entries.older}),
    }
    return render(request, "invoices/credits.html", context)


def _ledger(access: Access) -> CreditEntryQuerySet:
    return CreditEntry.objects.visible_to(access).select_related("credit", "invoice")


def _balances(owned: CreditQuerySet, today: date, currency: str) -> list[dict[str, Money]]:
    """In each currency, the profile's own first: what may be used today, what of it expires soon, what begins later."""
    begun = Q(starts_on=None) | Q(starts_on__lte=today)
    left = owned.filter(Q(expires_on=None) | Q(expires_on__gte=today) | LAST_DAY_WAITS, remaining_minor__gt=0)
    sums = {
        "available": Sum("remaining_minor", filter=begun, default=0),
        "soon": Sum("remaining_minor", filter=begun & Q(expires_on__lte=today + SOON), default=0),
        "later": Sum("remaining_minor", filter=~begun, default=0),
    }
    rows: dict[str, Any] = {currency: dict.fromkeys(sums, 0)}
    rows |= {row["currency"]: row for row in left.order_by("currency").values("currency").annotate(**sums)}
    return [{name: Money(int(row[name]), code) for name in sums} for code, row in rows.items()]


def _lot(lot: Any, profile: BillingProfile, today: date) -> dict[str, Any]:
    state = lot.state_on(today, profile=profile, has_expired=lot.has_expired)
    return {"lot": lot, "look": CREDIT_BADGES[state], "label": state.label, "last_used_on": _last_used_on(lot, profile)}


def _last_used_on(lot: Credit, profile: BillingProfile) -> date | None:
    """The day of the last invoice that may use the rest of a lot: later than its last day, which is in that period."""
    if lot.expires_on is None or lot.expires_on.year == MAXYEAR or not lot.remaining_minor or profile.is_closed:
        return None
    return closing_day(profile, lot.expires_on)


@require_safe
@profile_view(Permission.CREDITS_VIEW)
def credit_table(_request: HttpRequest, access: Access, kind: str) -> HttpResponseBase:
    profile = profile_of(access)
    head = [_("Date"), _("Movement"), _("Credit"), _("Source"), _("Invoice"), _("Currency"), _("Amount"), _("Note")]
    rows: Iterator[list[Cell]] = (
        [
            profile.day_of(entry.at),
            str(entry.get_kind_display()),
            entry.credit.description,
            str(entry.credit.get_source_display()),
            entry.invoice.number if entry.invoice is not None else "",
            entry.credit.currency,
            entry.amount,
            entry.note,
        ]
        for entry in in_pages(_ledger(access))
    )
    return table_response(kind, f"credits-{profile.code}-{profile.day_of(timezone.now()).isoformat()}", head, rows)
