"""The import of charges: check the whole file, then write it, in one transaction."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from pathlib import Path
from typing import Any, BinaryIO

from django.db import IntegrityError, reset_queries, transaction

from accounts import audit
from accounts.access import Access
from invoices.bulk import BulkInsert
from invoices.importing.charges.resolving import MadeCharge, Numbered, Resolver, facts_of
from invoices.importing.charges.values import COLUMNS, values_of
from invoices.importing.grouping import Seen
from invoices.importing.problems import BadRow, Problems, Tell, UnusableFile
from invoices.importing.reading import Reader
from invoices.importing.running import Progress
from invoices.models import Charge
from invoices.money import Money
from invoices.operations.charging import note_of

BATCH = 2000
WRITTEN = [
    "profile_id", "source_reference", "section_id", "kind", "description", "quantity", "unit", "unit_price",
    "tax_rate_id", "happened_on", "is_creditable", "tax_percent", "tax_note", "amount_minor", "tax_minor", "created_at",
    "created_by_id",
]  # fmt: skip


@dataclass
class Recorded:
    """What was recorded, or would be. Amounts are without tax."""

    charges: int = 0
    unchanged: int = 0
    minor: Counter[str] = field(default_factory=Counter)

    @property
    def totals(self) -> list[Money]:
        return [Money(minor, currency) for currency, minor in sorted(self.minor.items())]


def import_charges(
    *, access: Access, path: Path, at: datetime, dry_run: bool, progress: Progress, tell: Tell
) -> Recorded:
    """Records the charges of a file, all or none.

    Returns what was done; with ``dry_run`` everything is done and then undone. Every bad row is given to ``tell`` as
    it is found. Raises Problems at the end when there were any, UnusableFile when the file as a whole cannot be read,
    OSError when there is no such file. Rights are the caller's.
    """
    with path.open("rb") as file:
        if not file.seekable():
            raise UnusableFile("The file is read twice, so it cannot be a pipe.")
        digest = _check(file, progress, tell)
        work = _Work(file, digest, access, at, progress, tell)
        try:
            return _in_one_transaction(work, path.name, dry_run=dry_run)
        except IntegrityError:  # somebody recorded the same charges at the same moment: now they are there to be seen
            return _in_one_transaction(work, path.name, dry_run=dry_run)


@dataclass
class _Work:
    file: BinaryIO
    digest: bytes
    access: Access
    at: datetime
    progress: Progress
    tell: Tell


def _in_one_transaction(work: _Work, name: str, *, dry_run: bool) -> Recorded:
    with transaction.atomic():
        recorded = _write(work)
        if recorded.charges:
            totals = {total.currency: total.minor for total in recorded.totals}
            audit.record(
                access=work.access,
                at=work.at,
                action="charges.imported",
                subject=name[:120],
                charges=recorded.charges,
                totals=totals,
            )
        if dry_run:
            transaction.set_rollback(True)
    return recorded


def _check(file: BinaryIO, progress: Progress, tell: Tell) -> bytes:
    """The first pass: reads only. Returns the digest of what it read; raises Problems."""
    problems, resolver = Problems(tell), Resolver()
    reader = Reader(file, COLUMNS)
    with Seen() as seen:
        for batch in batched(_rows(reader, problems, seen), BATCH):
            resolver.resolve(list(batch), problems)
            progress("Checking", reader)
            reset_queries()
    if problems.count:
        raise problems
    return reader.digest.digest()


def _rows(reader: Reader, problems: Problems, seen: Seen | None) -> Iterator[Numbered]:
    """The rows that are good by themselves. ``seen`` is None on a second pass, when repeats are known not to occur."""
    for line, texts in reader.rows(problems):
        try:
            row = values_of(texts)
            first = seen.first_line(row.profile, row.reference, line) if seen is not None else line
            if first != line:
                raise BadRow(f"reference {row.reference!r} stands on line {first} already.")
        except BadRow as reason:
            problems.add(line, str(reason))
        else:
            yield line, row


def _write(work: _Work) -> Recorded:
    """The second pass, in the caller's transaction. Everything is checked again, since rows of ours may have changed
    since the first; and the file's digest, since it may have too."""
    problems, resolver, recorded = Problems(work.tell), Resolver(), Recorded()
    reader, table = Reader(work.file, COLUMNS), BulkInsert(Charge, WRITTEN)
    for batch in batched(_rows(reader, problems, None), BATCH):
        made, unchanged = resolver.resolve(list(batch), problems)
        if problems.count:
            raise problems
        table.write(_values(charge, work) for charge in made)
        for charge in made:
            recorded.minor[charge.currency] += charge.amount_minor
        recorded.charges += len(made)
        recorded.unchanged += unchanged
        work.progress("Writing", reader)
        reset_queries()
    if reader.digest.digest() != work.digest:
        raise UnusableFile("The file changed while it was read.")
    return recorded


def _values(charge: MadeCharge, work: _Work) -> list[Any]:
    rate, actor = charge.rate, work.access.user
    values = facts_of(charge) | {
        "profile_id": charge.profile_id,
        "source_reference": charge.row.reference,
        "tax_percent": rate.percent if rate else 0,
        "tax_note": note_of(rate) if rate else "",
        "amount_minor": charge.amount_minor,
        "tax_minor": charge.tax_minor,
        "created_at": work.at,
        "created_by_id": actor.pk if actor else None,
    }
    return [values[name] for name in WRITTEN]
