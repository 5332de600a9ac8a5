"""The card field of the gateway, on the pages that can show it: its scripts, and the origins that those may talk to.
The payment page opens in the blade over other pages, and in a blade the policy and the scripts of the page beneath
count. So the pages are named here, once, and every other page keeps the strict policy."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static

from payments.gateways.base import Browser, Gateway
from payments.gateways.registry import default_gateway

PAGES = frozenset(
    {
        *("payments:pay", "payments:challenge", "payments:detail", "invoices:list", "invoices:detail"),
        *("payments:methods", "payments:add_method", "payments:adding"),
    }
)

GetResponse = Callable[[HttpRequest], HttpResponse]


def _browser_for(request: HttpRequest) -> Browser | None:
    """Pages with a bank's approval set ``request.card_gateway``; new cards are typed at the default gateway."""
    match = request.resolver_match
    if match is None or match.view_name not in PAGES:
        return None
    gateway: Gateway | None = getattr(request, "card_gateway", None) or default_gateway()
    return gateway.browser if gateway is not None else None


def scripts(request: HttpRequest) -> dict[str, Any]:
    """Context of the layouts: ``card_scripts``, the addresses of the scripts that this page needs."""
    browser = _browser_for(request)
    paths = browser.scripts if browser is not None else ()
    return {"card_scripts": [path if "://" in path else static(path) for path in paths]}


def policy_for(browser: Browser) -> dict[str, Any]:
    policy = {name: [str(source) for source in sources] for name, sources in settings.SECURE_CSP.items()}
    for name, origins in (
        ("script-src", browser.script_origins),
        ("frame-src", browser.frame_origins),
        ("connect-src", browser.connect_origins),
    ):
        if origins:
            policy[name] = [*policy.get(name, []), *origins]
    return policy


def card_field_policy(get_response: GetResponse) -> GetResponse:
    """Middleware. It must stand below Django's own policy middleware, which reads what it leaves on the response."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        browser = _browser_for(request)
        if browser is not None and not hasattr(response, "_csp_config"):
            response._csp_config = policy_for(browser)  # type: ignore[attr-defined]  # noqa: SLF001  as Django's decorators do
        return response

    return middleware
