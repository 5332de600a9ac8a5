"""Somebody who has an address and may want another one."""

import pytest
from django.urls import reverse

from tests.accounts.addresses import PASSWORD
from tests.factories import who_signs_in


@pytest.fixture
def person():
    return who_signs_in(PASSWORD, email="old@example.com", name="Finance")


@pytest.fixture
def signed_in(client, person):
    """Just now, with the password."""
    client.post(reverse("account_login"), {"login": person.email, "password": PASSWORD})
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    return client
