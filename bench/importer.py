"""What is done to one database in the benchmark of importing."""

from pathlib import Path

from django.core.management import call_command

from bench.deeds import Done, measured

CUSTOMERS = 100
HEADING = "profile,invoice,issue_date,section,description,quantity,unit,unit_price,tax_rate\n"


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
    from invoices.importing.invoices import InvoiceImport  # noqa: PLC0415

    def run(file: Path, *, dry_run: bool) -> None:
        file_import = InvoiceImport(
            access=system_access(), at=timezone.now(), progress=lambda _deed, _reader: None, tell=print
        )
        file_import.run(file, dry_run=dry_run)

    run(rehearsal, dry_run=True)
    return measured(lambda: run(path, dry_run=False))
