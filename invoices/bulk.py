"""Many rows into one table: by COPY on PostgreSQL, by one prepared INSERT on SQLite.

    lines = BulkInsert(InvoiceLine, ["invoice_id", "position", "description", ...])
    with transaction.atomic():
        invoice_ids = reserve_ids(Invoice, 1000)
        ...
        lines.write((invoice_id, 1, "Hosting", ...) for invoice_id in invoice_ids)

Rows are plain sequences in the order of the columns, which are named as in the database (``invoice_id``). They are
taken one by one as the database takes them: a generator of a million costs no more memory than one of a hundred. What
is stored is what the ORM would have stored, and every constraint, foreign key and trigger of the table holds as ever.

- A column that is not named holds what a new object of the model has before it is saved, the same in all rows; primary
  key, generated columns and defaults of the database are left to the database. ``auto_now_add`` comes with saving, so
  such a column has to be named.
- No row comes back. Where other rows must point at the new ones, reserve their ids first.
- A row that fails fails the whole ``write``, and the transaction with it. An error of the caller's own, raised while
  rows are drawn, comes out as it is.
- While rows are drawn the connection is busy: what makes them must not ask the database anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import batched, islice
from typing import Any
from uuid import UUID

from django.db import connection, models, transaction

ROWS_AT_ONCE = 200
NULL = r"\N"
# Whatever else there is in a text stands for itself.
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})

Row = Sequence[object]
Convert = Callable[[Any], Any]


class JsonText(str):
    """JSON that is written already: for a value that many rows share, which is then encoded once."""

    __slots__ = ()


class BulkInsert:
    """A table and the columns that rows will give. Conversions of values that were met before are remembered, so use
    one for all batches of a table."""

    def __init__(self, model: type[models.Model], columns: Sequence[str]) -> None:
        """Raises ValueError for a column that the table does not have, or that the database computes."""
        table = model._meta
        fields = {field.attname: field for field in table.concrete_fields if not field.generated}
        if unknown := [name for name in columns if name not in fields]:
            raise ValueError(f"{model.__name__} has no columns to write named {', '.join(unknown)}.")
        others = [field for name, field in fields.items() if name not in columns and not _left_to_database(field)]
        convert = _for_copy if connection.vendor == "postgresql" else _for_driver
        self.converters = [convert(fields[name]) for name in columns]
        new = model()
        self.constants = [convert(field)(field.value_from_object(new)) for field in others]
        quote = connection.ops.quote_name
        self.table = quote(table.db_table)
        self.columns = ", ".join(quote(str(field.column)) for field in [*(fields[name] for name in columns), *others])

    def write(self, rows: Iterable[Row]) -> int:
        """Inserts the rows, in their order, and returns how many there were.

        Raises TransactionManagementError outside a transaction, where half of the rows could stay; ValueError for a
        row of another length than the columns; and what Django raises for what the database refuses.
        """
        if not connection.in_atomic_block:
            raise transaction.TransactionManagementError("Rows are written in bulk inside a transaction only.")
        return self._copy(rows) if connection.vendor == "postgresql" else self._insert(rows)

    def _converted(self, rows: Iterable[Row]) -> Iterator[list[Any]]:
        for row in rows:
            yield [convert(value) for convert, value in zip(self.converters, row, strict=True)] + self.constants

    def _copy(self, rows: Iterable[Row]) -> int:
        statement = f"COPY {self.table} ({self.columns}) FROM STDIN"
        source = _Source("\t".join(row) + "\n" for row in self._converted(rows))
        with connection.cursor() as cursor:
            try:
                with connection.wrap_database_errors:
                    cursor.copy_expert(statement, source)
            except Exception:
                if source.error is not None:  # the database only heard that the rows ended badly
                    raise source.error from None
                raise
            return int(cursor.rowcount)

    def _insert(self, rows: Iterable[Row]) -> int:
        marks = ", ".join(["%s"] * (len(self.converters) + len(self.constants)))
        statement = f"INSERT INTO {self.table} ({self.columns}) VALUES ({marks})"  # noqa: S608  names of a model
        count = 0
        with connection.cursor() as cursor:
            for some in batched(self._converted(rows), ROWS_AT_ONCE):
                cursor.executemany(statement, some)
                count += len(some)
        return count


class _Source:
    """The lines of a COPY as the file that psycopg2 wants to read. Keeps an error that came up meanwhile: psycopg2
    hands on its name only."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines = lines
        self.error: BaseException | None = None

    def read(self, _size: int = -1) -> str:
        try:
            return "".join(islice(self.lines, ROWS_AT_ONCE))
        except BaseException as error:
            self.error = error
            raise


def reserve_ids(model: type[models.Model], count: int) -> list[int]:
    """So many new primary keys that no other row will get. On SQLite inside a transaction, which holds the only write
    lock from then on."""
    described = model._meta
    table = described.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            next_values = "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)"
            cursor.execute(next_values, [connection.ops.quote_name(table), described.pk.column, count])
            return [row[0] for row in cursor.fetchall()]
        cursor.execute("UPDATE sqlite_sequence SET seq = seq + %s WHERE name = %s RETURNING seq", [count, table])
        found = cursor.fetchone()
        if found is None:  # the table never held a row
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, count])
        last = found[0] if found else count
        return list(range(last - count + 1, last + 1))


def _left_to_database(field: models.Field[Any, Any]) -> bool:
    return isinstance(field, models.AutoField | models.BigAutoField) or field.has_db_default()


def _for_driver(field: models.Field[Any, Any]) -> Convert:
    """From a value of Python's to what the ORM would hand to the driver. Texts and integers are that already."""
    if isinstance(field, models.JSONField):
        return lambda value: _json(field, value)
    remembered = lru_cache(maxsize=1024)(lambda value: field.get_db_prep_save(value, connection))
    ready = str if isinstance(field, models.CharField | models.TextField) else int

    return lambda value: value if type(value) is ready else remembered(value)


def _for_copy(field: models.Field[Any, Any]) -> Convert:
    """From a value of Python's to the text that COPY reads."""
    if isinstance(field, models.JSONField):
        shared = lru_cache(maxsize=64)(_text)
        return lambda value: (shared if type(value) is JsonText else _text)(_json(field, value))
    if isinstance(field, models.CharField | models.TextField):
        return lambda value: _text(value if type(value) is str else field.get_db_prep_save(value, connection))
    remembered = lru_cache(maxsize=1024)(lambda value: _text(field.get_db_prep_save(value, connection)))
    return lambda value: str(value) if type(value) is int else remembered(value)


def _json(field: models.JSONField[Any, Any], value: object) -> str | None:
    return value if value is None or isinstance(value, JsonText) else json.dumps(value, cls=field.encoder)


def _text(value: object) -> str:
    """A value of the driver's as COPY reads it. Raises TypeError for one whose text is not known to be right."""
    if value is None:
        return NULL
    if isinstance(value, str):
        return value if value.isprintable() and "\\" not in value else value.translate(ESCAPES)
    if isinstance(value, bool | int | Decimal | date | UUID):
        return str(value)
    raise TypeError(f"COPY was given {value!r}.")
