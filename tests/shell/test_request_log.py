"""One line is logged for each request, with nothing in it that would let its reader in."""

import pytest
from django.urls import reverse
from structlog.testing import capture_logs

pytestmark = pytest.mark.django_db


def logged(client, address):
    with capture_logs() as lines:
        client.get(address)
    return [line["path"] for line in lines if line["event"] == "request"]


def test_the_path_is_logged_without_its_query(client):
    assert logged(client, "/account/login/?next=/scopes/") == ["/account/login/"]


@pytest.mark.parametrize(
    "address",
    [
        reverse("account_reset_password_from_key", kwargs={"uidb36": "1", "key": "abc-secret"}),
        "/gateways/sandbox/challenge/pay_secret",
    ],
)
def test_a_key_in_the_path_is_not_logged(client, address):
    (path,) = logged(client, address)
    assert "secret" not in path
    assert path.startswith(("/account/password/reset/key/", "/gateways/sandbox/challenge/"))


def test_a_key_in_a_path_without_its_last_slash_is_not_logged(client):
    address = reverse("account_reset_password_from_key", kwargs={"uidb36": "1", "key": "abc-secret"})
    assert "secret" not in "".join(logged(client, address.rstrip("/")))
