"""From the bytes of a CSV file to the texts of its rows, and what is wrong with it.

A row is one line: an unclosed quote spoils one row only, and line numbers in messages are those of an editor.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Collection, Iterator
from operator import itemgetter
from typing import BinaryIO, NamedTuple, Self

from billing_portal.core.spelling import compact
from invoices.importing.file_format import BYTE_ORDER_MARK, BadRow, FileFormat, UnusableFile

LONGEST_LINE = 16 * 1024

# The texts of a row, in the order of the columns that are known; empty where the file has none.
Texts = tuple[str, ...]


class Problem(NamedTuple):
    """A bad row: the line's number in the file, the heading being line 1, and the reason."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"Line {self.line}: {self.reason}"


class Problems(Exception):
    """Bad rows. Each is told as it is found and only counted here, so that a bad file costs no memory."""

    def __init__(self, tell: Callable[[Problem], None]) -> None:
        super().__init__()
        self.tell = tell
        self.count = 0

    def add(self, line: int, reason: str) -> None:
        self.count += 1
        self.tell(Problem(line, reason))

    def __str__(self) -> str:
        return f"{self.count} bad rows"


class Reader:
    """One pass over an open file. ``digest`` is complete at the end; it shows whether two passes read the same."""

    def __init__(self, file: BinaryIO, known: Collection[str], needed: Collection[str], form: FileFormat) -> None:
        """Reads the heading. Raises UnusableFile when it names unknown columns, or not all that are needed."""
        file.seek(0)
        self.file, self.known, self.needed, self.format = file, known, needed, form
        self.bytes_read = self.rows_read = self.line = 0
        self.digest = hashlib.sha256()
        self.columns = self._heading()

    def rows(self, problems: Problems) -> Iterator[tuple[int, Texts]]:
        """Line numbers and stripped texts; no empty rows, nor values behind the last column. Adds ``problems``."""
        width = len(self.columns)
        absent = width  # an empty text stands there, behind the others
        in_order = itemgetter(*(self.columns.index(name) if name in self.columns else absent for name in self.known))
        while (raw := self._next()) is not None:
            if not raw.strip(b",;\t\r\n "):
                continue
            self.rows_read += 1
            try:
                row = self.format.split(raw)
                while len(row) > width and not row[-1]:
                    row.pop()
                if len(row) != width:
                    raise BadRow(f"has {len(row)} values where the heading names {width} columns.")
            except BadRow as reason:
                problems.add(self.line, str(reason))
            else:
                yield self.line, in_order([*row, ""])

    def _next(self) -> bytes | None:
        raw = self.file.readline(LONGEST_LINE + 1)
        if not raw:
            return None
        self.line += 1
        self.bytes_read += len(raw)
        self.digest.update(raw)
        if len(raw) > LONGEST_LINE:
            raise UnusableFile(f"Line {self.line} is longer than {LONGEST_LINE} bytes. Is this a CSV file?")
        return raw

    def _heading(self) -> list[str]:
        raw = self._next()
        if raw is None:
            raise UnusableFile("The file is empty.")
        try:
            columns = [name.lower() for name in self.format.split(raw.removeprefix(BYTE_ORDER_MARK))]
        except BadRow as reason:
            raise UnusableFile(f"The heading cannot be read: {reason}") from None
        while len(columns) > 1 and not columns[-1]:
            columns.pop()
        faults = [
            ("unknown columns", [name for name in columns if name not in self.known]),
            ("missing columns", [name for name in self.needed if name not in columns]),
            ("columns named twice", sorted({name for name in columns if columns.count(name) > 1})),
        ]
        reasons = [
            f"{fault}: {', '.join(name[:40] or '(empty)' for name in names[:20])}" for fault, names in faults if names
        ]
        if reasons:
            raise UnusableFile(f"The heading has {'; '.join(reasons)}. Known columns: {', '.join(self.known)}.")
        return columns


class Seen:
    """The references met so far, kept in a temporary file on disk rather than in memory."""

    def __init__(self) -> None:
        self.database = sqlite3.connect("", isolation_level=None)
        self.database.execute("PRAGMA journal_mode = OFF")
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute(
            "CREATE TABLE seen (profile TEXT, reference TEXT, line INTEGER, PRIMARY KEY (profile, reference))"
            " WITHOUT ROWID"
        )
        self.database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.database.close()

    def first_line(self, profile: str, reference: str, line: int) -> int:
        """The line on which this reference was first met, in whatever spelling; notes it when that is now."""
        key = (profile, compact(reference))
        if self.database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (*key, line)).rowcount:
            return line
        row = self.database.execute("SELECT line FROM seen WHERE profile = ? AND reference = ?", key).fetchone()
        return int(row[0])
