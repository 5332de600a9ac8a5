"""What a new password must be: long enough, and not among the first that a guesser would try. zxcvbn estimates how many
tries it withstands. The person's own name and address, and the portal's and seller's names, count as common words."""

import re
import threading
from collections.abc import Iterator
from itertools import permutations
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override
from zxcvbn import zxcvbn

from accounts.sellers import sender_of
from billing_portal.demo.data import PASSWORD as DEMO_PASSWORD

MIN_LENGTH, MAX_LENGTH = 12, 1000
# More than 10^8 guesses: what zxcvbn calls safely unguessable where passwords are kept as slow hashes.
MIN_SCORE = 3
# zxcvbn takes 0.6 s for the worst 30 characters, seconds for 72, minutes for 1,000. Whoever is weak so far stays weak.
MEASURED_LENGTH = 30
# zxcvbn knows English only.
# fmt: off
DUTCH_WORDS = (
    "wachtwoord", "geheim", "welkom", "factuur", "facturen", "betaling", "betalen", "rekening", "lente", "zomer",
    "herfst", "winter", "januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september",
    "oktober", "november", "december", "maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag",
    "nederland", "belgie", "amsterdam", "rotterdam", "utrecht", "antwerpen",
)
# fmt: on

# By the kind of the longest part that zxcvbn recognized.
REASONS = {
    "user_inputs": gettext_noop("It is made of names or words that belong to you or to this portal."),
    "dictionary": gettext_noop("It is close to a word or a password that many people use."),
    "repeat": gettext_noop("It repeats the same characters or words."),
    "sequence": gettext_noop("It follows a sequence such as abc or 6543."),
    "spatial": gettext_noop("It follows the keys of the keyboard."),
    "date": gettext_noop("It is close to a date or a year."),
    "regex": gettext_noop("It is close to a date or a year."),
}

# zxcvbn keeps the words of a call in a table that all threads share.
_zxcvbn_lock = threading.Lock()


class StrengthValidator:
    """For AUTH_PASSWORD_VALIDATORS, so that it holds wherever a password is set."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raises ValidationError, whose message says what to do."""
        if len(password) < MIN_LENGTH:
            raise ValidationError(
                _("This password is too short. Use at least %(length)d characters.") % {"length": MIN_LENGTH},
                code="password_too_short",
            )
        if len(password) > MAX_LENGTH:
            raise ValidationError(
                _("This password is too long. Use at most %(length)d characters.") % {"length": MAX_LENGTH},
                code="password_too_long",
            )
        with _zxcvbn_lock:
            result = zxcvbn(password[:MEASURED_LENGTH], user_inputs=list(own_words(user)))
        if result["score"] < MIN_SCORE:
            sentences = (_("This password is easy to guess."), reason(result), _("Add a few uncommon words."))
            raise ValidationError(" ".join(filter(None, sentences)), code="password_too_weak")

    def get_help_text(self) -> str:
        return _(
            "At least %(length)d characters; a few uncommon words in a row are hard to guess and easy to remember."
        ) % {"length": MIN_LENGTH}


def own_words(user: Any) -> Iterator[str]:
    """What somebody who knows the person or the portal would try first: each text, its words, any two of them written
    as one, and all of them. Short words are in too many good passwords by chance."""
    portal = [urlsplit(settings.PUBLIC_URL).hostname or "", sender_of({})["name"], DEMO_PASSWORD]
    for code, _name in settings.LANGUAGES:
        with override(code):
            portal.append(_("Billing portal"))
    for text in [getattr(user, "email", ""), getattr(user, "name", ""), *portal]:
        words = re.findall(r"\w+", text)
        for word in (text, *words, "".join(words), *("".join(pair) for pair in permutations(words[:8], 2))):
            if len(word) > 2:
                yield word
    yield from DUTCH_WORDS


def reason(result: dict[str, Any]) -> str:
    """One sentence on the longest part of the password that zxcvbn recognized; empty where it recognized none."""
    parts = [part for part in result["sequence"] if part["pattern"] != "bruteforce"]
    if not parts:
        return ""
    longest = max(parts, key=lambda part: len(part["token"]))
    is_own = longest.get("dictionary_name") == "user_inputs"
    sentence = REASONS["user_inputs" if is_own else longest["pattern"]]
    return _(sentence)
