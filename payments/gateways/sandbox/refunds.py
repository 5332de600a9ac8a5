"""Paying back through the sandbox. Never more than what was taken and is not paid back yet."""

import secrets
import sqlite3

from invoices.money import Money
from payments.gateways.base import Bucket, Decline, DeclineCode, Outcome, RefundRequest, Result
from payments.gateways.sandbox import disputes
from payments.gateways.sandbox.books import Book
from payments.gateways.sandbox.cards import BY_LAST_FOUR, Settles, decline
from payments.gateways.sandbox.charges import SETTLES_AFTER
from payments.gateways.sandbox.events import record
from payments.gateways.sandbox.switches import Faults, Switch

RESULTS = {"succeeded": Result.SUCCEEDED, "pending": Result.PENDING, "declined": Result.DECLINED}


def outcome_of(row: sqlite3.Row) -> Outcome:
    """How a refund stands."""
    return Outcome(
        RESULTS[row["state"]],
        gateway_id=row["id"],
        amount=Money(row["amount"], row["currency"]) if row["state"] != "declined" else None,
        decline=decline(row["decline"]) if row["decline"] else None,
    )


def refused(code: DeclineCode, message: str) -> Outcome:
    return Outcome(Result.DECLINED, decline=Decline(code, Bucket.NEVER), message=message)


def make(book: Book, request: RefundRequest, faults: Faults) -> Outcome:
    """Writes a refund, or says why there is none."""
    ordered = faults.value(Switch.DECLINE)
    if ordered is not None:
        return refused(DeclineCode(ordered or DeclineCode.GENERIC), "The bank refused the refund.")
    charge = book.row("SELECT * FROM charges WHERE id = ? AND state = 'succeeded'", request.gateway_id)
    if charge is None:
        return refused(DeclineCode.GENERIC, "There is no such charge to pay back.")
    if charge["currency"] != request.amount.currency:
        return refused(DeclineCode.CURRENCY, f"The charge was in {charge['currency']}.")
    rest = left(book, charge)
    if not 0 < request.amount.minor <= rest:
        return refused(DeclineCode.LIMIT_EXCEEDED, f"{rest} minor units are left to pay back.")
    settles = settling_of(charge)
    if faults.value(Switch.SETTLE_LATER) is not None:
        settles = Settles.LATER
    if faults.value(Switch.FAIL_LATER) is not None:
        settles = Settles.FAILS_LATER
    minor = int(faults.value(Switch.OTHER_AMOUNT) or request.amount.minor)
    return outcome_of(write(book, charge, minor, settles=settles, key=request.key, reference=request.reference))


def settling_of(charge: sqlite3.Row) -> Settles:
    """When a refund to the card of a charge arrives, and whether it does."""
    return BY_LAST_FOUR[charge["last_four"]].refunds_settle


def write(
    book: Book, charge: sqlite3.Row, minor: int, *, settles: Settles, key: str = "", reference: str = ""
) -> sqlite3.Row:
    """A refund of so much of a charge. One that was not asked for by the portal has no key and no reference."""
    refund_id = "re_" + secrets.token_urlsafe(15)
    at_once = settles == Settles.AT_ONCE
    book.insert(
        "refunds",
        id=refund_id,
        key=key,
        reference=reference,
        charge=charge["id"],
        amount=minor,
        currency=charge["currency"],
        state="new",
        at=book.now,
    )
    _move(
        book,
        refund_id,
        "succeeded" if at_once else "pending",
        settles_at=None if at_once else book.now + SETTLES_AFTER,
        settles_as="declined" if settles == Settles.FAILS_LATER else "succeeded",
    )
    return book.rows("SELECT * FROM refunds WHERE id = ?", refund_id)[0]


def left(book: Book, charge: sqlite3.Row) -> int:
    """Minor units of a charge that can be paid back: not yet paid back, and not asked back by the payer's bank."""
    return int(charge["amount"]) - paid_back(book, charge["id"]) - disputes.held(book, charge["id"])


def paid_back(book: Book, charge_id: str) -> int:
    """Minor units paid back or on their way back; what failed is free again."""
    row = book.rows("SELECT COALESCE(SUM(amount), 0) FROM refunds WHERE charge = ? AND state <> 'declined'", charge_id)[
        0
    ]
    return int(row[0])


def find(book: Book, request: RefundRequest) -> sqlite3.Row | None:
    """By the sandbox's id, else by the key it was asked under: a payment may have several refunds."""
    return book.row("SELECT * FROM refunds WHERE id = ?", request.refund_id) or book.row(
        "SELECT * FROM refunds WHERE key = ? AND key <> '' ORDER BY number DESC LIMIT 1", request.key
    )


def settle_due(book: Book) -> None:
    """What was on its way and has arrived, or come back, by the sandbox's clock."""
    for row in book.rows("SELECT * FROM refunds WHERE settles_at <= ?", book.now):
        failed = row["settles_as"] == "declined"
        _move(
            book,
            row["id"],
            row["settles_as"],
            settles_at=None,
            decline=DeclineCode.PROCESSING_ERROR.value if failed else "",
        )


def _move(book: Book, refund_id: str, state: str, **values: object) -> None:
    names = "".join(f", {name} = ?" for name in values)
    book.change(f"UPDATE refunds SET state = ?{names} WHERE id = ?", state, *values.values(), refund_id)  # noqa: S608
    row = book.rows("SELECT * FROM refunds WHERE id = ?", refund_id)[0]
    record(book, f"refund.{state}", refund_id, row["reference"], charge=row["charge"])
