"""The payments of a profile, newest first, a page at a time by key: the next page starts after the last row of this.

The key travels in the address as one opaque word. A word that means nothing gives the first page.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import F
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

from payments.models import Payment
from payments.querysets import PaymentQuerySet

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, newest first, and the words that lead to the pages on either side; empty where there is none."""

    rows: list[Payment]
    newer: str = ""
    older: str = ""


def page_of(payments: PaymentQuerySet, word: str = "", *, size: int = PAGE_SIZE) -> Page:
    """One page, by one query."""
    key = _unpack(word)
    if key is None:
        found = list(payments.order_by("-started_at", "-id")[: size + 1])
        return _page(found[:size], newer=False, older=len(found) > size)
    started_at, pk, backwards = key
    compare = TupleGreaterThan if backwards else TupleLessThan
    order = ("started_at", "id") if backwards else ("-started_at", "-id")
    beyond = payments.filter(compare(Tuple(F("started_at"), F("id")), (started_at, pk)))
    found = list(beyond.order_by(*order)[: size + 1])
    if not backwards:
        return _page(found[:size], newer=True, older=len(found) > size)
    if len(found) < size:  # less than a page lies before: the first page shows it, and what follows
        return page_of(payments, size=size)
    return _page(found[:size][::-1], newer=len(found) > size, older=True)


def _page(rows: list[Payment], *, newer: bool, older: bool) -> Page:
    if not rows:
        return Page(rows)
    return Page(rows, _pack(rows[0], backwards=True) if newer else "", _pack(rows[-1]) if older else "")


def _pack(payment: Payment, *, backwards: bool = False) -> str:
    text = json.dumps([payment.started_at.isoformat(), payment.pk.hex, backwards], separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpack(word: str) -> tuple[datetime, UUID, bool] | None:
    try:
        started_at, pk, backwards = json.loads(urlsafe_b64decode(word + "=" * (-len(word) % 4)))
        edge = datetime.fromisoformat(started_at)
        if type(backwards) is not bool or edge.tzinfo is None:
            return None
        # The databases have no time zone with seconds, and no time before year 1 or after 9999.
        return edge.astimezone(UTC), UUID(pk), backwards
    except (AttributeError, OverflowError, RecursionError, TypeError, ValueError):
        return None
