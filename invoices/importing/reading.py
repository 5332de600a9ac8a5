"""From the bytes of a file to the texts of its rows, one physical line at a time.

A row is one line: values do not hold line breaks, so an unclosed quote spoils one row and not the rest of the file, and
every number in a message is the number an editor shows.
"""

import csv
import hashlib
from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import BinaryIO

from invoices.importing.problems import BadRow, Problems, UnusableFile
from invoices.importing.values import COLUMNS, Column, Texts

LONGEST_LINE = 16 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Reader:
    """One pass over an open file. ``bytes_read`` and ``rows_read`` tell how far it is; ``digest`` is complete at the
    end, and says whether two passes read the same."""

    def __init__(self, file: BinaryIO, known: Mapping[str, Column] = COLUMNS) -> None:
        """Reads the heading. Raises UnusableFile when it does not name the columns of this kind of file."""
        file.seek(0)
        self.file, self.known = file, known
        self.bytes_read = self.rows_read = self.line = 0
        self.digest = hashlib.sha256()
        self.columns, self.delimiter = self._heading()

    def rows(self, problems: Problems) -> Iterator[tuple[int, Texts]]:
        """Line numbers and texts, blanks around a text taken away; empty lines are passed over. Adds what cannot be
        read to ``problems``."""
        width = len(self.columns)
        absent = width  # an empty text stands there, behind the others
        in_order = itemgetter(*(self.columns.index(name) if name in self.columns else absent for name in self.known))
        while (raw := self._next()) is not None:
            if raw.isspace():
                continue
            self.rows_read += 1
            try:
                row = self._split(raw)
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

    def _heading(self) -> tuple[list[str], str]:
        raw = self._next()
        if raw is None:
            raise UnusableFile("The file is empty.")
        heading = raw.removeprefix(BYTE_ORDER_MARK)
        self.delimiter = ";" if heading.count(b";") > heading.count(b",") else ","
        try:
            columns = [name.lower() for name in self._split(heading)]
        except BadRow as reason:
            raise UnusableFile(f"The heading cannot be read: {reason}") from None
        faults = [
            ("unknown columns", [name for name in columns if name not in self.known]),
            ("missing columns", [name for name, column in self.known.items() if column.needed and name not in columns]),
            ("columns named twice", sorted({name for name in columns if columns.count(name) > 1})),
        ]
        found = [
            f"{fault}: {', '.join(name[:40] or '(empty)' for name in names[:20])}" for fault, names in faults if names
        ]
        if found:
            raise UnusableFile(f"The heading has {'; '.join(found)}. Known columns: {', '.join(self.known)}.")
        return columns, self.delimiter

    def _split(self, raw: bytes) -> list[str]:
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadRow(f"is not UTF-8 (byte {error.start + 1} of the line). Save the file as UTF-8.") from None
        line = line.rstrip("\r\n")
        if '"' not in line:  # which is all that a CSV reader would be needed for
            return [value.strip(" ") for value in line.split(self.delimiter)]
        try:
            (row,) = csv.reader([line], delimiter=self.delimiter, strict=True)
        except (csv.Error, ValueError) as error:
            reason = str(error) if isinstance(error, csv.Error) else "a line break inside"
            raise BadRow(f"is not one row of values: {reason}. A value holds no line breaks.") from None
        return [value.strip(" ") for value in row]
