"""Paging by key: the next page starts after the last row of this one, so page 20,000 costs as much as page one.

Rows with the same value are ordered by primary key, so no row is shown twice or lost between two pages. The edge of a
page travels in the address as one opaque word; one that means nothing gives page one.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

PAGE_SIZE = 50
MAX_INTEGER = 2**63 - 1


class Sort(NamedTuple):
    """A column and a direction. The primary key is enough for rows whose ids follow the order they were added in."""

    column: str = "pk"
    descending: bool = True

    @property
    def columns(self) -> list[str]:
        return ["pk"] if self.column == "pk" else [self.column, "pk"]

    def order(self, *, backwards: bool = False) -> list[str]:
        sign = "-" if self.descending != backwards else ""
        return [sign + column for column in self.columns]


NEWEST_FIRST = Sort()


@dataclass(frozen=True, slots=True)
class Page[Row]:
    """Rows in the order of the sort, and the words that lead to the pages on either side; empty where there is none."""

    rows: Sequence[Row]
    newer: str = ""
    older: str = ""


def page_of[Row: models.Model](
    rows: models.QuerySet[Row], word: str = "", *, sort: Sort = NEWEST_FIRST, size: int = PAGE_SIZE
) -> Page[Row]:
    """One page, by one query."""
    cursor = read_cursor(word, rows.model, sort) if word else None
    if cursor is None:
        page = list(rows.order_by(*sort.order())[: size + 1])
        return _page(page[:size], sort, newer=False, older=len(page) > size)
    key, backwards = cursor
    compare = TupleLessThan if sort.descending != backwards else TupleGreaterThan
    edge = Tuple(*map(models.F, sort.columns))
    page = list(rows.filter(compare(edge, key)).order_by(*sort.order(backwards=backwards))[: size + 1])
    # Less than a page lies before, or nothing after: page one shows what there is.
    if not page or (backwards and len(page) < size):
        return page_of(rows, sort=sort, size=size)
    if backwards:
        return _page(page[:size][::-1], sort, newer=len(page) > size, older=True)
    return _page(page[:size], sort, newer=True, older=len(page) > size)


def in_pages[Row: models.Model](
    rows: models.QuerySet[Row], *, sort: Sort = NEWEST_FIRST, size: int = 500
) -> Iterator[Row]:
    """Every row, read a page at a time."""
    page = page_of(rows, sort=sort, size=size)
    yield from page.rows
    while page.older:
        page = page_of(rows, page.older, sort=sort, size=size)
        yield from page.rows


def write_cursor(row: models.Model, sort: Sort, *, backwards: bool = False) -> str:
    """The word that leads to the page after a row, or to the one before it."""
    parts = [*sort, *(getattr(row, column) for column in sort.columns), backwards]
    text = json.dumps(parts, cls=_Encoder, separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(word: str, model: type[models.Model], sort: Sort) -> tuple[tuple[Any, ...], bool] | None:
    """The key of the row at the edge, and whether the page before it is wanted; None for a word of another sort."""
    try:
        column, descending, *key, backwards = json.loads(urlsafe_b64decode(word + "=" * (-len(word) % 4)))
        if [column, descending] != [*sort] or type(backwards) is not bool:
            return None
        values = zip(sort.columns, key, strict=True)
        return tuple(_value(model, column, value) for column, value in values), backwards
    except (AttributeError, OverflowError, RecursionError, TypeError, ValueError):
        return None


class _Encoder(DjangoJSONEncoder):
    """Keeps microseconds, which Django's own leaves out."""

    def default(self, value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime) else super().default(value)


def _value(model: type[models.Model], column: str, value: Any) -> Any:
    """The value of a column, as a database takes it. Raises ValueError, TypeError or OverflowError for any other."""
    field: models.Field[Any, Any] = model._meta.pk if column == "pk" else model._meta.get_field(column)  # type: ignore[assignment]  # no relation
    if isinstance(field, models.GeneratedField):
        field = field.output_field or field
    if isinstance(field, models.DateTimeField):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(value)
        # The databases have no time zone with seconds, and no time before year 1 or after 9999.
        return moment.astimezone(UTC)
    if isinstance(field, models.DateField):
        return date.fromisoformat(value)
    if isinstance(field, models.UUIDField):
        return UUID(value)
    if isinstance(field, models.IntegerField):
        fits = type(value) is int and abs(value) <= MAX_INTEGER
    else:
        fits = type(value) is str and len(value) <= (field.max_length or 0) and value.isprintable()
    if not fits:
        raise ValueError(value)
    return value


def _page[Row: models.Model](rows: Sequence[Row], sort: Sort, *, newer: bool, older: bool) -> Page[Row]:
    if not rows:
        return Page(rows)
    return Page(
        rows,
        newer=write_cursor(rows[0], sort, backwards=True) if newer else "",
        older=write_cursor(rows[-1], sort) if older else "",
    )
