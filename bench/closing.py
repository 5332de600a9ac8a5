"""Closing a period, and the rows that it leaves put into the same tables without the portal, in turns.

The bare side gets rows that are ready: on PostgreSQL a COPY from files, on SQLite prepared statements. It is made
twice: with the rows that are new (invoices, lines, closings, audit entries), and with the charges besides, of which a
run leaves a new version each, because it notes on every charge which invoice it is on.
"""

import shutil
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.closer import CHARGES_EACH
from bench.deeds import Done, address_of, do
from bench.server import Server

NEW = ("invoices.Invoice", "invoices.InvoiceLine", "invoices.PeriodClosing", "accounts.AuditEntry")
ALL = (*NEW, "invoices.Charge")


class Round(NamedTuple):
    """A run on each database, and the bare sides of each."""

    postgresql: Done
    copy: Done
    copy_all: Done
    sqlite: Done
    inserts: Done
    inserts_all: Done


class Result(NamedTuple):
    profiles: int
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


def measure(server: Server, profiles: int, *, rounds: int) -> Result:
    """Every round has new databases, copied from one with the customers and one with their charges too."""
    directory = server.directory / f"closing-{profiles}"
    directory.mkdir()
    customers, charged = f"customers_{profiles}", f"charged_{profiles}"
    do(server.create(customers), "closer.prepare_customers", profiles)
    do(server.address_of(server.copy(customers, charged)), "closer.add_charges", profiles)
    do(address_of(directory / customers), "closer.prepare_customers", profiles)
    shutil.copy(directory / customers, directory / charged)
    do(address_of(directory / charged), "closer.add_charges", profiles)
    found = [_round(server, directory, profiles, number) for number in range(rounds)]
    shutil.rmtree(directory)
    return Result(profiles, found)


def _round(server: Server, directory: Path, profiles: int, number: int) -> Round:
    def copied(kind: str, name: str) -> str:
        return server.address_of(server.copy(f"{kind}_{profiles}", f"{name}_{profiles}_{number}"))

    def duplicate(kind: str, name: str) -> Path:
        return shutil.copy(directory / f"{kind}_{profiles}", directory / f"{name}.sqlite3")

    rows = directory / "rows"
    rows.mkdir()
    run = copied("charged", "run")
    by_postgresql = do(run, "closer.close")
    do(run, "deeds.take_out", rows, ALL)
    copy = do(copied("customers", "copy"), "deeds.plain_copy", rows, NEW)
    copy_all = do(copied("customers", "copy_all"), "deeds.plain_copy", rows, ALL)
    shutil.rmtree(rows)
    closed = duplicate("charged", "run")
    by_sqlite = do(address_of(closed), "closer.close")
    inserts = do(address_of(duplicate("customers", "inserts")), "deeds.bare_inserts", closed, NEW)
    inserts_all = do(address_of(duplicate("customers", "inserts_all")), "deeds.bare_inserts", closed, ALL)
    for name in ("run", "inserts", "inserts_all"):
        (directory / f"{name}.sqlite3").unlink()
    return Round(by_postgresql, copy, copy_all, by_sqlite, inserts, inserts_all)


def charges_of(result: Result) -> int:
    return result.profiles * CHARGES_EACH
