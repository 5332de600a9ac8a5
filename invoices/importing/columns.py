"""From the texts of a row to checked values. Whatever a database would refuse is refused here, with a reason."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.core.exceptions import ValidationError

from billing_portal.core.letters import hidden, letter_names, unprintable
from invoices.importing.csv_reader import Texts
from invoices.importing.file_format import BadRow, FileFormat
from invoices.models.invoices import VATEX

# Control characters, a NUL among them, which PostgreSQL refuses and SQLite keeps; and the two line ends of Unicode.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# What a spreadsheet makes of a long number when nobody looks: the digits that follow are gone.
ROUNDED = re.compile(r"[0-9]([.,][0-9]+)?E[+-][0-9]+", re.IGNORECASE)
YES_OR_NO = {"yes": True, "no": False}

# The checked values of a row by the names of the columns.
Row = dict[str, Any]


def text(longest: int) -> Callable[[str], str]:
    def read(value: str) -> str:
        if len(value) > longest:
            raise BadRow(f"is longer than {longest} characters")
        return value

    return read


def identifier(longest: int) -> Callable[[str], str]:
    """A text that tells one thing from another, such as a number of an invoice."""
    read_text = text(longest)

    def read(value: str) -> str:
        if ROUNDED.fullmatch(value):
            raise BadRow(f"is {value!r}: a spreadsheet rounded it. Give the column the format text, and fill it again")
        return read_text(value)

    return read


def own_number(longest: int) -> Callable[[str], str]:
    """The number under which the sender issued an invoice, in capitals as all numbers are. It stands in addresses."""
    read_identifier = identifier(longest)

    def read(value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]*", value):
            raise BadRow(f"is {value[:40]!r}; it may hold letters, digits, blanks, '.', '-' and '_'. Write '-' for '/'")
        return read_identifier(value).upper()

    return read


def number(before: int, after: int, *, negative: bool = True) -> Callable[[str], Decimal]:
    """Plain decimals: ``1234.5``, no thousands, no exponent."""
    form = re.compile(rf"{'-?' if negative else ''}[0-9]{{1,{before}}}(\.[0-9]{{1,{after}}})?")

    def read(value: str) -> Decimal:
        if not form.fullmatch(value):
            raise BadRow(
                f"is {value[:40]!r}, not a number such as 12.5 with at most {before} digits and {after} decimals"
            )
        return Decimal(value)

    return read


PERCENT = number(3, 3, negative=False)


def rate(value: str) -> Decimal:
    percent = PERCENT(value)
    if percent > 100:
        raise BadRow("is more than 100 percent")
    return percent


def vatex_code(value: str) -> str:
    try:
        VATEX(value.upper())
    except ValidationError:
        raise BadRow(f"is {value[:40]!r}, not a VATEX code such as VATEX-EU-132-1F") from None
    return value.upper()


def day(value: str) -> date:
    try:
        parsed = date.fromisoformat(value)
    except ValueError:
        raise BadRow(f"is {value[:40]!r}, not a date such as 2026-10-05") from None
    if len(value) != len("2026-10-05") or not 2000 <= parsed.year <= 2099:
        raise BadRow(f"is {value[:40]!r}, not a date such as 2026-10-05 between 2000 and 2099")
    return parsed


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in choices:
            raise BadRow(f"is {value[:40]!r}, not one of {', '.join(choices)}")
        return value

    return read


def yes_or_no(value: str) -> bool:
    if value.lower() not in YES_OR_NO:
        raise BadRow(f"is {value[:40]!r}, not yes or no")
    return YES_OR_NO[value.lower()]


@dataclass(frozen=True)
class Column:
    """``of_invoice``: the same in all rows of an invoice. ``is_unique``: another text in every row, so not cached."""

    read: Callable[[str], Any]
    kind: str = "text"  # or "number" or "date", which each file writes in its own way
    default: Any = None
    needed: bool = False
    of_invoice: bool = False
    is_unique: bool = False

    def value(self, given: str) -> Any:
        """Raises BadRow."""
        if not given:
            if self.needed:
                raise BadRow("is empty")
            return self.default
        if not (given.isascii() and given.isprintable()):
            _check_letters(given)
        return self.read(given)


def _check_letters(given: str) -> None:
    """Raises BadRow for what nobody sees, and for what documents cannot print."""
    if CONTROL.search(given):
        raise BadRow("holds a control character")
    if letters := hidden(given):
        raise BadRow(f"holds {letter_names(letters)}, which nobody sees")
    if letters := unprintable(given):
        raise BadRow(f"holds {letter_names(letters)}, which documents cannot print")


class Columns:
    """The columns of one kind of file, by name, in the order in which `Reader` gives their texts."""

    def __init__(self, **columns: Column) -> None:
        self.columns = columns
        self.needed = [name for name, column in columns.items() if column.needed]
        self.of_invoice = [name for name, column in columns.items() if column.of_invoice]
        self.numbers, self.dates = (
            [name for name, column in columns.items() if column.kind == kind] for kind in ("number", "date")
        )
        self._readers = [
            column.value if column.is_unique else lru_cache(maxsize=1024)(column.value) for column in columns.values()
        ]

    def plain(self, texts: Texts, form: FileFormat) -> Texts:
        """The texts with numbers such as 1234.5 and dates such as 2026-10-05, whatever the format. Raises BadRow."""
        values = dict(zip(self.columns, texts, strict=True))
        for name in self.dates:
            values[name] = form.date(values[name])
        for name in self.numbers:
            try:
                values[name] = form.number(values[name])
            except BadRow as reason:
                raise BadRow(f"{name} {reason}.") from None
        return tuple(values.values())

    def row(self, texts: Texts) -> Row:
        """The checked values of a row, defaults for empty texts. Raises BadRow that names every bad column."""
        try:
            return {name: read(text) for name, read, text in zip(self.columns, self._readers, texts, strict=True)}
        except BadRow:
            raise BadRow("; ".join(self._faults(texts)) + ".") from None

    def _faults(self, texts: Texts) -> Iterator[str]:
        for (name, column), given in zip(self.columns.items(), texts, strict=True):
            try:
                column.value(given)
            except BadRow as reason:
                yield f"{name} {reason}"
