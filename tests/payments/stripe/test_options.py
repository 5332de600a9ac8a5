"""The options of an account: from the environment, checked at start, and what browsers are told of them."""

import json
import subprocess
import sys

import pytest
from django.conf import settings as django_settings

from payments.csp import policy_for
from tests.payments.stripe.bench import gateway_at

LIVE = {"secret_key": "sk_live_1", "publishable_key": "pk_live_1", "webhook_secrets": ["whsec_1"]}
TEST = {"secret_key": "sk_test_1", "publishable_key": "pk_test_1", "webhook_secrets": ["whsec_1"]}
STRIPE = "https://api.stripe.com"


@pytest.mark.parametrize(("debug", "options"), [(False, LIVE), (True, TEST)])
def test_there_is_nothing_wrong_with_keys_of_the_right_mode(settings, debug, options):
    settings.DEBUG = debug
    assert gateway_at(STRIPE, **options).checks() == []


def test_restricted_keys_count_too(settings):
    settings.DEBUG = False
    assert gateway_at(STRIPE, **LIVE | {"secret_key": "rk_live_1"}).checks() == []


@pytest.mark.parametrize(
    ("debug", "change", "names"),
    [
        (False, {"secret_key": ""}, ["SECRET_KEY"]),
        (False, {"secret_key": "pk_live_1"}, ["SECRET_KEY"]),
        (False, {"publishable_key": ""}, ["PUBLISHABLE_KEY"]),
        (False, {"publishable_key": "sk_live_1"}, ["PUBLISHABLE_KEY"]),
        (False, {"publishable_key": "pk_test_1"}, ["PUBLISHABLE_KEY"]),
        (False, {"secret_key": "sk_test_1", "publishable_key": "pk_test_1"}, ["SECRET_KEY is a test key"]),
        (False, {"secret_key": "rk_test_1", "publishable_key": "pk_test_1"}, ["SECRET_KEY is a test key"]),
        (True, {}, ["SECRET_KEY is a live key"]),
        (True, {"secret_key": "rk_live_1"}, ["SECRET_KEY is a live key"]),
        (False, {"webhook_secrets": []}, ["WEBHOOK_SECRETS is empty"]),
        (False, {"webhook_secrets": ["whsec_1", "we_1"]}, ["WEBHOOK_SECRETS"]),
        (False, {"account": "1234"}, ["ACCOUNT"]),
        (False, {"api_base": "http://stripe.example.com"}, ["API_BASE"]),
        (False, {"js_url": "http://js.example.com/v3/"}, ["JS_URL"]),
        (False, {"js_url": "//js.stripe.com/v3/"}, ["JS_URL"]),
    ],
)
def test_each_mistake_is_named_by_its_variable(settings, debug, change, names):
    settings.DEBUG = debug
    problems = gateway_at(STRIPE, **LIVE | {"prefix": "STRIPE_NL_"} | change).checks()

    assert len(problems) == len(names)
    for problem, name in zip(problems, names, strict=True):
        assert problem.startswith(f"STRIPE_NL_{name}")


def test_a_test_key_is_one_whatever_address_it_is_for(settings):
    settings.DEBUG = False
    assert gateway_at("http://127.0.0.1:8420", **TEST).checks() != []


def test_the_secret_key_is_in_nothing_that_browsers_or_staff_are_shown():
    gateway = gateway_at(STRIPE, **LIVE | {"webhook_secrets": []})
    shown = f"{gateway.browser} {gateway.checks()}"
    assert "sk_live" not in shown
    assert "pk_live_1" in shown


def test_only_stripes_own_origins_are_let_in_and_nothing_inline():
    policy = policy_for(gateway_at(STRIPE, **LIVE).browser)

    assert policy["script-src"][1:] == ["https://js.stripe.com", "https://*.js.stripe.com"]
    assert policy["frame-src"] == ["https://js.stripe.com", "https://*.js.stripe.com", "https://hooks.stripe.com"]
    assert policy["connect-src"][1:] == ["https://api.stripe.com"]
    assert "unsafe-inline" not in str(policy)


def test_a_stand_ins_origin_takes_their_place():
    browser = gateway_at("http://127.0.0.1:8420", js_url="http://127.0.0.1:8420/v3/").browser

    assert browser.scripts[0] == "http://127.0.0.1:8420/v3/"
    origins = {*browser.script_origins, *browser.frame_origins, *browser.connect_origins}
    assert origins == {"http://127.0.0.1:8420"}


def in_a_fresh_process(**environ):
    """The gateways that the settings make of an environment, or what they say is wrong with it."""
    code = (
        "import json; from django.conf import settings as s; "
        "print(json.dumps({k: v['options'] for k, v in s.PAYMENT_GATEWAYS.items()}, default=str))"
    )
    base = {
        "DJANGO_SETTINGS_MODULE": "billing_portal.settings",
        "DEBUG": "true",
        "SECRET_KEY": "x" * 50,
        "PORTAL_VAR_DIR": str(django_settings.VAR_DIR),
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=base | environ,
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


def test_each_listed_account_has_variables_of_its_own():
    made = in_a_fresh_process(
        PAYMENT_GATEWAYS="stripe_nl,stripe,sandbox",
        STRIPE_SECRET_KEY="sk_test_one",
        STRIPE_WEBHOOK_SECRETS="whsec_1, whsec_2",
        STRIPE_NL_SECRET_KEY="sk_test_two",
        STRIPE_NL_ACCOUNT="acct_2",
    )

    assert list(made) == ["stripe_nl", "stripe", "sandbox"]
    assert (made["stripe"]["secret_key"], made["stripe"]["account"]) == ("sk_test_one", "")
    assert made["stripe"]["webhook_secrets"] == ["whsec_1", "whsec_2"]
    assert (made["stripe_nl"]["secret_key"], made["stripe_nl"]["account"]) == ("sk_test_two", "acct_2")


@pytest.mark.parametrize("name", ["STRIPE_SECRET", "STRIPE_NL_SECRET_KEY"])
def test_a_misspelt_name_and_one_of_an_account_that_is_not_listed_stop_the_start(name):
    said = in_a_fresh_process(PAYMENT_GATEWAYS="stripe", **{name: "sk_test_1"})
    assert f"{name} is not a setting of the portal" in said
