"""Importing a file of invoices, and the same rows put into the same tables without the portal, in turns.

The bare side gets rows that are ready: on PostgreSQL a COPY from files, on SQLite prepared statements. What the import
does more is reading the file twice, checking every value, and making an invoice of it.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

from django.core.management import call_command

from bench.deeds import Comparison, Done, address_of, do, measured
from bench.server import Server

CUSTOMERS = 100
HEADING = "profile,invoice,issue_date,section,description,quantity,unit,unit_price,tax_rate\n"
# What an import leaves.
WRITTEN = (
    "invoices.Invoice", "invoices.InvoiceLine", "invoices.InvoiceTax", "invoices.Transfer", "accounts.AuditEntry",
)  # fmt: skip


class Round(NamedTuple):
    """An import into each database, and the bare side of each."""

    postgresql: Done
    copy: Done
    sqlite: Done
    inserts: Done


class Databases:
    """New ones for every deed, copied from one of each kind that has the customers and nothing else."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.directory = server.directory / "importing"
        self.directory.mkdir()
        do(server.create("customers"), "importing.prepare")
        do(address_of(self.directory / "customers.sqlite3"), "importing.prepare")

    def postgresql(self, name: str) -> str:
        return self.server.address_of(self.server.copy("customers", name))

    def sqlite(self, name: str) -> Path:
        return shutil.copy(self.directory / "customers.sqlite3", self.directory / f"{name}.sqlite3")


def measure(databases: Databases, lines: int, *, rounds: int) -> Comparison:
    """Every round has new databases, and removes the large files it made."""
    files = databases.directory
    rehearsal, path = files / "rehearsal.csv", files / f"lines-{lines}.csv"
    write_file(rehearsal, 200)
    write_file(path, lines)
    return Comparison(lines, [_round(databases, path, rehearsal, f"{lines}_{number}") for number in range(rounds)])


def _round(databases: Databases, path: Path, rehearsal: Path, name: str) -> Round:
    rows = databases.directory / "rows"
    rows.mkdir()
    imported = databases.postgresql(f"import_{name}")
    by_postgresql = do(imported, "importing.bring_in", path, rehearsal)
    do(imported, "deeds.take_out", rows, WRITTEN)
    copied = do(databases.postgresql(f"copy_{name}"), "deeds.plain_copy", rows, WRITTEN)
    shutil.rmtree(rows)
    database, other = databases.sqlite(f"import_{name}"), databases.sqlite(f"inserts_{name}")
    by_sqlite = do(address_of(database), "importing.bring_in", path, rehearsal)
    inserted = do(address_of(other), "deeds.bare_inserts", database, WRITTEN)
    for used in (database, other):
        used.unlink()
    return Round(by_postgresql, copied, by_sqlite, inserted)


def prepare() -> None:
    """Tables, and customers under codes that are the same everywhere."""
    from accounts.models import BillingAccount, BillingProfile, InvoiceSection
    from bench.filling import the_seller

    call_command("migrate", verbosity=0)
    for number in range(CUSTOMERS):
        account = BillingAccount.objects.create(
            seller=the_seller(), name=f"Customer {number}", company=f"Customer {number}", country="NL"
        )
        profile = BillingProfile.objects.create(
            account=account, code=code(number), name="Operations", currency="EUR", company=account.company, country="NL"
        )
        InvoiceSection.objects.create(profile=profile, name="Web shop")


def code(number: int) -> str:
    return f"BNCH-{number:04d}"


def write_file(path: Path, lines: int) -> None:
    """Two lines an invoice, the customers in turns."""
    with path.open("w") as file:
        file.write(HEADING)
        for number in range(lines):
            invoice = number // 2
            file.write(
                f"{code(invoice % CUSTOMERS)},{path.stem}-{invoice},2026-10-{1 + invoice % 28:02d},"
                f"{'Web shop' if number % 2 else ''},Virtual machine D{number % 97},{number % 700 + 1}.5,hours,"
                f"{number % 9973 / 1000 + 0.01:.3f},21\n"
            )


def bring_in(path: Path, rehearsal: Path) -> Done:
    """The import, after a dry run of a short file that loads what there is to load."""
    from django.utils import timezone

    from accounts.access import system_access
    from invoices.importing.invoices import InvoiceImport

    def run(file: Path, *, dry_run: bool) -> None:
        file_import = InvoiceImport(
            access=system_access(), at=timezone.now(), progress=lambda _deed, _reader: None, tell=print
        )
        file_import.run(file, dry_run=dry_run)

    run(rehearsal, dry_run=True)
    return measured(lambda: run(path, dry_run=False))
