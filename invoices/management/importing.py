"""What the commands that import a CSV file share."""

import argparse
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.access import system_access
from invoices.importing.csv_reader import Problem, Problems
from invoices.importing.file_format import UnusableFile
from invoices.importing.pipeline import FileImport, Imported, Progress, Source
from invoices.money import Money

CLEAR_LINE = "\r\x1b[K"


DECIMAL_MARKS = {"point": ".", "comma": ","}
DATE_ORDERS = {"day-first": True, "month-first": False}


def control_total(text: str) -> Money:
    try:
        currency, amount = text.split()
        return Money.parse(amount, currency.upper())
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a currency and an amount, such as 'EUR 12345.67'") from error


class ImportCommand(BaseCommand):
    epilog = ""

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        options |= {"epilog": self.epilog, "formatter_class": argparse.RawDescriptionHelpFormatter}
        return super().create_parser(prog_name, subcommand, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the file")
        parser.add_argument("--dry-run", action="store_true", help="do everything, say what would happen, undo it")
        parser.add_argument("--decimal", choices=DECIMAL_MARKS, help="how numbers are written, where it is unclear")
        parser.add_argument("--dates", choices=DATE_ORDERS, help="how dates are written, where it is unclear")
        parser.add_argument(
            "--total", type=control_total, action="append", default=[], metavar="'EUR 12345.67'",
            help="control total: import nothing that comes to another sum; once for each currency",
        )  # fmt: skip

    def handle(self, *_args: Any, **options: Any) -> None:
        path: Path = options["file"]
        common = {
            "access": system_access(),
            "at": timezone.now(),
            "progress": self.progress(path),
            "tell": self.tell,
            "decimal_mark": DECIMAL_MARKS.get(options["decimal"]),
            "day_first": DATE_ORDERS.get(options["dates"]),
            "control_totals": options["total"],
        }
        try:
            imported = self.file_import(options, common).run(path, dry_run=options["dry_run"])
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror or error}.") from error
        except UnusableFile as error:
            raise CommandError(f"{error} Nothing was imported.") from error
        except Problems as problems:
            raise CommandError(f"Nothing was imported. Bad rows: {problems.count:,}.") from problems
        finally:
            if self.stderr.isatty():
                self.stderr.write("", str)  # the line of progress stays; what follows begins on its own
        self.stdout.write(f"Read as {imported.file_format}.")
        self.summarize(imported, **options)
        if imported.kept_units:
            units = ", ".join(f"{text} ({count:,})" for text, count in imported.kept_units.most_common())
            self.stdout.write(f"Not in the list of units, and kept in the description: {units}.")
        if options["dry_run"]:
            self.stdout.write("This was a dry run: nothing was changed.")

    def file_import(self, options: dict[str, Any], common: dict[str, Any]) -> FileImport[Any, Any]:
        raise NotImplementedError

    def summarize(self, imported: Imported, **options: Any) -> None:
        raise NotImplementedError

    def progress(self, path: Path) -> Progress:
        """On a terminal one line that is written over; silence in a log."""
        if not self.stderr.isatty():
            return lambda _deed, _reader: None
        size, started = path.stat().st_size or 1, time.monotonic()

        def show(deed: str, reader: Source) -> None:
            share = 100 * reader.bytes_read // size
            pace = reader.rows_read / max(time.monotonic() - started, 0.001)
            self.stderr.write(f"\r{deed} {share:3d}%  {reader.rows_read:,} rows  {pace:,.0f} a second ", str, ending="")
            self.stderr.flush()

        return show

    def tell(self, problem: Problem) -> None:
        """A bad row, as soon as it is found; on a terminal in place of the line of progress."""
        self.stderr.write(f"{CLEAR_LINE}{problem}" if self.stderr.isatty() else str(problem))
