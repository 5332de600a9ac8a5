"""The sandbox's books hold under threads, processes and sudden death."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from payments.gateways.base import Result
from payments.gateways.registry import get_gateway
from payments.gateways.sandbox import SandboxGateway
from payments.gateways.sandbox.books import FIRST, Books
from tests.payments.contract.benches import SandboxBench, an_attempt

PROGRAM = """
    import sys
    from django.conf import settings
    settings.configure(DEBUG=True, USE_TZ=True)
    from invoices.money import Money
    from payments.gateways.base import Attempt
    from payments.gateways.sandbox import SandboxGateway
    gateway = SandboxGateway("sandbox", sys.argv[1], "secret", "http://localhost/", True)
    name = sys.argv[2]
    number = 0
    while number < int(sys.argv[3]):
        number += 1
        attempt = Attempt(key=f"{name}-{number}", reference=f"PAY-{name}-{number}", amount=Money(100, "EUR"),
                          profile="BP", description="", return_url="", method="tok_4242_x")
        print(number, gateway.charge(attempt).result, flush=True)
"""


def start(books, name, times):
    """Another process that charges, telling of each charge that it got an answer to."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(books), name, str(times)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=os.getcwd(),  # noqa: PTH109 - Popen wants a string
    )


def test_processes_that_make_the_books_together_lose_nothing(tmp_path):
    books = tmp_path / "new" / "books.sqlite3"
    processes = [start(books, f"p{index}", 10) for index in range(4)]

    outputs = [process.communicate(timeout=60)[0] for process in processes]

    assert [output.count("succeeded") for output in outputs] == [10] * 4
    gateway = SandboxGateway("sandbox", books, "secret", "http://localhost/", True)
    assert gateway.books.totals() == {"EUR": 4000}


def test_books_of_an_older_version_get_what_is_missing_and_keep_what_they_hold(tmp_path):
    path = tmp_path / "books.sqlite3"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(FIRST + "PRAGMA user_version = 1; UPDATE clock SET seconds_ahead = 7;")

    with Books(path).transaction() as book:
        assert book.rows("SELECT * FROM tries") == []
        assert book.row("SELECT seconds_ahead FROM clock")[0] == 7


def test_a_process_killed_in_the_middle_leaves_whole_books_with_all_it_was_told(tmp_path):
    books = tmp_path / "books.sqlite3"
    for round_number in range(3):
        process = start(books, f"r{round_number}", 100_000)
        for _line in range(5):
            process.stdout.readline()
        time.sleep(0.02 * round_number)
        process.send_signal(signal.SIGKILL)
        answered = 5 + process.stdout.read().count("succeeded")
        process.wait()
        process.stdout.close()

        gateway = SandboxGateway("sandbox", books, "secret", "http://localhost/", True)
        mine = [
            charge for charge in gateway.books.attempts() if charge["reference"].startswith(f"PAY-r{round_number}-")
        ]
        assert {charge["state"] for charge in mine} == {"succeeded"}
        assert len({charge["reference"] for charge in mine}) == len(mine)
        assert 0 <= len(mine) - answered <= 1
        with gateway.books.reading() as book:
            assert len(book.rows("SELECT 1 FROM answers")) == len(gateway.books.attempts())
            assert len(book.rows("SELECT 1 FROM events")) == len(gateway.books.attempts())
            assert book.row("PRAGMA integrity_check")[0] == "ok"


def test_the_answer_can_be_held_back_after_the_charge_is_in_the_books(tmp_path):
    bench = SandboxBench("sandbox")
    attempt = an_attempt(bench)
    bench.gateway.switches.arm("delay_answer", value=500)

    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(bench.gateway.charge, attempt)
        deadline = time.monotonic() + 10
        while not bench.taken(attempt.reference) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert bench.taken(attempt.reference) == [(1000, "EUR")]
        assert not answer.done()
        assert answer.result().result == Result.SUCCEEDED


def test_many_attempts_at_once_are_each_charged_once():
    bench = SandboxBench("sandbox")
    attempts = [an_attempt(bench) for _index in range(10)]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(bench.gateway.charge, attempts * 3))

    assert all(len(bench.taken(attempt.reference)) == 1 for attempt in attempts)
    assert bench.gateway.books.totals() == {"EUR": 10_000}


def test_the_books_do_not_share_the_fate_of_the_portals_transaction(db):
    from django.db import transaction

    bench = SandboxBench("sandbox")
    attempt = an_attempt(bench)
    with transaction.atomic():
        bench.gateway.charge(attempt)
        transaction.set_rollback(True)

    assert bench.taken(attempt.reference) == [(1000, "EUR")]


def test_every_commit_reaches_the_disk():
    gateway = get_gateway("sandbox")
    with gateway.books.reading() as book:
        assert book.row("PRAGMA journal_mode")[0] == "wal"
        assert book.row("PRAGMA synchronous")[0] == 2  # FULL


def test_a_transaction_that_fails_changes_nothing():
    bench = SandboxBench("sandbox")
    try:
        with bench.gateway.books.transaction() as book:
            book.change("INSERT INTO fences VALUES ('PAY-1', 'key')")
            book.insert("nowhere", name="x")
    except sqlite3.OperationalError:
        pass
    with bench.gateway.books.reading() as book:
        assert book.rows("SELECT * FROM fences") == []


def test_books_that_an_older_portal_began_are_brought_up_to_date(tmp_path):
    path = tmp_path / "old.sqlite3"
    old = sqlite3.connect(path)
    old.executescript(FIRST + "PRAGMA user_version = 1;")
    old.close()

    assert Books(path).disputes() == []
    assert Books(path).charges() == []
