"""Taking up rows that are due: any number of workers may look, and each row goes to one of them.

A row says in a column when it is to be worked on next. A worker claims it by moving that moment ahead in one
conditional UPDATE, so nobody waits for a lock, and a row of a worker that was killed comes up again when the lease is
over.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Model, QuerySet


def claim_due[Row: Model](
    rows: QuerySet[Row], column: str, *, at: datetime, lease: timedelta, limit: int, **also: Any
) -> Iterator[Row]:
    """At most ``limit`` rows whose moment in ``column`` has come, the longest waiting first, each claimed just before
    it is handed out. ``also`` are further columns to set."""
    for row in rows.filter(**{f"{column}__lte": at}).order_by(column, "pk")[:limit]:
        if claim(row, column, until=at + lease, **also):
            yield row


def claim(row: Model, column: str, *, until: datetime, **also: Any) -> bool:
    """Moves the moment of a row as it was read to ``until``. False when another worker was quicker."""
    rows = type(row)._default_manager.filter(pk=row.pk, **{column: getattr(row, column)})
    if not rows.update(**{column: until}, **also):
        return False
    setattr(row, column, until)
    return True
