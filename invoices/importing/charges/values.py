"""The columns of a file of charges, and from the texts of a row to checked values."""

from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from invoices.importing.problems import BadRow
from invoices.importing.values import Column, Texts, day, faults, number, text
from invoices.models import Charge

YES_OR_NO = {"yes": True, "no": False}


def kind(value: str) -> str:
    if value not in Charge.Kind.values:
        raise BadRow(f"is {value[:40]!r}, not one of {', '.join(Charge.Kind.values)}")
    return value


def yes_or_no(value: str) -> bool:
    if value.lower() not in YES_OR_NO:
        raise BadRow(f"is {value[:40]!r}, not yes or no")
    return YES_OR_NO[value.lower()]


COLUMNS = {
    "profile": Column(text(12), needed=True),
    "reference": Column(text(64), needed=True),
    "section": Column(text(120), needed=True),
    "date": Column(day, needed=True),
    "kind": Column(kind, default=Charge.Kind.USAGE.value),
    "description": Column(text(200), needed=True),
    "quantity": Column(number(12, 4), default=Decimal(1)),
    "unit": Column(text(20), default=""),
    "unit_price": Column(number(13, 6), needed=True),
    "tax_rate": Column(text(60), default=""),
    "creditable": Column(yes_or_no, default=True),
}
# A reference is different in every row, so remembering what it means would be for nothing.
READERS = [
    column.value if name == "reference" else lru_cache(maxsize=1024)(column.value) for name, column in COLUMNS.items()
]


class ChargeRow(NamedTuple):
    """The checked values of a row, in the order of COLUMNS."""

    profile: str
    reference: str
    section: str
    date: date
    kind: str
    description: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    tax_rate: str
    creditable: bool


def values_of(texts: Texts) -> ChargeRow:
    """Raises BadRow that names every column in question."""
    try:
        return ChargeRow._make([read(given) for read, given in zip(READERS, texts, strict=True)])
    except BadRow:
        raise BadRow("; ".join(faults(COLUMNS, texts)) + ".") from None
