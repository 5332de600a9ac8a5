"""What is written about the settings is what the settings ask for, and a real start says what is wrong."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.checks import Tags, run_checks

from billing_portal import settings as portal_settings
from tests.waiting import PATIENCE

PRODUCTION = {
    "ALLOWED_HOSTS": "billing.example.com",
    "EMAIL_FROM": "billing@example.com",
    "EMAIL_HOST": "mail.example.com",
    "PORTAL_SECOND_FACTOR_KEYS": "tests-only-" + "k" * 32,
    "PUBLIC_URL": "https://billing.example.com",
    "SECRET_KEY": "only-for-tests-Zk3vQ8rT1mXw7yLd9pHs5bJf2nGc6aUe4i0oRqBv",
    "TRUSTED_PROXY_COUNT": "1",
}


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """A copy of the portal without anybody's .env."""
    directory = tmp_path_factory.mktemp("installation")
    for name in ("billing_portal", "accounts", "invoices", "payments", "templates", "static"):
        shutil.copytree(settings.BASE_DIR / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(settings.BASE_DIR / "manage.py", directory)
    return directory


def start(installation, *command, **environ):
    """Runs manage.py with nothing of the test run's environment. A value of None is left out."""
    values = {"PATH": os.environ["PATH"], **PRODUCTION, "PORTAL_VAR_DIR": str(installation / "var"), **environ}
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=installation,
        env={name: value for name, value in values.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def names_in(text):
    return set(re.findall(r"^#?([A-Z][A-Z_]+)=", text, re.MULTILINE))


def test_the_example_names_every_setting_and_no_other():
    assert names_in((settings.BASE_DIR / ".env.example").read_text()) == portal_settings.env.known


def test_every_setting_of_the_example_has_a_comment_above_it():
    lines = (settings.BASE_DIR / ".env.example").read_text().splitlines()
    commented = False
    for line in lines:
        if names_in(line):
            assert commented, line
        else:
            commented = line.startswith("# ")


def test_the_documentation_explains_every_setting_and_no_other():
    text = (settings.BASE_DIR / "docs" / "configuration.md").read_text()
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE)) == portal_settings.env.known


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["CARD_LIMITS_FOR_WIRE", "DUNNING_FLOORS"])
def test_a_limit_or_floor_that_is_no_amount_is_found_at_start(settings, name):
    setattr(settings, name, {"EUR": "fifty thousand", "JPY": "100.50", "GBP": "100"})
    found = [error.msg for error in run_checks(tags=[Tags.security]) if error.id == "billing_portal.E002"]
    assert len(found) == 2
    assert "EUR" in found[0]
    assert "JPY" in found[1]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("CARD_LIMITS_FOR_WIRE", {"BGN": "500"}, "billing_portal.E002"),
    ],
)
def test_a_value_that_would_fail_on_reading_is_refused_at_start(settings, name, value, error):
    assert error not in [one.id for one in run_checks(tags=[Tags.security])]
    setattr(settings, name, value)
    assert error in [one.id for one in run_checks(tags=[Tags.security])]


def a_real_gateway():
    """What `.ci/production.env` says of the gateway that is used for real."""
    lines = (settings.BASE_DIR / ".ci" / "production.env").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("PAYMENT_GATEWAYS="))
    prefix = lines[start].partition("=")[2].upper()
    return dict(line.split("=", 1) for line in lines if line.startswith(("PAYMENT_GATEWAYS=", f"{prefix}_")))


def test_the_values_of_a_real_installation_pass_every_check(installation):
    done = start(installation, "check", "--deploy", "--fail-level", "WARNING", **a_real_gateway())
    assert done.returncode == 0, done.stderr


def test_an_installation_without_a_gateway_is_warned_that_nobody_can_pay_by_card(installation):
    done = start(installation, "check", "--deploy", PAYMENT_GATEWAYS="")
    assert "billing_portal.W008" in done.stderr


def test_an_installation_without_a_mail_server_is_warned_that_its_mails_are_files(installation):
    done = start(installation, "check", "--deploy", EMAIL_HOST=None)
    assert "billing_portal.W001" in done.stderr
    assert "W001" not in start(installation, "check", "--deploy", EMAIL_HOST=None, DEBUG="true").stderr


@pytest.mark.parametrize(
    ("environ", "warning"),
    [
        ({"PORTAL_SECOND_FACTOR_KEYS": None}, "billing_portal.W006"),
        ({"PORTAL_STAFF_SECOND_FACTOR": "false"}, "billing_portal.W007"),
        ({"PORTAL_DEMO": "true"}, "billing_portal.W007"),
    ],
)
def test_an_installation_is_warned_where_second_factors_protect_less_than_they_could(installation, environ, warning):
    assert warning in start(installation, "check", "--deploy", **environ).stderr


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"SECRET_KEY": None}, "Configuration: SECRET_KEY is not set."),
        ({"DEBUG": "maybe"}, "Configuration: DEBUG must be true or false"),
        ({"EMAIL_HOSTT": "x"}, "Configuration: EMAIL_HOSTT is not a setting of the portal. Did you mean EMAIL_HOST?"),
        ({"PAYMENT_GATEWAYS": "strype"}, "Configuration: PAYMENT_GATEWAYS names 'strype'; known gateways: "),
        ({"DATABASE_URL": "nonsense"}, "Configuration: DATABASE_URL is not the address of a database."),
        ({"PORTAL_CARD_LIMITS": "50000"}, "Configuration: PORTAL_CARD_LIMITS must be a JSON object"),
        (
            {"PORTAL_SECOND_FACTOR_KEYS": f"{'k' * 40},too-short"},
            "Configuration: PORTAL_SECOND_FACTOR_KEYS must be texts of at least 32 characters",
        ),
    ],
)
def test_a_mistake_stops_the_start_with_one_sentence(installation, environ, sentence):
    done = start(installation, "check", **environ)
    assert done.returncode != 0
    assert done.stderr.startswith(sentence)
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_sandbox_refuses_to_start_where_money_is_real(installation):
    done = start(installation, "check", "--deploy", PAYMENT_GATEWAYS="sandbox")
    assert done.returncode != 0
    assert "SANDBOX_ALLOWED" in done.stderr


def test_a_sandbox_without_tables_is_found_before_the_start(installation):
    environ = {"PAYMENT_GATEWAYS": "sandbox", "SANDBOX_ALLOWED": "true"}
    assert "migrate --database sandbox" in start(installation, "check", "--deploy", **environ).stderr
    assert start(installation, "migrate", "--database", "sandbox", **environ).returncode == 0
    assert "E011" not in start(installation, "check", "--deploy", **environ).stderr
