"""``manage.py import_invoices FILE.csv``: brings in many invoices at once. The columns are described in
`invoices.importing`."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from accounts.access import system_access
from invoices import importing
from invoices.importing import Outcome, import_file
from invoices.importing.resolving import Terms
from invoices.importing.values import day
from invoices.management.importing import ImportCommand

LOCKS = """
While it writes, an import holds the invoice number series, so nobody else issues invoices until it ends. On SQLite it
blocks every other writer, payments included, for up to 20 seconds before they fail: import large files at a quiet hour,
or use PostgreSQL. A dry run writes too, and undoes it at the end.
"""


class Command(ImportCommand):
    help = "Imports invoices from a CSV file, all or nothing."
    epilog = f"{importing.__doc__}{LOCKS}"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--drafts", action="store_true", help="import as drafts, for staff to look over and issue")
        parser.add_argument("--issue-date", type=day, metavar="YYYY-MM-DD", help="invoice date where a row names none")

    def bring_in(self, path: Path, **options: Any) -> Outcome:
        if options["drafts"] and options["issue_date"]:
            raise CommandError("A draft has no invoice date: use --drafts or --issue-date, not both.")
        return import_file(
            access=system_access(),
            path=path,
            terms=Terms(at=timezone.now(), drafts=options["drafts"], issue_on=options["issue_date"]),
            dry_run=options["dry_run"],
            progress=self.progress(path),
            tell=self.tell,
        )

    def summarize(self, outcome: Outcome, **options: Any) -> None:
        deed = "Would import" if options["dry_run"] else "Imported"
        what = "drafts" if options["drafts"] else "invoices"
        self.stdout.write(f"{deed} {outcome.invoices:,} {what} with {outcome.lines:,} lines.")
        if outcome.first_number:
            self.stdout.write(f"Numbers {outcome.first_number} to {outcome.last_number}.")
        for total in outcome.totals:
            self.stdout.write(f"Total {total.currency} {total.amount:,}.")
        if outcome.unchanged:
            self.stdout.write(f"Left alone, because they were imported before: {outcome.unchanged:,}.")
