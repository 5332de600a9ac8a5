"""The strict environment: each mistake is one sentence that names the variable."""

import os

import pytest
from django.core.exceptions import ImproperlyConfigured

from billing_portal.env import Env


@pytest.fixture
def env(tmp_path, monkeypatch):
    """An Env over a ``.env`` with these lines and a process environment with these names."""

    def make(*lines, **environ):
        file = tmp_path / ".env"
        file.write_text("\n".join(lines))
        monkeypatch.setattr(os, "environ", environ)
        return Env(file)

    return make


def problem(act):
    with pytest.raises(ImproperlyConfigured) as raised:
        act()
    return str(raised.value)


def test_a_missing_value_is_named(env):
    assert problem(lambda: env().text("SECRET_KEY")) == (
        "SECRET_KEY is not set. Set it in the environment or in .env; see .env.example."
    )


def test_an_empty_value_counts_as_missing(env):
    assert "SECRET_KEY is not set" in problem(lambda: env("SECRET_KEY=").text("SECRET_KEY"))
    assert env(LOG_LEVEL="  ").text("LOG_LEVEL", "INFO") == "INFO"


def test_the_environment_wins_over_the_file(env):
    assert env("LOG_LEVEL=ERROR", LOG_LEVEL="INFO").text("LOG_LEVEL") == "INFO"


@pytest.mark.parametrize("value", ["maybe", "2", "tru"])
def test_a_flag_is_true_or_false(env, value):
    assert problem(lambda: env(DEBUG=value).flag("DEBUG", default=False)) == (
        f"DEBUG must be true or false, not {value!r}."
    )


@pytest.mark.parametrize(("value", "flag"), [("1", True), ("Yes", True), ("off", False), ("", False)])
def test_flags_are_written_as_people_write_them(env, value, flag):
    assert env(DEBUG=value).flag("DEBUG", default=False) is flag


@pytest.mark.parametrize("value", ["-1", "ten", "1.5", "0"])
def test_a_number_is_whole_and_large_enough(env, value):
    assert "PORT must be a whole number of at least 1" in problem(
        lambda: env(PORT=value).number("PORT", 8000, at_least=1)
    )


@pytest.mark.parametrize("value", ["{", "[]", '"EUR"', "50000"])
def test_a_mapping_is_a_json_object(env, value):
    assert "PORTAL_CARD_LIMITS must be a JSON object" in problem(
        lambda: env(PORTAL_CARD_LIMITS=value).mapping("PORTAL_CARD_LIMITS")
    )


def test_a_choice_lists_what_there_is(env):
    assert problem(lambda: env(LOG_FORMAT="xml").choice("LOG_FORMAT", "text", ("text", "json"))) == (
        "LOG_FORMAT must be one of text, json, not 'xml'."
    )


@pytest.mark.parametrize("value", ["3,1", "3,3", "3,x", "1.5", ",", "none,3"])
def test_days_rise(env, value):
    assert problem(lambda: env(PORTAL_REMINDER_DAYS=value).days("PORTAL_REMINDER_DAYS", -3, 1, 7)) == (
        f"PORTAL_REMINDER_DAYS must be days in rising order, such as -3,1,7, or none, not {value!r}."
    )
    assert env(PORTAL_REMINDER_DAYS="none").days("PORTAL_REMINDER_DAYS", 1) == []
    assert env(PORTAL_REMINDER_DAYS="-7, 2").days("PORTAL_REMINDER_DAYS", 1) == [-7, 2]
    assert env().days("PORTAL_REMINDER_DAYS", -3, 1) == [-3, 1]


def test_words_are_separated_by_commas_and_none_is_empty(env):
    assert env(STRIPE_WEBHOOK_SECRETS=" a, b,,").words("STRIPE_WEBHOOK_SECRETS") == ["a", "b"]
    assert env(STRIPE_WEBHOOK_SECRETS="").words("STRIPE_WEBHOOK_SECRETS") == []


def test_a_time_zone_exists(env):
    assert "TIME_ZONE must be a time zone" in problem(
        lambda: env(TIME_ZONE="Amsterdam").time_zone("TIME_ZONE", "Europe/Amsterdam")
    )


@pytest.mark.parametrize("value", ["portal", "mongodb://localhost/portal", "postgres//user:hunter2@host/portal"])
def test_a_database_address_that_is_none_is_named_and_not_repeated(env, value):
    sentence = problem(lambda: env(DATABASE_URL=value).database("DATABASE_URL", "", conn_max_age=0))
    assert sentence.startswith("DATABASE_URL is not the address of a database.")
    assert "hunter2" not in sentence


@pytest.mark.parametrize("value", ["postgresql://portal:12/hunter2@host/portal", "postgresql://portal@a/b@host/portal"])
def test_a_password_that_would_be_taken_for_another_part_is_not_repeated(env, value):
    sentence = problem(lambda: env(DATABASE_URL=value).database("DATABASE_URL", "", conn_max_age=0))
    assert sentence.startswith("DATABASE_URL has a user name or password with special characters.")
    assert "hunter2" not in sentence
    encoded = env(DATABASE_URL="postgresql://portal:12%2Fhunt%40er2@host/portal")
    assert encoded.database("DATABASE_URL", "", conn_max_age=0)["PASSWORD"] == "12/hunt@er2"


def test_a_misspelt_name_in_the_file_is_found(env):
    made = env("EMIAL_HOST=Example")
    made.text("EMAIL_HOST", "")
    assert problem(made.refuse_unknown) == "EMIAL_HOST is not a setting of the portal. Did you mean EMAIL_HOST?"


def test_a_misspelt_name_of_ours_in_the_environment_is_found(env):
    made = env(EMAIL_HOS="Example")
    made.text("EMAIL_HOST", "")
    assert "Did you mean EMAIL_HOST?" in problem(made.refuse_unknown)


def test_other_names_in_the_environment_are_none_of_our_business(env):
    env(HOME="/home/example", PATH="/bin").refuse_unknown()
