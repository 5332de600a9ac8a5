"""Invoices from a file.

A CSV file holds one row per invoice line. Rows with the same ``invoice`` (the sender's own reference) for the same
profile are one invoice and stand together, at most 5,000 of them. Files are in UTF-8 or Windows-1252, separated by
commas, semicolons or tabs. Numbers may have a decimal comma and dates may be 5-10-2026, where the file shows it.

| Column | Needed | What it holds |
|---|---|---|
| `profile` | yes | code of the billing profile, such as `K7QX-2M9P`; the profile must be active |
| `invoice` | yes | the sender's own reference of the invoice, at most 64 characters |
| `number` | no | the number under which it was issued elsewhere; the next of our series when empty |
| `kind` | no | `service` (when empty), `marketplace`, `support` or `other` |
| `issue_date` | no | `2026-10-05`; today, or the command's `--issue-date`, when empty |
| `due_date` | no | `2026-11-04`; from the profile's payment terms when empty |
| `period_start`, `period_end` | no | the billing period, both or neither |
| `po_number` | no | at most 60 characters; the profile's own when empty |
| `currency` | no | must be that of the profile |
| `paid_on`, `paid_amount` | no | when it was paid before the import, and how much; the total when that is empty |
| `exchange_rate` | no | what one of the seller's currency is in the invoice's, such as `1.0850`; ours when empty |
| `exchange_date` | no | the day of that rate; the invoice date when empty |
| `section` | no | name of an invoice section that the profile has; sections are not created |
| `description` | yes | at most 200 characters |
| `quantity` | no | at most 12 decimals; 1 when empty |
| `unit` | no | code of UN/ECE Recommendation 20, or a name such as `hours`; any other text joins the description |
| `unit_price` | yes | in major units without tax, at most 10 decimals; a negative one is read as a negative quantity |
| `tax_rate` | no | percent, 0 to 100, at most 3 decimals; 0 when empty |
| `tax_category` | no | `S` taxed at a rate (when empty), `Z`, `E`, `AE`, `K`, `G` or `O`; needed where the rate is 0 |
| `exemption_reason` | no | why there is no tax, at most 120 characters; needed for `E` unless there is a code |
| `exemption_code` | no | the VATEX code of that reason, such as `VATEX-EU-132-1F` |
| `discount` | no | `yes` for a discount on the whole invoice, with its reason as the description; it is deducted |

Everything is checked first and every bad row named; then everything is written in one transaction, so that a bad file
changes nothing and takes no locks. The same invoice (profile, reference, same content) met again is left alone; with
other content it is an error.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, BinaryIO

from accounts.models import BillingProfile, InvoiceSection, Seller
from billing_portal.core.spelling import compact
from billing_portal.core.time_zones import seller_day
from invoices.bulk import new_row
from invoices.exchange import Quote
from invoices.importing.columns import (
    Column,
    Columns,
    Row,
    day,
    identifier,
    number,
    one_of,
    own_number,
    rate,
    text,
    vatex_code,
    yes_or_no,
)  # fmt: skip
from invoices.importing.csv_reader import Problems, Seen, Texts
from invoices.importing.einvoices import EInvoiceFormat, EInvoiceReader, is_e_invoice
from invoices.importing.file_format import BadRow, FileFormat
from invoices.importing.pipeline import (
    FileImport,
    Imported,
    Source,
    check_currency,
    described,
    sections_named,
    stored_by_reference,
)
from invoices.models import Invoice, InvoiceLine
from invoices.money import Money, UnknownCurrency, exponent
from invoices.numbering import creditor_reference, is_ours, last_issued_on, own_series, take_numbers, taken_numbers
from invoices.operations.dunning import owing_enough
from invoices.operations.issuing import (
    CannotIssue,
    check_taxes,
    compute_sums,
    convert_taxes,
    create_drafts,
    issue_invoices,
)
from invoices.remittances import Remittances
from invoices.tax import TaxCategory

MAX_LINES = 5000
BATCH_INVOICES, BATCH_LINES = 1000, 2000
LONGEST_TERM = timedelta(days=365)
COLUMNS = Columns(
    profile=Column(identifier(12), needed=True, of_invoice=True),
    invoice=Column(identifier(64), needed=True, of_invoice=True),
    number=Column(own_number(32), default="", of_invoice=True),
    kind=Column(one_of(Invoice.Kind.values), default=Invoice.Kind.SERVICE.value, of_invoice=True),
    currency=Column(text(3), default="", of_invoice=True),
    issue_date=Column(day, "date", of_invoice=True),
    due_date=Column(day, "date", of_invoice=True),
    period_start=Column(day, "date", of_invoice=True),
    period_end=Column(day, "date", of_invoice=True),
    po_number=Column(identifier(60), default="", of_invoice=True),
    paid_on=Column(day, "date", of_invoice=True),
    paid_amount=Column(number(15, 4, negative=False), "number", of_invoice=True),
    exchange_rate=Column(number(10, 10, negative=False), "number", of_invoice=True),
    exchange_date=Column(day, "date", of_invoice=True),
    section=Column(text(120), default=""),
    description=Column(text(200), needed=True),
    quantity=Column(number(12, 12), "number", default=Decimal(1)),
    unit=Column(text(60), default=""),
    unit_price=Column(number(13, 10), "number", needed=True),
    tax_rate=Column(rate, "number", default=Decimal(0)),
    tax_category=Column(one_of(TaxCategory.values), default=TaxCategory.STANDARD.value),
    exemption_reason=Column(text(120), default=""),
    exemption_code=Column(vatex_code, default=""),
    discount=Column(yes_or_no, default=False),
)
NOT_OF_A_DRAFT = ("number", "issue_date", "due_date", "paid_on", "exchange_rate")
# What a line has under the same name as the file.
LINE = ("quantity", "unit_price", "tax_category", "tax_rate", "exemption_reason", "exemption_code")

quoted = lru_cache(maxsize=1024)(json.JSONEncoder().encode)


@dataclass(slots=True)
class SourceInvoice:
    """An invoice as the file describes it. ``line`` is where its first row stands; each row knows its own line."""

    line: int
    profile: str
    reference: str
    rows: list[tuple[int, Row]] = field(default_factory=list)
    texts: list[Texts] = field(default_factory=list)
    is_bad: bool = False
    is_full: bool = False

    @property
    def head(self) -> Row:
        """Its first row, which says what is true of the whole invoice."""
        return self.rows[0][1]

    @property
    def digest(self) -> str:
        """Of what the file said, whatever the order of the columns and however many a later version knows."""
        names = COLUMNS.columns
        content = "".join(
            f"[{', '.join(f'{name}={quoted(text)}' for name, text in zip(names, texts, strict=True) if text)}]"
            for texts in self.texts
        )
        return hashlib.sha256(content.encode()).hexdigest()

    def add(self, line: int, texts: Texts) -> None:
        """Raises BadRow."""
        row = COLUMNS.row(texts)
        start, end = row["period_start"], row["period_end"]
        if (start is None) != (end is None):
            raise BadRow("period_start and period_end go together.")
        if start and end and end < start:
            raise BadRow("period_end is before period_start.")
        if row["paid_amount"] is not None and row["paid_on"] is None:
            raise BadRow("paid_amount needs the day, paid_on.")
        if self.rows:
            differing = [name for name in COLUMNS.of_invoice if row[name] != self.head[name]]
            if differing:
                raise BadRow(f"{', '.join(differing)} differs from line {self.rows[0][0]}, of the same invoice.")
        if len(self.rows) == MAX_LINES:
            self.is_full = True  # named once; the rows that follow are passed over
            raise BadRow(f"invoice {self.reference!r} has more than {MAX_LINES} lines. Split it.")
        self.rows.append((line, row))
        self.texts.append(texts)


type NewInvoice = tuple[Invoice, list[InvoiceLine]]


class InvoiceImport(FileImport[list[SourceInvoice], NewInvoice]):
    """Makes invoices that are issued on ``issue_on`` unless a row says another day, or drafts."""

    columns = COLUMNS

    def __init__(self, *, drafts: bool = False, issue_on: date | None = None, **common: Any) -> None:
        super().__init__(**common)
        self.drafts, self.issue_on = drafts, issue_on
        self.remittances = Remittances()

    def detect(self, file: BinaryIO) -> FileFormat:
        return EInvoiceFormat() if is_e_invoice(file) else super().detect(file)

    def reader(self, file: BinaryIO) -> Source:
        return EInvoiceReader(file, self.columns) if isinstance(self.format, EInvoiceFormat) else super().reader(file)

    def begin_pass(self) -> None:
        self.profiles: dict[str, BillingProfile] = {}
        self.own_series = own_series()

    def lock(self) -> None:
        """One import at a time, or two of one file collide half-way."""
        self.last_on: dict[str, date] = {}
        # In the order of `lock_series`, which is not always that of the database.
        for prefix in sorted(Seller.objects.values_list("invoice_prefix", flat=True)):
            take_numbers(prefix, 0)
            self.last_on[prefix] = last_issued_on(prefix) or date.min

    def batches(
        self, rows: Iterable[tuple[int, Texts]], problems: Problems, seen: Seen | None
    ) -> Iterator[list[SourceInvoice]]:
        """At most so many invoices, fewer when they hold many lines."""
        batch: list[SourceInvoice] = []
        lines = 0
        for invoice in source_invoices(rows, problems, seen):
            if _repeats_a_number(invoice, problems, seen):
                continue
            batch.append(invoice)
            lines += len(invoice.rows)
            if len(batch) == BATCH_INVOICES or lines >= BATCH_LINES:
                yield batch
                batch, lines = [], 0
        if batch:
            yield batch

    def resolve(self, batch: list[SourceInvoice], problems: Problems) -> tuple[list[NewInvoice], int]:
        """Six queries, whatever the batch holds; one of them for rates of exchange, where any is wanted."""
        self._load_profiles({source.profile for source in batch})
        ids = {code: profile.pk for code, profile in self.profiles.items()}
        names = {row["section"] for source in batch for _line, row in source.rows if row["section"]}
        sections = sections_named(names, ids.values())
        references = ((ids[source.profile], source.reference) for source in batch if source.profile in ids)
        stored = stored_by_reference(Invoice, references)
        taken = taken_numbers([source.head["number"] for source in batch if source.head["number"]])
        new, unchanged = [], 0
        line_of: dict[tuple[str, str], int] = {}
        for source in batch:
            try:
                profile = self._profile(source.profile)
                earlier = stored.get((profile.pk, compact(source.reference)))
                if earlier is not None and earlier.source_digest != source.digest:
                    raise BadRow(f"invoice {source.reference!r} was imported before, as {earlier}, with other content.")
                if earlier is not None:
                    unchanged += 1
                elif source.head["number"] in taken:
                    raise BadRow(f"number {source.head['number']} is taken, or gives the payment reference of another.")
                elif _has_its_sections(source, profile, sections, problems):
                    new.append(self._make(source, profile, sections))
                    line_of[source.profile, source.reference] = source.line
            except (BadRow, CannotIssue) as reason:
                problems.add(source.line, str(reason))
        for invoice, refusal in () if self.drafts else convert_taxes([invoice for invoice, _lines in new]):
            problems.add(line_of[invoice.profile.code, invoice.source_reference], str(refusal))
        return new, unchanged

    def write(self, new: list[NewInvoice], imported: Imported) -> None:
        invoices = [invoice for invoice, _lines in new]
        lines = [line for _invoice, lines in new for line in lines]
        if self.drafts:
            create_drafts(invoices, lines, access=self.access, at=self.at)
        else:
            issue_invoices(invoices, lines, access=self.access, at=self.at, remittances=self.remittances)
            _read_credits(invoices)
            if ours := [invoice.number or "" for invoice in invoices if not invoice.is_numbered_elsewhere]:
                imported.first_number, imported.last_number = imported.first_number or ours[0], ours[-1]
            self._look_for_dates_back(invoices, imported)
        imported.count += len(invoices)
        imported.lines += len(lines)
        for invoice in invoices:
            imported.minor[invoice.currency] += invoice.total_minor
            if not self.drafts:
                imported.add_outlook(invoice, self.at)

    def _look_for_dates_back(self, invoices: list[Invoice], imported: Imported) -> None:
        """Numbers and dates of our series run together, unless a file dates an invoice before the last one."""
        for invoice in invoices:
            if not invoice.is_numbered_elsewhere and invoice.issued_on is not None:
                prefix = invoice.profile.account.seller.invoice_prefix
                if invoice.issued_on < self.last_on[prefix]:
                    imported.add_dated_back(invoice)
                self.last_on[prefix] = max(self.last_on[prefix], invoice.issued_on)

    def finish(self, imported: Imported, name: str) -> None:  # noqa: ARG002  other imports use the name
        imported.late_profiles = owing_enough(imported.late_profiles, at=self.at)

    def _load_profiles(self, codes: set[str]) -> None:
        """Those of the last batch are kept for the next, which often names them again."""
        kept = {code: profile for code, profile in self.profiles.items() if code in codes}
        missing = codes - kept.keys()
        if missing:
            profiles = BillingProfile.objects.filter(code__in=missing).select_related("account__seller")
            kept |= {profile.code: profile for profile in profiles.prefetch_related("account__tax_ids")}
        self.profiles = kept

    def _profile(self, code: str) -> BillingProfile:
        """Raises BadRow for a profile that does not exist or gets no invoices."""
        profile = self.profiles.get(code)
        if profile is None:
            raise BadRow(f"there is no billing profile {code!r}.")
        if profile.is_closed:
            raise BadRow(f"billing profile {code} is closed.")
        try:
            exponent(profile.currency)
        except UnknownCurrency as error:
            raise BadRow(f"billing profile {code}: {error}") from None
        return profile

    def _make(
        self, source: SourceInvoice, profile: BillingProfile, sections: dict[tuple[int, str], InvoiceSection]
    ) -> NewInvoice:
        """Raises BadRow and CannotIssue."""
        head = source.head
        issued_on = head["issue_date"] or self.issue_on or seller_day(self.at)
        if self.drafts and (named := [name for name in NOT_OF_A_DRAFT if head[name]]):
            raise BadRow(f"a draft has no {', '.join(named)}; leave that empty or import without --drafts.")
        check_currency(head, profile)
        if head["number"] and is_ours(head["number"], self.own_series):
            raise BadRow(f"number {head['number']} could be one of our own series. Leave number empty, or change it.")
        if not self.drafts and issued_on > seller_day(self.at):
            raise BadRow(f"issue_date {issued_on} is in the future.")
        if head["due_date"] and not issued_on <= head["due_date"] <= issued_on + LONGEST_TERM:
            raise BadRow(f"due_date {head['due_date']} is not within a year after the invoice date {issued_on}.")
        invoice = new_row(
            Invoice, kind=head["kind"], currency=profile.currency, issued_on=None if self.drafts else issued_on,
            due_on=head["due_date"], period_start_on=head["period_start"], period_end_on=head["period_end"],
            po_number=head["po_number"], source_reference=source.reference, source_digest=source.digest,
            number=head["number"] or None, is_numbered_elsewhere=bool(head["number"]),
        )  # fmt: skip
        invoice.profile = profile
        lines = []
        for position, (_line, row) in enumerate(source.rows, start=1):
            description, unit = described(row)
            if description != row["description"]:
                self.keep_unit(row["unit"])
            line = new_row(
                InvoiceLine, position=position, description=description, unit=unit, is_allowance=row["discount"],
                **{name: row[name] for name in LINE},
            )  # fmt: skip
            line.invoice = invoice
            if row["section"]:
                line.section = sections[profile.pk, row["section"]]
            lines.append(line)
        taxes = compute_sums(invoice, lines)
        if not self.drafts:
            check_taxes(invoice, taxes)
        invoice.exchange = _exchange(head, profile.currency, profile.account.seller.tax_currency, issued_on)
        if head["paid_on"] and not (invoice.total_minor == 0 and not head["paid_amount"]):
            self._settle(invoice, head)
        return invoice, lines

    def _settle(self, invoice: Invoice, head: Row) -> None:
        """Notes what was paid before the import. Raises BadRow."""
        if head["paid_on"] > invoice.profile.day_of(self.at):
            raise BadRow(f"paid_on {head['paid_on']} is in the future.")
        paid_minor = invoice.total_minor
        if head["paid_amount"] is not None:
            try:
                paid_minor = Money.parse(str(head["paid_amount"]), invoice.currency).minor
            except ValueError as error:
                raise BadRow(f"paid_amount: {error}") from None
        if not 0 < paid_minor <= invoice.total_minor:
            raise BadRow(f"paid_amount is not more than zero and at most the total, {invoice.total.amount:,}.")
        invoice.paid_minor = invoice.paid_before_minor = paid_minor
        invoice.paid_before_on = head["paid_on"]


def _exchange(head: Row, currency: str, ours: str, issued_on: date) -> dict[str, str]:
    """The rate of exchange that the file gives an invoice, as `Quote.as_json`; empty for none. Raises BadRow."""
    rate, on = head["exchange_rate"], head["exchange_date"] or issued_on
    if rate is None and head["exchange_date"] is None:
        return {}
    if not rate:
        raise BadRow("exchange_date needs the rate, exchange_rate." if rate is None else "exchange_rate is zero.")
    if currency == ours:
        raise BadRow(f"exchange_rate is given, and the invoice is in the seller's own currency, {currency}.")
    if on > issued_on:
        raise BadRow(f"exchange_date {on} is after the invoice date {issued_on}.")
    return Quote(ours, currency, rate, on, "").as_json()


def _read_credits(invoices: list[Invoice]) -> None:
    """What credits paid of invoices when they were issued, which is known to the database only."""
    ids = [invoice.pk for invoice in invoices]
    used = dict(Invoice.objects.filter(pk__in=ids, credited_minor__gt=0).values_list("pk", "credited_minor"))
    for invoice in invoices:
        invoice.credited_minor = used.get(invoice.pk, 0)


def source_invoices(
    rows: Iterable[tuple[int, Texts]], problems: Problems, seen: Seen | None
) -> Iterator[SourceInvoice]:
    current: SourceInvoice | None = None
    for line, texts in rows:
        profile, reference = texts[:2]
        if current is None or (current.profile, current.reference) != (profile, reference):
            if current is not None and not current.is_bad:
                yield current
            current = SourceInvoice(line=line, profile=profile, reference=reference)
            first = seen.first_line(profile, reference, line) if seen is not None else line
            if first != line:
                problems.add(line, f"invoice {reference[:64]!r} began on line {first}; its rows must stand together.")
                current.is_bad = True
        if current.is_full:
            continue
        try:
            current.add(line, texts)
        except BadRow as reason:
            problems.add(line, str(reason))
            current.is_bad = True
    if current is not None and not current.is_bad:
        yield current


def _repeats_a_number(invoice: SourceInvoice, problems: Problems, seen: Seen | None) -> bool:
    """Whether the file gave this number, or another with the same payment reference, to an invoice before."""
    number = invoice.head["number"]
    if not number or seen is None:
        return False
    first = seen.first_line("number", creditor_reference(number), invoice.line)
    if first != invoice.line:
        problems.add(invoice.line, f"number {number} stands on line {first} already, or its payment reference does.")
    return first != invoice.line


def _has_its_sections(
    source: SourceInvoice, profile: BillingProfile, sections: dict[tuple[int, str], InvoiceSection], problems: Problems
) -> bool:
    """Whether the profile has the sections that the rows name. Each row whose section is missing is a problem."""
    named = [(line, row["section"]) for line, row in source.rows if row["section"]]
    missing = [(line, name) for line, name in named if (profile.pk, name) not in sections]
    for line, name in missing:
        problems.add(line, f"profile {source.profile} has no invoice section {name!r}. Create it first.")
    return not missing
