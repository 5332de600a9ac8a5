"""The clock: one pass does all that is due, one job's trouble is not the others', and what was done can be read."""

import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from billing_portal.core import jobs
from billing_portal.core.jobs import Job, run_due_jobs
from billing_portal.core.models import JobRun
from billing_portal.jobs import tidy
from tests.factories import NOW, UserFactory

pytestmark = pytest.mark.django_db


def left(amounts: list[int]) -> Job:
    return Job("counting", lambda _at, _limit: amounts.pop(0) if amounts else 0)


def broken(name: str = "broken") -> Job:
    def run(_at, _limit):
        raise LookupError("no such row")

    return Job(name, run)


def test_a_job_is_called_until_nothing_is_left():
    amounts = [100, 100, 7]
    run = run_due_jobs([left(amounts)], at=NOW, origin="command")
    assert (run.done, run.failed, amounts) == ({"counting": 207}, {}, [])


def test_every_job_is_given_the_moment_and_a_limit():
    given = []
    run_due_jobs([Job("asking", lambda at, limit: given.append((at, limit)) or 0)], at=NOW, origin="command")
    assert given == [(NOW, 100)]


def test_a_job_that_fails_is_named_and_the_others_go_on():
    run = run_due_jobs([broken(), left([3])], at=NOW, origin="worker")
    kept = JobRun.objects.get()
    assert (kept.done, kept.failed) == ({"counting": 3}, {"broken": "LookupError: no such row"})
    assert kept.pk == run.pk
    assert kept.finished_at is not None


def test_a_job_without_an_end_is_stopped_and_named(monkeypatch):
    monkeypatch.setattr(jobs, "MAX_BATCHES", 5)
    run = run_due_jobs([Job("endless", lambda _at, _limit: 1)], at=NOW, origin="worker")
    assert run.done == {"endless": 5}
    assert "endless" in run.failed


def test_a_worker_that_is_told_to_stop_begins_no_further_batch():
    stopping, amounts = threading.Event(), [1, 1, 1]

    def run(_at, _limit):
        stopping.set()
        return amounts.pop()

    run_due_jobs([Job("counting", run), broken()], at=NOW, origin="worker", stopping=stopping)
    assert amounts == [1, 1]
    assert JobRun.objects.get().failed == {}


def test_of_passes_that_found_nothing_the_last_is_kept():
    run_due_jobs([left([1])], at=NOW, origin="worker")
    run_due_jobs([broken()], at=NOW, origin="worker")
    killed = JobRun.objects.create(started_at=timezone.now(), origin="worker")
    passes = [run_due_jobs([left([])], at=NOW + timedelta(minutes=minutes), origin="worker") for minutes in range(3)]
    assert len({one.pk for one in passes}) == 1  # its page, which somebody may have open, stays
    last = JobRun.objects.get(pk=passes[0].pk)
    assert (last.started_at, last.finished_at >= last.started_at) == (NOW + timedelta(minutes=2), True)
    kept = list(JobRun.objects.order_by("pk").values_list("pk", "done", "failed"))
    assert [(done, bool(failed)) for _pk, done, failed in kept] == [
        ({"counting": 1}, False),
        ({}, True),
        ({}, False),
        ({}, False),
    ]
    assert [pk for pk, _done, _failed in kept][2:] == [killed.pk, last.pk]


def test_sessions_that_ended_are_tidied_away():
    for days in (-1, -40, 1):
        session = SessionStore()
        session.set_expiry(NOW + timedelta(days=days))
        session.create()
    Session.objects.order_by("pk").update(expire_date=NOW + timedelta(days=1))
    ended = Session.objects.order_by("pk").first()
    Session.objects.filter(pk=ended.pk).update(expire_date=NOW - timedelta(seconds=1))
    assert tidy(NOW, 100) == 1
    assert Session.objects.count() == 2
    assert tidy(NOW, 100) == 0


def test_what_passes_did_is_kept_for_a_year():
    for days in (367, 365):
        JobRun.objects.create(started_at=NOW - timedelta(days=days), origin="worker", done={"mail": days})
    assert tidy(NOW, 100) == 1
    assert JobRun.objects.get().done == {"mail": 365}


def test_the_command_says_what_it_did():
    out = StringIO()
    call_command("run_due", stdout=out)
    assert out.getvalue() == "Nothing was due.\n"
    assert JobRun.objects.get().origin == "command"


def test_the_command_can_do_one_job_and_refuses_one_that_there_is_not():
    out = StringIO()
    session = SessionStore()
    session.set_expiry(timezone.now() - timedelta(days=1))
    session.create()
    call_command("run_due", only=["mail"], stdout=out)
    assert Session.objects.count() == 1
    call_command("run_due", only=["cleanup"], stdout=out)
    assert out.getvalue() == "Nothing was due.\ncleanup: 1\n"
    with pytest.raises(CommandError, match="invalid choice: 'money'"):
        call_command("run_due", "--only", "money")


def test_the_command_fails_when_a_job_does(monkeypatch):
    monkeypatch.setattr("billing_portal.management.commands.run_due.jobs", lambda: [broken("mail"), left([2])])
    out = StringIO()
    with pytest.raises(CommandError, match="still due: mail \\(LookupError: no such row\\)"):
        call_command("run_due", stdout=out)
    assert out.getvalue() == "counting: 2\n"


def test_staff_read_what_the_clock_did(client):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    run_due_jobs([left([4]), broken("mail")], at=NOW, origin="worker")
    page = client.get(reverse("admin:core_jobrun_changelist")).text
    assert "counting: 4" in page
    assert "mail: LookupError: no such row" in page
    assert client.get(reverse("admin:core_jobrun_add")).status_code == 403
