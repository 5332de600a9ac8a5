"""Messages from Stripe: who sent them, and what they are about. Nothing else in them is believed.

https://docs.stripe.com/webhooks#verify-manually: an HMAC of the time and the raw body, in scheme ``v1``. While a secret
is rolled Stripe signs with both, and several secrets may be set here. Stripe's library refuses old messages only; a
clock that is wrong the other way is refused here too.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from payments.gateways.base import BadSignature, Event, EventKind, UnreadableMessage
from payments.gateways.stripe.cards import id_of

HEADER = "stripe-signature"
SCHEME = "v1"
TOLERANCE = 300  # seconds
LONGEST_WORD = 120
KINDS = (
    ("payment_intent.", EventKind.PAYMENT),
    ("charge.dispute.", EventKind.DISPUTE),
    ("charge.refund.updated", EventKind.REFUND),
    ("refund.", EventKind.REFUND),
    ("payment_method.", EventKind.METHOD),
)


def signature(secret: str, body: bytes, at: int) -> str:
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},{SCHEME}={digest}"


def verify(secrets: Iterable[str], body: bytes, headers: Mapping[str, str], *, live: bool) -> list[Event]:
    """The event in a message. Raises BadSignature, UnreadableMessage. Without a secret every message is refused."""
    given = next((value for name, value in headers.items() if name.lower() == HEADER), "")
    parts = [part.strip().partition("=")[::2] for part in given.split(",")]
    stamps = [value for name, value in parts if name == "t"]
    digests = [value.encode() for name, value in parts if name == SCHEME]
    if len(stamps) != 1 or not (stamps[0].isascii() and stamps[0].isdigit() and len(stamps[0]) < 13) or not digests:
        raise BadSignature("The signature is missing or cannot be read.")
    at = int(stamps[0])
    expected = [signature(secret, body, at).rpartition("=")[2].encode() for secret in secrets if secret]
    if not any([hmac.compare_digest(ours, theirs) for ours in expected for theirs in digests]):  # noqa: C419 - each is compared, whichever matches
        raise BadSignature("The signature does not match the message.")
    if abs(time.time() - at) > TOLERANCE:
        raise BadSignature("The message is too old, or a clock is wrong.")
    return [_event(body, live=live)]


def _event(body: bytes, *, live: bool) -> Event:
    try:
        content = json.loads(body)
        about: dict[str, Any] = content["data"]["object"]
        kind = _word(content["type"])
        metadata = about.get("metadata") or {}
        return Event(
            id=_word(content["id"]),
            # A test message to a live endpoint, or the other way, is about nothing of ours.
            kind=_kind(kind) if bool(content["livemode"]) == live else EventKind.OTHER,
            type=kind,
            object_id=_word(about["id"]),
            reference=_word(metadata.get("reference") or ""),
            created_at=datetime.fromtimestamp(int(content["created"]), UTC),
            payment_id=_word(id_of(about.get("payment_intent"))),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, RecursionError) as error:
        raise UnreadableMessage("The message cannot be read.") from error


def _kind(type_: str) -> EventKind:
    return next((kind for prefix, kind in KINDS if type_.startswith(prefix)), EventKind.OTHER)


def _word(value: object) -> str:
    """An id or a name as Stripe makes them. Raises ValueError for anything else."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > LONGEST_WORD:
        raise ValueError("not an id")
    return value
