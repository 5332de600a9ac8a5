"""One clock: everything that is due, done in one pass that may begin at any time, anywhere, more than once.

Each job finds its work in rows of the database and takes it up there, under a lock or a lease, so that passes may run
on several machines at once, be killed at any line and begin again: what was done stays done, and nothing is done twice.
Nothing is remembered between passes but a row that says what each of them did.

The worker begins a pass every minute; ``manage.py run_due`` begins one now, by hand or from cron.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

import structlog
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from accounts.mail import send_due
from accounts.models import DueRun
from invoices.operations import close_due, expire_credits, remind_due, update_profile_statuses
from payments.gateways.registry import gateways
from payments.operations import (
    announce_due,
    charge_due,
    detach_due,
    end_abandoned,
    process_deliveries,
    reconcile,
    send_statements,
    warn_of_expiring_cards,
)

log = structlog.get_logger("portal.due")

# How much a job takes up at a time; between bites a pass can be stopped.
BITE = 100
# A job that still finds work after so many bites is broken, or the next pass goes on where it stopped.
MOST_BITES = 10_000
KEPT_FOR = timedelta(days=366)
# A pass begins every minute. After so long without one the worker is missed. A pass that closes the periods of a
# hundred thousand profiles takes its time, and until then nothing tells it from one that was killed.
MISSED_AFTER = timedelta(minutes=5)
LONGEST_PASS = timedelta(hours=1)
# A machine that starts brings the web server and the worker up in any order.
STARTED_AT = timezone.now()


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """``last_seen_at`` is when the newest pass ended, or began if it has not; None when there never was one."""

    is_missed: bool
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Job:
    """``run`` does at most so much of what is due at a moment and returns how much it did; 0 when nothing is left.

    ``name`` is translated where it is shown.
    """

    name: str
    run: Callable[[datetime, int], int]


def jobs() -> list[Job]:
    """In the order in which one makes work for the next: credits that expired pay for nothing, a closed period is
    announced, then charged, then told by mail."""
    return [
        Job(_("gateways"), _work_of_gateways),
        Job(_("deliveries"), lambda at, limit: process_deliveries(at=at, limit=limit)),
        Job(_("reconciliation"), lambda at, limit: reconcile(at=at, limit=limit)),
        Job(_("credits"), lambda at, limit: expire_credits(at=at, limit=limit)),
        Job(_("closing"), lambda at, _limit: close_due(at=at)),
        Job(_("announcements"), lambda at, limit: announce_due(at=at, limit=limit)),
        Job(_("automatic charges"), lambda at, limit: charge_due(at=at, limit=limit)),
        Job(_("cards"), lambda at, limit: detach_due(at=at, limit=limit) + end_abandoned(at=at, limit=limit)),
        Job(_("expiring cards"), lambda at, limit: warn_of_expiring_cards(at=at, limit=limit)),
        Job(_("reminders"), lambda at, limit: remind_due(at=at, limit=limit)),
        Job(_("profiles"), lambda at, limit: update_profile_statuses(at=at, limit=limit)),
        Job(_("statements"), lambda at, limit: send_statements(at=at, limit=limit)),
        Job(_("mail"), lambda at, limit: send_due(at=at, limit=limit)),
        Job(_("tidying"), tidy),
    ]


def run_due(
    *, at: datetime, origin: str, todo: Sequence[Job] | None = None, stopping: threading.Event | None = None
) -> DueRun:
    """Does everything that is due at a moment. Returns the row that says what was done.

    ``origin`` says who began it (``worker``, ``command``). A job that fails is logged and named in the row, and the
    others go on; whatever it left is still due. Never raises for a job.
    """
    began = monotonic()
    run = DueRun.objects.create(started_at=at, origin=origin)
    for job in jobs() if todo is None else todo:
        if stopping is not None and stopping.is_set():
            break
        done, problem = _run(job, at, stopping)
        if done:
            run.done[job.name] = done
        if problem:
            run.failed[job.name] = problem
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()  # the next job may need a new one
    run.finished_at = at + timedelta(seconds=monotonic() - began)
    run.save(update_fields=["finished_at", "done", "failed"])
    if run.done or run.failed:
        log.info("due work done", origin=origin, **run.done, failed=sorted(run.failed))
    else:
        DueRun.objects.filter(done={}, failed={}, finished_at__isnull=False, pk__lt=run.pk).delete()
    return run


def worker_status(*, at: datetime) -> WorkerStatus:
    """Whether passes are begun as they should, whoever begins them: a worker, one of several, or cron. One query on an
    index."""
    newest = DueRun.objects.order_by("-started_at", "-pk").values_list("started_at", "finished_at").first()
    begun, ended = newest or (None, None)
    last_seen_at = ended or begun
    patience = LONGEST_PASS if begun and not ended else MISSED_AFTER
    is_late = last_seen_at is None or at - last_seen_at > patience
    return WorkerStatus(is_late and at - STARTED_AT > MISSED_AFTER, last_seen_at)


def _run(job: Job, at: datetime, stopping: threading.Event | None) -> tuple[int, str]:
    """How much a job did, and what went wrong, in words for staff; empty when nothing did."""
    done = 0
    try:
        for _bite in range(MOST_BITES):
            found = job.run(at, BITE)
            done += found
            if not found or (stopping is not None and stopping.is_set()):
                return done, ""
    except Exception as error:  # whatever goes wrong in one job, the others are due all the same
        log.exception("due work failed", job=job.name)
        kind = "database" if isinstance(error, DatabaseError) else type(error).__name__
        return done, f"{kind}: {error}"[:300]
    log.error("due work has no end", job=job.name, bites=MOST_BITES)
    return done, "It still found work after the most bites a pass may take."


def _work_of_gateways(_at: datetime, _limit: int) -> int:
    for gateway in gateways():
        gateway.work()
    return 0


def tidy(at: datetime, limit: int) -> int:
    """Deletes sessions that have ended, and what passes did more than a year ago. Returns how many rows."""
    ended = list(Session.objects.filter(expire_date__lt=at).values_list("pk", flat=True)[:limit])
    Session.objects.filter(pk__in=ended).delete()
    old = list(DueRun.objects.filter(started_at__lt=at - KEPT_FOR).values_list("pk", flat=True)[:limit])
    DueRun.objects.filter(pk__in=old).delete()
    return len(ended) + len(old)
