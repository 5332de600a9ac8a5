"""The catalogue that corrects installed packages: nothing in it that no package says, and "u" wherever it shows."""

import re
from pathlib import Path

import django
import pytest
from babel.messages.pofile import read_po
from django.apps import apps
from django.conf import settings
from django.utils.translation import gettext, ngettext, override

PACKAGES = settings.BASE_DIR / "locale" / "packages"
INFORMAL = re.compile(r"\b(je|jij|jou|jouw|jullie|jezelf)\b", re.IGNORECASE)
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w+\}")
PARTS_IN_USE = ("account/", "mfa/", "templates/account/", "templates/allauth/", "templates/mfa/")


def messages(path):
    with path.open("rb") as file:
        return [message for message in read_po(file, locale=path.parent.parent.name) if message.id]


def forms(text):
    return text if isinstance(text, tuple) else (text,)


def words_of(folder, language="nl"):
    """What a package says, as its own catalogue has it; the English one has texts that are in no Dutch one yet."""
    path = Path(folder) / "locale" / language / "LC_MESSAGES" / "django.po"
    return messages(path) if path.exists() else []


@pytest.fixture(scope="module", params=["en", "nl"])
def corrections(request):
    return messages(PACKAGES / request.param / "LC_MESSAGES" / "django.po")


def test_every_text_is_one_of_an_installed_package(corrections):
    folders = [Path(django.__file__).parent / "conf", *(app.path for app in apps.get_app_configs())]
    known = {
        (message.id, message.context)
        for folder in folders
        for language in ("en", "nl")
        for message in words_of(folder, language)
    }
    assert [message.id for message in corrections if (message.id, message.context) not in known] == []


def test_every_text_is_translated_with_the_placeholders_of_the_source(corrections):
    for message in corrections:
        wanted = set(PLACEHOLDER.findall(forms(message.id)[-1]))
        for text in forms(message.string):
            assert text
            assert set(PLACEHOLDER.findall(text)) == wanted, message.id


def test_headings_of_the_sign_in_pages_are_written_like_ours():
    """In English too: no Words With Capitals, and nothing that sounds like a program."""
    with override("en"):
        headings = ("Confirm Access", "Two-Factor Authentication", "Change Password", "Sign In")
        shown = [gettext(text) for text in headings]
        assert [text for text in shown if re.search(r" [A-Z]", text)] == []
        assert "reauthenticate" not in gettext("Please reauthenticate to safeguard your account.")


@pytest.mark.parametrize("language", ["en", "nl"])
def test_who_is_asked_for_a_code_hears_of_recovery_codes(language):
    at_the_door = "Your account is protected by two-factor authentication. Please enter an authenticator code:"
    with override(language):
        for text in (at_the_door, "Enter an authenticator code:"):
            assert re.search("recovery codes|herstelcodes", gettext(text))


def test_the_pages_of_sign_in_address_the_reader_formally():
    seen = [
        message
        for message in words_of(apps.get_app_config("allauth").path)
        if any(place.startswith(PARTS_IN_USE) for place, _line in message.locations)
    ]
    assert seen
    with override("nl"):
        shown = [ngettext(*message.id, 2) if isinstance(message.id, tuple) else gettext(message.id) for message in seen]
    assert [text for text in shown if INFORMAL.search(text)] == []
