"""The frame around a page: which layout draws it, and what the layout needs.

The same template is a page of its own or the content of the blade (the side panel). It begins with
``{% extends layout %}``; htmx asking for the blade gets the blade's frame, everybody else the whole page.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language


def frame(request: HttpRequest) -> dict[str, Any]:
    """The context of every page."""
    htmx = getattr(request, "htmx", None)
    in_blade = bool(htmx) and htmx.target == "blade" and not htmx.history_restore_request
    user = getattr(request, "user", None)
    return {
        "layout": "layouts/blade.html" if in_blade else "layouts/page.html",
        "in_blade": in_blade,
        "language": get_language(),
        "languages": settings.LANGUAGES,
        "theme": (user.theme if user is not None and user.is_authenticated else request.COOKIES.get("theme", "")),
        "demo": settings.DEMO,
        "access": getattr(request, "access", None),
    }
