"""Disputes in the sandbox's books: a payer's bank asks its money back, and decides.

Everything here happens inside one transaction of the books. As at other providers, nobody answers for us: what is not
decided by the time the evidence was due is lost.
"""

import secrets
import sqlite3
from datetime import UTC, datetime

from invoices.money import Money
from payments.gateways.base import Dispute, DisputeStatus
from payments.gateways.sandbox.books import Book
from payments.gateways.sandbox.events import record

EVIDENCE_WITHIN = 7 * 24 * 60 * 60  # seconds of the sandbox's clock


def dispute_of(row: sqlite3.Row) -> Dispute:
    """How a dispute stands."""
    return Dispute(
        id=row["id"],
        payment_id=row["charge"],
        amount=Money(row["amount"], row["currency"]),
        status=DisputeStatus(row["state"]),
        reason=row["reason"],
        evidence_due_at=datetime.fromtimestamp(row["evidence_due"], UTC),
    )


def begin(book: Book, charge: sqlite3.Row, minor: int, *, reason: str) -> str:
    """Writes a dispute over so much of a charge. Returns its id."""
    dispute_id = "dp_" + secrets.token_urlsafe(15)
    book.insert(
        "disputes",
        id=dispute_id,
        charge=charge["id"],
        amount=minor,
        currency=charge["currency"],
        state="new",
        reason=reason,
        evidence_due=book.now + EVIDENCE_WITHIN,
        at=book.now,
    )
    move(book, dispute_id, DisputeStatus.OPEN)
    return dispute_id


def find(book: Book, dispute_id: str) -> sqlite3.Row | None:
    return book.row("SELECT * FROM disputes WHERE id = ?", dispute_id)


def held(book: Book, charge_id: str) -> int:
    """Minor units that a bank has taken, or may take: they cannot be paid back besides."""
    sql = "SELECT COALESCE(SUM(amount), 0) FROM disputes WHERE charge = ? AND state IN ('open', 'lost')"
    return int(book.rows(sql, charge_id)[0][0])


def settle_due(book: Book) -> None:
    """What nobody gave evidence for is lost."""
    for row in book.rows("SELECT id FROM disputes WHERE state = 'open' AND evidence_due <= ?", book.now):
        move(book, row["id"], DisputeStatus.LOST)


def move(book: Book, dispute_id: str, state: DisputeStatus) -> None:
    """The only place where a dispute changes, and each change is told. It carries no reference of the portal's."""
    book.change("UPDATE disputes SET state = ? WHERE id = ?", state.value, dispute_id)
    row = book.rows("SELECT charge FROM disputes WHERE id = ?", dispute_id)[0]
    record(book, f"dispute.{state.value}", dispute_id, charge=row["charge"])
