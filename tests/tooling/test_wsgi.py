"""The web server refuses what the checks refuse."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from billing_portal import gunicorn_config
from payments.gateways.registry import get_gateway
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("same_logs")]


@pytest.fixture
def checked_application(settings):
    """The module makes an application when it is imported."""
    settings.PUBLIC_URL = "https://billing.example.com"
    from billing_portal.wsgi import checked_application

    return checked_application


def test_it_starts_with_a_good_configuration(checked_application):
    assert callable(checked_application())


def test_it_does_not_start_with_the_sandbox_where_nobody_allowed_it(settings, checked_application):
    settings.DEBUG = False
    gateways = {"sandbox": {**settings.PAYMENT_GATEWAYS["sandbox"]}}
    gateways["sandbox"]["options"] = {**gateways["sandbox"]["options"], "allowed": False}
    settings.PAYMENT_GATEWAYS = gateways
    get_gateway.cache_clear()
    with pytest.raises(ImproperlyConfigured, match="SANDBOX_ALLOWED"):
        checked_application()


def test_it_does_not_start_with_the_demos_people_where_debug_is_off(settings, checked_application):
    UserFactory(email="manager@example.com")
    with pytest.raises(ImproperlyConfigured, match=r"manager@example\.com"):
        checked_application()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DEMO", True, "PORTAL_DEMO is on and DEBUG is off"),
        ("SECRET_KEY", "django-insecure-", "SECRET_KEY is easy to guess"),
        ("PUBLIC_URL", "http://billing.example.com", "without https"),
        ("ALLOWED_HOSTS", ["*"], "ALLOWED_HOSTS holds"),
    ],
)
def test_it_does_not_start_with_what_only_a_developers_machine_may_have(
    settings, checked_application, name, value, sentence
):
    setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured, match=sentence):
        checked_application()


def test_it_listens_on_the_port_that_the_file_of_settings_names(tmp_path, monkeypatch):
    package = tmp_path / "billing_portal"
    package.mkdir()
    (tmp_path / ".env").write_text("PORT=8123\n")
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.setattr(gunicorn_config, "__file__", str(package / "gunicorn_config.py"))
    assert gunicorn_config.port() == 8123
    monkeypatch.setenv("PORT", "8124")
    assert gunicorn_config.port() == 8124
