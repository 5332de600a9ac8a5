"""From the texts of a row to checked values. Whatever a database would refuse is refused here, with a reason."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from invoices.importing.csv_reader import BadRow, Texts

# Control characters, a NUL among them, which PostgreSQL refuses and SQLite keeps; and the two line ends of Unicode.
# Every one of them is one that Python does not print, which is quicker to find out.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
YES_OR_NO = {"yes": True, "no": False}

# The checked values of a row by the names of the columns.
Row = dict[str, Any]


def text(longest: int) -> Callable[[str], str]:
    def read(value: str) -> str:
        if len(value) > longest:
            raise BadRow(f"is longer than {longest} characters")
        return value

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
        if not given.isprintable() and CONTROL.search(given):
            raise BadRow("holds a control character")
        return self.read(given)


class Columns:
    """The columns of one kind of file, by name, in the order in which `Reader` gives their texts."""

    def __init__(self, **columns: Column) -> None:
        self.columns = columns
        self.needed = [name for name, column in columns.items() if column.needed]
        self.of_invoice = [name for name, column in columns.items() if column.of_invoice]
        self._readers = [
            column.value if column.is_unique else lru_cache(maxsize=1024)(column.value) for column in columns.values()
        ]

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
