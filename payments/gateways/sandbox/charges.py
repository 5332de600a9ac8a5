"""Charging a card in the sandbox's books: what is decided, what the bank's approval changes, what settles later.

Everything here happens inside one transaction of the books.
"""

import hashlib
import secrets
import sqlite3
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from invoices.money import Money
from payments.gateways.base import Attempt, DeclineCode, MethodInfo, Outcome, Result
from payments.gateways.sandbox import disputes
from payments.gateways.sandbox.books import Book
from payments.gateways.sandbox.cards import (
    BY_LAST_FOUR,
    DEFAULT_EXPIRY,
    Challenge,
    Settles,
    Telling,
    TestCard,
    card_of,
    decline,
    known,
    new_card_id,
)
from payments.gateways.sandbox.events import LATE_BY, record
from payments.gateways.sandbox.switches import Faults, Switch

SETTLES_AFTER = 5  # seconds of the sandbox's clock

RESULTS = {
    "succeeded": Result.SUCCEEDED,
    "needs_customer": Result.NEEDS_CUSTOMER,
    "pending": Result.PENDING,
    "declined": Result.DECLINED,
    "expired": Result.EXPIRED,
}


def customer_of(profile: str) -> str:
    """The sandbox keeps one payer for each billing profile."""
    return "cus_" + profile


def fingerprint(last_four: str) -> str:
    """The same for the same number: in the sandbox the last four digits tell the numbers apart."""
    return "fp_" + hashlib.sha256(f"sandbox card {last_four}".encode()).hexdigest()[:20]


def method_info(*, last_four: str, expiry: tuple[int, int], stored: str, profile: str) -> MethodInfo:
    card = BY_LAST_FOUR.get(last_four)
    return MethodInfo(
        brand=card.brand if card else "",
        last_four=last_four,
        expiry_month=expiry[0],
        expiry_year=expiry[1],
        gateway_method=stored,
        gateway_customer=customer_of(profile),
        fingerprint=fingerprint(last_four),
    )


def challenge_path(slug: str, challenge: str) -> str:
    return f"/gateways/{slug}/challenge/{challenge}"


def challenge_url(row: sqlite3.Row, slug: str) -> str:
    """The bank's page, on the host that the person comes back to, for a charge or card that waits for
    approval; nothing where the question stands in the portal's page."""
    if row["state"] != "needs_customer" or row["in_page"]:
        return ""
    return_url: str = row["return_url"]
    return urljoin(return_url, challenge_path(slug, row["challenge"]))


def challenge_of(row: sqlite3.Row | None, slug: str, *, about: str) -> dict[str, str]:
    """What the portal's page needs to draw the bank's question. Nothing where it stands on the bank's own page."""
    if row is None or row["state"] != "needs_customer" or not row["in_page"]:
        return {}
    return {"path": challenge_path(slug, row["challenge"]), "about": about}


def outcome_of(row: sqlite3.Row, slug: str) -> Outcome:
    """How a charge stands."""
    return Outcome(
        RESULTS[row["state"]],
        gateway_id=row["id"],
        amount=Money(row["amount"], row["currency"]) if row["state"] == "succeeded" else None,
        next_url=challenge_url(row, slug),
        decline=decline(row["decline"]) if row["decline"] else None,
        method=method_info(
            last_four=row["last_four"],
            expiry=(row["expiry_month"], row["expiry_year"]),
            stored=row["stored"],
            profile=row["profile"],
        )
        if row["last_four"]
        else None,
    )


def find(book: Book, *, gateway_id: str, reference: str) -> sqlite3.Row | None:
    """By the sandbox's id, else by the portal's reference: the charge that took money, or the newest."""
    return book.row("SELECT * FROM charges WHERE id = ?", gateway_id) or book.row(
        "SELECT * FROM charges WHERE reference = ? ORDER BY state = 'succeeded' DESC, number DESC LIMIT 1", reference
    )


def is_fenced(book: Book, attempt: Attempt) -> bool:
    """Closed by `expire` before it came."""
    return book.row("SELECT 1 FROM fences WHERE reference = ? OR key = ?", attempt.reference, attempt.key) is not None


def make(book: Book, attempt: Attempt, faults: Faults) -> sqlite3.Row:
    """Writes a charge with what became of it at once."""
    card, method = card_of(attempt.method), _known_method(book, attempt.method)
    refusal = _refusal(book, attempt, card, method, faults)
    charge: dict[str, Any] = {
        "id": "ch_" + secrets.token_urlsafe(15),
        "reference": attempt.reference,
        "profile": attempt.profile,
        "description": attempt.description,
        "amount": int(faults.value(Switch.OTHER_AMOUNT) or attempt.amount.minor),
        "currency": faults.value(Switch.OTHER_CURRENCY) or attempt.amount.currency,
        "state": "new",
        "method": known(attempt.method),
        "last_four": card.last_four if card else "",
        "expiry_month": method["expiry_month"] if method else DEFAULT_EXPIRY[0],
        "expiry_year": method["expiry_year"] if method else DEFAULT_EXPIRY[1],
        "save": attempt.save_method,
        "stored": attempt.method if card and attempt.method.startswith("card_") else "",
        "return_url": attempt.return_url,
        "in_page": attempt.in_page,
        "at": book.now,
    }
    must_pass = card is not None and _must_pass_challenge(card, method)
    if refusal is None and card is not None and must_pass and not attempt.customer_present:
        refusal = DeclineCode.CHALLENGE_REQUIRED
    book.insert("charges", **charge)
    if attempt.method.startswith("tok_"):
        book.change("UPDATE tokens SET used = 1 WHERE id = ?", attempt.method)
    if refusal is not None or card is None:
        _move(book, charge["id"], "declined", decline=refusal or DeclineCode.WRONG_NUMBER)
    elif must_pass:
        _move(book, charge["id"], "needs_customer", challenge="pay_" + secrets.token_urlsafe(24))
    else:
        _take(book, charge["id"], card, faults)
    return _row(book, charge["id"])


def _known_method(book: Book, method: str) -> sqlite3.Row | None:
    """What the books hold of a token or stored card; made-up ids of test cards are not in them."""
    return book.row("SELECT * FROM tokens WHERE id = ?", method) or book.row("SELECT * FROM cards WHERE id = ?", method)


def _must_pass_challenge(card: TestCard, method: sqlite3.Row | None) -> bool:
    if card.challenge == Challenge.UNLESS_SET_UP:
        return method is None or "set_up" not in method.keys() or not method["set_up"]  # noqa: SIM118
    return card.challenge == Challenge.ALWAYS


def _refusal(
    book: Book, attempt: Attempt, card: TestCard | None, method: sqlite3.Row | None, faults: Faults
) -> DeclineCode | None:
    """Why the bank says no at once, if it does."""
    ordered = faults.value(Switch.DECLINE)
    if ordered is not None:
        return DeclineCode(ordered or DeclineCode.GENERIC)
    if card is None:
        return DeclineCode.WRONG_NUMBER
    if attempt.amount.minor <= 0:
        return DeclineCode.TOO_SMALL
    if method is not None:
        problem = _method_problem(book, method, customer_of(attempt.profile))
        if problem is not None:
            return problem
    return card.declined if card.challenge == Challenge.NEVER else None


def _method_problem(book: Book, method: sqlite3.Row, customer: str) -> DeclineCode | None:
    """A token works once, a stored card until it is detached and for its own payer only."""
    if "used" in method.keys():  # noqa: SIM118 - a Row iterates over its values
        if method["used"]:
            return DeclineCode.METHOD_GONE
    elif method["detached"] or method["customer"] != customer:
        return DeclineCode.METHOD_GONE
    year, month = month_at(book.now)
    return DeclineCode.EXPIRED_CARD if (method["expiry_year"], method["expiry_month"]) < (year, month) else None


def month_at(now: int) -> tuple[int, int]:
    """Year and month of a time, for comparing expiry dates."""
    day = datetime.fromtimestamp(now, UTC)
    return day.year, day.month


def _take(book: Book, charge_id: str, card: TestCard, faults: Faults) -> None:
    """The bank says yes: now, or in a while."""
    row = _row(book, charge_id)
    settles = card.settles
    if faults.value(Switch.SETTLE_LATER) is not None:
        settles = Settles.LATER
    if faults.value(Switch.FAIL_LATER) is not None:
        settles = Settles.FAILS_LATER
    if card.telling == Telling.OUT_OF_ORDER:
        record(book, "payment.pending", charge_id, row["reference"], late=LATE_BY)
    if settles == Settles.AT_ONCE:
        _succeed(book, row, card)
    else:
        _move(
            book,
            charge_id,
            "pending",
            settles_at=book.now + SETTLES_AFTER,
            settles_as="succeeded" if settles == Settles.LATER else "declined",
        )


def _succeed(book: Book, row: sqlite3.Row, card: TestCard) -> None:
    stored = row["stored"]
    if row["save"] and not stored:
        stored = new_card_id(row["last_four"])
        book.insert(
            "cards",
            id=stored,
            customer=customer_of(row["profile"]),
            expiry_month=row["expiry_month"],
            expiry_year=row["expiry_year"],
            set_up=True,
        )
    copies = 2 if card.telling == Telling.TWICE else 1
    _move(book, row["id"], "succeeded", copies=copies, stored=stored, settles_at=None)
    if card.is_disputed:
        disputes.begin(book, row, row["amount"], reason="fraudulent")


def answer_challenge(book: Book, row: sqlite3.Row, *, approved: bool) -> None:
    """What the person said at the bank. Only a charge that still waits for it changes."""
    if row["state"] != "needs_customer":
        return
    card = BY_LAST_FOUR[row["last_four"]]
    if not approved:
        _move(book, row["id"], "declined", decline=DeclineCode.CHALLENGE_FAILED)
    elif card.declined is not None:
        _move(book, row["id"], "declined", decline=card.declined)
    else:
        _take(book, row["id"], card, Faults({}))


def expire(book: Book, attempt: Attempt) -> sqlite3.Row | None:
    """Closes an attempt, seen or not; returns its charge, if there is one, with what is true of it now."""
    row = find(book, gateway_id=attempt.gateway_id, reference=attempt.reference)
    if row is not None and row["state"] in {"succeeded", "pending"}:
        return row
    book.change("INSERT OR IGNORE INTO fences (reference, key) VALUES (?, ?)", attempt.reference, attempt.key)
    if row is not None and row["state"] == "needs_customer":
        _move(book, row["id"], "expired")
    return _row(book, row["id"]) if row is not None else None


def settle_due(book: Book) -> None:
    """What was on its way and has arrived by the sandbox's clock."""
    for row in book.rows("SELECT * FROM charges WHERE settles_at <= ?", book.now):
        if row["settles_as"] == "succeeded":
            _succeed(book, row, BY_LAST_FOUR[row["last_four"]])
        else:
            _move(book, row["id"], "declined", decline=DeclineCode.INSUFFICIENT_FUNDS, settles_at=None)


def _row(book: Book, charge_id: str) -> sqlite3.Row:
    return book.rows("SELECT * FROM charges WHERE id = ?", charge_id)[0]


def _move(book: Book, charge_id: str, state: str, *, copies: int = 1, **values: Any) -> None:
    """The only place where a charge changes, and each change is told."""
    names = "".join(f", {name} = ?" for name in values)
    book.change(f"UPDATE charges SET state = ?{names} WHERE id = ?", state, *values.values(), charge_id)  # noqa: S608
    record(book, f"payment.{state}", charge_id, _row(book, charge_id)["reference"], copies=copies)
