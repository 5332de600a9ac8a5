"""Importing a file of invoices, and the same rows put into the same tables without the portal, in turns.

The bare side gets rows that are ready: on PostgreSQL a COPY from files, on SQLite prepared statements. What the import
does more is reading the file twice, checking every value, and making an invoice of it.
"""

import shutil
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.deeds import Done, address_of, do
from bench.importer import write_file
from bench.server import Server

# What an import leaves.
WRITTEN = ("invoices.Invoice", "invoices.InvoiceLine", "accounts.AuditEntry")


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
        do(server.create("customers"), "importer.prepare")
        do(address_of(self.directory / "customers.sqlite3"), "importer.prepare")

    def postgresql(self, name: str) -> str:
        return self.server.address_of(self.server.copy("customers", name))

    def sqlite(self, name: str) -> Path:
        return shutil.copy(self.directory / "customers.sqlite3", self.directory / f"{name}.sqlite3")


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
    by_postgresql = do(imported, "importer.bring_in", path, rehearsal)
    do(imported, "deeds.take_out", rows, WRITTEN)
    copied = do(databases.postgresql(f"copy_{name}"), "deeds.plain_copy", rows, WRITTEN)
    shutil.rmtree(rows)
    database, other = databases.sqlite(f"import_{name}"), databases.sqlite(f"inserts_{name}")
    by_sqlite = do(address_of(database), "importer.bring_in", path, rehearsal)
    inserted = do(address_of(other), "deeds.bare_inserts", database, WRITTEN)
    for used in (database, other):
        used.unlink()
    return Round(by_postgresql, copied, by_sqlite, inserted)
