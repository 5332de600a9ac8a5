"""Which characters a text may hold: those that our fonts can draw, and no invisible ones.

A character without a glyph becomes a box in a document that is kept for ever. An invisible one makes two different
names look alike, or reverses the digits of a number (U+202E). Both are refused where a text comes in: by `PrintedField`
and `SeenField` in forms and staff pages, by `hidden` and `unprintable` in imports.
"""

from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import category, name

import manimgx_fonts
import manimgx_fonts_cjk
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.expressions import Combinable
from django.utils.translation import gettext as _

FONT_FOLDERS = [Path(package.__file__).parent for package in (manimgx_fonts, manimgx_fonts_cjk)]
SHOWN = 5

# Signs of Arabic and Syriac that Unicode counts as format characters although they are drawn.
DRAWN = frozenset(map(chr, [*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2]))
# They join or part the letters of Arabic, Persian and Indian scripts, and the parts of an emoji.
JOINERS = frozenset("\u200c\u200d")
NO_CHARACTER = frozenset("\ufeff\ufffe")  # PDF/A forbids them
# Letters and marks by their category, blank all the same: Hangul fillers, the empty Braille cell, and others.
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u2800\u3164\uffa0")
LINE_ENDS = frozenset("\r\n")


def hidden(text: str) -> list[str]:
    """The characters in it that nobody sees, each once: controls, marks of direction, soft hyphens, blank letters, and
    joiners without a letter to join."""
    if text.isascii() and text.isprintable():
        return []
    return list(dict.fromkeys(letter for place, letter in enumerate(text) if _is_hidden(text, place, letter)))


def _is_hidden(text: str, place: int, letter: str) -> bool:
    if letter in BLANK or letter in JOINERS:
        # Between Latin letters a joiner does nothing but make a second spelling.
        before = text[place - 1 : place]
        return letter in BLANK or not before or before < "\u0300" or before in JOINERS or place + 1 == len(text)
    return category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and letter not in DRAWN


def unprintable(text: str) -> list[str]:
    """The letters in it, each once, for which our fonts have no glyph."""
    if text.isascii():
        return [letter for letter in dict.fromkeys(text) if not letter.isprintable() and letter not in LINE_ENDS]
    letters = dict.fromkeys(letter for letter in text if not letter.isascii() and letter not in JOINERS)
    missing = [letter for letter in letters if letter not in _drawn_by_most() and not _is_selector(letter)]
    return [letter for letter in missing if letter not in _drawn_by_cjk()]


def _is_selector(letter: str) -> bool:
    """It chooses between two forms of the letter before it, and is not drawn."""
    return "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef"


@cache
def _drawn_by_most() -> frozenset[str]:
    """The letters of all fonts but the one of Chinese, Japanese and Korean, which takes longer to read."""
    return frozenset(chain.from_iterable(map(_letters_of, FONT_FOLDERS[0].glob("*.ttf")))) - NO_CHARACTER


@cache
def _drawn_by_cjk() -> frozenset[str]:
    return frozenset(chain.from_iterable(map(_letters_of, FONT_FOLDERS[1].glob("*.ttc")))) - NO_CHARACTER


def _letters_of(path: Path) -> Iterator[str]:
    from fontTools.ttLib import TTFont  # noqa: PLC0415  it takes long to load, and most texts need no look at a font

    with TTFont(path, fontNumber=0, lazy=True) as font:
        return map(chr, font["cmap"].getBestCmap())


def letter_name(letter: str) -> str:
    """``U+202E RIGHT-TO-LEFT OVERRIDE``."""
    return f"U+{ord(letter):04X} {name(letter, '')}".rstrip()


def letter_names(letters: list[str]) -> str:
    """The first few of them, with their names."""
    return ", ".join(map(letter_name, letters[:SHOWN])) + (", …" if len(letters) > SHOWN else "")


def fault(text: str) -> str:
    """Why a text may not be printed, in a sentence; empty when it may."""
    if letters := hidden(text):
        return _("Remove the characters that cannot be seen: %(letters)s.") % {"letters": letter_names(letters)}
    if letters := unprintable(text):
        return _("Our documents cannot print these characters: %(letters)s.") % {"letters": letter_names(letters)}
    return ""


def validate_printed(text: str) -> None:
    """Refuses what documents cannot print and what nobody sees, the end of a line included. Raises ValidationError."""
    if reason := fault(text):
        raise ValidationError(reason, code="letters")


def validate_printed_lines(text: str) -> None:
    """The same for a text of several lines."""
    validate_printed(_without_line_ends(text))


def validate_seen(text: str) -> None:
    """Refuses what nobody sees; lines may end. Raises ValidationError."""
    if letters := hidden(_without_line_ends(text)):
        reason = _("Remove the characters that cannot be seen: %(letters)s.") % {"letters": letter_names(letters)}
        raise ValidationError(reason, code="letters")


def validate_drawn(text: str) -> None:
    """Refuses letters without a glyph, for a text from which what nobody sees is taken out. Raises ValidationError."""
    if letters := unprintable("".join(letter for letter in text if category(letter) != "Cf")):
        reason = _("Our documents cannot print these characters: %(letters)s.") % {"letters": letter_names(letters)}
        raise ValidationError(reason, code="letters")


def _without_line_ends(text: str) -> str:
    return "".join(letter for letter in text if letter not in LINE_ENDS)


if TYPE_CHECKING:
    CharField = models.CharField[str | Combinable, str]
    TextField = models.TextField[str | Combinable, str]
else:
    CharField = models.CharField
    TextField = models.TextField


class SeenField(CharField):
    """A line of text that people read on pages, such as the name of a person. To migrations, this field and the others
    are those of Django: what they refuse is not part of the table."""

    default_validators = [validate_seen]

    def deconstruct(self) -> Any:
        return _as_django_has_it(super().deconstruct(), "CharField")


class PrintedField(CharField):
    """A line of text that documents print, such as the name of a company or the description of a charge."""

    default_validators = [validate_printed]

    def deconstruct(self) -> Any:
        return _as_django_has_it(super().deconstruct(), "CharField")


class PrintedTextField(TextField):
    """Lines of text that documents print."""

    default_validators = [validate_printed_lines]

    def deconstruct(self) -> Any:
        return _as_django_has_it(super().deconstruct(), "TextField")


def _as_django_has_it(deconstructed: Any, kind: str) -> Any:
    name, _path, args, kwargs = deconstructed
    return name, f"django.db.models.{kind}", args, kwargs
