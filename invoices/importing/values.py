"""The columns, and from the text of a row to checked values. Everything a database would refuse is refused here, with
a reason, and the same on every database."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from invoices.importing.problems import BadRow
from invoices.models import Invoice

# Control characters, a NUL among them, which PostgreSQL refuses and SQLite keeps; and the two line ends of Unicode.
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


def rate(value: str) -> Decimal:
    percent = number(3, 3, negative=False)(value)
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
NEEDED = [name for name, column in COLUMNS.items() if column.needed]
OF_INVOICE = [name for name, column in COLUMNS.items() if column.of_invoice]


def values_of(texts: dict[str, str]) -> dict[str, Any]:
    """The checked values of a row, one for every column; an empty or absent one has its default. Raises BadRow that
    names every column in question."""
    values, reasons = {}, []
    for name, column in COLUMNS.items():
        given = texts.get(name, "")
        if CONTROL.search(given):
            reasons.append(f"{name} holds a control character")
        elif given:
            try:
                values[name] = column.read(given)
            except BadRow as reason:
                reasons.append(f"{name} {reason}")
        elif column.needed:
            reasons.append(f"{name} is empty")
        else:
            values[name] = column.default
    if not reasons:
        reasons = _together(values)
    if reasons:
        raise BadRow("; ".join(reasons) + ".")
    return values


def _together(values: dict[str, Any]) -> list[str]:
    """What is wrong between columns."""
    reasons = []
    start, end = values["period_start"], values["period_end"]
    if (start is None) != (end is None):
        reasons.append("period_start and period_end go together")
    elif start and end < start:
        reasons.append("period_end is before period_start")
    return reasons
