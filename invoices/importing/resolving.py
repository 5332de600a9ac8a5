"""From a batch of the file's invoices to invoices of ours, unsaved: profiles, sections and sums."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from accounts.models import BillingProfile, InvoiceSection
from invoices.importing.grouping import SourceInvoice
from invoices.importing.problems import BadRow, Problems
from invoices.models import Invoice, InvoiceLine
from invoices.money import UnknownCurrency, exponent
from invoices.operations import CannotIssue, compute_lines, prepare_issue

MOST_MINOR = 10**15
LONGEST_TERM = timedelta(days=365)


@dataclass(frozen=True)
class Terms:
    """How this import makes invoices: as drafts, or issued on a day unless a row says another."""

    at: datetime
    drafts: bool = False
    issue_on: date | None = None


@dataclass
class Made:
    """An invoice of ours with its lines, ready but for its number."""

    source: SourceInvoice
    profile: BillingProfile
    invoice: Invoice
    lines: list[InvoiceLine] = field(default_factory=list)


def resolve(batch: list[SourceInvoice], terms: Terms, problems: Problems) -> tuple[list[Made], int]:
    """The new invoices of a batch, and how many the portal has already. Three queries, whatever the batch holds."""
    profiles = {
        profile.code: profile
        for profile in BillingProfile.objects.filter(code__in={source.profile for source in batch})
        .select_related("account")
        .prefetch_related("account__tax_ids")
    }
    sections = _sections(batch, profiles.values())
    known = {
        (invoice.profile_id, invoice.source_reference): invoice
        for invoice in Invoice.objects.filter(
            profile__in=profiles.values(), source_reference__in={source.reference for source in batch}
        ).only("id", "number", "profile_id", "source_reference", "source_digest")
    }
    made, unchanged = [], 0
    for source in batch:
        try:
            profile = _usable(profiles.get(source.profile), source)
            before = known.get((profile.pk, source.reference))
            if before is None:
                made.append(_make(source, profile, sections, terms))
            elif before.source_digest == source.digest:
                unchanged += 1
            else:
                raise BadRow(f"invoice {source.reference!r} was imported before, as {before}, with other content.")
        except BadRow as reason:
            problems.add(source.line, str(reason))
        except MissingSections as missing:
            for line, name in missing.rows:
                problems.add(line, f"profile {source.profile} has no invoice section {name!r}. Create it first.")
    return made, unchanged


def complete(made: Made, number: str, terms: Terms) -> None:
    """Sums, and for an invoice that is issued everything else it holds. Raises BadRow."""
    invoice, values = made.invoice, made.source.values
    try:
        compute_lines(made.lines, invoice.currency)
    except ValueError:
        raise BadRow("the amount of a line is larger than the portal can hold.") from None
    issue_on = values["issue_date"] or terms.issue_on or made.profile.day_of(terms.at)
    try:
        prepare_issue(invoice, made.lines, profile=made.profile, number=number, today=issue_on)
    except CannotIssue:
        raise BadRow("the total of the invoice is negative. Give the customer a credit instead.") from None
    if max(abs(line.amount_minor) for line in made.lines) > MOST_MINOR or invoice.total_minor > MOST_MINOR:
        raise BadRow("the amounts of the invoice are larger than the portal can hold.")
    if values["due_date"]:
        _due(invoice, issue_on, values["due_date"])


def _due(invoice: Invoice, issue_on: date, due_on: date) -> None:
    if not issue_on <= due_on <= issue_on + LONGEST_TERM:
        raise BadRow(f"due_date {due_on} is not within a year after the invoice date {issue_on}.")
    invoice.due_on, invoice.payment_terms_days = due_on, (due_on - issue_on).days


class MissingSections(Exception):
    """Rows, as line and name, that name a section which the profile does not have."""

    def __init__(self, rows: list[tuple[int, str]]) -> None:
        super().__init__()
        self.rows = rows


def _usable(profile: BillingProfile | None, source: SourceInvoice) -> BillingProfile:
    if profile is None:
        raise BadRow(f"there is no billing profile {source.profile!r}.")
    if profile.status != BillingProfile.Status.ACTIVE:
        raise BadRow(f"billing profile {profile.code} is disabled.")
    try:
        exponent(profile.currency)
    except UnknownCurrency as error:
        raise BadRow(f"billing profile {profile.code}: {error}") from None
    return profile


def _sections(batch: list[SourceInvoice], profiles: Iterable[BillingProfile]) -> dict[tuple[int, str], InvoiceSection]:
    names = {values["section"] for source in batch for _line, values in source.rows if values["section"]}
    if not names:
        return {}
    found = InvoiceSection.objects.filter(profile__in=profiles, name__in=names)
    return {(section.profile_id, section.name): section for section in found}


def _make(
    source: SourceInvoice, profile: BillingProfile, sections: dict[tuple[int, str], InvoiceSection], terms: Terms
) -> Made:
    values = source.values
    if terms.drafts and (values["issue_date"] or values["due_date"]):
        raise BadRow("a draft has no issue_date and no due_date; leave them empty or import without --drafts.")
    invoice = Invoice(
        profile=profile,
        currency=profile.currency,
        kind=values["kind"],
        period_start_on=values["period_start"],
        period_end_on=values["period_end"],
        po_number=values["po_number"],
        source_reference=source.reference,
        source_digest=source.digest,
    )
    named = [(line, row["section"]) for line, row in source.rows if row["section"]]
    missing = [(line, name) for line, name in named if (profile.pk, name) not in sections]
    if missing:
        raise MissingSections(missing)
    made = Made(source=source, profile=profile, invoice=invoice)
    for position, (_line_number, row) in enumerate(source.rows, start=1):
        made.lines.append(_line(invoice, position, row, sections.get((profile.pk, row["section"]))))
    return made


def _line(invoice: Invoice, position: int, row: dict[str, Any], section: InvoiceSection | None) -> InvoiceLine:
    fields = {name: row[name] for name in ("description", "quantity", "unit", "unit_price", "tax_rate", "tax_note")}
    return InvoiceLine(invoice=invoice, section=section, position=position, **fields)
