"""Telling the portal that something changed: signed messages, as providers commonly sign them.

A change writes its event in the same transaction (`models.record`). The worker delivers them later, each until the
portal answers 2xx; so they come at least once and in no promised order.
"""

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import Any

import structlog

from billing_portal.core.leases import claim_due
from payments.gateways.base import BadSignature, Event, EventKind, UnreadableMessage
from payments.gateways.sandbox import models
from payments.gateways.sandbox.models import now, transaction

HEADER = "Sandbox-Signature"
TOLERANCE = 300  # seconds that a message may be old, or ahead of our clock
LONGEST_WORD = 80  # characters of an id or a type
TIMEOUT = 5  # seconds for the portal to answer
BATCH = 50
LEASE = timedelta(minutes=1)  # that a killed worker keeps a message from the others
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(hours=1)  # between two tries

log = structlog.get_logger("payments.sandbox")


def signature(secret: str, body: bytes, at: int) -> str:
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def message(event: models.Event, secret: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers of one delivery, signed now: a later try of the same event is signed afresh."""
    body = json.dumps(
        {
            "id": event.event_id,
            "type": event.type,
            "created": int(event.created_at.timestamp()),
            "data": {"object": event.object_id, "reference": event.reference, "payment": event.payment},
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
            payment_id=_word(about.get("payment", ""), may_be_empty=True),
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


def take(secret: str) -> list[tuple[bytes, dict[str, str]]]:
    """All messages not delivered yet, in the order they would come, counted as delivered. For tests."""
    with transaction():
        waiting = models.Event.objects.filter(due_at__isnull=False)
        events = list(waiting.order_by("due_at", "pk"))
        waiting.update(due_at=None)
    return [message(event, secret) for event in events]


def deliver(secret: str, url: str) -> None:
    """Sends the messages that are due. Never raises for trouble on the way."""
    at = now()
    for event in claim_due(models.Event.objects.all(), "due_at", at=at, lease=LEASE, limit=BATCH):
        is_heard = _post(url, *message(event, secret), event_id=event.event_id)
        next_try_at = at + min(FIRST_WAIT * 2**event.tries, LONGEST_WAIT)
        event.due_at, event.tries = None if is_heard else next_try_at, event.tries + 1
        event.save()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is not an answer."""

    def redirect_request(self, *_args: Any) -> None:
        return None


# No proxy either: the portal is on this machine or near it.
_opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


def _post(url: str, body: bytes, headers: dict[str, str], *, event_id: str) -> bool:
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - checks() wants http
    try:
        with _opener.open(request, timeout=TIMEOUT) as answer:
            return bool(200 <= answer.status < 300)
    except urllib.error.HTTPError as error:
        error.close()
        log.warning("event refused", event_id=event_id, status=error.code)
    except (OSError, HTTPException, ValueError) as error:
        log.warning("event not delivered", event_id=event_id, error=type(error).__name__)
    return False
