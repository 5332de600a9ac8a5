"""Tables as files that spreadsheets read: CSV in the language that is active, and Excel's own."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from tempfile import TemporaryFile
from typing import IO

from babel.numbers import get_decimal_symbol
from django.utils.translation import get_language
from xlsxwriter import Workbook

from invoices.money import Money, exponent

Cell = str | date | Decimal | Money | None
BYTE_ORDER_MARK = "\ufeff"  # without it spreadsheets read the file as if it were not UTF-8
SPREADSHEET_DIGITS = 15
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Echo:
    """A file that hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def csv_lines(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """As the spreadsheets of the reader's language read them: where the decimal mark is a comma, semicolons part."""
    mark = get_decimal_symbol(get_language() or "en")
    write = csv.writer(Echo(), delimiter=";" if mark == "," else ",").writerow

    def text(cell: Cell) -> object:
        if isinstance(cell, Money | Decimal):
            return f"{cell.amount if isinstance(cell, Money) else cell:f}".replace(".", mark)
        return plain(cell) if isinstance(cell, str) else cell

    yield BYTE_ORDER_MARK + write(map(plain, head))
    for cells in rows:
        yield write(map(text, cells))


def workbook(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> IO[bytes]:
    """Written to the disk row by row. Amounts are numbers with the decimals of their currency, days are dates. A number
    of more digits than a spreadsheet keeps is a text."""
    file = TemporaryFile()  # noqa: SIM115  closed when it has been sent
    with Workbook(file, {"constant_memory": True, "default_date_format": "yyyy-mm-dd"}) as book:
        sheet, bold = book.add_worksheet(), book.add_format({"bold": True})
        amounts = {digits: book.add_format({"num_format": f"#,##0.{'0' * digits}".rstrip(".")}) for digits in range(5)}
        sheet.freeze_panes(1, 0)
        for column, name in enumerate(head):
            sheet.set_column(column, column, max(18, len(name) + 4))
            sheet.write_string(0, column, name, bold)
        for line, cells in enumerate(rows, start=1):
            for column, cell in enumerate(cells):
                if isinstance(cell, Money):
                    sheet.write_number(line, column, cell.amount, amounts[exponent(cell.currency)])
                elif isinstance(cell, Decimal) and len(cell.as_tuple().digits) <= SPREADSHEET_DIGITS:
                    sheet.write_number(line, column, cell)
                elif isinstance(cell, date):
                    sheet.write_datetime(line, column, cell)
                elif cell:
                    sheet.write_string(line, column, f"{cell:f}" if isinstance(cell, Decimal) else cell)
    file.seek(0)
    return file


def plain(text: str) -> str:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front, which makes it text again."""
    return f"'{text}" if text.startswith(STARTS_A_FORMULA) else text
