"""The fixtures of the browser tests, with Stripe's card field played by the stand-in."""

import pytest

from payments.gateways.registry import get_gateway
from tests.browser.conftest import (
    _quiet_console,
    base_url,
    browser_context_args,
    browser_type_launch_args,
    profile,
    sign_in,
)

__all__ = ["_quiet_console", "base_url", "browser_context_args", "browser_type_launch_args", "profile", "sign_in"]


@pytest.fixture
def shop(settings, standin):
    """The stand-in, with Stripe as the gateway that new cards are added to."""
    more = {"api_base": standin.url, "js_url": f"{standin.url}/v3/"}
    options = settings.GATEWAYS_KNOWN["stripe"]["options"] | more
    settings.PAYMENT_GATEWAYS = {"stripe": settings.GATEWAYS_KNOWN["stripe"] | {"options": options}}
    get_gateway.cache_clear()
    yield standin
    get_gateway.cache_clear()
