"""The import itself: check the whole file, then write it, in one transaction."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import reset_queries, transaction

from accounts.access import Access
from accounts.models import AuditEntry
from invoices.importing.grouping import Seen, batches, invoices
from invoices.importing.problems import BadRow, Problems, Tell, UnusableFile
from invoices.importing.reading import Reader
from invoices.importing.resolving import Made, Terms, complete, resolve
from invoices.models import Invoice, InvoiceLine
from invoices.money import Money
from invoices.numbering import take_numbers
from invoices.states import InvoiceStatus

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

    def add(self, made: Made) -> None:
        self.invoices += 1
        self.lines += len(made.lines)
        self.minor[made.invoice.currency] += made.invoice.total_minor
        self.first_number = self.first_number or made.invoice.number or ""
        self.last_number = made.invoice.number or ""


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
    problems = Problems(tell)
    with Seen() as seen:
        reader = Reader(file)
        for batch in batches(invoices(reader.rows(problems), problems, seen)):
            made, _unchanged = resolve(batch, terms, problems)
            for one in made:
                _complete(one, "", terms, problems)
            progress("Checking", reader)
            reset_queries()
    if problems.count:
        raise problems
    return reader.digest.digest()


def _write(file: BinaryIO, digest: bytes, access: Access, terms: Terms, progress: Progress, *, tell: Tell) -> Outcome:
    """The second pass, in the caller's transaction. Everything is checked again, since rows of ours may have changed
    since the first; and the file's digest, since it may have too."""
    take_numbers(settings.INVOICE_NUMBER_PREFIX, 0)  # one import at a time, or two of one file collide half-way
    problems, outcome = Problems(tell), Outcome()
    reader = Reader(file)
    for batch in batches(invoices(reader.rows(problems), problems, None)):
        made, unchanged = resolve(batch, terms, problems)
        outcome.unchanged += unchanged
        for one, number in zip(made, _numbers(len(made), terms), strict=True):
            _complete(one, number, terms, problems)
        if problems.count:
            raise problems
        _save(made, access, terms)
        for one in made:
            outcome.add(one)
        progress("Writing", reader)
        reset_queries()
    if reader.digest.digest() != digest:
        raise UnusableFile("The file changed while it was read.")
    return outcome


def _numbers(count: int, terms: Terms) -> list[str]:
    return [""] * count if terms.drafts or not count else take_numbers(settings.INVOICE_NUMBER_PREFIX, count)


def _complete(made: Made, number: str, terms: Terms, problems: Problems) -> None:
    try:
        complete(made, number, terms)
    except BadRow as reason:
        problems.add(made.source.line, str(reason))


def _save(made: list[Made], access: Access, terms: Terms) -> None:
    """A batch: invoices, lines, and an audit entry for each invoice, in three statements or a few more."""
    if terms.drafts:
        for one in made:
            one.invoice.number = one.invoice.issued_on = one.invoice.due_on = None
            one.invoice.payment_reference, one.invoice.status = "", InvoiceStatus.DRAFT
    Invoice.objects.bulk_create([one.invoice for one in made])
    InvoiceLine.objects.bulk_create([line for one in made for line in one.lines])
    AuditEntry.objects.bulk_create(
        AuditEntry(
            at=terms.at,
            actor=access.user,
            action="invoice.drafted" if terms.drafts else "invoice.issued",
            subject=str(one.invoice),
            profile=one.profile,
            detail={"total": one.invoice.total_minor, "imported_as": one.source.reference},
        )
        for one in made
    )
