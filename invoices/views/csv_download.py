"""Tables as CSV files, streamed, so that their length costs no memory.

Rows are read some hundreds at a time, each time after the last one, like the pages of a list. A cursor of the database
would have to finish the whole answer before its first row, or keep a transaction open for as long as somebody takes to
download.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence

from django.http import StreamingHttpResponse

BYTE_ORDER_MARK = "\ufeff"  # without it spreadsheets read the file as if it were not UTF-8
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Echo:
    """A file that hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def csv_response(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """The download of a table under a file name. Texts in ``rows`` are made safe for spreadsheets."""
    return StreamingHttpResponse(
        _lines(head, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _lines(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    write = csv.writer(Echo()).writerow
    yield BYTE_ORDER_MARK + write(head)
    for cells in rows:
        yield write([plain(cell) if isinstance(cell, str) else cell for cell in cells])


def plain(text: str) -> str:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front, which makes it text again."""
    return f"'{text}" if text.startswith(STARTS_A_FORMULA) else text
