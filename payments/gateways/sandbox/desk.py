"""What others do at the sandbox: its own staff pay money back at a desk, and payers' banks dispute and decide.

The portal hears of it by messages only, without a reference of its own. For tests and for the demo.
"""

import sqlite3

from payments.gateways.base import DisputeStatus
from payments.gateways.sandbox import disputes, refunds
from payments.gateways.sandbox.books import Book, Books


class Desk:
    def __init__(self, books: Books) -> None:
        self.books = books

    def refund(self, charge_id: str, minor: int) -> str:
        """Pays back part of a charge. Returns the refund's id. Raises ValueError for more than is left."""
        with self.books.transaction() as book:
            charge = _charge(book, charge_id)
            if not 0 < minor <= refunds.left(book, charge):
                raise ValueError(f"{refunds.left(book, charge)} minor units are left to pay back.")
            row = refunds.write(book, charge, minor, settles=refunds.settling_of(charge))
            return str(row["id"])

    def dispute(self, charge_id: str, minor: int | None = None, *, reason: str = "fraudulent") -> str:
        """The payer's bank asks all or part of a charge back. Returns the dispute's id."""
        with self.books.transaction() as book:
            charge = _charge(book, charge_id)
            return disputes.begin(book, charge, charge["amount"] if minor is None else minor, reason=reason)

    def decide(self, dispute_id: str, status: str) -> None:
        """The bank decides ``won`` or ``lost``, from our point of view; it may change its mind."""
        with self.books.transaction() as book:
            disputes.move(book, dispute_id, DisputeStatus(status))


def _charge(book: Book, charge_id: str) -> sqlite3.Row:
    charge = book.row("SELECT * FROM charges WHERE id = ? AND state = 'succeeded'", charge_id)
    if charge is None:
        raise ValueError("There is no such charge.")
    return charge
