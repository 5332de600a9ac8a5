"""Paging by key: the next page starts after the last row of this one, so page 20,000 costs as much as page one.

A `Sort` names a column; rows with the same value are ordered by id, so the order is total and no row is shown twice or
lost between two pages. A `Cursor` travels in the address as one opaque word. Whoever changes that word can only start
somewhere else in the rows they may see anyway; a word that means nothing gives page one.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from django.db.models import F
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

from invoices.models import Invoice
from invoices.querysets import InvoiceQuerySet

PAGE_SIZE = 50
BIGGEST = 2**63 - 1
LONGEST = 40

type Value = date | int | str


class Sort(NamedTuple):
    """A column of invoices and a direction."""

    column: str
    descending: bool = True

    def order(self, *, backwards: bool = False) -> tuple[str, str]:
        sign = "-" if self.descending != backwards else ""
        return f"{sign}{self.column}", f"{sign}pk"

    def value_of(self, invoice: Invoice) -> Value:
        value: Value = getattr(invoice, self.column)
        return value


@dataclass(frozen=True, slots=True)
class Cursor:
    """The row at the edge of a page. ``backwards``: the page before it is wanted, not the one after it."""

    value: Value
    pk: int
    backwards: bool = False

    def pack(self, sort: Sort) -> str:
        value = self.value.isoformat() if isinstance(self.value, date) else self.value
        parts = [sort.column, sort.descending, value, self.pk, self.backwards]
        return urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")

    @classmethod
    def unpack(cls, word: str, sort: Sort) -> "Cursor | None":
        """The cursor that `pack` wrote for this sort; None for anything else."""
        try:
            column, descending, value, pk, backwards = json.loads(urlsafe_b64decode(word + "=" * (-len(word) % 4)))
            if [column, descending] != [sort.column, sort.descending] or type(backwards) is not bool:
                return None
            edge = date.fromisoformat(value) if sort.column.endswith("_on") else value
        except (ValueError, TypeError, RecursionError):
            return None
        kind = str if sort.column == "number" else int
        if not _fits(pk, int) or not (isinstance(edge, date) or _fits(edge, kind)):
            return None
        return cls(edge, pk, backwards)


def _fits(value: object, kind: type) -> bool:
    """Whether a database takes it for a column of this kind."""
    if type(value) is not kind:
        return False
    return abs(value) <= BIGGEST if isinstance(value, int) else len(str(value)) <= LONGEST and str(value).isprintable()


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the order of the sort, and the words that lead to the pages on either side (empty: there is none)."""

    rows: Sequence[Invoice]
    newer: str
    older: str


def page_of(invoices: InvoiceQuerySet, sort: Sort, word: str = "", *, size: int = PAGE_SIZE) -> Page:
    """One page of ``invoices``, by one query."""
    cursor = Cursor.unpack(word, sort) if word else None
    if cursor is None:
        found = list(invoices.order_by(*sort.order())[: size + 1])
        return _page(found[:size], sort, newer=False, older=len(found) > size)
    compare = TupleLessThan if sort.descending != cursor.backwards else TupleGreaterThan
    beyond = invoices.filter(compare(Tuple(F(sort.column), F("pk")), (cursor.value, cursor.pk)))
    found = list(beyond.order_by(*sort.order(backwards=cursor.backwards))[: size + 1])
    if not cursor.backwards:
        return _page(found[:size], sort, newer=True, older=len(found) > size)
    if len(found) < size:  # less than a page lies before: page one shows it, and what follows
        return page_of(invoices, sort, size=size)
    return _page(found[:size][::-1], sort, newer=len(found) > size, older=True)


def _page(rows: Sequence[Invoice], sort: Sort, *, newer: bool, older: bool) -> Page:
    if not rows:
        return Page(rows, newer="", older="")
    first, last = rows[0], rows[-1]
    return Page(
        rows,
        newer=Cursor(sort.value_of(first), first.pk, backwards=True).pack(sort) if newer else "",
        older=Cursor(sort.value_of(last), last.pk).pack(sort) if older else "",
    )
