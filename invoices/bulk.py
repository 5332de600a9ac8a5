"""Many new objects of a model into its table: by COPY on PostgreSQL, by one prepared INSERT on SQLite.

    with transaction.atomic():
        for invoice, pk in zip(invoices, reserve_ids(Invoice, len(invoices)), strict=True):
            invoice.pk = pk
        bulk_insert(Invoice, invoices)
        bulk_insert(InvoiceLine, (InvoiceLine(invoice=invoice, ...) for invoice in invoices))

Objects are taken one by one, so a generator of a million costs no more memory than one of a hundred. What is stored is
what `bulk_create` would store, and constraints, foreign keys and triggers hold. But:

- ``auto_now_add`` sets nothing, and a foreign key to an object that got its key later has to be set again.
- The objects do not learn their keys. Where other rows must point at the new ones, reserve their keys first.
- One object that fails fails the whole call and its transaction. An error raised by the generator comes out as it is.
- The generator must not query the database: the connection is busy meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import batched, chain, islice
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db import connection, models, transaction
from django.db.models.base import ModelState

ROWS_AT_ONCE = 200
NULL = r"\N"
# Whatever else there is in a text stands for itself.
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})

Convert = Callable[[Any], Any]


def bulk_insert[Row: models.Model](model: type[Row], objects: Iterable[Row]) -> int:
    """Inserts new objects in their order, all with a primary key or all without. Returns how many there were. Raises
    TransactionManagementError outside a transaction, and what Django raises for what the database refuses."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("Rows are written in bulk inside a transaction only.")
    objects = iter(objects)
    first = next(objects, None)
    if first is None:
        return 0
    table = _table(model, has_key=first.pk is not None)
    rows = table.rows(chain([first], objects))
    return table.copy(rows) if connection.vendor == "postgresql" else table.insert(rows)


@lru_cache(maxsize=64)
def _table(model: type[models.Model], *, has_key: bool) -> _Table:
    return _Table(model, has_key=has_key)


class _Table:
    """A table and its columns. Conversions of values that were met before are remembered."""

    def __init__(self, model: type[models.Model], *, has_key: bool) -> None:
        columns = [field for field in model._meta.concrete_fields if not field.generated]
        fields = [field for field in columns if has_key or not field.primary_key]
        convert = _for_copy if connection.vendor == "postgresql" else _for_driver
        self.converters = [convert(field) for field in fields]
        self.values = attrgetter(*(field.attname for field in fields))
        quote = connection.ops.quote_name
        self.name, self.columns = quote(model._meta.db_table), ", ".join(quote(str(field.column)) for field in fields)

    def rows(self, objects: Iterable[models.Model]) -> Iterator[list[Any]]:
        for row in objects:
            yield [convert(value) for convert, value in zip(self.converters, self.values(row), strict=True)]

    def copy(self, rows: Iterator[list[Any]]) -> int:
        source = _Source("\t".join(row) + "\n" for row in rows)
        with connection.cursor() as cursor:
            try:
                with connection.wrap_database_errors:
                    cursor.copy_expert(f"COPY {self.name} ({self.columns}) FROM STDIN", source)
            except Exception:
                if source.error is not None:  # the database only heard that the rows ended badly
                    raise source.error from None
                raise
            return int(cursor.rowcount)

    def insert(self, rows: Iterator[list[Any]]) -> int:
        marks = ", ".join(["%s"] * len(self.converters))
        statement = f"INSERT INTO {self.name} ({self.columns}) VALUES ({marks})"  # noqa: S608  names of a model
        count = 0
        with connection.cursor() as cursor:
            for some in batched(rows, ROWS_AT_ONCE):
                cursor.executemany(statement, some)
                count += len(some)
        return count


class _Source:
    """The lines of a COPY as a file for psycopg2. Keeps an error, of which psycopg2 hands on only the name."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines = lines
        self.error: BaseException | None = None

    def read(self, _size: int = -1) -> str:
        try:
            return "".join(islice(self.lines, ROWS_AT_ONCE))
        except BaseException as error:
            self.error = error
            raise


def new_row[Row: models.Model](model: type[Row], **columns: Any) -> Row:
    """A new object for `bulk_insert`, with its values by column (``invoice_id``), made in a tenth of the time of
    calling the model. Other columns hold the model's defaults, the same objects in all rows."""
    row = model.__new__(model)
    row.__dict__.update(_defaults(model), _state=ModelState(), **columns)
    return row


@lru_cache(maxsize=64)
def _defaults(model: type[models.Model]) -> dict[str, Any]:
    return {name: value for name, value in model().__dict__.items() if name != "_state"}


def reserve_ids(model: type[models.Model], count: int) -> list[int]:
    """So many new primary keys that no other row gets. On SQLite inside a transaction, which takes the write lock."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            next_values = "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)"
            cursor.execute(next_values, [connection.ops.quote_name(table), model._meta.pk.column, count])
            return [row[0] for row in cursor.fetchall()]
        cursor.execute("UPDATE sqlite_sequence SET seq = seq + %s WHERE name = %s RETURNING seq", [count, table])
        row = cursor.fetchone()
        if row is None:  # the table never held a row
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, count])
        last = row[0] if row else count
        return list(range(last - count + 1, last + 1))


def _for_driver(field: models.Field[Any, Any]) -> Convert:
    """From a value of Python's to what the ORM would hand to the driver. Texts and integers are that already."""
    if isinstance(field, models.JSONField):
        return _json(field)
    remembered = lru_cache(maxsize=1024)(lambda value: field.get_db_prep_save(value, connection))
    ready = str if isinstance(field, models.CharField | models.TextField) else int
    return lambda value: value if type(value) is ready else remembered(value)


def _for_copy(field: models.Field[Any, Any]) -> Convert:
    """From a value of Python's to the text that COPY reads."""
    if isinstance(field, models.JSONField):
        to_json = _json(field)
        return lambda value: _text(to_json(value))
    if isinstance(field, models.CharField | models.TextField | models.GenericIPAddressField):
        return lambda value: (
            value
            if type(value) is str and value.isprintable() and "\\" not in value
            else _text(field.get_db_prep_save(value, connection))
        )
    remembered = lru_cache(maxsize=1024)(lambda value: _text(field.get_db_prep_save(value, connection)))
    return lambda value: str(value) if type(value) is int else remembered(value)


def _json(field: models.JSONField[Any, Any]) -> Convert:
    """A value that many rows in turn share, such as the seller, is encoded once."""
    last: tuple[Any, str | None] = (None, None)

    def convert(value: Any) -> str | None:
        nonlocal last
        if value is not last[0]:
            last = value, json.dumps(value, cls=field.encoder)
        return last[1]

    return convert


def _text(value: object) -> str:
    """A value of the driver's as COPY reads it. Raises TypeError for one whose text is not known to be right."""
    if value is None:
        return NULL
    if isinstance(value, str):
        return value if value.isprintable() and "\\" not in value else value.translate(ESCAPES)
    if isinstance(value, bool | int | Decimal | date | UUID):
        return str(value)
    raise TypeError(f"COPY was given {value!r}.")
