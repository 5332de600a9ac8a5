"""Signed messages that something changed. A change writes its event in the same transaction (`models.record`); the
worker delivers each until the portal answers 2xx: at least once, in no promised order."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import structlog
import urllib3

from billing_portal.core.leases import claim_due
from payments.gateways.base import Event, EventKind
from payments.gateways.sandbox import models
from payments.gateways.sandbox.models import now, transaction
from payments.gateways.signatures import check_signature, checked_id, readable, signature

HEADER = "Sandbox-Signature"
TIMEOUT = 5  # seconds for the portal to answer
BATCH = 50
LEASE = timedelta(minutes=1)  # that a killed worker keeps a message from the others
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(hours=1)  # between two tries

log = structlog.get_logger("payments.sandbox")


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
    """The event in a message: ids only; how things stand is looked up. Raises BadSignature, UnreadableMessage."""
    check_signature([secret], body, headers, HEADER)
    with readable():
        content = json.loads(body)
        kind, about = checked_id(content["type"]), content["data"]
        family = kind.partition(".")[0]
        return [
            Event(
                id=checked_id(content["id"]),
                kind=EventKind(family) if family in set(EventKind) else EventKind.OTHER,
                type=kind,
                object_id=checked_id(about["object"]),
                reference=checked_id(about["reference"], may_be_empty=True),
                created_at=datetime.fromtimestamp(int(content["created"]), UTC),
                payment_id=checked_id(about.get("payment", ""), may_be_empty=True),
            )
        ]


def take(secret: str) -> list[tuple[bytes, dict[str, str]]]:
    """The messages not delivered yet, in the order they would come, counted as delivered."""
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


def _post(url: str, body: bytes, headers: dict[str, str], *, event_id: str) -> bool:
    """Whether the portal has heard it. It is on this machine or near it, so no proxy; a redirect is not an answer."""
    try:
        with urllib3.PoolManager(timeout=TIMEOUT, retries=False) as pool:
            status = pool.request("POST", url, body=body, headers=headers, redirect=False).status
    except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
        log.warning("event not delivered", event_id=event_id, error=type(error).__name__)
        return False
    if not 200 <= status < 300:
        log.warning("event refused", event_id=event_id, status=status)
    return 200 <= status < 300
