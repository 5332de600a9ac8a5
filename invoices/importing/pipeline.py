"""How a file is imported: it is read twice, first to check all of it, then to write it in one transaction.

A bad file changes nothing and takes no locks. Memory follows the size of a batch, never that of the file.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from django.db import IntegrityError, connection, models, reset_queries, transaction

from accounts.access import Access
from accounts.models import BillingProfile, InvoiceSection
from accounts.operations.profiles import CurrencyChanged
from billing_portal.core.spelling import compact, compact_sql
from invoices.importing.columns import Columns, Row
from invoices.importing.csv_reader import LONGEST_LINE, Problem, Problems, Reader, Seen, Texts
from invoices.importing.file_format import BadRow, FileFormat, UnusableFile, detect
from invoices.models import Invoice
from invoices.money import Money
from invoices.operations.charges import CannotCharge
from invoices.units import ONE, unit_of

LONGEST_DESCRIPTION = 200
SHOWN = 5


class Source(Protocol):
    """One pass over a file: a `Reader`, or what reads another kind of file as the same rows. ``digest`` is complete at
    the end of ``rows``."""

    digest: Any
    bytes_read: int
    rows_read: int

    def rows(self, problems: Problems) -> Iterator[tuple[int, Texts]]: ...


Progress = Callable[[str, Source], None]

# Pairs, because two lists would be looked up each with each. The last condition is the index's own, or it is not used.
BY_REFERENCE = """
WITH given (profile_id, reference) AS (VALUES {pairs}),
wanted (profile_id, reference) AS (SELECT profile_id, {wanted} FROM given)
SELECT stored.* FROM wanted JOIN {table} AS stored
ON stored.profile_id = wanted.profile_id AND {stored} = wanted.reference
AND NOT (stored.source_reference = '')
"""


@dataclass
class Imported:
    """What was imported, or would be: ``count`` invoices or charges; ``unchanged`` were imported before."""

    count: int = 0
    lines: int = 0
    unchanged: int = 0
    file_format: str = ""
    first_number: str = ""
    last_number: str = ""
    # How many got a later number of our series than an invoice with a later date, and the first few of them.
    dated_back: int = 0
    some_dated_back: list[str] = field(default_factory=list)
    minor: Counter[str] = field(default_factory=Counter)

    # What follows from issued invoices: how many are settled, due, past due, told of, charged and reminded of by
    # themselves, with the sums due and past due by currency, and the profiles that are past due.
    outlook: Counter[str] = field(default_factory=Counter)
    due_minor: Counter[str] = field(default_factory=Counter)
    past_due_minor: Counter[str] = field(default_factory=Counter)
    late_profiles: set[int] = field(default_factory=set)
    # Texts that are no unit and stayed in the description, with how many lines or charges had them.
    kept_units: Counter[str] = field(default_factory=Counter)

    @property
    def totals(self) -> list[Money]:
        return Money.by_currency(self.minor)

    def add_dated_back(self, invoice: Invoice) -> None:
        self.dated_back += 1
        if len(self.some_dated_back) < SHOWN:
            self.some_dated_back.append(f"{invoice.number} of {invoice.issued_on}")

    def add_outlook(self, invoice: Invoice, at: datetime) -> None:
        """Counts an issued invoice by what will happen to it."""
        if not invoice.open_minor:
            self.outlook["settled"] += 1
            return
        self.outlook["due"] += 1
        self.due_minor[invoice.currency] += invoice.open_minor
        if invoice.due_on is not None and invoice.due_on < invoice.profile.day_of(at):
            self.outlook["past due"] += 1
            self.past_due_minor[invoice.currency] += invoice.open_minor
            self.late_profiles.add(invoice.profile_id)
        plans = {"mailed": invoice.announce_on, "charged": invoice.autopay_on, "reminded": invoice.next_reminder_on}
        self.outlook.update(name for name, planned_on in plans.items() if planned_on)


class FileImport[Batch: list[Any], New]:
    """The import of one kind of file. A kind says what a batch is, what is new in it, and how that is written."""

    columns: Columns

    def __init__(
        self,
        *,
        access: Access,
        at: datetime,
        progress: Progress,
        tell: Callable[[Problem], None],
        decimal_mark: str | None = None,
        day_first: bool | None = None,
        control_totals: Sequence[Money] = (),
    ) -> None:
        """``decimal_mark`` and ``day_first`` say how numbers and dates are written where the file does not show it.
        Another sum than that of the ``control_totals`` is refused."""
        self.access, self.at, self.progress, self.tell = access, at, progress, tell
        self.decimal_mark, self.day_first, self.control_totals = decimal_mark, day_first, control_totals
        self.format = FileFormat()
        self.kept_units: Counter[str] = Counter()

    def run(self, path: Path, *, dry_run: bool) -> Imported:
        """Imports the rows of a file, all or none. Returns what was done; with ``dry_run`` it is done and undone.

        Every bad row is given to ``tell`` as it is found. Raises Problems at the end when there were any, UnusableFile
        when the file as a whole cannot be read, OSError when there is no such file.
        """
        with path.open("rb") as file:
            if not file.seekable():
                raise UnusableFile("The file is read twice, so it cannot be a pipe.")
            self.format = self.detect(file)
            digest = self._check(file)
            try:
                return self._write_all(file, digest, path.name, dry_run=dry_run)
            except (IntegrityError, CurrencyChanged, CannotCharge):
                # Somebody imported the same rows at the same moment, changed a currency or closed a profile: now that
                # can be seen.
                return self._write_all(file, digest, path.name, dry_run=dry_run)

    def detect(self, file: BinaryIO) -> FileFormat:
        """How the file is written. Raises UnusableFile for what can mean two things."""
        return detect(
            file, LONGEST_LINE, numbers=self.columns.numbers, dates=self.columns.dates, decimal_mark=self.decimal_mark,
            day_first=self.day_first,
        )  # fmt: skip

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

    def keep_unit(self, text: str) -> None:
        """Counts a unit that stayed a text; the names of the first ten, so that memory does not follow the file."""
        self.kept_units[text if text in self.kept_units or len(self.kept_units) < 10 else "..."] += 1

    def _check(self, file: BinaryIO) -> bytes:
        """The first pass: reads only. Returns the digest of what it read; raises Problems."""
        problems, reader = Problems(self.tell), self.reader(file)
        self.begin_pass()
        with Seen() as seen:
            for batch in self.batches(self._plain(reader, problems), problems, seen):
                self.resolve(batch, problems)
                self.progress("Checking", reader)
                reset_queries()
        if problems.count:
            raise problems
        return bytes(reader.digest.digest())

    @transaction.atomic
    def _write_all(self, file: BinaryIO, digest: bytes, name: str, *, dry_run: bool) -> Imported:
        """The second pass. Everything is checked again, and the file's digest, since the file may have changed too."""
        problems, reader = Problems(self.tell), self.reader(file)
        imported = Imported(file_format=str(self.format), kept_units=self.kept_units)
        self.lock()
        self.begin_pass()
        self.kept_units.clear()
        for batch in self.batches(self._plain(reader, problems), problems, None):
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
        self._check_totals(imported)
        self.finish(imported, name)
        if dry_run:
            transaction.set_rollback(True)
        return imported

    def _check_totals(self, imported: Imported) -> None:
        """What was imported before counts for nothing: only what is new is added up."""
        expected = Money.by_currency({total.currency: total.minor for total in self.control_totals})
        if self.control_totals and imported.totals != expected:
            raise UnusableFile(f"It comes to {_listed(imported.totals)}, and the control total is {_listed(expected)}.")

    def _plain(self, reader: Source, problems: Problems) -> Iterator[tuple[int, Texts]]:
        """The rows, numbers and dates written as those of a plain file are."""
        if (self.format.delimiter, self.format.decimal_mark, self.format.day_first) == (",", ".", None):
            yield from reader.rows(problems)
            return
        for line, texts in reader.rows(problems):
            try:
                yield line, self.columns.plain(texts, self.format)
            except BadRow as reason:
                problems.add(line, str(reason))

    def reader(self, file: BinaryIO) -> Source:
        return Reader(file, self.columns.columns, self.columns.needed, self.format)


def _listed(totals: Sequence[Money]) -> str:
    return " and ".join(f"{total.currency} {total.amount:,}" for total in totals) or "nothing"


def check_currency(row: Row, profile: BillingProfile) -> None:
    """Raises BadRow where the file names another currency than that of the billing profile."""
    if row["currency"] and row["currency"].upper() != profile.currency:
        raise BadRow(f"currency is {row['currency']}, and billing profile {profile.code} is in {profile.currency}.")


def described(row: Row) -> tuple[str, str]:
    """Description and unit code of a row. A text that is no unit stays behind the description: "Storage
    (bucket-months)". Raises BadRow."""
    code = unit_of(row["unit"])
    if code is not None:
        return row["description"], code
    description = f"{row['description']} ({row['unit']})"
    if len(description) > LONGEST_DESCRIPTION:
        raise BadRow(
            f"unit {row['unit']!r} is not in the list of units, and description and unit together are longer than "
            f"{LONGEST_DESCRIPTION} characters."
        )
    return description, ONE


def sections_named(names: set[str], profiles: Iterable[int]) -> dict[tuple[int, str], InvoiceSection]:
    sections = InvoiceSection.objects.filter(profile_id__in=profiles, name__in=names) if names else []
    return {(section.profile_id, section.name): section for section in sections}


def stored_by_reference[Row: models.Model](
    model: type[Row], references: Iterable[tuple[int, str]]
) -> dict[tuple[int, str], Row]:
    """The rows that have these references in whatever spelling, by profile and `compact` reference."""
    wanted = list(references)
    if not wanted:
        return {}
    vendor = connection.vendor
    statement = BY_REFERENCE.format(
        pairs=", ".join(["(%s, %s)"] * len(wanted)),
        wanted=compact_sql("reference", vendor),
        table=model._meta.db_table,
        stored=compact_sql("stored.source_reference", vendor),
    )
    rows: Any = model._default_manager.raw(statement, [value for pair in wanted for value in pair])
    return {(row.profile_id, compact(row.source_reference)): row for row in rows}
