"""The portal's addresses, and three that fail as a broken page would."""

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.urls import path

from accounts.access import NotAllowed
from billing_portal import urls


@login_not_required
def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a secret detail")


@login_not_required
def suspicious(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation("a secret detail")


@login_not_required
def refused(request: HttpRequest) -> HttpResponse:
    raise NotAllowed("Your role does not include paying.")


@login_not_required
def denied(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied("a secret detail")


urlpatterns = [
    path("broken/", broken),
    path("suspicious/", suspicious),
    path("refused/", refused),
    path("denied/", denied),
    *urls.urlpatterns,
]
handler400, handler403, handler404, handler500 = urls.handler400, urls.handler403, urls.handler404, urls.handler500
