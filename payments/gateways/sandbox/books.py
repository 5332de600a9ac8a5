"""The sandbox's own books: a SQLite file that the portal's database knows nothing of.

An outside party keeps its own accounts, so its commit never shares the fate of ours: what is charged here stays charged
when the portal's transaction rolls back or its process is killed. Every change is one IMMEDIATE transaction with
``synchronous=FULL``. Connections are borrowed for the length of a transaction and kept for the next; each process has
its own, so a fork inherits none.
"""

import json
import os
import sqlite3
import time
import weakref
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from payments.gateways.base import GatewayError

KEYS_LIVE = 24 * 60 * 60  # seconds; older idempotency keys are forgotten, as large providers document it

FIRST = """
CREATE TABLE clock (seconds_ahead INTEGER NOT NULL);
INSERT INTO clock VALUES (0);
CREATE TABLE answers (
    key TEXT PRIMARY KEY, parameters TEXT NOT NULL, answer TEXT NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX answer_age ON answers (at);
CREATE TABLE fences (reference TEXT PRIMARY KEY, key TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX fence_key ON fences (key);
CREATE TABLE charges (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, reference TEXT NOT NULL, profile TEXT NOT NULL,
    description TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL, state TEXT NOT NULL,
    decline TEXT NOT NULL DEFAULT '', method TEXT NOT NULL, last_four TEXT NOT NULL, expiry_month INTEGER NOT NULL,
    expiry_year INTEGER NOT NULL, save INTEGER NOT NULL, stored TEXT NOT NULL DEFAULT '', challenge TEXT UNIQUE,
    return_url TEXT NOT NULL, settles_at INTEGER, settles_as TEXT NOT NULL DEFAULT '', at INTEGER NOT NULL
);
CREATE INDEX charge_reference ON charges (reference);
CREATE INDEX charge_settles ON charges (settles_at) WHERE settles_at IS NOT NULL;
CREATE TABLE refunds (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, key TEXT NOT NULL, reference TEXT NOT NULL,
    charge TEXT NOT NULL REFERENCES charges (id), amount INTEGER NOT NULL, currency TEXT NOT NULL,
    state TEXT NOT NULL, decline TEXT NOT NULL DEFAULT '', settles_at INTEGER,
    settles_as TEXT NOT NULL DEFAULT '', at INTEGER NOT NULL
);
CREATE INDEX refund_charge ON refunds (charge);
CREATE INDEX refund_key ON refunds (key);
CREATE INDEX refund_settles ON refunds (settles_at) WHERE settles_at IS NOT NULL;
CREATE TABLE tokens (
    id TEXT PRIMARY KEY, expiry_month INTEGER NOT NULL, expiry_year INTEGER NOT NULL, used INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE cards (
    id TEXT PRIMARY KEY, customer TEXT NOT NULL, expiry_month INTEGER NOT NULL, expiry_year INTEGER NOT NULL,
    set_up INTEGER NOT NULL, detached INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE setups (
    id TEXT PRIMARY KEY, profile TEXT NOT NULL, token TEXT NOT NULL, expiry_month INTEGER NOT NULL,
    expiry_year INTEGER NOT NULL, state TEXT NOT NULL, decline TEXT NOT NULL DEFAULT '',
    stored TEXT NOT NULL DEFAULT '', challenge TEXT UNIQUE, return_url TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE events (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL, object_id TEXT NOT NULL,
    reference TEXT NOT NULL, at INTEGER NOT NULL, due_at INTEGER, tries INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX event_due ON events (due_at) WHERE due_at IS NOT NULL;
CREATE TABLE switches (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, operation TEXT NOT NULL, value TEXT NOT NULL,
    remaining INTEGER NOT NULL
);
"""
CHECKS_IN_PAGE = """
ALTER TABLE charges ADD COLUMN in_page INTEGER NOT NULL DEFAULT 0;
ALTER TABLE setups ADD COLUMN in_page INTEGER NOT NULL DEFAULT 0;
"""
TRIES = """
CREATE TABLE tries (person TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX try_age ON tries (at);
"""
DISPUTES = """
ALTER TABLE events ADD COLUMN charge TEXT NOT NULL DEFAULT '';
CREATE TABLE disputes (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, charge TEXT NOT NULL REFERENCES charges (id),
    amount INTEGER NOT NULL, currency TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
    evidence_due INTEGER NOT NULL, at INTEGER NOT NULL
);
CREATE INDEX dispute_charge ON disputes (charge);
CREATE INDEX dispute_due ON disputes (evidence_due) WHERE state = 'open';
"""
# What makes each version of the books from the one before; books that somebody keeps for a demo are brought up to date.
STEPS = (FIRST, CHECKS_IN_PAGE, TRIES, DISPUTES)


class Book:
    """The books during one transaction, and the time it happens at by the sandbox's clock."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.now = int(time.time()) + int(connection.execute("SELECT seconds_ahead FROM clock").fetchone()[0])

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        return self.connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.connection.execute(sql, values).fetchone()
        return row

    def change(self, sql: str, *values: object) -> int:
        """How many rows it changed."""
        return self.connection.execute(sql, values).rowcount

    def insert(self, table: str, **values: object) -> None:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608

    def replay(self, key: str, parameters: list[Any]) -> Any:
        """The first answer given under this key, or None. Raises GatewayError when it was asked something else."""
        self.change("DELETE FROM answers WHERE at <= ?", self.now - KEYS_LIVE)
        row = self.row("SELECT parameters, answer FROM answers WHERE key = ?", key)
        if row is None:
            return None
        if row["parameters"] != json.dumps(parameters):
            raise GatewayError("The idempotency key was used before with other parameters.")
        return json.loads(row["answer"])

    def keep(self, key: str, parameters: list[Any], answer: Any) -> None:
        self.insert("answers", key=key, parameters=json.dumps(parameters), answer=json.dumps(answer), at=self.now)


class Books:
    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._idle: dict[int, deque[sqlite3.Connection]] = defaultdict(deque)
        weakref.finalize(self, _close, self._idle)

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        idle = self._idle[os.getpid()]
        try:
            connection = idle.pop()
        except IndexError:
            connection = self._open()
        try:
            yield connection
        finally:
            idle.append(connection)

    def _open(self) -> sqlite3.Connection:
        """Makes the file with the first connection; of several who find tables missing, the lock lets one make
        them."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=20, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = FULL")
        if _version(connection) == len(STEPS):
            return connection
        _write_ahead(connection)
        connection.execute("BEGIN IMMEDIATE")
        for step in STEPS[_version(connection) :]:
            for statement in step.split(";\n"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(STEPS)}")
        connection.execute("COMMIT")
        return connection

    @contextmanager
    def transaction(self) -> Iterator[Book]:
        """All of what happens inside, or nothing, and nobody else meanwhile."""
        with self._borrowed() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Book(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[Book]:
        """For looking only; waits for nobody."""
        with self._borrowed() as connection:
            yield Book(connection)

    def advance(self, seconds: int) -> None:
        """Puts the sandbox's clock forward."""
        with self.transaction() as book:
            book.change("UPDATE clock SET seconds_ahead = seconds_ahead + ?", seconds)

    def charges(self, reference: str = "") -> list[dict[str, Any]]:
        """Charges that took money, oldest first; of one reference when it is given."""
        with self.reading() as book:
            rows = book.rows(
                "SELECT * FROM charges WHERE state = 'succeeded' AND ? IN ('', reference) ORDER BY number", reference
            )
        return [dict(row) for row in rows]

    def attempts(self, reference: str = "") -> list[dict[str, Any]]:
        """All charges whatever became of them, oldest first."""
        with self.reading() as book:
            rows = book.rows("SELECT * FROM charges WHERE ? IN ('', reference) ORDER BY number", reference)
        return [dict(row) for row in rows]

    def refunds(self, charge: str = "") -> list[dict[str, Any]]:
        """Refunds that paid money back, oldest first."""
        with self.reading() as book:
            rows = book.rows(
                "SELECT * FROM refunds WHERE state = 'succeeded' AND ? IN ('', charge) ORDER BY number", charge
            )
        return [dict(row) for row in rows]

    def disputes(self) -> list[dict[str, Any]]:
        """All disputes however they stand, oldest first."""
        with self.reading() as book:
            rows = book.rows("SELECT * FROM disputes ORDER BY number")
        return [dict(row) for row in rows]

    def totals(self) -> dict[str, int]:
        """What was taken less what was paid back or lost to payers' banks, in minor units, by currency."""
        totals: dict[str, int] = defaultdict(int)
        for charge in self.charges():
            totals[charge["currency"]] += charge["amount"]
        for refund in self.refunds():
            totals[refund["currency"]] -= refund["amount"]
        for dispute in self.disputes():
            totals[dispute["currency"]] -= dispute["amount"] if dispute["state"] == "lost" else 0
        return dict(totals)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Readers then never wait for a writer. Two who switch at the same moment get "locked" without a wait."""
    for last in (False,) * 50 + (True,):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if last:
                raise
            time.sleep(0.05)
        else:
            return


def _close(idle: dict[int, deque[sqlite3.Connection]]) -> None:
    for connection in idle.get(os.getpid(), ()):
        connection.close()
