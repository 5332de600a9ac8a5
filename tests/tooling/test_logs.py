"""What must not be written to a log is not written, in any of the ways in which it could get there."""

import io
import json
import logging

import pytest
import structlog
from django.test import Client

from billing_portal.logs import configure, redact

CARD = "4242424242424242"
SECRET = "canary-5f3a9c"


@pytest.fixture
def lines(same_logs):
    """Logs as JSON for the length of a test; returns what was written."""
    configure({"level": "DEBUG", "format": "json"})
    structlog.configure(processors=same_logs)
    written = io.StringIO()
    (handler,) = logging.getLogger().handlers
    handler.setStream(written)
    return written.getvalue


@pytest.mark.parametrize("number", [CARD, "4242 4242 4242 4242", "4242-4242-4242-4242", "378282246310005"])
def test_a_card_number_is_taken_out_of_every_text(number, lines):
    structlog.get_logger("test").info(f"charged {number}", detail=f"card {number} refused")
    logging.getLogger("library").error("could not charge %s", number)
    written = lines()
    assert number not in written
    assert written.count("[number]") == 3


@pytest.mark.parametrize("name", ["password", "card_token", "client_secret", "Authorization", "cookie", "cvc"])
def test_a_value_under_a_secret_name_is_taken_out(name, lines):
    structlog.get_logger("test").info("called", **{name: SECRET})
    assert SECRET not in lines()


def test_secrets_deeper_inside_are_taken_out(lines):
    structlog.get_logger("test").info("called", headers={"Authorization": SECRET, "body": [f"number={CARD}"]})
    written = lines()
    assert SECRET not in written
    assert CARD not in written


def test_a_number_in_a_traceback_is_taken_out(lines):
    try:
        raise ValueError(f"refused {CARD}")
    except ValueError:
        structlog.get_logger("test").exception("failed")
        logging.getLogger("library").exception("failed")
    assert CARD not in lines()


def test_references_and_amounts_stay_readable():
    event = {"event": "paid", "payment": "PAY-7F3K22QXAB", "invoice": "INV-000148", "amount_minor": 1234567, "ms": 1.5}
    assert redact(None, "info", dict(event)) == event


def test_json_is_one_object_a_line(lines):
    structlog.get_logger("test").info("paid", invoice="INV-000001")
    (line,) = lines().splitlines()
    assert json.loads(line)["invoice"] == "INV-000001"


def test_a_request_for_a_host_that_is_not_ours_is_one_line(client, lines):
    assert client.get("/healthz", headers={"Host": "elsewhere.example"}).status_code == 400
    written = [line for line in lines().splitlines() if "elsewhere.example" in line]
    assert len(written) == 1
    assert "Traceback" not in written[0]


def test_a_fault_of_our_own_keeps_its_traceback(client, lines, settings):
    settings.ROOT_URLCONF = "tests.shell.broken_urls"
    client.raise_request_exception = False
    assert client.get("/broken/").status_code == 500
    assert "Traceback" in lines()


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post"])
def test_djangos_own_line_about_a_refused_request_has_no_key_in_it(method, lines):
    """Not found, and sent without the cookie."""
    getattr(Client(enforce_csrf_checks=True), method)(f"/gateways/sandbox/challenge/pay_{SECRET}")
    written = lines()
    assert "/gateways/sandbox/challenge/<str:challenge>" in written
    assert SECRET not in written
