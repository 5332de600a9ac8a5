"""The worker: its jobs find their work in rows, do not hold up one another, and outlive what goes wrong."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from django.conf import settings
from django.core import mail
from django.db import connection
from django.utils import timezone

from billing_portal.core.jobs import Job, every_minute, work
from billing_portal.core.models import JobRun
from billing_portal.core.outbox import queue
from billing_portal.jobs import jobs
from payments.models import WebhookDelivery
from tests.factories import UserFactory
from tests.waiting import PATIENCE, until


@pytest.fixture
def working():
    """Runs jobs in the background and stops them at the end."""
    stopping = threading.Event()
    threads = []

    def start(*todo):
        thread = threading.Thread(target=work, args=(list(todo) or jobs(stopping), stopping))
        threads.append(thread)
        thread.start()

    yield start
    stopping.set()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_job_that_fails_comes_up_again(working):
    calls = []

    def fail_once(_at, _limit):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("the gateway is away")
        return 0

    working(Job("gateways", fail_once, 0.01))
    until(lambda: len(calls) > 2)


def test_a_job_that_hangs_holds_up_no_other(working):
    free, calls = threading.Event(), []

    def hang(_at, _limit):
        free.wait(10)
        return 0

    working(Job("mail", hang, 0.01), Job("webhooks", lambda _at, _limit: calls.append(1) or 0, 0.01))
    until(lambda: len(calls) > 2)
    free.set()


def test_what_is_left_is_done_at_once(working):
    left = [3, 2, 1]
    working(Job("mail", lambda _at, _limit: left.pop() if left else 0, 60))
    until(lambda: not left, seconds=3)


def test_what_people_wait_for_is_looked_after_more_often_than_every_minute():
    own_threads = {job.name: job.seconds for job in jobs() if job.seconds is not None}
    assert own_threads == {
        "gateways": 1,
        "webhooks": 1,
        "mail": 1,
        "reconciliation": 10,
        "cards": 10,
        "documents": 5,
        "comparison": 300,
        "books": 600,
    }


def test_the_worker_does_every_job_in_a_pass_every_minute(db):
    ran, stopping = [], threading.Event()
    each = [Job(name, lambda _at, _limit, name=name: ran.append(name) or 0) for name in ("closing", "reminders")]
    everything = every_minute(each, stopping)
    assert everything.seconds == 60
    assert everything.run(timezone.now(), 10) == 0
    assert ran == ["closing", "reminders"]
    assert JobRun.objects.get().origin == "worker"


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_a_job_of_every_five_minutes_is_no_part_of_the_pass(db):
    done = []
    each = [Job(str(often), lambda _at, _limit, o=often: done.append(o) or 0, often) for often in (None, 10, 300)]
    every_minute(each, threading.Event()).run(timezone.now(), 10)
    assert done == [None, 10]


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_mail_and_messages_are_worked_off(working):
    queue(key="role granted", to=UserFactory(), template="missing", context={}, at=timezone.now())
    delivery = WebhookDelivery.objects.create(
        gateway="sandbox", event_id="evt_1", kind="other", type="ping", received_at=timezone.now(),
        next_try_at=timezone.now(),
    )  # fmt: skip
    working()

    def done():
        delivery.refresh_from_db()
        return delivery.status == WebhookDelivery.Status.IGNORED

    until(done)
    assert mail.outbox == []


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_a_worker_goes_on_after_the_database_dropped_its_connection(working):
    seen, own = [], []

    def look(_at, _limit):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            own.append(cursor.fetchone()[0])
        seen.append(UserFactory._meta.model.objects.count())
        return 0

    working(Job("look", look, 0.05))
    until(lambda: seen)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [own[0]])
    until(lambda: own[-1] != own[0])


def test_the_command_ends_when_it_is_asked_to(tmp_path):
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path}/portal.sqlite3",
        "PORTAL_VAR_DIR": str(tmp_path),
        "PUBLIC_URL": "https://billing.example.com",
        "DJANGO_SETTINGS_MODULE": "billing_portal.settings",
    }
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "run_worker"], cwd=settings.BASE_DIR, env=environment, stderr=subprocess.PIPE
    )
    try:
        # There are no tables: each job fails, says so, and the worker lives.
        assert b"job failed" in worker.stderr.readline() + worker.stderr.readline()
        assert worker.poll() is None
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=PATIENCE)
        assert worker.returncode == 0
    finally:
        worker.kill()  # one that hangs must not disturb the tests that follow
        worker.wait()
