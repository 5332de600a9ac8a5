"""The sandbox's store holds under threads, processes and sudden death, apart from the portal's database."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress

import pytest
from django.db import DatabaseError, connections, router

from accounts.models import User
from payments.gateways.base import Result
from payments.gateways.sandbox.models import DATABASE, CardPayment, Clock, Fence, transaction
from tests.payments.acts import at_once
from tests.payments.contract.benches import SandboxBench, an_attempt
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db

PROGRAM = """
    import sys
    import django
    from django.conf import settings
    OPTIONS = {"timeout": 20, "transaction_mode": "IMMEDIATE",
               "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"}
    settings.configure(
        DEBUG=True, USE_TZ=True, INSTALLED_APPS=["payments.gateways.sandbox"],
        DATABASE_ROUTERS=["payments.gateways.sandbox.apps.StoreRouter"],
        DATABASES={"default": {}, "sandbox": {
            "ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1], "OPTIONS": OPTIONS}},
    )
    django.setup()
    from django.core.management import call_command
    from django.db import connections
    from invoices.money import Money
    from payments.gateways.base import Attempt
    from payments.gateways.sandbox.gateway import SandboxGateway
    from payments.gateways.sandbox.models import CardPayment, Event, IdempotencyKey
    gateway = SandboxGateway("sandbox", webhook_secret="secret", webhook_url="http://localhost/", allowed=True)
    def charge(name, number):
        attempt = Attempt(key=f"{name}-{number}", reference=f"PAY-{name}-{number}", amount=Money(100, "EUR"),
                          profile="BP", description="", return_url="", method="tok_4242_x")
        print(number, gateway.charge(attempt).result, flush=True)
"""
MIGRATE = 'call_command("migrate", "sandbox", database="sandbox", verbosity=0)'
CHARGES = "for number in range(int(sys.argv[3])): charge(sys.argv[2], number)"
COUNTS = """
    payments = CardPayment.objects.filter(reference__startswith=f"PAY-{sys.argv[2]}-")
    cursor = connections["sandbox"].cursor()
    cursor.execute("PRAGMA integrity_check")
    print(cursor.fetchone()[0], payments.count(), payments.exclude(state="succeeded").count(),
          payments.values("reference").distinct().count(),
          CardPayment.objects.count(), IdempotencyKey.objects.count(), Event.objects.count())
"""


def start(program, *arguments):
    """Another process with a sandbox, on a store of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM) + textwrap.dedent(program), *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=os.getcwd(),  # noqa: PTH109 - Popen wants a string
    )


def run(program, *arguments):
    process = start(program, *arguments)
    output, _errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    return output


@pytest.fixture
def file(tmp_path):
    """A store with its tables, and nothing in them."""
    run(MIGRATE, tmp_path / "sandbox.sqlite3")
    return tmp_path / "sandbox.sqlite3"


def test_processes_that_charge_together_lose_nothing(file):
    processes = [start(CHARGES, file, f"p{index}", 10) for index in range(4)]

    outputs = [process.communicate(timeout=PATIENCE)[0] for process in processes]

    assert [output.count("succeeded") for output in outputs] == [10] * 4
    assert run(COUNTS, file, "p1").split() == ["ok", "10", "0", "10", "40", "40", "40"]


def test_a_process_killed_in_the_middle_leaves_a_whole_store_with_all_it_was_told(file):
    for round_number in range(3):
        process = start(CHARGES, file, f"r{round_number}", 100_000)
        for _line in range(5):
            process.stdout.readline()
        time.sleep(0.02 * round_number)
        process.send_signal(signal.SIGKILL)
        answered = 5 + process.stdout.read().count("succeeded")
        process.wait()
        process.stdout.close()

        integrity, mine, unsettled, references, *all_rows = run(COUNTS, file, f"r{round_number}").split()
        assert (integrity, unsettled) == ("ok", "0")
        assert references == mine
        assert 0 <= int(mine) - answered <= 1
        assert len(set(all_rows)) == 1, "each payment has one key and one event"


@pytest.mark.django_db(transaction=True)
def test_the_answer_can_be_held_back_after_the_payment_is_stored():
    bench = SandboxBench("sandbox")
    attempt = an_attempt(bench)
    bench.gateway.faults.arm("delay_answer", value=500)

    def charge():
        return bench.gateway.charge(attempt), time.monotonic()

    def look():
        deadline = time.monotonic() + 10
        while not bench.taken(attempt.reference) and time.monotonic() < deadline:
            time.sleep(0.01)
        return bench.taken(attempt.reference), time.monotonic()

    (outcome, answered_at), (taken, seen_at) = at_once(charge, look)

    assert taken == [(1000, "EUR")]
    assert outcome.result == Result.SUCCEEDED
    assert seen_at < answered_at


@pytest.mark.django_db(transaction=True)
def test_many_attempts_at_once_are_each_charged_once():
    bench = SandboxBench("sandbox")
    attempts = [an_attempt(bench) for _index in range(10)]

    def charge_all():
        return [bench.gateway.charge(attempt).result for attempt in attempts]

    assert at_once(*[charge_all] * 6) == [[Result.SUCCEEDED] * 10] * 6

    assert all(len(bench.taken(attempt.reference)) == 1 for attempt in attempts)
    assert bench.gateway.operator.totals() == {"EUR": 10_000}


@pytest.mark.django_db(transaction=True)
def test_the_store_does_not_share_the_fate_of_the_portals_transaction():
    from django.db import transaction as portal

    bench = SandboxBench("sandbox")
    attempt = an_attempt(bench)
    with portal.atomic():
        bench.gateway.charge(attempt)
        portal.set_rollback(True)

    assert bench.taken(attempt.reference) == [(1000, "EUR")]


def test_every_commit_reaches_the_disk():
    with connections[DATABASE].cursor() as cursor:
        assert cursor.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert cursor.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL


def test_a_transaction_that_fails_changes_nothing():
    with suppress(DatabaseError), transaction():
        Fence.objects.create(reference="PAY-1", key="key")
        Clock.objects.create(ahead=None)

    assert not Fence.objects.exists()


def test_its_tables_are_in_its_own_database_and_no_others_are():
    assert CardPayment.objects.db == DATABASE
    assert User.objects.db == "default"
    for alias in ("default", DATABASE):
        tables = set(connections[alias].introspection.table_names())
        assert ("sandbox_cardpayment" in tables) == (alias == DATABASE)
        assert (User._meta.db_table in tables) == (alias == "default")
    assert not router.allow_migrate("default", "sandbox")
    assert not router.allow_migrate(DATABASE, "payments")
