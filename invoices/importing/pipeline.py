"""How a file is imported: it is read twice, first to check all of it, then to write it in one transaction.

A bad file changes nothing and takes no locks. Memory follows the size of a batch, never that of the file.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.db import IntegrityError, models, reset_queries, transaction

from accounts.access import Access
from accounts.models import InvoiceSection
from invoices.importing.columns import Columns
from invoices.importing.csv_reader import Problem, Problems, Reader, Seen, Texts, UnusableFile
from invoices.money import Money

Progress = Callable[[str, Reader], None]

# Pairs, because a list of profiles and a list of references would be looked up each with each. The last condition is
# the index's own, which is not used without it.
BY_REFERENCE = """
WITH wanted (profile_id, reference) AS (VALUES {pairs})
SELECT stored.* FROM wanted JOIN {table} AS stored
ON stored.profile_id = wanted.profile_id AND stored.source_reference = wanted.reference
AND NOT (stored.source_reference = '')
"""


@dataclass
class Imported:
    """What was imported, or would be: ``count`` invoices or charges; ``unchanged`` were imported before."""

    count: int = 0
    lines: int = 0
    unchanged: int = 0
    first_number: str = ""
    last_number: str = ""
    minor: Counter[str] = field(default_factory=Counter)

    @property
    def totals(self) -> list[Money]:
        return Money.by_currency(self.minor)


class FileImport[Batch: list[Any], New]:
    """The import of one kind of file. A kind says what a batch is, what is new in it, and how that is written."""

    columns: Columns

    def __init__(self, *, access: Access, at: datetime, progress: Progress, tell: Callable[[Problem], None]) -> None:
        self.access, self.at, self.progress, self.tell = access, at, progress, tell

    def run(self, path: Path, *, dry_run: bool) -> Imported:
        """Imports the rows of a file, all or none. Returns what was done; with ``dry_run`` it is done and undone.

        Every bad row is given to ``tell`` as it is found. Raises Problems at the end when there were any, UnusableFile
        when the file as a whole cannot be read, OSError when there is no such file.
        """
        with path.open("rb") as file:
            if not file.seekable():
                raise UnusableFile("The file is read twice, so it cannot be a pipe.")
            digest = self._check(file)
            try:
                return self._write_all(file, digest, path.name, dry_run=dry_run)
            except IntegrityError:  # somebody imported the same rows at the same moment: now they can be seen
                return self._write_all(file, digest, path.name, dry_run=dry_run)

    def batches(self, rows: Iterable[tuple[int, Texts]], problems: Problems, seen: Seen | None) -> Iterator[Batch]:
        """``seen`` is None on the second pass, when repeats are known not to occur."""
        raise NotImplementedError

    def begin_pass(self) -> None:
        """Before each of the two: forgets what was read for the other, since rows of ours may have changed."""

    def lock(self) -> None:
        """Before the second pass, inside its transaction."""

    def resolve(self, batch: Batch, problems: Problems) -> tuple[list[New], int]:
        """What is new in a batch, not stored yet, and how much of it was imported before."""
        raise NotImplementedError

    def write(self, new: list[New], imported: Imported) -> None:
        raise NotImplementedError

    def finish(self, imported: Imported, name: str) -> None:
        """Inside the transaction, when all is written. ``name`` is the file's."""

    def _check(self, file: BinaryIO) -> bytes:
        """The first pass: reads only. Returns the digest of what it read; raises Problems."""
        problems, reader = Problems(self.tell), self._reader(file)
        self.begin_pass()
        with Seen() as seen:
            for batch in self.batches(reader.rows(problems), problems, seen):
                self.resolve(batch, problems)
                self.progress("Checking", reader)
                reset_queries()
        if problems.count:
            raise problems
        return reader.digest.digest()

    @transaction.atomic
    def _write_all(self, file: BinaryIO, digest: bytes, name: str, *, dry_run: bool) -> Imported:
        """The second pass. Everything is checked again, and the file's digest, since the file may have changed too."""
        problems, reader, imported = Problems(self.tell), self._reader(file), Imported()
        self.lock()
        self.begin_pass()
        for batch in self.batches(reader.rows(problems), problems, None):
            new, unchanged = self.resolve(batch, problems)
            if problems.count:
                raise problems
            if new:
                self.write(new, imported)
            imported.unchanged += unchanged
            self.progress("Writing", reader)
            reset_queries()
        if reader.digest.digest() != digest:
            raise UnusableFile("The file changed while it was read.")
        self.finish(imported, name)
        if dry_run:
            transaction.set_rollback(True)
        return imported

    def _reader(self, file: BinaryIO) -> Reader:
        return Reader(file, self.columns.columns, self.columns.needed)


def sections_named(names: set[str], profiles: Iterable[int]) -> dict[tuple[int, str], InvoiceSection]:
    sections = InvoiceSection.objects.filter(profile_id__in=profiles, name__in=names) if names else []
    return {(section.profile_id, section.name): section for section in sections}


def stored_by_reference[Row: models.Model](
    model: type[Row], references: Iterable[tuple[int, str]]
) -> dict[tuple[int, str], Row]:
    """The rows that have these references, by profile and reference."""
    wanted = list(references)
    if not wanted:
        return {}
    statement = BY_REFERENCE.format(pairs=", ".join(["(%s, %s)"] * len(wanted)), table=model._meta.db_table)
    rows: Any = model._default_manager.raw(statement, [value for pair in wanted for value in pair])
    return {(row.profile_id, row.source_reference): row for row in rows}
