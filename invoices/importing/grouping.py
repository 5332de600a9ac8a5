"""From rows to the invoices they describe, and from those to batches."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

from invoices.importing.problems import BadRow, Problems
from invoices.importing.values import OF_INVOICE, Row, Texts, values_of

MOST_LINES = 5000
BATCH_INVOICES, BATCH_LINES = 1000, 2000

quoted = lru_cache(maxsize=1024)(json.JSONEncoder().encode)


@dataclass(slots=True)
class SourceInvoice:
    """An invoice as the file describes it. ``line`` is where its first row stands; each row knows its own line."""

    line: int
    profile: str
    reference: str
    rows: list[tuple[int, Row]] = field(default_factory=list)
    texts: list[Texts] = field(default_factory=list)
    is_bad: bool = False
    is_full: bool = False

    @property
    def head(self) -> Row:
        """Its first row, which says what is true of the whole invoice."""
        return self.rows[0][1]

    @property
    def digest(self) -> str:
        """Of what the file said: the same for the same texts, whatever the order of the columns."""
        said = "".join(f"[{', '.join(map(quoted, texts))}]" for texts in self.texts)
        return hashlib.sha256(said.encode()).hexdigest()

    def add(self, line: int, texts: Texts) -> None:
        """Raises BadRow."""
        row = values_of(texts)
        if self.rows and row.of_invoice != self.head.of_invoice:
            differing = [name for name in OF_INVOICE if getattr(row, name) != getattr(self.head, name)]
            raise BadRow(f"{', '.join(differing)} differs from line {self.rows[0][0]}, of the same invoice.")
        if len(self.rows) == MOST_LINES:
            self.is_full = True  # named once; the rows that follow are passed over
            raise BadRow(f"invoice {self.reference!r} has more than {MOST_LINES} lines. Split it.")
        self.rows.append((line, row))
        self.texts.append(texts)


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

    def first_line(self, profile: str, reference: str, line: int) -> int:
        """The line on which this reference was first met; notes it when that is now."""
        key = (profile, reference)
        if self.books.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (*key, line)).rowcount:
            return line
        found = self.books.execute("SELECT line FROM seen WHERE profile = ? AND reference = ?", key).fetchone()
        return int(found[0])


def invoices(rows: Iterable[tuple[int, Texts]], problems: Problems, seen: Seen | None) -> Iterator[SourceInvoice]:
    """The invoices whose every row is good. ``seen`` is None on a second pass, when repeats are known not to occur."""
    current: SourceInvoice | None = None
    for line, texts in rows:
        profile, reference = texts[:2]
        if current is None or (current.profile, current.reference) != (profile, reference):
            if current is not None and not current.is_bad:
                yield current
            current = SourceInvoice(line=line, profile=profile, reference=reference)
            first = seen.first_line(profile, reference, line) if seen is not None else line
            if first != line:
                problems.add(line, f"invoice {reference[:64]!r} began on line {first}; its rows must stand together.")
                current.is_bad = True
        _add(current, line, texts, problems)
    if current is not None and not current.is_bad:
        yield current


def _add(invoice: SourceInvoice, line: int, texts: Texts, problems: Problems) -> None:
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
