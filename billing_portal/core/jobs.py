"""Periodic work: a table of jobs, one pass through all of them, and the worker.

Each job finds its work in rows of the database and takes it up there, under a lock or a lease, so that passes may run
on several machines at once, be killed at any line and begin again. The worker begins a pass every minute; ``manage.py
run_due`` begins one now. Jobs that people wait for also have a thread of their own in the worker, so that a mail server
or a gateway that does not answer delays nothing else.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

import structlog
from django.db import Error, close_old_connections, connection, connections
from django.utils import timezone

from billing_portal.core.models import JobRun

log = structlog.get_logger("portal.jobs")

# How much a job takes up at a time. Between batches a pass can be stopped; a thread of the worker takes less, so that
# a worker that is told to stop has little to finish.
BATCH, SMALL_BATCH = 100, 10
# A job that still finds work after so many batches is broken, or the next pass continues where it stopped.
MAX_BATCHES = 10_000
PASS_SECONDS = 60
# What a worker that is told to stop gives its jobs, less than the service manager gives it (`deploy/`, 30 seconds).
STOP_SECONDS = 20
# The worker is missed when no pass has begun for so long. A pass that closes the periods of a hundred thousand profiles
# takes its time, and until it ends nothing tells it from one that was killed.
MISSED_AFTER = timedelta(minutes=5)
LONGEST_PASS = timedelta(hours=1)
# A machine that starts brings the web server and the worker up in any order.
STARTED_AT = timezone.now()


@dataclass(frozen=True, slots=True)
class Job:
    """``run`` does at most so much of what is due at a moment and returns how much it did; 0 when nothing is left. A
    job with ``seconds`` has a thread of the worker, which looks that often; passes leave out what runs less often."""

    name: str
    run: Callable[[datetime, int], int]
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """``last_seen_at`` is when the newest pass ended, or began if it has not; None when there never was one."""

    is_missed: bool
    last_seen_at: datetime | None


def run_due_jobs(jobs: Sequence[Job], *, at: datetime, origin: str, stopping: threading.Event | None = None) -> JobRun:
    """Does everything that is due at a moment, job by job. Returns the row that says what was done. ``origin`` says who
    began it (``worker``, ``command``). A job that fails is logged and named in the row, and the others go on."""
    began = monotonic()
    run = JobRun.objects.create(started_at=at, origin=origin)
    for job in jobs:
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
        _keep_one_idle(run)
    return run


def _keep_one_idle(run: JobRun) -> None:
    """Overwrites the last pass that found nothing with this one, because somebody may have its page open."""
    earlier = JobRun.objects.filter(done={}, failed={}, finished_at__isnull=False, pk__lt=run.pk)
    first = earlier.order_by("pk").values_list("pk", flat=True).first()
    if first is None:
        return
    ended = {"started_at": run.started_at, "finished_at": run.finished_at, "origin": run.origin}
    if JobRun.objects.filter(pk=first).update(**ended):
        JobRun.objects.filter(pk=run.pk).delete()
        earlier.exclude(pk=first).delete()
        run.pk = first


def _run(job: Job, at: datetime, stopping: threading.Event | None) -> tuple[int, str]:
    """How much a job did, and what went wrong, in words for staff."""
    done = 0
    try:
        for _batch in range(MAX_BATCHES):
            count = job.run(at, BATCH)
            done += count
            if not count or (stopping is not None and stopping.is_set()):
                return done, ""
    except Exception as error:  # whatever goes wrong in one job, the others are due all the same
        log.exception("due work failed", job=job.name)
        kind = "database" if isinstance(error, Error) else type(error).__name__
        return done, f"{kind}: {error}"[:300]
    log.error("due work has no end", job=job.name, batches=MAX_BATCHES)
    return done, "It still found work after the largest number of batches in a pass."


def every_minute(jobs: Sequence[Job], stopping: threading.Event) -> Job:
    """The pass through the jobs, as a job of the worker's."""
    jobs = [job for job in jobs if job.seconds is None or job.seconds <= PASS_SECONDS]

    def begin_pass(at: datetime, _limit: int) -> int:
        run_due_jobs(jobs, at=at, origin="worker", stopping=stopping)
        return 0

    return Job("due", begin_pass, PASS_SECONDS)


def work(jobs: Sequence[Job], stopping: threading.Event, *, stop_within: float = STOP_SECONDS) -> None:
    """The worker: a thread for each job that has ``seconds``, until ``stopping`` is set and each has finished its
    batch. One that takes longer is left where it is and ends with the process, as if it had been killed: its rows come
    up again when their lease is over, and a mail in the hands of a slow server was counted as unsure beforehand."""
    threads = [
        threading.Thread(target=_repeat, args=(job, job.seconds, stopping), name=job.name, daemon=True)
        for job in jobs
        if job.seconds is not None
    ]
    for thread in threads:
        thread.start()
    while not stopping.is_set():
        threads[0].join(0.2)  # not `stopping.wait`, whose lock the handler of a signal could not take
    until = monotonic() + stop_within
    for thread in threads:
        thread.join(max(0.0, until - monotonic()))
    if unfinished := [thread.name for thread in threads if thread.is_alive()]:
        log.warning("worker ends before its jobs", jobs=unfinished)


def _repeat(job: Job, seconds: float, stopping: threading.Event) -> None:
    """Runs a job at once as long as it finds work, then after a pause. After a failure it takes a new connection."""
    failures = 0
    while not stopping.is_set():
        close_old_connections()
        try:
            count = job.run(timezone.now(), SMALL_BATCH)
        except Exception:  # a worker outlives whatever goes wrong in one of its jobs
            failures += 1
            log.exception("job failed", job=job.name, failures=failures)
            count = 0
        else:
            failures = 0
        if not count:
            # After failures the pauses grow, up to a minute, to spare a database that is in trouble.
            stopping.wait(min(60.0, seconds * 2**failures))
    connections.close_all()


def worker_status(*, at: datetime) -> WorkerStatus:
    """Whether passes begin as they should, whoever begins them. One query on an index."""
    newest = JobRun.objects.order_by("-started_at", "-pk").values_list("started_at", "finished_at").first()
    begun, ended = newest or (None, None)
    last_seen_at = ended or begun
    patience = LONGEST_PASS if begun and not ended else MISSED_AFTER
    is_late = last_seen_at is None or at - last_seen_at > patience
    return WorkerStatus(is_late and at - STARTED_AT > MISSED_AFTER, last_seen_at)
