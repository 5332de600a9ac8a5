"""Cost Management + Billing: every scope a person holds."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.scopes import MOST_SHOWN, scopes_of
from accounts.scoping import access_for_request


@require_safe
def scope_list(request: HttpRequest) -> HttpResponse:
    scopes = scopes_of(access_for_request(request))
    return render(request, "accounts/scopes.html", {"scopes": scopes, "most_shown": MOST_SHOWN})
