"""The statement of account: of a month, or of the days that are asked for; as a page and as a file."""

from datetime import date, timedelta
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.access import Access
from accounts.decorators import profile_of, profile_view
from accounts.roles import Permission
from billing_portal.core.time_zones import month_before, month_of, seller_day
from invoices.views.downloads import made_response
from payments.documents.statement import statement_file
from payments.statements import MAX_DAYS, statement_of

MONTHS_OFFERED = 12


@require_safe
@profile_view(Permission.INVOICE_VIEW)
def statement(request: HttpRequest, access: Access) -> HttpResponse:
    """Of this month, unless others are asked for."""
    profile = profile_of(access)
    first_on, last_on = _days(request)
    account, now = statement_of(profile, first_on, last_on), timezone.now()
    offered = [(f"{month:%Y-%m}", month, (first_on, last_on) == month_of(month)) for month in _months()]
    pdf_url = reverse("payments:statement_pdf", args=[profile.code])
    query = urlencode({"from": first_on.isoformat(), "to": last_on.isoformat()})
    context = {
        "profile": profile,
        "statement": account,
        "is_final": account.is_final(now),
        "closing_on": min(last_on, seller_day(now)),
        "first_on": first_on,
        "last_on": last_on,
        "months": offered,
        "is_month": any(is_chosen for _value, _month, is_chosen in offered),
        "pdf_url": f"{pdf_url}?{query}" if access.can(Permission.INVOICE_DOWNLOAD) else "",
    }
    return render(request, "payments/statement.html", context)


@require_safe
@profile_view(Permission.INVOICE_DOWNLOAD)
def pdf(request: HttpRequest, access: Access) -> HttpResponse:
    profile = profile_of(access)
    first_on, last_on = _days(request)
    account = statement_of(profile, first_on, last_on)
    query = urlencode({"from": first_on.isoformat(), "to": last_on.isoformat()})
    back = f"{reverse('payments:statement', args=[profile.code])}?{query}"
    return made_response(
        request, lambda: statement_file(account, at=timezone.now()), about=f"statement of {profile.code}", back=back
    )


def _days(request: HttpRequest) -> tuple[date, date]:
    """The days of ``month`` (2026-09), or ``from`` and ``to``; at most a year. What means nothing is left out."""
    this_month = month_of(seller_day(timezone.now()))
    month = _day(f"{request.GET.get('month', '')}-01")
    if month is not None:
        return month_of(month)
    first_on, last_on = _day(request.GET.get("from", "")), _day(request.GET.get("to", ""))
    if first_on is None or last_on is None or last_on < first_on:
        return this_month
    return first_on, min(last_on, first_on + timedelta(days=MAX_DAYS - 1))


def _day(text: str) -> date | None:
    """From 1970 to 9000, so that every day has one before and one after."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1970 <= day.year <= 9000 else None


def _months() -> list[date]:
    months = [month_of(seller_day(timezone.now()))[0]]
    while len(months) < MONTHS_OFFERED:
        months.append(month_before(months[-1])[0])
    return months
