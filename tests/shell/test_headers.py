"""What every response says to the browser, error pages included, and that no template needs a looser policy."""

import re

import pytest
from django.conf import settings
from django.urls import reverse

from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.shell.broken_urls")]
FOLDERS = [settings.BASE_DIR, *(settings.BASE_DIR / "payments" / "gateways").iterdir()]
TEMPLATES = sorted(path for folder in FOLDERS for path in (folder / "templates").rglob("*.html"))
PAGES = [path for path in TEMPLATES if "emails" not in path.parts and path.name != "email.html"]
STYLESHEETS = sorted(path for folder in FOLDERS for path in (folder / "static").rglob("*.css"))
SCRIPTS = sorted(path for folder in FOLDERS for path in (folder / "static").rglob("*.js"))
DATA_ADDRESS = re.compile(r"""["'(=]\s*data:""")
ADDRESSES = [
    "/",
    "/search/",
    "/scopes/",
    "/account/login/",
    "/account/logout/",
    "/account/2fa/",
    "/admin/",
    "/admin/login/",
    "/healthz",
    "/healthz/worker",
    "/nowhere/",
    "/denied/",
    "/suspicious/",
    "/broken/",
]


@pytest.fixture
def answers(client):
    """Responses to every address, signed out and signed in."""
    client.raise_request_exception = False
    signed_out = [client.get(address) for address in ADDRESSES]
    client.force_login(UserFactory(is_staff=True))
    return signed_out + [client.get(address) for address in ADDRESSES]


def test_every_response_carries_the_strict_policy(answers):
    for response in answers:
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "style-src 'self'" in policy
        assert "form-action 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "unsafe" not in policy
        assert "data:" not in policy


def test_no_response_may_be_kept_by_a_cache(answers):
    for response in answers:
        assert "no-store" in response.headers["Cache-Control"]


def test_every_response_carries_the_other_security_headers(answers):
    for response in answers:
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Frame-Options"] == "DENY"
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_cookies_are_out_of_reach_of_scripts(client):
    client.get(reverse("account_login"))
    client.post(reverse("preferences"), {"theme": "dark", "language": "nl"})
    assert client.cookies
    for cookie in client.cookies.values():
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"


@pytest.mark.parametrize("template", PAGES, ids=lambda path: path.name)
def test_no_template_holds_an_inline_script_or_style(template):
    text = template.read_text()
    scripts = re.findall(r"<script\b[^>]*>", text)
    assert all("src=" in script or 'type="application/json"' in script for script in scripts)
    assert "<style" not in text
    assert not re.search(r"""\s(style|on[a-z]+)\s*=\s*["']""", text)
    assert "javascript:" not in text
    assert not DATA_ADDRESS.search(text)
    assert not re.search(r"\shx-on\b|\bjs:", text)


@pytest.mark.parametrize("template", PAGES, ids=lambda path: path.name)
def test_every_template_says_what_it_needs(template):
    assert template.read_text().startswith("{#")


@pytest.mark.parametrize("file", [*STYLESHEETS, *SCRIPTS], ids=lambda path: path.name)
def test_no_stylesheet_or_script_loads_from_elsewhere(file):
    text = file.read_text()
    assert not DATA_ADDRESS.search(text)
    assert "http:" not in text
    assert "https:" not in text
    assert "eval(" not in text
