"""Importing a file of invoices, and the same rows put into the same tables without the portal, in turns.

The bare side gets rows that are ready: on PostgreSQL a COPY from files, on SQLite prepared statements. What the import
does more is reading the file twice, checking every value, and making an invoice of it.
"""

import multiprocessing
import shutil
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.importer import Done, work, write_file
from bench.server import Server


class Round(NamedTuple):
    """An import into each database, and the bare side of each."""

    postgresql: Done
    copy: Done
    sqlite: Done
    inserts: Done


class Result(NamedTuple):
    lines: int
    rounds: list[Round]

    def seconds(self, side: str) -> float:
        return median(getattr(one, side).seconds for one in self.rounds)

    def cpu_seconds(self, side: str) -> float:
        return median(getattr(one, side).cpu_seconds for one in self.rounds)

    def peak_mib(self, side: str) -> float:
        return max(getattr(one, side).peak_mib for one in self.rounds)

    def ratio(self, side: str, bare: str) -> float:
        """How many times as long, by round: neighbors in time are compared."""
        return median(getattr(one, side).seconds / getattr(one, bare).seconds for one in self.rounds)


class Databases:
    """New ones for every deed, copied from one of each kind that has the customers and nothing else."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.directory = server.directory / "importing"
        self.directory.mkdir()
        do(server.create("customers"), "prepare")
        do(address_of(self.directory / "customers.sqlite3"), "prepare")

    def postgresql(self, name: str) -> str:
        return self.server.address_of(self.server.copy("customers", name))

    def sqlite(self, name: str) -> Path:
        return shutil.copy(self.directory / "customers.sqlite3", self.directory / f"{name}.sqlite3")


def address_of(database: Path) -> str:
    return f"sqlite:///{database}"


def do(address: str, name: str, *values: Any) -> Any:
    """One of the deeds of `bench.importer`, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(address, name, values, theirs.send), daemon=True)
    process.start()
    theirs.close()  # or the end of a process that failed would not be noticed
    found = ours.recv()
    process.join()
    return found


def measure(databases: Databases, lines: int, *, rounds: int) -> Result:
    """Every round has new databases, and removes the large files it made."""
    files = databases.directory
    rehearsal, path = files / "rehearsal.csv", files / f"lines-{lines}.csv"
    write_file(rehearsal, 200)
    write_file(path, lines)
    return Result(lines, [_round(databases, path, rehearsal, f"{lines}_{number}") for number in range(rounds)])


def _round(databases: Databases, path: Path, rehearsal: Path, name: str) -> Round:
    rows = databases.directory / "rows"
    rows.mkdir()
    imported = databases.postgresql(f"import_{name}")
    by_postgresql = do(imported, "bring_in", path, rehearsal)
    do(imported, "take_out", rows)
    copied = do(databases.postgresql(f"copy_{name}"), "plain_copy", rows)
    shutil.rmtree(rows)
    database, other = databases.sqlite(f"import_{name}"), databases.sqlite(f"inserts_{name}")
    by_sqlite = do(address_of(database), "bring_in", path, rehearsal)
    inserted = do(address_of(other), "bare_inserts", database)
    for used in (database, other):
        used.unlink()
    return Round(by_postgresql, copied, by_sqlite, inserted)
