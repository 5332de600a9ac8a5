"""What a developer's machine may have stops `check` and the start of a server; what is only doubtful is a warning."""

import os
import re
import subprocess
import sys
from io import StringIO

import pytest
from django.core.checks import Tags, run_checks
from django.core.management import CommandError, call_command
from django.db import connection

from billing_portal.demo.data import SIGN_INS
from tests.factories import UserFactory
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _on_a_server(settings):
    settings.PUBLIC_URL = "https://billing.example.com"
    settings.ALLOWED_HOSTS = ["billing.example.com"]


def errors():
    return {problem.id for problem in run_checks(tags=[Tags.security]) if problem.is_serious()}


def warnings():
    found = run_checks(tags=[Tags.security], include_deployment_checks=True)
    return {problem.id for problem in found if problem.id.startswith("billing_portal.W")}


def check(**options):
    """What `manage.py check` prints, or the error it ends with."""
    out = StringIO()
    try:
        call_command("check", stdout=out, stderr=out, **options)
    except CommandError as error:
        return str(error)
    return out.getvalue()


def test_nothing_is_wrong_with_a_server():
    assert errors() == set()
    assert "System check identified no issues" in check()


# The secret key -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "Zk3vQ8rT1mXw7yLd9pHs5bJf2nGc6aUe4i0oRqBvZk3vQ8rT1",  # 49 characters
        "abcdefghi" * 6,  # 9 different ones
        "django-insecure-Zk3vQ8rT1mXw7yLd9pHs5bJf2nGc6aUe4i0oRqBvZk3vQ8rT1",
    ],
)
def test_a_secret_key_that_is_easy_to_guess_is_an_error(settings, key):
    settings.SECRET_KEY = key
    assert "billing_portal.E003" in errors()
    assert "SECRET_KEY is easy to guess" in check()


@pytest.mark.parametrize("debug", [True, False])
def test_an_old_key_that_is_still_accepted_is_held_to_the_same(settings, debug):
    settings.DEBUG = debug
    settings.SECRET_KEY_FALLBACKS = ["Zk3vQ8rT1mXw7yLd9pHs5bJf2nGc6aUe4i0oRqBvZk3vQ8rT1m", "short"]
    (problem,) = [problem for problem in run_checks(tags=[Tags.security]) if problem.id == "billing_portal.E003"]
    assert problem.msg.startswith("SECRET_KEY_FALLBACKS[1]")


# The demo -------------------------------------------------------------------------------------------------------


def test_the_demo_without_debug_is_an_error(settings):
    settings.DEMO = True
    assert "billing_portal.E004" in errors()
    assert "PORTAL_DEMO is on and DEBUG is off" in check()
    settings.DEBUG = True
    assert "billing_portal.E004" not in errors()


@pytest.mark.parametrize("person", SIGN_INS, ids=lambda person: person.email)
def test_each_of_the_demos_people_is_an_error_without_debug(settings, person):
    UserFactory(email=person.email)
    assert "billing_portal.E005" in errors()
    assert person.email in check()
    assert person.email in check(deploy=True)
    settings.DEBUG = True
    assert "billing_portal.E005" not in errors()


def test_a_person_of_the_demo_who_cannot_sign_in_any_more_is_no_error():
    UserFactory(email="manager@example.com", is_active=False)
    UserFactory(email="finance@example.com")
    assert "billing_portal.E005" not in errors()


def test_a_check_of_one_app_or_tag_does_not_look_into_the_database(django_assert_num_queries):
    UserFactory(email="manager@example.com")
    with django_assert_num_queries(0):
        assert "no issues" in check(tags=[Tags.urls])
        call_command("check", list_tags=True, stdout=StringIO())


def test_the_connection_stays_as_it_was(settings):
    assert connection.connection is not None
    errors()
    assert connection.connection is not None


# These start the portal's own commands, with the environment of a server.
SERVER = {
    "PATH": os.environ["PATH"],
    "ALLOWED_HOSTS": "billing.example.com",
    "EMAIL_FROM": "billing@example.com",
    "EMAIL_HOST": "mail.example.com",
    "PUBLIC_URL": "https://billing.example.com",
    "SECRET_KEY": "only-for-tests-Zk3vQ8rT1mXw7yLd9pHs5bJf2nGc6aUe4i0oRqBv",
}
UNREACHABLE = "postgresql://portal:hunter2@127.0.0.1:1/portal"


def manage(tmp_path, *words, **environ):
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        env={**SERVER, "PORTAL_VAR_DIR": str(tmp_path), **environ},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("words", [("check",), ("check", "--deploy")])
def test_a_database_that_does_not_answer_does_not_stop_the_check(tmp_path, words):
    done = manage(tmp_path, *words, DATABASE_URL=UNREACHABLE)
    assert done.returncode == 0
    assert "The database portal at 127.0.0.1 cannot be reached: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_a_database_that_does_not_answer_hides_no_other_error(tmp_path):
    done = manage(tmp_path, "check", DATABASE_URL=UNREACHABLE, PORTAL_DEMO="true")
    assert done.returncode == 1
    assert "PORTAL_DEMO is on and DEBUG is off" in done.stderr


def test_a_database_without_tables_does_not_stop_the_check(tmp_path):
    assert manage(tmp_path, "check").returncode == 0


@pytest.mark.parametrize("command", ["run_portal", "run_worker", "run_due"])
def test_no_command_that_runs_the_portal_starts_with_the_demo_on_a_server(tmp_path, command):
    done = manage(tmp_path, command, PORTAL_DEMO="true")
    assert done.returncode == 1
    assert "PORTAL_DEMO is on and DEBUG is off" in done.stderr


@pytest.mark.parametrize("command", ["run_portal", "run_worker", "run_due"])
def test_no_command_that_runs_the_portal_starts_on_the_demos_people(command):
    UserFactory(email="admin@example.com")
    with pytest.raises(CommandError, match=re.escape("The demo's people are in this database")):
        call_command(command, skip_checks=False)


# Addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("debug", "address", "problem"),
    [
        (False, "https://billing.example.com", None),
        (False, "http://billing.example.com", "billing_portal.E007"),
        (False, "http://192.168.1.20:8000", "billing_portal.E007"),
        (False, "http://localhost:8000", None),
        (False, "http://portal.localhost", None),
        (False, "http://127.0.0.1:8000", None),
        (False, "http://[::1]:8000", None),
        (True, "http://localhost:8000", None),
        (True, "http://192.168.1.20:8000", None),
        (True, "https://billing.example.com", "billing_portal.E006"),
        (True, "http://203.0.113.5.example.com", "billing_portal.E006"),
    ],
)
def test_debug_stays_on_a_private_network_and_plain_http_on_this_machine(settings, debug, address, problem):
    settings.DEBUG = debug
    settings.PUBLIC_URL = address
    settings.ALLOWED_HOSTS = ["localhost"]
    assert errors() & {"billing_portal.E006", "billing_portal.E007"} == ({problem} if problem else set())


@pytest.mark.parametrize(
    ("hosts", "is_error"),
    [
        (["localhost", "127.0.0.1", "[::1]", "10.0.0.5", "laptop", "laptop.local"], False),
        (["localhost", "billing.example.com"], True),
        ([".example.com"], True),
        (["*"], True),
    ],
)
def test_debug_answers_under_no_public_name(settings, hosts, is_error):
    settings.DEBUG = True
    settings.PUBLIC_URL = "http://localhost:8000"
    settings.ALLOWED_HOSTS = hosts
    assert ("billing_portal.E006" in errors()) is is_error


@pytest.mark.parametrize(
    ("hosts", "is_error"), [(["*"], True), (["billing.example.com", "*"], True), ([".example.com"], False)]
)
def test_a_server_that_answers_to_any_name_is_an_error(settings, hosts, is_error):
    settings.ALLOWED_HOSTS = hosts
    assert ("billing_portal.E008" in errors()) is is_error
    settings.DEBUG = True
    assert "billing_portal.E008" not in errors()


# What is only worth a look --------------------------------------------------------------------------------------


def test_what_is_worth_a_look_is_a_warning_before_a_deployment_and_no_error(settings):
    settings.HTTPS = settings.STAFF_SECOND_FACTOR = True
    settings.SECOND_FACTOR_KEYS = ["a key of second factors, of its own"]
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 0
    settings.MAILERS = {
        "default": {
            "BACKEND": "billing_portal.core.smtp.EmailBackend",
            "OPTIONS": {"host": "mail.example.com", "use_ssl": False, "use_tls": False},
        }
    }
    assert warnings() == {f"billing_portal.W00{number}" for number in (2, 3, 4, 5)}
    assert errors() == set()
    settings.DEBUG = True
    assert warnings() == set()


def test_what_a_server_should_have_is_not_warned_of(settings):
    settings.HTTPS = settings.STAFF_SECOND_FACTOR = True
    settings.SECOND_FACTOR_KEYS = ["a key of second factors, of its own"]
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    settings.PAYMENT_GATEWAYS = {"null": {"class": "bench.null_gateway.NullGateway"}}
    for options in (
        {"host": "mail.example.com", "use_ssl": True, "use_tls": False},
        {"host": "mail.example.com", "use_ssl": False, "use_tls": True},
        {"host": "localhost", "use_ssl": False, "use_tls": False},
    ):
        settings.MAILERS = {"default": {"BACKEND": "billing_portal.core.smtp.EmailBackend", "OPTIONS": options}}
        assert warnings() == set()
