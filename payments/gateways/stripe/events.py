"""Messages from Stripe: who sent them, and what they are about. Nothing else in them is believed.
https://docs.stripe.com/webhooks#verify-manually. Unlike Stripe's library we refuse messages from the future too."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from payments.gateways.base import Event, EventKind
from payments.gateways.signatures import check_signature, checked_id, readable
from payments.gateways.stripe.cards import id_of

HEADER = "Stripe-Signature"
KINDS = (
    ("payment_intent.", EventKind.PAYMENT),
    ("charge.dispute.", EventKind.DISPUTE),
    ("charge.refund.updated", EventKind.REFUND),
    ("refund.", EventKind.REFUND),
    ("payment_method.", EventKind.METHOD),
)


def verify(secrets: Iterable[str], body: bytes, headers: Mapping[str, str], *, live: bool) -> list[Event]:
    """The event in a message. Raises BadSignature, UnreadableMessage. Without a secret every message is refused."""
    check_signature(secrets, body, headers, HEADER)
    with readable():
        content = json.loads(body)
        about: dict[str, Any] = content["data"]["object"]
        kind = checked_id(content["type"])
        # A test message to a live endpoint, or the other way, is about nothing of ours.
        kinds = KINDS if bool(content["livemode"]) == live else ()
        return [
            Event(
                id=checked_id(content["id"]),
                kind=next((value for prefix, value in kinds if kind.startswith(prefix)), EventKind.OTHER),
                type=kind,
                object_id=checked_id(about["id"]),
                reference=checked_id((about.get("metadata") or {}).get("reference") or "", may_be_empty=True),
                created_at=datetime.fromtimestamp(int(content["created"]), UTC),
                payment_id=checked_id(id_of(about.get("payment_intent")), may_be_empty=True),
            )
        ]
