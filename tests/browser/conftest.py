"""Headless Chromium against a live server of the portal."""

import os
import shutil

import pytest
from django.conf import settings
from django.test import Client

from tests.factories import BillingProfileFactory

# Playwright's loop runs in this thread, and Django then takes every query for one made inside async code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str:
    """The system's Chromium. A browser test without a browser fails; it is not skipped."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.fail("No Chromium. Install the package chromium, or set CHROMIUM to the program's path.", pytrace=False)
    return found


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    return {
        **browser_type_launch_args,
        "executable_path": chromium(),
        "args": ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    }


@pytest.fixture
def browser_context_args(browser_context_args):
    return {**browser_context_args, "viewport": {"width": 1280, "height": 900}, "locale": "en-GB"}


@pytest.fixture(autouse=True)
def _quiet_console(request):
    """No page may log an error: a blocked script or style, or an exception, fails the test that saw it."""
    if "page" not in request.fixturenames:
        yield
        return
    page, problems = request.getfixturevalue("page"), []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda message: (
            problems.append(message.text)
            if message.type in {"error", "warning"} and "status of 4" not in message.text
            else None
        ),
    )
    yield
    assert problems == []


@pytest.fixture
def profile(transactional_db):
    return BillingProfileFactory()


@pytest.fixture
def sign_in(live_server, context):
    """Signs a person in, without the form, in the browser of this test."""

    def act(user):
        client = Client()
        client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])

    return act


@pytest.fixture(scope="session")
def base_url():
    """Pages are opened by their full address. (The plugin's own fixture uses what pytest deprecates.)"""
    return
