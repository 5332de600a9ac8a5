"""Cost Management + Billing: every scope a person holds."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.decorators import access_for_request
from accounts.scope_list import MAX_SHOWN, scopes_of


@require_safe
def scope_list(request: HttpRequest) -> HttpResponse:
    scopes = scopes_of(access_for_request(request))
    return render(request, "accounts/scopes.html", {"scopes": scopes, "most_shown": MAX_SHOWN})
