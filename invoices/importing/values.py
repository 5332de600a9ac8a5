"""The columns, and from the texts of a row to checked values. Everything a database would refuse is refused here, with
a reason, and the same on every database.

The same dates, rates and units stand in row after row, so what a text of a column means is remembered.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from invoices.importing.problems import BadRow
from invoices.models import Invoice

# Control characters, a NUL among them, which PostgreSQL refuses and SQLite keeps; and the two line ends of Unicode.
# Every one of them is one that Python does not print, which is quicker to find out.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


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
        found = date.fromisoformat(value)
    except ValueError:
        raise BadRow(f"is {value[:40]!r}, not a date such as 2026-10-05") from None
    if len(value) != len("2026-10-05") or not 2000 <= found.year <= 2099:
        raise BadRow(f"is {value[:40]!r}, not a date such as 2026-10-05 between 2000 and 2099")
    return found


def kind(value: str) -> str:
    if value not in Invoice.Kind.values:
        raise BadRow(f"is {value[:40]!r}, not one of {', '.join(Invoice.Kind.values)}")
    return value


@dataclass(frozen=True)
class Column:
    """``of_invoice`` says that the column describes the invoice and must be the same in all its rows."""

    read: Callable[[str], Any]
    default: Any = None
    needed: bool = False
    of_invoice: bool = False

    def value(self, given: str) -> Any:
        """Raises BadRow."""
        if not given:
            if self.needed:
                raise BadRow("is empty")
            return self.default
        if not given.isprintable() and CONTROL.search(given):
            raise BadRow("holds a control character")
        return self.read(given)


COLUMNS = {
    "profile": Column(text(12), needed=True, of_invoice=True),
    "invoice": Column(text(64), needed=True, of_invoice=True),
    "kind": Column(kind, default=Invoice.Kind.SERVICE.value, of_invoice=True),
    "issue_date": Column(day, of_invoice=True),
    "due_date": Column(day, of_invoice=True),
    "period_start": Column(day, of_invoice=True),
    "period_end": Column(day, of_invoice=True),
    "po_number": Column(text(60), default="", of_invoice=True),
    "section": Column(text(120), default=""),
    "description": Column(text(200), needed=True),
    "quantity": Column(number(12, 4), default=Decimal(1)),
    "unit": Column(text(20), default=""),
    "unit_price": Column(number(13, 6), needed=True),
    "tax_rate": Column(rate, default=Decimal(0)),
    "tax_note": Column(text(80), default=""),
}
OF_INVOICE = [name for name, column in COLUMNS.items() if column.of_invoice]
READERS = [lru_cache(maxsize=1024)(column.value) for column in COLUMNS.values()]

# The texts of a row, in the order of COLUMNS; empty where the file has none.
Texts = tuple[str, ...]


class Row(NamedTuple):
    """The checked values of a row, in the order of COLUMNS."""

    profile: str
    invoice: str
    kind: str
    issue_date: date | None
    due_date: date | None
    period_start: date | None
    period_end: date | None
    po_number: str
    section: str
    description: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    tax_rate: Decimal
    tax_note: str

    @property
    def of_invoice(self) -> tuple[Any, ...]:
        """What must be the same in all rows of an invoice: OF_INVOICE comes first."""
        return self[: len(OF_INVOICE)]


def values_of(texts: Texts) -> Row:
    """The checked values of a row; an empty text means the column's default. Raises BadRow that names every column in
    question."""
    try:
        row = Row._make([read(text) for read, text in zip(READERS, texts, strict=True)])
    except BadRow:
        raise BadRow("; ".join(faults(COLUMNS, texts)) + ".") from None
    if reasons := _together(row):
        raise BadRow("; ".join(reasons) + ".")
    return row


def faults(columns: Mapping[str, Column], texts: Texts) -> Iterator[str]:
    """What is wrong inside columns."""
    for (name, column), given in zip(columns.items(), texts, strict=True):
        try:
            column.value(given)
        except BadRow as reason:
            yield f"{name} {reason}"


def _together(row: Row) -> list[str]:
    """What is wrong between columns."""
    start, end = row.period_start, row.period_end
    if (start is None) != (end is None):
        return ["period_start and period_end go together"]
    if start and end and end < start:
        return ["period_end is before period_start"]
    return []
