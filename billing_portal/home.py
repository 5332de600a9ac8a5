"""The way in, the reader's preferences, and the pages that a monitor asks."""

from datetime import UTC, timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from accounts.decorators import access_for_request, signed_in
from accounts.models import BillingProfile
from accounts.operations.people import choose_preferences
from accounts.scope_list import landing_for
from billing_portal.core.database import MigrationsMissing, require_migrations, why_read_only
from billing_portal.core.jobs import WorkerStatus, worker_status
from billing_portal.layout import first_page

SCOPES_IN_MENU = 10


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Staff without a role of their own go to the staff pages, everybody else to where they were or may choose."""
    access = access_for_request(request)
    if access.user is not None and access.user.is_staff and not access.held:
        return redirect("admin:index")
    return redirect(landing_for(access))


@require_GET
def scope_menu(request: HttpRequest, profile: str) -> HttpResponse:
    """The entries of the scope switcher, asked for when it is first opened. Two queries."""
    access = access_for_request(request)
    profiles = BillingProfile.objects.visible_to(access).select_related("account").order_by("name", "id")
    scopes = [(scope, first_page(access, scope)) for scope in profiles[:SCOPES_IN_MENU]]
    return render(request, "components/scopes.html", {"scopes": scopes, "current": profile})


@login_not_required
@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """Language and theme: kept with the user, and in a cookie for the pages before signing in."""
    response = HttpResponseRedirect(_next_page(request))
    language, theme = request.POST.get("language", ""), request.POST.get("theme", "")
    chosen: dict[str, str] = {}
    if language in dict(settings.LANGUAGES):
        chosen["language"] = language
        _remember(response, settings.LANGUAGE_COOKIE_NAME, language)
    if theme in ("light", "dark", "system"):
        chosen["theme"] = "" if theme == "system" else theme
        _remember(response, "theme", chosen["theme"])
    if chosen and request.user.is_authenticated:
        choose_preferences(user=signed_in(request), **chosen)
    return response


@login_not_required
@require_GET
def healthz(_request: HttpRequest) -> HttpResponse:
    """200 when the server and its database answer, also without a worker: a load balancer would take the portal from
    everybody. The second line says how the worker is. 503 while the tables are older than the code, or nothing can be
    written."""
    try:
        require_migrations()
    except MigrationsMissing:
        return HttpResponse("migrations missing\n", status=503, content_type="text/plain")
    if reason := why_read_only():
        return HttpResponse(f"database read-only: {reason}\n", status=503, content_type="text/plain")
    return HttpResponse(f"ok\n{_worker_line(worker_status(at=timezone.now()))}\n", content_type="text/plain")


@login_not_required
@require_GET
def worker_healthz(_request: HttpRequest) -> HttpResponse:
    """503 when the worker has not run for some minutes, for a monitor that wakes somebody up."""
    status = worker_status(at=timezone.now())
    return HttpResponse(f"{_worker_line(status)}\n", status=503 if status.is_missed else 200, content_type="text/plain")


def _worker_line(status: WorkerStatus) -> str:
    if not status.is_missed:
        return "worker: ok"
    if status.last_seen_at is None:
        return "worker: never run"
    return f"worker: not run since {status.last_seen_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _remember(response: HttpResponse, name: str, value: str) -> None:
    if not value:
        response.delete_cookie(name, samesite="Lax")
        return
    response.set_cookie(name, value, max_age=timedelta(days=365), secure=settings.HTTPS, httponly=True, samesite="Lax")


def _next_page(request: HttpRequest) -> str:
    """The page the form stood on, if it is one of ours: what does not begin with a slash is a page below this one."""
    url = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return url if safe and url.startswith("/") else reverse("home")
