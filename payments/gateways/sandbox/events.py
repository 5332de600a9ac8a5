"""Telling the portal that something changed: signed messages, as providers commonly sign them.

A change writes its event in the same transaction of the books. The worker delivers them later, each until the portal
answers 2xx; so they come at least once and in no promised order.
"""

import hashlib
import hmac
import json
import secrets
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any

import structlog

from payments.gateways.base import BadSignature, Event, EventKind, UnreadableMessage
from payments.gateways.sandbox.books import Book, Books

HEADER = "Sandbox-Signature"
TOLERANCE = 300  # seconds that a message may be old, or ahead of our clock
LONGEST_WORD = 80  # characters of an id or a type
TIMEOUT = 5  # seconds for the portal to answer
BATCH = 50
SLOWEST = 60 * 60  # seconds between two tries at most
LATE_BY = 3  # seconds that the first event of a charge is held back where events come out of order

log = structlog.get_logger("payments.sandbox")


def record(
    book: Book, kind: str, object_id: str, reference: str = "", *, charge: str = "", copies: int = 1, late: int = 0
) -> None:
    """Writes an event into the books; ``charge`` is the one that a refund belongs to. The copies are one event with one
    id, delivered several times."""
    event_id = "evt_" + secrets.token_urlsafe(12)
    for _copy in range(copies):
        book.insert(
            "events",
            id=event_id,
            type=kind,
            object_id=object_id,
            reference=reference,
            charge=charge,
            at=book.now,
            due_at=book.now + late,
        )


def signature(secret: str, body: bytes, at: int) -> str:
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def message(row: sqlite3.Row, secret: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers of one delivery, signed now: a later try of the same event is signed afresh."""
    body = json.dumps(
        {
            "id": row["id"],
            "type": row["type"],
            "created": row["at"],
            "data": {"object": row["object_id"], "reference": row["reference"], "charge": row["charge"]},
        }
    ).encode()
    return body, {"Content-Type": "application/json", HEADER: signature(secret, body, int(time.time()))}


def verify(secret: str, body: bytes, headers: Mapping[str, str]) -> list[Event]:
    """The event in a message. Raises BadSignature, UnreadableMessage."""
    if not secret:
        raise BadSignature("There is no secret to check a signature with.")
    given = next((value for name, value in headers.items() if name.lower() == HEADER.lower()), "")
    parts = [part.partition("=")[::2] for part in given.split(",")]
    stamps = [value for name, value in parts if name.strip() == "t"]
    digests = [value for name, value in parts if name.strip() == "v1"]
    if len(stamps) != 1 or not (stamps[0].isascii() and stamps[0].isdigit() and len(stamps[0]) < 13) or not digests:
        raise BadSignature("The signature is missing or cannot be read.")
    at = int(stamps[0])
    expected = signature(secret, body, at).rpartition("=")[2]
    if not any([hmac.compare_digest(expected.encode(), digest.encode()) for digest in digests]):  # noqa: C419
        raise BadSignature("The signature does not match the message.")
    if abs(time.time() - at) > TOLERANCE:
        raise BadSignature("The message is too old, or a clock is wrong.")
    return [_event(body)]


def _event(body: bytes) -> Event:
    """Ids only; how things stand is looked up."""
    try:
        content = json.loads(body)
        kind, about = _word(content["type"]), content["data"]
        family = kind.partition(".")[0]
        return Event(
            id=_word(content["id"]),
            kind=EventKind(family) if family in set(EventKind) else EventKind.OTHER,
            type=kind,
            object_id=_word(about["object"]),
            reference=_word(about["reference"], may_be_empty=True),
            created_at=datetime.fromtimestamp(int(content["created"]), UTC),
            payment_id=_word(about.get("charge", ""), may_be_empty=True),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, RecursionError) as error:
        raise UnreadableMessage("The message cannot be read.") from error


def _word(value: object, *, may_be_empty: bool = False) -> str:
    """An id or a name as the sandbox makes them: short and printable. Raises ValueError for anything else."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > LONGEST_WORD:
        raise ValueError("not an id")
    if not value and not may_be_empty:
        raise ValueError("empty")
    return value


def take(books: Books, secret: str) -> list[tuple[bytes, dict[str, str]]]:
    """All messages not delivered yet, in the order they would come, counted as delivered. For tests."""
    with books.transaction() as book:
        rows = book.rows("SELECT * FROM events WHERE due_at IS NOT NULL ORDER BY due_at, number")
        book.change("UPDATE events SET due_at = NULL")
    return [message(row, secret) for row in rows]


def deliver(books: Books, secret: str, url: str) -> int:
    """Sends the messages that are due. Returns how many arrived. Never raises for trouble on the way.

    Each is put off before it is sent, so that another worker leaves it alone and a killed one loses nothing.
    """
    with books.reading() as book:
        if book.row("SELECT 1 FROM events WHERE due_at <= ? LIMIT 1", book.now) is None:
            return 0
    with books.transaction() as book:
        rows = book.rows("SELECT * FROM events WHERE due_at <= ? ORDER BY due_at, number LIMIT ?", book.now, BATCH)
        for row in rows:
            wait = min(10 * 2 ** row["tries"], SLOWEST)
            book.change(
                "UPDATE events SET due_at = ?, tries = tries + 1 WHERE number = ?", book.now + wait, row["number"]
            )
    arrived = [row["number"] for row in rows if _post(url, *message(row, secret), event=row["id"])]
    with books.transaction() as book:
        for number in arrived:
            book.change("UPDATE events SET due_at = NULL WHERE number = ?", number)
    return len(arrived)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is not an answer."""

    def redirect_request(self, *_args: Any) -> None:
        return None


# No proxy either: the portal is on this machine or near it.
_opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


def _post(url: str, body: bytes, headers: dict[str, str], *, event: str) -> bool:
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - checks() wants http
    try:
        with _opener.open(request, timeout=TIMEOUT) as answer:
            return bool(200 <= answer.status < 300)
    except urllib.error.HTTPError as error:
        error.close()
        log.warning("event refused", event_id=event, status=error.code)
    except (OSError, HTTPException, ValueError) as error:
        log.warning("event not delivered", event_id=event, error=type(error).__name__)
    return False
