"""Faults on demand, for tests and for the demo: ``gateway.switches.arm("drop_after", times=1)``.

They lie in the books, so that they reach a server or worker in another process. Each is used up by the next calls of
its operation (``charge`` unless said otherwise), one of `OPERATIONS`.
"""

import time
from dataclasses import dataclass
from enum import StrEnum

from payments.gateways.base import GatewayError
from payments.gateways.sandbox.books import Books

OPERATIONS = frozenset(
    {
        *("charge", "lookup", "expire", "refund", "lookup_refund", "lookup_dispute", "challenge"),
        *("setup", "finish_setup", "expire_setup", "lookup_method", "detach"),
    }
)


class Switch(StrEnum):
    REFUSE_CONNECTION = "refuse_connection"  # certainly not sent
    DROP_BEFORE = "drop_before"  # no answer, nothing done
    DROP_AFTER = "drop_after"  # done, but the answer is lost
    GARBAGE = "garbage"  # done, but the answer cannot be read
    SERVER_ERROR = "server_error"  # answered 500, nothing done; the answer is stored under the key
    DELAY = "delay"  # value: milliseconds to wait before it is done
    DELAY_ANSWER = "delay_answer"  # value: milliseconds between doing and answering
    OTHER_AMOUNT = "other_amount"  # value: the minor units taken instead
    OTHER_CURRENCY = "other_currency"  # value: the currency taken instead
    DECLINE = "decline"  # value: a DeclineCode
    SETTLE_LATER = "settle_later"
    FAIL_LATER = "fail_later"


class NetworkTrouble(GatewayError):
    """The connection failed, in the sandbox's play of one."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong with one call: the armed switches and their values."""

    armed: dict[Switch, str]

    def before(self) -> None:
        """Raises NetworkTrouble when the call does not get through."""
        time.sleep(int(self.armed.get(Switch.DELAY, "0")) / 1000)
        if Switch.REFUSE_CONNECTION in self.armed:
            raise NetworkTrouble("The connection was refused.", sent=False)
        if Switch.DROP_BEFORE in self.armed:
            raise NetworkTrouble("No answer in time.")

    def after(self) -> None:
        """Raises NetworkTrouble when the answer does not get back."""
        time.sleep(int(self.armed.get(Switch.DELAY_ANSWER, "0")) / 1000)
        if Switch.DROP_AFTER in self.armed:
            raise NetworkTrouble("No answer in time.")
        if Switch.GARBAGE in self.armed:
            raise NetworkTrouble("The answer could not be read.")

    @property
    def server_error(self) -> bool:
        return Switch.SERVER_ERROR in self.armed

    def value(self, switch: Switch) -> str | None:
        return self.armed.get(switch)


class Switches:
    def __init__(self, books: Books) -> None:
        self.books = books

    def arm(self, name: str, *, times: int = 1, on: str = "charge", value: int | str = "") -> None:
        """The next ``times`` calls of the operation ``on`` meet this fault. Raises ValueError for unknown names."""
        if on not in OPERATIONS:
            raise ValueError(f"{on!r} is not an operation: {', '.join(sorted(OPERATIONS))}.")
        with self.books.transaction() as book:
            book.insert("switches", name=Switch(name).value, operation=on, value=str(value), remaining=times)

    def clear(self) -> None:
        with self.books.transaction() as book:
            book.change("DELETE FROM switches")

    def take(self, operation: str) -> Faults:
        """The faults of one call, each used up by one."""
        with self.books.reading() as book:
            if book.row("SELECT 1 FROM switches WHERE operation = ? LIMIT 1", operation) is None:
                return Faults({})
        armed: dict[Switch, str] = {}
        with self.books.transaction() as book:
            for row in book.rows("SELECT * FROM switches WHERE operation = ? ORDER BY number", operation):
                if row["name"] in armed:
                    continue
                armed[Switch(row["name"])] = row["value"]
                book.change("UPDATE switches SET remaining = remaining - 1 WHERE number = ?", row["number"])
            book.change("DELETE FROM switches WHERE remaining <= 0")
        return Faults(armed)
