"""A typed card becomes a one-time token. The number is looked at here and nowhere else, and kept nowhere.

Only the published test numbers are taken: whoever types a real one by mistake is told so, and it goes no further. Nor
may anybody try number after number.
"""

import re
from typing import Any

from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from payments.gateways.sandbox.books import Book, Books
from payments.gateways.sandbox.cards import BY_NUMBER, TestCard, new_token
from payments.gateways.sandbox.charges import month_at

EXPIRY = re.compile(r"^\s*(\d{1,2})\s*/?\s*(?:20)?(\d{2})\s*$", re.ASCII)
CODE = re.compile(r"^\d{3,4}$", re.ASCII)
LONGEST = 40  # characters of any field
TRIES_A_MINUTE = 20


class TooManyTries(Exception):
    """This person typed too many cards within a minute."""


class InvalidCard(Exception):
    """What was typed is not a test card; ``errors`` has a sentence for each field."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("The card was not accepted.")
        self.errors = errors


@sensitive_variables()
def token_for(books: Books, typed: dict[str, Any], *, person: str) -> str:
    """A token for what a person typed. A card that is refused counts as a try as well.

    Counting and making are one transaction of the books, so that of any number of requests at once no more than the
    limit get one. Raises TooManyTries, InvalidCard.
    """
    with books.transaction() as book:
        _count_try(book, person)
        try:
            return make_token(book, typed)
        except InvalidCard as error:
            invalid = error
    raise invalid


def _count_try(book: Book, person: str) -> None:
    book.change("DELETE FROM tries WHERE at <= ?", book.now - 60)
    if len(book.rows("SELECT 1 FROM tries WHERE person = ?", person)) >= TRIES_A_MINUTE:
        raise TooManyTries
    book.insert("tries", person=person, at=book.now)


@sensitive_variables()
def make_token(book: Book, typed: dict[str, Any]) -> str:
    """A token for what was typed: ``number``, ``expiry`` as MM / YY, and ``code``. Raises InvalidCard."""
    number, expiry, code = (str(typed.get(name) or "")[:LONGEST] for name in ("number", "expiry", "code"))
    card = BY_NUMBER.get(re.sub(r"[\s-]", "", number))
    month_and_year = _expiry(expiry)
    errors = {
        "number": _number_error(number, card),
        "expiry": _expiry_error(month_and_year, book.now),
        "code": _code_error(code, card),
    }
    errors = {field: error for field, error in errors.items() if error}
    if errors or card is None or month_and_year is None:
        raise InvalidCard(errors)
    token = new_token(card)
    book.insert("tokens", id=token, expiry_month=month_and_year[0], expiry_year=month_and_year[1])
    return token


@sensitive_variables()
def _number_error(number: str, card: TestCard | None) -> str:
    if card is not None:
        return ""
    if not number.strip():
        return _("Enter a test card number, such as 4242 4242 4242 4242.")
    return _("This is not one of the test card numbers. Never enter a real card here: no money moves in the sandbox.")


def _expiry(expiry: str) -> tuple[int, int] | None:
    match = EXPIRY.match(expiry)
    month, year = (int(match[1]), 2000 + int(match[2])) if match else (0, 0)
    return (month, year) if 1 <= month <= 12 else None


def _expiry_error(month_and_year: tuple[int, int] | None, now: int) -> str:
    if month_and_year is None:
        return _("Enter the expiry date as month and year, such as 08 / 28.")
    month, year = month_and_year
    return _("This card has expired. Any month in the future will do.") if (year, month) < month_at(now) else ""


@sensitive_variables()
def _code_error(code: str, card: TestCard | None) -> str:
    if CODE.match(code.strip()) and (card is None or len(code.strip()) == card.code_length):
        return ""
    if card is not None and card.code_length == 4:
        return _("Enter any four digits.")
    return _("Enter any three digits.")
