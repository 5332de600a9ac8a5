"""``manage.py import_invoices FILE.csv``: brings in many invoices at once. The columns are described in
`invoices.importing`."""

import argparse
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.access import system_access
from invoices import importing
from invoices.importing import Outcome, Problem, Problems, UnusableFile, import_file
from invoices.importing.reading import Reader
from invoices.importing.resolving import Terms
from invoices.importing.running import Progress
from invoices.importing.values import day

LOCKS = """
While it writes, an import holds the invoice number series, so nobody else issues invoices until it ends. On SQLite it
blocks every other writer, payments included, for up to 20 seconds before they fail: import large files at a quiet hour,
or use PostgreSQL. A dry run writes too, and undoes it at the end.
"""
CLEAR_LINE = "\r\x1b[K"


class Command(BaseCommand):
    help = "Imports invoices from a CSV file, all or nothing."

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        options |= {"epilog": f"{importing.__doc__}{LOCKS}", "formatter_class": argparse.RawDescriptionHelpFormatter}
        return super().create_parser(prog_name, subcommand, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the CSV file, in UTF-8")
        parser.add_argument("--dry-run", action="store_true", help="do everything, say what would happen, undo it")
        parser.add_argument("--drafts", action="store_true", help="import as drafts, for staff to look over and issue")
        parser.add_argument("--issue-date", type=day, metavar="YYYY-MM-DD", help="invoice date where a row names none")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["drafts"] and options["issue_date"]:
            raise CommandError("A draft has no invoice date: use --drafts or --issue-date, not both.")
        terms = Terms(at=timezone.now(), drafts=options["drafts"], issue_on=options["issue_date"])
        path: Path = options["file"]
        try:
            outcome = import_file(
                access=system_access(),
                path=path,
                terms=terms,
                dry_run=options["dry_run"],
                progress=self._progress(path),
                tell=self._tell,
            )
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror or error}.") from error
        except UnusableFile as error:
            raise CommandError(f"{error} Nothing was imported.") from error
        except Problems as problems:
            raise CommandError(f"Nothing was imported. Bad rows: {problems.count:,}.") from problems
        finally:
            if self.stderr.isatty():
                self.stderr.write("", str)  # the line of progress stays; what follows begins on its own
        self._summarize(outcome, dry_run=options["dry_run"], drafts=options["drafts"])

    def _progress(self, path: Path) -> Progress:
        """On a terminal one line that is written over; silence in a log."""
        if not self.stderr.isatty():
            return lambda _deed, _reader: None
        size, started = path.stat().st_size or 1, time.monotonic()

        def show(deed: str, reader: Reader) -> None:
            share = 100 * reader.bytes_read // size
            pace = reader.rows_read / max(time.monotonic() - started, 0.001)
            self.stderr.write(f"\r{deed} {share:3d}%  {reader.rows_read:,} rows  {pace:,.0f} a second ", str, ending="")
            self.stderr.flush()

        return show

    def _tell(self, problem: Problem) -> None:
        """A bad row, as soon as it is found; on a terminal in place of the line of progress."""
        self.stderr.write(f"{CLEAR_LINE}{problem}" if self.stderr.isatty() else str(problem))

    def _summarize(self, outcome: Outcome, *, dry_run: bool, drafts: bool) -> None:
        deed = "Would import" if dry_run else "Imported"
        what = "drafts" if drafts else "invoices"
        self.stdout.write(f"{deed} {outcome.invoices:,} {what} with {outcome.lines:,} lines.")
        if outcome.first_number:
            self.stdout.write(f"Numbers {outcome.first_number} to {outcome.last_number}.")
        for total in outcome.totals:
            self.stdout.write(f"Total {total.currency} {total.amount:,}.")
        if outcome.unchanged:
            self.stdout.write(f"Left alone, because they were imported before: {outcome.unchanged:,}.")
        if dry_run:
            self.stdout.write("This was a dry run: nothing was changed.")
