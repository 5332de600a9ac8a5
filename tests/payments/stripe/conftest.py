"""A gateway at the stand-in. A request with a parameter that is not documented fails the test that sent it."""

import pytest

from payments.gateways.registry import get_gateway
from tests.payments.stripe.bench import SECRET, gateway_at
from tests.payments.stripe.standin.client import the_stand_in


@pytest.fixture
def standin():
    stand_in = the_stand_in()
    for what in ("clear", "forget"):
        stand_in(what)
    yield stand_in
    stand_in("clear")
    assert stand_in("undocumented") == []


@pytest.fixture
def gateway(standin):
    return gateway_at(standin.url)


@pytest.fixture
def shop(settings, standin, db):
    """The stand-in, with Stripe as the gateway that new cards are added to."""
    options = settings.GATEWAYS_KNOWN["stripe"]["options"] | {"api_base": standin.url}
    settings.PAYMENT_GATEWAYS = {"stripe": settings.GATEWAYS_KNOWN["stripe"] | {"options": options}}
    get_gateway.cache_clear()
    standin("messages", secret=SECRET)
    yield standin
    get_gateway.cache_clear()
