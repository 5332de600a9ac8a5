"""Every test here runs once for each gateway that the settings name."""

import pytest
from django.conf import settings

from tests.payments.contract.benches import BENCHES


def pytest_generate_tests(metafunc):
    if "bench" in metafunc.fixturenames:
        metafunc.parametrize("bench", list(settings.PAYMENT_GATEWAYS), indirect=True)


@pytest.fixture
def bench(request, db):
    return BENCHES[request.param](request.param)
