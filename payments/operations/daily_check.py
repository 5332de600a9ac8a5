"""The proof of the books that the worker makes once a day, for staff."""

from datetime import datetime, timedelta
from time import monotonic

import structlog

from billing_portal.core.leases import claim
from billing_portal.core.time_zones import seller_day
from payments.models import BooksCheck
from payments.operations.integrity import check_books

log = structlog.get_logger("portal.payments")

# A check that takes longer has lost its process.
MAX_CHECK = timedelta(hours=1)


def check_books_daily(*, at: datetime) -> int:
    """Proves the books once a day, for staff; one worker does it, and again what was not finished within an hour.
    Returns how many differences it found."""
    check, is_new = BooksCheck.objects.get_or_create(day=seller_day(at), defaults={"started_at": at})
    was_killed = check.finished_at is None and check.started_at <= at - MAX_CHECK
    if not is_new and not (was_killed and claim(check, "started_at", until=at)):
        return 0
    began = monotonic()
    check.problems = check_books(at=at)
    check.finished_at = at + timedelta(seconds=monotonic() - began)
    check.save(update_fields=["problems", "finished_at"])
    if check.problems:
        log.error("books do not add up", differences=len(check.problems))
    return len(check.problems)
