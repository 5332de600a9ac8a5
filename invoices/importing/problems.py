"""What is wrong with a file."""

from collections.abc import Callable
from typing import NamedTuple


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


Tell = Callable[[Problem], None]


class Problems(Exception):
    """Rows that cannot be imported. Each is told as it is found and only counted here, so that a file that is wrong
    from top to bottom costs no memory."""

    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self.tell = tell
        self.count = 0

    def add(self, line: int, reason: str) -> None:
        self.count += 1
        self.tell(Problem(line, reason))

    def __str__(self) -> str:
        return f"{self.count} bad rows"
