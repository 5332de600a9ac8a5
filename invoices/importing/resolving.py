"""From a batch of the file's invoices to invoices of ours, not stored yet: profiles, sections and sums."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from invoices.importing.grouping import SourceInvoice
from invoices.importing.known import Customer, Customers, imported_before, sections
from invoices.importing.problems import BadRow, Problems
from invoices.importing.values import Row
from invoices.operations import CannotIssue, line_sums, total_of

MOST_MINOR = 10**15
LONGEST_TERM = timedelta(days=365)
Sections = dict[tuple[int, str], int]


@dataclass(frozen=True)
class Terms:
    """How this import makes invoices: as drafts, or issued on a day unless a row says another."""

    at: datetime
    drafts: bool = False
    issue_on: date | None = None


class MadeLine(NamedTuple):
    row: Row
    section_id: int | None
    amount_minor: int
    tax_minor: int


@dataclass(slots=True)
class Made:
    """An invoice of ours with its lines, ready but for its number."""

    source: SourceInvoice
    customer: Customer
    issue_on: date
    lines: list[MadeLine]
    charges_minor: int
    tax_minor: int

    @property
    def total_minor(self) -> int:
        return self.charges_minor + self.tax_minor


def resolve(
    batch: list[SourceInvoice], customers: Customers, terms: Terms, problems: Problems
) -> tuple[list[Made], int]:
    """The new invoices of a batch, and how many the portal has already. Four queries, whatever the batch holds."""
    customers.load({source.profile for source in batch})
    ids = {code: customer.profile_id for code, customer in customers.by_code.items()}
    names = {row.section for source in batch for _line, row in source.rows if row.section}
    known_sections = sections(names, ids.values())
    before = imported_before((ids[source.profile], source.reference) for source in batch if source.profile in ids)
    made, unchanged = [], 0
    for source in batch:
        try:
            customer = customers.get(source.profile)
            earlier = before.get((customer.profile_id, source.reference))
            if earlier is None:
                made.append(_make(source, customer, known_sections, terms))
            elif earlier.source_digest == source.digest:
                unchanged += 1
            else:
                raise BadRow(f"invoice {source.reference!r} was imported before, as {earlier}, with other content.")
        except BadRow as reason:
            problems.add(source.line, str(reason))
        except MissingSections as missing:
            for line, name in missing.rows:
                problems.add(line, f"profile {source.profile} has no invoice section {name!r}. Create it first.")
    return made, unchanged


class MissingSections(Exception):
    """Rows, as line and name, that name a section which the profile does not have."""

    def __init__(self, rows: list[tuple[int, str]]) -> None:
        super().__init__()
        self.rows = rows


def _make(source: SourceInvoice, customer: Customer, known: Sections, terms: Terms) -> Made:
    """Raises BadRow and MissingSections."""
    head, profile = source.head, customer.profile
    if terms.drafts and (head.issue_date or head.due_date):
        raise BadRow("a draft has no issue_date and no due_date; leave them empty or import without --drafts.")
    named = [(line, row.section) for line, row in source.rows if row.section]
    if missing := [(line, name) for line, name in named if (customer.profile_id, name) not in known]:
        raise MissingSections(missing)
    try:
        lines = [
            MadeLine(
                row,
                known[customer.profile_id, row.section] if row.section else None,
                *line_sums(row.quantity, row.unit_price, row.tax_rate, profile.currency),
            )
            for _line, row in source.rows
        ]
    except ValueError:
        raise BadRow("the amount of a line is larger than the portal can hold.") from None
    made = Made(
        source=source,
        customer=customer,
        issue_on=head.issue_date or terms.issue_on or customer.today,
        lines=lines,
        charges_minor=sum(line.amount_minor for line in lines),
        tax_minor=sum(line.tax_minor for line in lines),
    )
    _check(made)
    return made


def _check(made: Made) -> None:
    """Raises BadRow."""
    try:
        total = total_of(made.charges_minor, made.tax_minor)
    except CannotIssue:
        raise BadRow("the total of the invoice is negative. Give the customer a credit instead.") from None
    if total > MOST_MINOR or any(abs(line.amount_minor) > MOST_MINOR for line in made.lines):
        raise BadRow("the amounts of the invoice are larger than the portal can hold.")
    due_on = made.source.head.due_date
    if due_on and not made.issue_on <= due_on <= made.issue_on + LONGEST_TERM:
        raise BadRow(f"due_date {due_on} is not within a year after the invoice date {made.issue_on}.")
