"""What is done to one database in the benchmark of importing. Each deed has a process of its own, so that memory is
that of the deed alone and one database after the other can be Django's."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import django
from django.core.management import call_command
from django.db import connection, models

CUSTOMERS = 100
HEADING = "profile,invoice,issue_date,section,description,quantity,unit,unit_price,tax_rate\n"


class Done(NamedTuple):
    """``cpu_seconds`` are those of the process itself, without the database server's."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def work(address: str, name: str, values: tuple[Any, ...], answer: Callable[[Any], None]) -> None:
    """Runs one of the functions below on the database at an address. What a process is started with."""
    os.environ["BENCH_DATABASE_URL"] = address
    django.setup()
    answer(globals()[name](*values))


def prepare() -> None:
    """Tables, and customers under codes that are the same everywhere."""
    from accounts.models import BillingAccount, BillingProfile, InvoiceSection  # noqa: PLC0415  needs django.setup

    call_command("migrate", verbosity=0)
    for number in range(CUSTOMERS):
        account = BillingAccount.objects.create(name=f"Customer {number}", company=f"Customer {number}", country="NL")
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
    from django.utils import timezone  # noqa: PLC0415

    from accounts.access import system_access  # noqa: PLC0415  needs django.setup
    from invoices.importing import import_file  # noqa: PLC0415
    from invoices.importing.resolving import Terms  # noqa: PLC0415

    def run(file: Path, *, dry_run: bool) -> None:
        import_file(
            access=system_access(),
            path=file,
            terms=Terms(at=timezone.now()),
            dry_run=dry_run,
            progress=lambda _deed, _reader: None,
            tell=print,
        )

    run(rehearsal, dry_run=True)
    return measured(lambda: run(path, dry_run=False))


def take_out(directory: Path) -> None:
    """Every row of the tables that an import writes, each table in a file as COPY reads it."""
    with connection.cursor() as cursor:
        for table, columns in tables():
            with (directory / table).open("w") as file:
                cursor.copy_expert(f"COPY (SELECT {columns} FROM {table} ORDER BY id) TO STDOUT", file)


def plain_copy(directory: Path) -> Done:
    """The same rows by bare psycopg2, in one transaction."""
    connection.ensure_connection()
    bare = connection.connection
    bare.autocommit = False

    def run() -> None:
        with bare.cursor() as cursor:
            for table, columns in tables():
                with (directory / table).open() as file:
                    cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN", file)
        bare.commit()

    return measured(run)


def bare_inserts(database: Path) -> Done:
    """The rows of another SQLite database by bare sqlite3, one prepared statement a table, in one transaction."""
    connection.ensure_connection()
    bare = connection.connection
    with closing(sqlite3.connect(database)) as other:
        ready = [
            (table, columns, other.execute(f"SELECT {columns} FROM {table} ORDER BY id").fetchall())
            for table, columns in tables()
        ]

    def run() -> None:
        bare.execute("BEGIN IMMEDIATE")
        for table, columns, rows in ready:
            marks = ", ".join("?" * len(columns.split(",")))
            bare.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
        bare.execute("COMMIT")

    return measured(run)


def tables() -> Iterator[tuple[str, str]]:
    """Names and columns, without those that the database computes."""
    from accounts.models import AuditEntry  # noqa: PLC0415  needs django.setup
    from invoices.models import Invoice, InvoiceLine  # noqa: PLC0415

    kinds: tuple[type[models.Model], ...] = (Invoice, InvoiceLine, AuditEntry)
    for model in kinds:
        table = model._meta  # noqa: SLF001  public, in spite of its name
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
