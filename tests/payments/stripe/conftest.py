"""A gateway at the stand-in. A request with a parameter that is not documented fails the test that sent it."""

import pytest

from tests.payments.stripe.bench import gateway_at
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
