"""``manage.py import_invoices FILE``: imports many invoices at once from CSV, or one e-invoice."""

from collections import Counter
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from invoices.importing import invoices
from invoices.importing.columns import day
from invoices.importing.pipeline import Imported
from invoices.management.importing import ImportCommand
from invoices.money import Money

LOCKS = """
While it writes, an import holds the invoice number series, so nobody else issues invoices until it ends. On SQLite it
blocks every other writer, payments included, for up to 20 seconds before they fail: import large files at a quiet hour,
or use PostgreSQL. A dry run writes too, and undoes it at the end.
"""


class Command(ImportCommand):
    help = "Imports invoices from a CSV file, or one e-invoice (UBL, CII or Factur-X), all or nothing."
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
        if imported.dated_back:
            more = imported.dated_back - len(imported.some_dated_back)
            self.stdout.write(
                f"Warning: dated before the last invoice of their series: {imported.dated_back:,} "
                f"({', '.join(imported.some_dated_back)}{f', and {more:,} more' if more else ''})."
            )
        for total in imported.totals:
            self.stdout.write(f"Total {total.currency} {total.amount:,}.")
        if imported.unchanged:
            self.stdout.write(f"Left alone, because they were imported before: {imported.unchanged:,}.")
        if imported.outlook:
            self.foretell(imported)

    def foretell(self, imported: Imported) -> None:
        """What follows, so that nobody is surprised by the next pass of the worker."""
        count = imported.outlook
        self.stdout.write(f"Settled already: {count['settled']:,}. Due: {count['due']:,}{sums(imported.due_minor)}.")
        self.stdout.write(
            f"Of those due: past due {count['past due']:,}{sums(imported.past_due_minor)}, announced by mail "
            f"{count['mailed']:,}, charged automatically {count['charged']:,}, with a reminder planned "
            f"{count['reminded']:,}."
        )
        if imported.late_profiles:
            today = timezone.localdate()
            warned_on, disabled_on = (
                today + timedelta(days=days) for days in (settings.WARN_AFTER_DAYS, settings.DISABLE_AFTER_DAYS)
            )
            self.stdout.write(
                f"Billing profiles with past due invoices: {len(imported.late_profiles):,}. These invoices change no "
                f"status today. If they are not paid, their profiles are warned by mail on {warned_on} and disabled on "
                f"{disabled_on}."
            )


def sums(minor: Counter[str]) -> str:
    return "".join(f", {total.currency} {total.amount:,}" for total in Money.by_currency(minor))
