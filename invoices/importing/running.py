"""The import itself: check the whole file, then write it, in one transaction."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import reset_queries, transaction

from accounts.access import Access
from invoices.importing.grouping import Seen, batches, invoices
from invoices.importing.known import Customers
from invoices.importing.problems import Problems, Tell, UnusableFile
from invoices.importing.reading import Reader
from invoices.importing.resolving import Made, Terms, resolve
from invoices.importing.writing import Writer
from invoices.money import Money
from invoices.numbering import take_numbers

Progress = Callable[[str, Reader], None]


@dataclass
class Outcome:
    """What was imported, or would be."""

    invoices: int = 0
    lines: int = 0
    unchanged: int = 0
    first_number: str = ""
    last_number: str = ""
    minor: Counter[str] = field(default_factory=Counter)

    @property
    def totals(self) -> list[Money]:
        return [Money(minor, currency) for currency, minor in sorted(self.minor.items())]

    def add(self, made: list[Made], numbers: list[str]) -> None:
        for one, number in zip(made, numbers, strict=True):
            self.invoices += 1
            self.lines += len(one.lines)
            self.minor[one.customer.profile.currency] += one.total_minor
            self.first_number = self.first_number or number
            self.last_number = number


def import_file(*, access: Access, path: Path, terms: Terms, dry_run: bool, progress: Progress, tell: Tell) -> Outcome:
    """Brings in the invoices of a file, all or none.

    Returns what was done; with ``dry_run`` everything is done and then undone. Every bad row is given to ``tell`` as
    it is found. Raises Problems at the end when there were any, UnusableFile when the file as a whole cannot be read,
    OSError when there is no such file. Rights are the caller's.
    """
    with path.open("rb") as file:
        if not file.seekable():
            raise UnusableFile("The file is read twice, so it cannot be a pipe.")
        digest = _check(file, terms, progress, tell)
        with transaction.atomic():
            outcome = _write(file, digest, access, terms, progress, tell=tell)
            if dry_run:
                transaction.set_rollback(True)
    return outcome


def _check(file: BinaryIO, terms: Terms, progress: Progress, tell: Tell) -> bytes:
    """The first pass: reads only. Returns the digest of what it read; raises Problems."""
    problems, customers = Problems(tell), Customers(terms.at)
    with Seen() as seen:
        reader = Reader(file)
        for batch in batches(invoices(reader.rows(problems), problems, seen)):
            resolve(batch, customers, terms, problems)
            progress("Checking", reader)
            reset_queries()
    if problems.count:
        raise problems
    return reader.digest.digest()


def _write(file: BinaryIO, digest: bytes, access: Access, terms: Terms, progress: Progress, *, tell: Tell) -> Outcome:
    """The second pass, in the caller's transaction. Everything is checked again, since rows of ours may have changed
    since the first; and the file's digest, since it may have too."""
    take_numbers(settings.INVOICE_NUMBER_PREFIX, 0)  # one import at a time, or two of one file collide half-way
    problems, customers, outcome = Problems(tell), Customers(terms.at), Outcome()
    reader, writer = Reader(file), Writer(access, terms)
    for batch in batches(invoices(reader.rows(problems), problems, None)):
        made, unchanged = resolve(batch, customers, terms, problems)
        if problems.count:
            raise problems
        if made:
            numbers = _numbers(len(made), terms)
            writer.write(made, numbers)
            outcome.add(made, numbers)
        outcome.unchanged += unchanged
        progress("Writing", reader)
        reset_queries()
    if reader.digest.digest() != digest:
        raise UnusableFile("The file changed while it was read.")
    return outcome


def _numbers(count: int, terms: Terms) -> list[str]:
    return [""] * count if terms.drafts else take_numbers(settings.INVOICE_NUMBER_PREFIX, count)
