"""How a CSV file writes letters, numbers and dates, found out from the whole of it before any row is read.

Spreadsheets write what their country does: ``1.234,56`` and ``5-10-2026`` in Windows-1252 with semicolons. What can
mean two things is never guessed: ``15.000`` alone is fifteen or fifteen thousand, so the file is refused until another
number in it, or whoever imports it, says which.
"""

import csv
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO, cast

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff")
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
MARKS = {".": "point", ",": "comma"}
ORDERS = {True: "day before month", False: "month before day"}
# Digits in groups of three, between which a space, or the mark that is not the decimal one, may stand.
PLAIN_NUMBER = re.compile(r"-?[0-9]+([.,][0-9]+)?")
LOCAL_DATE = re.compile(r"([0-9]{1,2})([-./])([0-9]{1,2})\2([0-9]{4})")
SPACES = re.compile(r"(?<=[0-9])[ \u00a0\u202f](?=[0-9]{3}(?![0-9]))")


class UnusableFile(Exception):
    """The file as a whole cannot be read, or changed while it was read."""


class BadRow(ValueError):
    """One row cannot be used; its message is the reason."""


@dataclass(frozen=True)
class FileFormat:
    """``day_first`` is None for a file whose dates are all ISO, such as 2026-10-05."""

    encoding: str = "utf-8"
    delimiter: str = ","
    decimal_mark: str = "."
    day_first: bool | None = None

    def __str__(self) -> str:
        letters = "UTF-8" if self.encoding == "utf-8" else "Windows-1252"
        dates = "" if self.day_first is None else f", dates with the {ORDERS[self.day_first]}"
        return f"{letters}, separated by {DELIMITERS[self.delimiter]}, decimal {MARKS[self.decimal_mark]}{dates}"

    def split(self, raw: bytes) -> list[str]:
        """The texts of a line. Raises BadRow."""
        try:
            line = raw.decode(self.encoding).rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise BadRow(f"holds a byte that is no letter (byte {error.start + 1} of the line).") from None
        if '"' not in line:  # which is all that a CSV reader would be needed for
            return [value.strip(" ") for value in line.split(self.delimiter)]
        try:
            (row,) = csv.reader([line], delimiter=self.delimiter, strict=True)
        except (csv.Error, ValueError) as error:
            reason = str(error) if isinstance(error, csv.Error) else "a line break inside"
            raise BadRow(f"is not one row of values: {reason}. A value holds no line breaks.") from None
        return [value.strip(" ") for value in row]

    def number(self, text: str) -> str:
        """A number with a point and without groups, what is none as it was. Raises BadRow for one in another format."""
        return _number(text, self.decimal_mark)

    def date(self, text: str) -> str:
        """A date as 2026-10-05, what is none as it was."""
        match = LOCAL_DATE.fullmatch(text)
        if match is None or self.day_first is None:
            return text
        day, month = (match[1], match[3]) if self.day_first else (match[3], match[1])
        return f"{match[4]}-{month:0>2}-{day:0>2}"


@lru_cache(maxsize=4096)
def _number(text: str, mark: str) -> str:
    if text.isdigit():
        return text
    digits, group = SPACES.sub("", text), "," if mark == "." else "."
    if re.fullmatch(rf"-?[0-9]{{1,3}}(\{group}[0-9]{{3}})+(\{mark}[0-9]+)?", digits):
        digits = digits.replace(group, "")
    elif group in digits and PLAIN_NUMBER.fullmatch(digits):
        raise BadRow(f"is {text[:40]!r}, in a file with a decimal {MARKS[mark]}")
    return digits.replace(",", ".")


@lru_cache(maxsize=4096)
def decimal_mark_of(text: str) -> str:
    """The only decimal mark that a number can have, ``?`` when it can have both, nothing when it shows none."""
    text = SPACES.sub("", text)
    marks = [character for character in text if character in MARKS]
    if not marks or text.strip("-0123456789.,"):
        return ""
    if len(set(marks)) == 2:
        return marks[-1]
    mark, digits = marks[0], text.lstrip("-")
    if len(marks) > 1:
        return "," if mark == "." else "."
    before, after = digits.split(mark)
    return "?" if len(after) == 3 and 1 <= len(before) <= 3 and before.strip("0") else mark


@lru_cache(maxsize=4096)
def day_first_of(text: str) -> bool | str | None:
    """Whether the day stands first in a date: ``?`` when it can be either, None when it makes no difference."""
    match = LOCAL_DATE.fullmatch(text)
    if match is None or match[1] == match[3]:
        return None
    if match[2] == "." or int(match[1]) > 12:
        return True
    return False if int(match[3]) > 12 else "?"


class Evidence[Value]:
    """What the texts of a kind show, and on which line each was first seen."""

    def __init__(self, what: str, option: str) -> None:
        self.what, self.option = what, option
        self.first: dict[Value | str, str] = {}

    def add(self, value: Value | str, line: int, text: str) -> None:
        self.first.setdefault(value, f"{text[:40]!r} on line {line}")

    def decide(self, given: Value | None, default: Value | None) -> Value | None:
        """``given`` by whoever imports, else what the file shows, else ``default``. Raises UnusableFile if unclear."""
        shown: list[Any] = [value for value in self.first if value != "?"]
        if given is not None:
            return given
        if len(shown) > 1:
            raise UnusableFile(f"{self.what} are written in two ways: {' and '.join(self.first[v] for v in shown)}.")
        if shown:
            return cast("Value", shown[0])
        if "?" in self.first and default is None:
            raise UnusableFile(f"{self.what} can be read in two ways: {self.first['?']}. Say which with {self.option}.")
        return default


class Letters:
    """The first lines with letters beyond ASCII, in UTF-8 and in something else."""

    utf_8 = other = 0

    def add(self, raw: bytes, line: int) -> None:
        if raw.isascii():
            return
        try:
            raw.decode()
            self.utf_8 = self.utf_8 or line
        except UnicodeDecodeError:
            self.other = self.other or line

    def encoding(self) -> str:
        """Raises UnusableFile for a file that is half the one and half the other."""
        if self.utf_8 and self.other:
            raise UnusableFile(f"Line {self.utf_8} is UTF-8 and line {self.other} is not. Save the file as CSV UTF-8.")
        return "cp1252" if self.other else "utf-8"


def detect(
    file: BinaryIO,
    longest_line: int,
    *,
    numbers: Collection[str],
    dates: Collection[str],
    decimal_mark: str | None = None,
    day_first: bool | None = None,
) -> FileFormat:
    """Reads a file once. ``numbers`` and ``dates`` name its columns of these kinds; ``decimal_mark`` and ``day_first``
    are what whoever imports it says. Raises UnusableFile for what can mean two things."""
    file.seek(0)
    first = file.readline(longest_line + 1)
    if first.startswith(OTHER_MARKS):
        raise UnusableFile("The file is UTF-16. Save it as CSV UTF-8.")
    heading = first.removeprefix(BYTE_ORDER_MARK)
    delimiter = max(DELIMITERS, key=lambda mark: heading.count(mark.encode()))
    lines = FileFormat("latin-1", delimiter)  # in which every byte is a letter; numbers and dates are the same in all
    try:
        names = [name.lower() for name in lines.split(heading)]
    except BadRow:
        names = []
    of_numbers = [index for index, name in enumerate(names) if name in numbers]
    of_dates = [index for index, name in enumerate(names) if name in dates]
    marks, orders = Evidence[str]("Numbers", "--decimal"), Evidence[bool]("Dates", "--dates")
    letters, line = Letters(), 1
    while raw := file.readline(longest_line + 1):
        line += 1
        letters.add(raw, line)
        try:
            row = lines.split(raw)
        except BadRow:
            continue
        row += [""] * (len(names) - len(row))
        for index in of_numbers:
            if mark := decimal_mark_of(row[index]):
                marks.add(mark, line, row[index])
        for index in of_dates:
            if (order := day_first_of(row[index])) is not None:
                orders.add(order, line, row[index])
    # Where commas part the values, a decimal comma would stand in quotes, so a lone "15.000" is fifteen.
    default = "." if delimiter == "," or "?" not in marks.first else None
    return FileFormat(
        letters.encoding(),
        delimiter,
        marks.decide(decimal_mark, default) or ".",
        orders.decide(day_first, None),
    )
