"""Error pages in the portal's own look. The pages for 500 and 503 are drawn without a request, so that a broken
database or session cannot break them too."""

import sys
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import REASON_NO_CSRF_COOKIE
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import get_language

from accounts.access import NotAllowed
from billing_portal import security_events
from billing_portal.core.database import is_unavailable


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Some of what Django finds while it reads a form has a status of its own."""
    if isinstance(exception, RequestDataTooBig | TooManyFieldsSent):
        return too_large(request)
    if isinstance(exception, TooManyFilesSent):
        return render(request, "415.html", status=415)
    return render(request, "400.html", status=400)


def without_length(request: HttpRequest) -> HttpResponse:
    return render(request, "400.html", status=411)


def too_large(request: HttpRequest) -> HttpResponse:
    return render(request, "413.html", {"largest": settings.DATA_UPLOAD_MAX_MEMORY_SIZE}, status=413)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The reason is shown when it was written for people, and what helps."""
    context = {"reason": "", "remedy": NotAllowed.remedy}
    if isinstance(exception, NotAllowed):
        context = {"reason": str(exception), "remedy": exception.remedy}
    return render(request, "403.html", context, status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that was open too long, sent from elsewhere, or by a browser that keeps no cookies."""
    context = {"no_cookies": reason == REASON_NO_CSRF_COOKIE}
    return render(request, "403_csrf.html", context, status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001  Django passes it
    return render(request, "404.html", status=404)


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """What allauth answers where one of its limits is reached; it looks for this by name."""
    page = request.resolver_match.url_name if request.resolver_match is not None else None
    what = security_events.BLOCKED_ON.get(page or "", "request")
    security_events.attempts_blocked(request, what, address=request.POST.get("email", "").strip())
    return render(request, "429.html", status=429)


def server_error(request: HttpRequest) -> HttpResponse:
    """503 for a database that is absent, read-only or held too long, which is nobody's mistake; else 500."""
    context: dict[str, Any] = {"language": get_language(), "theme": request.COOKIES.get("theme", "")}
    if context["theme"] not in ("light", "dark"):
        context["theme"] = ""
    if not is_unavailable(sys.exc_info()[1]):
        return HttpResponse(render_to_string("500.html", context), status=500)
    # A gateway is asked about money by views that say so on the request, and by what staff do.
    context["may_be_charged"] = hasattr(request, "asks_gateway") or request.path.startswith(reverse("admin:index"))
    if request.headers.get("HX-Target") == "blade":
        context |= {"layout": "layouts/blade.html", "in_blade": True}
    page = render_to_string("503.html", context)
    return HttpResponse(page, status=503)
