"""The web server refuses what the checks refuse."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from billing_portal import serving
from billing_portal.wsgi import checked_application
from payments.gateways.registry import get_gateway

pytestmark = pytest.mark.usefixtures("same_logs")


def test_it_starts_with_a_good_configuration():
    assert callable(checked_application())


def test_it_does_not_start_with_the_sandbox_where_nobody_allowed_it(settings):
    settings.DEBUG = False
    gateways = {"sandbox": {**settings.PAYMENT_GATEWAYS["sandbox"]}}
    gateways["sandbox"]["options"] = {**gateways["sandbox"]["options"], "allowed": False}
    settings.PAYMENT_GATEWAYS = gateways
    get_gateway.cache_clear()
    with pytest.raises(ImproperlyConfigured, match="SANDBOX_ALLOWED"):
        checked_application()


def test_it_listens_on_the_port_that_the_file_of_settings_names(tmp_path, monkeypatch):
    package = tmp_path / "billing_portal"
    package.mkdir()
    (tmp_path / ".env").write_text("PORT=8123\n")
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.setattr(serving, "__file__", str(package / "serving.py"))
    assert serving.port() == "8123"
    monkeypatch.setenv("PORT", "8124")
    assert serving.port() == "8124"
