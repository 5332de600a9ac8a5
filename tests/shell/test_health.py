"""What a monitor is told, and what staff are told on their first page when the worker has not run."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from billing_portal.core import database, jobs
from billing_portal.core.database import require_migrations
from billing_portal.core.jobs import run_due_jobs
from billing_portal.core.models import JobRun
from tests.databases import read_only
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _up_for_long(monkeypatch):
    monkeypatch.setattr(jobs, "STARTED_AT", timezone.now() - timedelta(days=1))


def ago(**time):
    return timezone.now() - timedelta(**time)


def begun(at, *, ended=None, origin="worker"):
    return JobRun.objects.create(started_at=at, finished_at=ended, origin=origin)


def told(client):
    """The lines of /healthz, and the status of the page for the worker alone."""
    web, worker = client.get("/healthz"), client.get("/healthz/worker")
    assert (web.status_code, web.text.splitlines()[0]) == (200, "ok")
    assert web.text.splitlines()[1:] == worker.text.splitlines()
    return worker.text.strip(), worker.status_code


def test_a_worker_that_runs_is_well(client):
    run_due_jobs([], at=timezone.now(), origin="worker")
    assert told(client) == ("worker: ok", 200)


def test_a_pass_from_cron_counts_too(client):
    run_due_jobs([], at=timezone.now(), origin="command")
    assert told(client) == ("worker: ok", 200)


def test_four_minutes_without_a_pass_are_no_alarm(client):
    begun(ago(minutes=4), ended=ago(minutes=4))
    assert told(client) == ("worker: ok", 200)


def test_six_minutes_without_a_pass_are_told_with_the_moment(client):
    last = ago(minutes=6)
    begun(last, ended=last)
    assert told(client) == (f"worker: not run since {last:%Y-%m-%dT%H:%M:%SZ}", 503)


def test_a_portal_whose_worker_was_never_started_says_so(client):
    assert told(client) == ("worker: never run", 503)


def test_a_pass_may_take_half_an_hour(client):
    begun(ago(minutes=30))
    assert told(client) == ("worker: ok", 200)


def test_a_pass_of_two_hours_was_killed(client):
    begun(ago(hours=2))
    assert told(client)[1] == 503


def test_the_minute_after_a_long_pass_is_no_alarm(client):
    begun(ago(minutes=30), ended=ago(minutes=1))
    assert told(client) == ("worker: ok", 200)


def test_while_one_worker_is_at_a_long_pass_the_others_count(client):
    begun(ago(hours=2))
    begun(ago(minutes=1), ended=ago(minutes=1))
    assert told(client) == ("worker: ok", 200)


def test_a_machine_that_starts_may_bring_the_worker_up_last(client, monkeypatch):
    begun(ago(days=2), ended=ago(days=2))
    monkeypatch.setattr(jobs, "STARTED_AT", ago(minutes=1))
    assert told(client) == ("worker: ok", 200)


def test_a_monitor_costs_one_query(client, django_assert_num_queries):
    begun(ago(minutes=6), ended=ago(minutes=6))
    client.get("/healthz")  # the first one looks for missing migrations as well
    with django_assert_num_queries(1):
        client.get("/healthz")


def test_the_worker_is_asked_after_without_a_redirect_to_https(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert [client.get(address).status_code for address in ("/healthz", "/healthz/worker")] == [200, 503]


def test_a_server_whose_migrations_are_missing_gets_no_requests(client):
    """The new code is started before its tables are there: a load balancer keeps to the old one meanwhile."""
    require_migrations.cache_clear()
    applied = MigrationRecorder.Migration.objects.filter(app="payments")
    rows = list(applied)
    applied.delete()
    answer = client.get("/healthz")
    assert (answer.status_code, answer.text) == (503, "migrations missing\n")
    MigrationRecorder.Migration.objects.bulk_create(rows)
    assert client.get("/healthz").status_code == 200


def test_a_server_whose_database_takes_no_changes_gets_no_requests(client, monkeypatch):
    """As after a failover, when the addresses of the databases have changed places."""
    monkeypatch.setattr(database, "_last_answer", None)
    client.get("/healthz")
    with read_only():
        assert client.get("/healthz").status_code == 200  # the answer counts for some seconds
        monkeypatch.setattr(database, "WRITABLE_SECONDS", 0)
        answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.text.startswith("database read-only: ")
    assert client.get("/healthz").status_code == 200


@pytest.fixture
def clerk():
    """A member of staff who may see hardly anything."""
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_user"))
    return clerk


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "The worker has not run since 5 Oct 2026, 09:14."),
        ("nl", "5 okt 2026, 09:14."),
    ],
)
def test_every_member_of_staff_is_told_since_when_and_what_to_do(client, clerk, language, sentence):
    last = timezone.datetime.fromisoformat("2026-10-05T07:14:00+00:00")
    begun(last, ended=last)
    clerk.language = language
    clerk.save()
    client.force_login(clerk)
    page = client.get("/admin/").text
    assert sentence in page
    assert "manage.py run_worker" in page


def test_staff_are_told_of_a_worker_that_never_ran(client, clerk):
    client.force_login(clerk)
    assert "The worker has never run." in client.get("/admin/").text


def test_staff_read_nothing_of_a_worker_that_runs(client, clerk):
    begun(ago(minutes=1), ended=ago(minutes=1))
    client.force_login(clerk)
    assert "The worker" not in client.get("/admin/").text
