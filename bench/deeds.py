"""What is done to one database in a benchmark. Each deed has a process of its own, so that memory is that of the deed
alone and one database after the other can be Django's."""

import multiprocessing
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any, NamedTuple

import django
from django.db import connection


class Done(NamedTuple):
    """``cpu_seconds`` are those of the process itself, without the database server's."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


class Comparison(NamedTuple):
    """Rounds of a benchmark of one size; a round holds what was done on each side, by name."""

    size: int
    rounds: Sequence[Any]

    def seconds(self, side: str) -> float:
        return median(getattr(one, side).seconds for one in self.rounds)

    def cpu_seconds(self, side: str) -> float:
        return median(getattr(one, side).cpu_seconds for one in self.rounds)

    def peak_mib(self, side: str) -> float:
        return max(getattr(one, side).peak_mib for one in self.rounds)

    def ratio(self, side: str, bare: str) -> float:
        """How many times as long, by round: neighbors in time are compared."""
        return median(getattr(one, side).seconds / getattr(one, bare).seconds for one in self.rounds)


def address_of(database: Path) -> str:
    return f"sqlite:///{database}"


def do(address: str, deed: str, *values: Any) -> Any:
    """Runs a function, named as ``module.function`` of this package, on the database at an address, in a process of its
    own. Returns what it returned."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(address, deed, values, theirs.send), daemon=True)
    process.start()
    theirs.close()  # or the end of a process that failed would not be noticed
    found = ours.recv()
    process.join()
    return found


def _work(address: str, deed: str, values: tuple[Any, ...], answer: Callable[[Any], None]) -> None:
    os.environ["BENCH_DATABASE_URL"] = address
    django.setup()
    module, _dot, name = deed.rpartition(".")
    answer(getattr(import_module(f"bench.{module}"), name)(*values))


def take_out(directory: Path, models: Sequence[str]) -> None:
    """Every row of the tables of these models (``invoices.Invoice``), each table in a file as COPY reads it."""
    with connection.cursor() as cursor:
        for table, columns in tables(models):
            with (directory / table).open("w") as file:
                cursor.copy_expert(f"COPY (SELECT {columns} FROM {table} ORDER BY id) TO STDOUT", file)


def plain_copy(directory: Path, models: Sequence[str]) -> Done:
    """The same rows by bare psycopg2, in one transaction."""
    connection.ensure_connection()
    bare = connection.connection
    bare.autocommit = False

    def run() -> None:
        with bare.cursor() as cursor:
            for table, columns in tables(models):
                with (directory / table).open() as file:
                    cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN", file)
        bare.commit()

    return measured(run)


def bare_inserts(database: Path, models: Sequence[str]) -> Done:
    """The rows of another SQLite database by bare sqlite3, one prepared statement a table, in one transaction."""
    connection.ensure_connection()
    bare = connection.connection
    with closing(sqlite3.connect(database)) as other:
        ready = [
            (table, columns, other.execute(f"SELECT {columns} FROM {table} ORDER BY id").fetchall())
            for table, columns in tables(models)
        ]

    def run() -> None:
        bare.execute("BEGIN IMMEDIATE")
        for table, columns, rows in ready:
            marks = ", ".join("?" * len(columns.split(",")))
            bare.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
        bare.execute("COMMIT")

    return measured(run)


def tables(models: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names and columns, without those that the database computes."""
    from django.apps import apps

    for model in models:
        table = apps.get_model(model)._meta
        yield table.db_table, ", ".join(field.column for field in table.concrete_fields if not field.generated)


def measured(act: Callable[[], object]) -> Done:
    """Time, and the most memory above the start that the process held meanwhile. Linux tells it."""
    Path("/proc/self/clear_refs").write_text("5")
    before, started, worked = peak_mib(), perf_counter(), process_time()
    act()
    return Done(perf_counter() - started, process_time() - worked, peak_mib() - before)


def peak_mib() -> float:
    """The most that this process held since it was last cleared."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
