"""``manage.py import_invoices FILE.csv``: imports many invoices at once."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from invoices.importing import invoices
from invoices.importing.columns import day
from invoices.importing.pipeline import Imported
from invoices.management.importing import ImportCommand

LOCKS = """
While it writes, an import holds the invoice number series, so nobody else issues invoices until it ends. On SQLite it
blocks every other writer, payments included, for up to 20 seconds before they fail: import large files at a quiet hour,
or use PostgreSQL. A dry run writes too, and undoes it at the end.
"""


class Command(ImportCommand):
    help = "Imports invoices from a CSV file, all or nothing."
    epilog = f"{invoices.__doc__}{LOCKS}"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--drafts", action="store_true", help="import as drafts, for staff to look over and issue")
        parser.add_argument("--issue-date", type=day, metavar="YYYY-MM-DD", help="invoice date where a row names none")

    def file_import(self, options: dict[str, Any], common: dict[str, Any]) -> invoices.InvoiceImport:
        if options["drafts"] and options["issue_date"]:
            raise CommandError("A draft has no invoice date: use --drafts or --issue-date, not both.")
        return invoices.InvoiceImport(drafts=options["drafts"], issue_on=options["issue_date"], **common)

    def summarize(self, imported: Imported, **options: Any) -> None:
        deed = "Would import" if options["dry_run"] else "Imported"
        what = "drafts" if options["drafts"] else "invoices"
        self.stdout.write(f"{deed} {imported.count:,} {what} with {imported.lines:,} lines.")
        if imported.first_number:
            self.stdout.write(f"Numbers {imported.first_number} to {imported.last_number}.")
        for total in imported.totals:
            self.stdout.write(f"Total {total.currency} {total.amount:,}.")
        if imported.unchanged:
            self.stdout.write(f"Left alone, because they were imported before: {imported.unchanged:,}.")
