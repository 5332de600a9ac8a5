"""The catalogues: complete, exact, and nothing in them that the source no longer says."""

import gettext
import re

import pytest
from babel.messages.pofile import read_po
from django.conf import settings

from billing_portal.translations import catalogue_paths, collect, compile_catalogues, update

LOCALE = settings.BASE_DIR / "locale"
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|%%|%[sd]")


def texts(message):
    return message.string if isinstance(message.string, tuple) else (message.string,)


def ids(message):
    return message.id if isinstance(message.id, tuple) else (message.id,)


@pytest.fixture(scope="module")
def source():
    return {(message.id, message.context) for message in collect(settings.BASE_DIR) if message.id}


@pytest.fixture(scope="module", params=[code for code, _name in settings.LANGUAGES if code != "en"])
def catalogue(request):
    with (LOCALE / request.param / "LC_MESSAGES" / "django.po").open("rb") as file:
        return read_po(file, locale=request.param)


def test_every_text_of_the_source_is_in_the_catalogue(catalogue, source):
    known = {(message.id, message.context) for message in catalogue if message.id}
    assert sorted(map(str, source - known)) == []


def test_nothing_is_in_the_catalogue_that_the_source_does_not_say(catalogue, source):
    known = {(message.id, message.context) for message in catalogue if message.id}
    assert sorted(map(str, known - source)) == []
    assert not catalogue.obsolete


def test_every_text_is_translated_and_nothing_is_a_guess(catalogue):
    missing = [message.id for message in catalogue if message.id and (message.fuzzy or not all(texts(message)))]
    assert missing == []


def test_placeholders_are_the_same_in_the_translation(catalogue):
    different = []
    for message in catalogue:
        if not message.id:
            continue
        singular, *plural = ids(message)
        wanted = {frozenset(PLACEHOLDER.findall(text)) for text in (singular, *plural)}
        given = [frozenset(PLACEHOLDER.findall(text)) for text in texts(message) if text]
        different += [message.id for found in given if found not in wanted]
    assert different == []


def test_one_thing_has_one_name_on_every_page(catalogue, source):
    """Names that were once in use beside the ones of the glossary."""
    english = ("bank transfer", "bank reference")
    assert [text for text, _context in source if any(name in str(text).lower() for name in english)] == []
    dutch = ("fiscaal", "fiscale", "betaalmethode", "betaalwijze", "factureringsaccount", "bankoverschrijving")
    assert [
        text for message in catalogue for text in texts(message) if any(name in text.lower() for name in dutch)
    ] == []


def test_texts_come_from_python_and_from_templates(tmp_path):
    (tmp_path / "accounts").mkdir()
    (tmp_path / "accounts" / "words.py").write_text(
        'a = _("Pay now")\nb = ngettext("%(count)s invoice", "%(count)s invoices", n)\nc = pgettext("verb", "Open")\n'
    )
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text(
        "{% translate 'Due' %}\n{% blocktranslate trimmed %}\n  Dear\n  {{ name }}\n{% endblocktranslate %}"
    )
    found = {(message.id, message.context) for message in collect(tmp_path) if message.id}
    assert found == {
        ("Pay now", None),
        (("%(count)s invoice", "%(count)s invoices"), None),
        ("Open", "verb"),
        ("Due", None),
        ("Dear %(name)s", None),
    }


def test_a_catalogue_is_compiled_when_it_changed_and_only_then(tmp_path):
    folder = tmp_path / "nl" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "Pay now"\nmsgstr "Nu betalen"\n'
    )
    assert compile_catalogues(tmp_path) == [folder / "django.mo"]
    assert compile_catalogues(tmp_path) == []
    with (folder / "django.mo").open("rb") as file:
        assert gettext.GNUTranslations(file).gettext("Pay now") == "Nu betalen"


def test_collecting_again_changes_nothing(tmp_path):
    path = tmp_path / "nl" / "LC_MESSAGES" / "django.po"
    path.parent.mkdir(parents=True)
    path.write_bytes((LOCALE / "nl" / "LC_MESSAGES" / "django.po").read_bytes())
    update(tmp_path, collect(settings.BASE_DIR))
    collected = path.read_bytes()
    update(tmp_path, collect(settings.BASE_DIR))
    assert path.read_bytes() == collected


def test_there_is_a_catalogue_for_every_language():
    codes = {code for code, _name in settings.LANGUAGES} - {"en"}
    assert {path.parent.parent.name for path in catalogue_paths(LOCALE)} == codes
