"""What is wrong with a file: a list for the whole file, with the first of many in words."""

from typing import NamedTuple

SHOWN = 100


class Problem(NamedTuple):
    """A bad row: the line's number in the file, the heading being line 1, and the reason."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"Line {self.line}: {self.reason}"


class BadRow(ValueError):
    """One row cannot be used; its message is the reason."""


class UnusableFile(Exception):
    """The file as a whole cannot be read, or changed while it was read."""


class Problems(Exception):
    """Rows that cannot be imported. Keeps the first of them and counts the rest, so that a file that is wrong from
    top to bottom costs no more memory than one with a hundred bad rows."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Problem] = []
        self.count = 0

    def add(self, line: int, reason: str) -> None:
        self.count += 1
        if len(self.shown) < SHOWN:
            self.shown.append(Problem(line, reason))

    @property
    def more(self) -> int:
        return self.count - len(self.shown)

    def __str__(self) -> str:
        return f"{self.count} bad rows"
