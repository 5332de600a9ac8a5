"""When the gateway is asked again about a payment or refund that has not ended.

The first looks come soon, because a person is waiting; later ones are rare. After the last one the row goes to the
staff queue: it is never ended by age alone. (Kill Bill's janitor works the same way: minutes, an hour, then days.)
"""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Greatest

from payments.states import PaymentStatus

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

# A gateway call takes at most about a minute, so an attempt that is still only "created" then has lost its process.
CALL_BUDGET = 90 * SECOND
ABANDONED_AFTER = 30 * MINUTE
RESEND_REFUND_WITHIN = 20 * HOUR

# A card that its gateway has to forget is asked for until it answers, then waits for staff.
DETACH_AGAIN = [MINUTE, 5 * MINUTE, HOUR, 6 * HOUR, *[DAY] * 14]

LOOKS: dict[str, list[timedelta]] = {
    PaymentStatus.CREATED: [CALL_BUDGET, 2 * MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, *[DAY] * 5],
    PaymentStatus.UNKNOWN: [10 * SECOND, MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, *[DAY] * 5],
    PaymentStatus.NEEDS_CUSTOMER: [ABANDONED_AFTER, 10 * MINUTE, HOUR, 6 * HOUR, *[DAY] * 5],
    PaymentStatus.PENDING: [30 * SECOND, 5 * MINUTE, HOUR, 6 * HOUR, *[DAY] * 14],
}


def look_now(rows: QuerySet[Any], at: datetime) -> int:
    """Moves the next look-up of these payments or refunds to now, without using up one of their scheduled ones."""
    return rows.update(next_lookup_at=at, lookups=Greatest(F("lookups") - 1, 0))


def first_look(status: str, at: datetime) -> datetime | None:
    return next_look(status, 0, at)


def next_look(status: str, looks_so_far: int, at: datetime) -> datetime | None:
    """When to ask next, or None when the row has ended or is for staff now."""
    delays = LOOKS.get(status, [])
    return at + delays[looks_so_far] if looks_so_far < len(delays) else None
