"""The worker's loop: duties that look for their work in the database, each in a thread of its own.

A duty never holds up another: a mail server that does not answer delays mail, a gateway that does not answer delays
look-ups. A duty that fails is logged and comes up again; a database that was restarted is met with a new connection.
Nothing is kept in memory, and every duty leases the rows it works on, so any number of workers may run and each may be
killed at any moment.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import close_old_connections, connection
from django.utils import timezone

from accounts.mail import send_due
from billing_portal.due import run_due
from payments.gateways.registry import gateways
from payments.operations import detach_due, end_abandoned, process_deliveries, reconcile

log = structlog.get_logger("portal.worker")

# A small bite at a time, so that a worker that is told to stop has little to finish.
BITE = 10


@dataclass(frozen=True, slots=True)
class Duty:
    """``run`` returns how much it found to do; as long as that is anything, it is called again at once."""

    name: str
    seconds: float
    run: Callable[[datetime], int]


def duties(stopping: threading.Event) -> list[Duty]:
    """What the worker does, and how often it looks."""
    return [
        Duty("deliveries", 1, lambda at: process_deliveries(at=at, limit=BITE)),
        Duty("mail", 1, lambda at: send_due(at=at, limit=BITE, stopping=stopping.is_set)),
        Duty("gateways", 1, work_of_gateways),
        Duty("reconciliation", 10, lambda at: reconcile(at=at, limit=BITE)),
        Duty("due", 60, lambda at: begin_pass(at, stopping)),
        Duty("cards", 10, lambda at: detach_due(at=at, limit=BITE) + end_abandoned(at=at, limit=BITE)),
    ]


def begin_pass(at: datetime, stopping: threading.Event) -> int:
    """All that is due, once a minute. The duties beside it only make what people wait for come sooner."""
    run_due(at=at, origin="worker", stopping=stopping)
    return 0


def work_of_gateways(_at: datetime) -> int:
    for gateway in gateways():
        gateway.work()
    return 0


def work(todo: list[Duty], stopping: threading.Event) -> None:
    """Does the duties until ``stopping`` is set, and returns when each has finished what it was at."""
    threads = [threading.Thread(target=_repeat, args=(duty, stopping), name=duty.name) for duty in todo]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _repeat(duty: Duty, stopping: threading.Event) -> None:
    failures = 0
    while not stopping.is_set():
        close_old_connections()
        try:
            found = duty.run(timezone.now())
        except Exception:  # a worker outlives whatever goes wrong in one of its duties
            failures += 1
            log.exception("duty failed", duty=duty.name, failures=failures)
            found = 0
        else:
            failures = 0
        if not found:
            # After failures the pauses grow, up to a minute, so that a broken database is not drowned in questions.
            stopping.wait(min(60.0, duty.seconds * 2**failures))
    connection.close()
