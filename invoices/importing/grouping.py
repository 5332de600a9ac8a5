"""From rows to the invoices they describe, and from those to batches."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from invoices.importing.problems import BadRow, Problems
from invoices.importing.values import COLUMNS, OF_INVOICE, values_of

MOST_LINES = 5000
BATCH_INVOICES, BATCH_LINES = 1000, 2000


@dataclass
class SourceInvoice:
    """An invoice as the file describes it. ``line`` is where its first row stands; each row knows its own line."""

    line: int
    profile: str
    reference: str
    values: dict[str, Any] = field(default_factory=dict)
    rows: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    is_bad: bool = False
    is_full: bool = False
    _hash: Any = field(default_factory=hashlib.sha256)

    @property
    def digest(self) -> str:
        """Of what the file said: the same for the same texts, whatever the order of the columns."""
        return str(self._hash.hexdigest())

    def add(self, line: int, texts: dict[str, str]) -> None:
        """Raises BadRow."""
        self._hash.update(json.dumps([texts.get(name, "") for name in COLUMNS]).encode())
        values = values_of(texts)
        if not self.rows:
            self.values = values
        differing = [name for name in OF_INVOICE if values[name] != self.values[name]]
        if differing:
            raise BadRow(f"{', '.join(differing)} differs from line {self.rows[0][0]}, of the same invoice.")
        if len(self.rows) == MOST_LINES:
            self.is_full = True  # named once; the rows that follow are passed over
            raise BadRow(f"invoice {self.reference!r} has more than {MOST_LINES} lines. Split it.")
        self.rows.append((line, values))


class Seen:
    """The references met so far, kept in a temporary file on disk rather than in memory."""

    def __init__(self) -> None:
        self.books = sqlite3.connect("", isolation_level=None)
        self.books.execute("PRAGMA journal_mode = OFF")
        self.books.execute("PRAGMA synchronous = OFF")
        self.books.execute(
            "CREATE TABLE seen (profile TEXT, reference TEXT, line INTEGER, PRIMARY KEY (profile, reference))"
            " WITHOUT ROWID"
        )
        self.books.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.books.close()

    def first_line(self, invoice: SourceInvoice) -> int:
        """The line on which this reference was first met; notes it when that is now."""
        key = (invoice.profile, invoice.reference)
        self.books.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (*key, invoice.line))
        found = self.books.execute("SELECT line FROM seen WHERE profile = ? AND reference = ?", key).fetchone()
        return int(found[0])


def invoices(
    rows: Iterable[tuple[int, dict[str, str]]], problems: Problems, seen: Seen | None
) -> Iterator[SourceInvoice]:
    """The invoices whose every row is good. ``seen`` is None on a second pass, when repeats are known not to occur."""
    current: SourceInvoice | None = None
    for line, texts in rows:
        profile, reference = texts["profile"], texts["invoice"]
        if current is None or (current.profile, current.reference) != (profile, reference):
            if current is not None and not current.is_bad:
                yield current
            current = SourceInvoice(line=line, profile=profile, reference=reference)
            first = seen.first_line(current) if seen is not None else line
            if first != line:
                problems.add(line, f"invoice {reference[:64]!r} began on line {first}; its rows must stand together.")
                current.is_bad = True
        _add(current, line, texts, problems)
    if current is not None and not current.is_bad:
        yield current


def _add(invoice: SourceInvoice, line: int, texts: dict[str, str], problems: Problems) -> None:
    if invoice.is_full:
        return
    try:
        invoice.add(line, texts)
    except BadRow as reason:
        problems.add(line, str(reason))
        invoice.is_bad = True


def batches(found: Iterable[SourceInvoice]) -> Iterator[list[SourceInvoice]]:
    """Lists of at most so many invoices, closed early when they hold many lines."""
    batch: list[SourceInvoice] = []
    lines = 0
    for invoice in found:
        batch.append(invoice)
        lines += len(invoice.rows)
        if len(batch) == BATCH_INVOICES or lines >= BATCH_LINES:
            yield batch
            batch, lines = [], 0
    if batch:
        yield batch
