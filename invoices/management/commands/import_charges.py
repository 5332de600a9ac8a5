"""``manage.py import_charges FILE.csv``: records many charges at once. The columns are described in
`invoices.importing.charges`."""

from pathlib import Path
from typing import Any

from django.utils import timezone

from accounts.access import system_access
from invoices.importing import charges
from invoices.importing.charges import Recorded
from invoices.management.importing import ImportCommand

LOCKS = """
On SQLite an import blocks every other writer while it writes, payments included, for up to 20 seconds before they fail:
import large files at a quiet hour, or use PostgreSQL. A dry run writes too, and undoes it at the end.
"""


class Command(ImportCommand):
    help = "Records charges from a CSV file, all or nothing."
    epilog = f"{charges.__doc__}{LOCKS}"

    def bring_in(self, path: Path, **options: Any) -> Recorded:
        return charges.import_charges(
            access=system_access(),
            path=path,
            at=timezone.now(),
            dry_run=options["dry_run"],
            progress=self.progress(path),
            tell=self.tell,
        )

    def summarize(self, outcome: Recorded, **options: Any) -> None:
        deed = "Would record" if options["dry_run"] else "Recorded"
        self.stdout.write(f"{deed} {outcome.charges:,} charges.")
        for total in outcome.totals:
            self.stdout.write(f"Total without tax {total.currency} {total.amount:,}.")
        if outcome.unchanged:
            self.stdout.write(f"Left alone, because they were recorded before: {outcome.unchanged:,}.")
