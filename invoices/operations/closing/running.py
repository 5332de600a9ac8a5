"""The run: one chunk after the other until nothing is left, each in a transaction of its own."""

import logging
from collections.abc import Iterator
from datetime import date, datetime

from django.db import DataError, IntegrityError, reset_queries, transaction
from django.db.models import QuerySet

from accounts.access import Access, system_access
from accounts.models import BillingProfile
from invoices.operations.closing.choosing import Walk
from invoices.operations.closing.writing import Closed, Closer
from invoices.operations.issuing import CannotIssue

log = logging.getLogger("portal.closing")

CHUNK = 500
# Nobody knows how many charges a profile has until they are read. So a run begins with few profiles at once, and a
# chunk that made many lines is followed by a smaller one: no transaction takes long.
FIRST_CHUNK = 50
MANY_LINES = 20_000
# What the rows of a single profile can be the reason of. A database that does not answer is none of these.
UNFIT = (CannotIssue, DataError, IntegrityError, ArithmeticError, LookupError, TypeError, ValueError)


def close_due(*, at: datetime, limit: int = CHUNK) -> int:
    """Closes what is due, and stops after the chunk that reaches ``limit``. Returns how many periods it closed, so that
    a worker calls again until that is none. What could not be closed is logged, and tried again every time."""
    count = 0
    for closed in close_periods(access=system_access(), at=at, chunk=min(limit, CHUNK)):
        for code, reason in closed.failed.items():
            log.error("The period of billing profile %s could not be closed: %s", code, reason)
        count += closed.periods
        if count >= limit:
            break
    return count


def close_periods(
    *,
    access: Access,
    at: datetime,
    until: date | None = None,
    only: BillingProfile | None = None,
    chunk: int = CHUNK,
    dry_run: bool = False,
) -> Iterator[Closed]:
    """Closes every period that has ended and is open, of all profiles or of ``only`` one, and yields what became of
    each chunk after it was committed. Stopping half-way leaves whole chunks.

    ``until`` leaves periods that end after a day for later. With ``dry_run`` each chunk is undone again. A profile that
    cannot be closed is named in ``failed`` and holds up no other. Rights are the caller's.
    """
    run = Run(access=access, at=at, until=until, only=only, chunk=chunk, dry_run=dry_run)
    yield from run.walk(run.where.never_seen(), seen=False)
    yield from run.walk(run.where.due(), seen=True)


class Run:
    def __init__(
        self,
        *,
        access: Access,
        at: datetime,
        until: date | None,
        only: BillingProfile | None,
        chunk: int,
        dry_run: bool,
    ) -> None:
        self.where = Walk(at=at, until=until, only=only, size=chunk)
        self.chunk, self.dry_run = chunk, dry_run
        self.closer = Closer(access=access, at=at, until=until)

    def walk(self, profiles: QuerySet[BillingProfile], *, seen: bool) -> Iterator[Closed]:
        """Chunk after chunk of these profiles; ``seen`` says that they have a next invoice day."""
        if not profiles.exists():  # an idle pass takes no lock, which on SQLite everybody would wait for
            return
        self.where.restart()
        self.where.size = min(self.chunk, FIRST_CHUNK)
        while closed := self._step(profiles, seen=seen):
            reset_queries()
            yield closed

    def _step(self, profiles: QuerySet[BillingProfile], *, seen: bool) -> Closed | None:
        """The next chunk; None when there is none. One that cannot be closed as a whole is tried again by halves, until
        the profile that is the reason stands alone and is passed over."""
        locked: list[BillingProfile] = []
        try:
            with transaction.atomic():
                locked = self.where.lock(profiles, seen=seen)
                if not locked:
                    return None
                last = locked[-1].next_invoice_on, locked[-1].pk
                closed = self.closer.close(locked)
                if self.dry_run:
                    transaction.set_rollback(True)
        except UNFIT as problem:
            if len(locked) > 1:
                self.where.size = len(locked) // 2
                return self._step(profiles, seen=seen)
            closed = Closed(profiles=1, failed={one.code: str(problem) for one in locked})
        self.where.pass_over(*last)
        self._resize(closed.lines)
        return closed

    def _resize(self, lines: int) -> None:
        if lines > MANY_LINES:
            self.where.size = max(1, self.where.size * MANY_LINES // lines)
        elif 2 * lines <= MANY_LINES:
            self.where.size = min(self.chunk, 2 * self.where.size)
