"""``manage.py import_charges FILE.csv``: records many charges at once."""

from typing import Any

from invoices.importing import charges
from invoices.importing.pipeline import Imported
from invoices.management.importing import ImportCommand

LOCKS = """
On SQLite an import blocks every other writer while it writes, payments included, for up to 20 seconds before they fail:
import large files at a quiet hour, or use PostgreSQL. A dry run writes too, and undoes it at the end.
"""


class Command(ImportCommand):
    help = "Records charges from a CSV file, all or nothing."
    epilog = f"{charges.__doc__}{LOCKS}"

    def file_import(self, options: dict[str, Any], common: dict[str, Any]) -> charges.ChargeImport:
        return charges.ChargeImport(**common)

    def summarize(self, imported: Imported, **options: Any) -> None:
        deed = "Would record" if options["dry_run"] else "Recorded"
        self.stdout.write(f"{deed} {imported.count:,} charges.")
        for total in imported.totals:
            self.stdout.write(f"Total without tax {total.currency} {total.amount:,}.")
        if imported.unchanged:
            self.stdout.write(f"Left alone, because they were recorded before: {imported.unchanged:,}.")
