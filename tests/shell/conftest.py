"""Somebody at the door, whom nobody has kept out yet."""

import pytest
from django.core.cache import cache
from django.test import Client

from tests.factories import who_signs_in
from tests.shell.doors import FIREFOX, PASSWORD


@pytest.fixture(autouse=True)
def _nobody_tried_before():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def person(db):
    return who_signs_in(PASSWORD, email="manager@example.com")


@pytest.fixture
def visitor():
    return Client(headers={"user-agent": FIREFOX})
