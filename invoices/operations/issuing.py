"""Drafts, and how they are issued: from a draft to a numbered document that never changes again.

Every invoice is born in one way: a draft in memory is given to `create_drafts`, for staff to look over, or to
`issue_invoices`, which writes everything that follows from an issue. Staff, imports, the billing run and rebilling call
these two.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import audit
from accounts.access import Access
from accounts.models import AuditEntry, BillingProfile
from accounts.operations.profiles import keep_currencies
from billing_portal.core.time_zones import seller_day
from invoices import fingerprints
from invoices.bulk import bulk_insert, reserve_ids
from invoices.ledger import OPENING, RECEIVABLE, REVENUE, tax_account, transfer
from invoices.models import Invoice, InvoiceLine, Transfer
from invoices.money import Money, percent_of, rounded_minor
from invoices.numbering import creditor_reference, take_numbers
from invoices.operations.credits import apply_at_issue
from invoices.operations.dunning import next_reminder
from invoices.remittances import Remittances
from invoices.states import InvoiceStatus, WrongState, check_move

MAX_MINOR = 10**15
LINE_SUMS = ["amount_minor", "tax_minor", "section_name"]
# Of the names of countries in an issued invoice, which stays as it was whoever issued it and whoever reads it.
DOCUMENT_LANGUAGE = "en"
# An invoice that is older than this when it is written down is history: nobody is told that it has come.
NEWS_FOR = timedelta(days=7)
PAID_BEFORE = gettext_noop("Before this portal")  # translated where it is shown


class CannotIssue(Exception):
    """The draft cannot be issued, or its lines make no invoice. The message may be shown to staff."""


def line_sums(quantity: Decimal, unit_price: Decimal, tax_rate: Decimal, currency: str) -> tuple[int, int]:
    """Amount and tax of a line in minor units, rounded half-up once each. Raises ValueError when one is too large."""
    amount_minor = rounded_minor(quantity * unit_price, currency)
    return amount_minor, percent_of(amount_minor, tax_rate)


def compute_sums(invoice: Invoice, lines: Sequence[InvoiceLine]) -> None:
    """Sets amount and tax of each line and their sums on the invoice. Saves nothing. Raises CannotIssue for a negative
    total (that is a credit), and for amounts that no column holds."""
    try:
        for line in lines:
            sums = line_sums(line.quantity, line.unit_price, line.tax_rate, invoice.currency)
            line.amount_minor, line.tax_minor = sums
            line.section_name = line.section.name if line.section is not None else ""
    except ValueError as error:
        raise CannotIssue(_("An amount is too large.")) from error
    invoice.charges_minor = sum(line.amount_minor for line in lines)
    invoice.tax_minor = sum(line.tax_minor for line in lines)
    invoice.total_minor = invoice.charges_minor + invoice.tax_minor
    largest = max((abs(line.amount_minor) + abs(line.tax_minor) for line in lines), default=0)
    if max(largest, invoice.total_minor) > MAX_MINOR:
        raise CannotIssue(_("An amount is too large."))
    _check_total(invoice)


def _check_total(invoice: Invoice) -> None:
    if invoice.total_minor < 0:
        raise CannotIssue(_("The total is negative. Give the customer a credit instead."))


@transaction.atomic
def recompute_draft(*, invoice_id: int) -> Invoice:
    """Brings the sums of a draft up to date with its lines. Raises WrongState when it was issued meanwhile, CannotIssue
    when its lines make no invoice. Rights are the caller's."""
    invoice = Invoice.objects.locked().get(pk=invoice_id)
    if invoice.status != InvoiceStatus.DRAFT:
        raise WrongState(_("Invoice %(number)s has been issued and does not change any more.") % {"number": invoice})
    lines = list(invoice.lines.select_related("section").order_by("position", "pk"))
    compute_sums(invoice, lines)
    InvoiceLine.objects.bulk_update(lines, LINE_SUMS)
    invoice.save(update_fields=["charges_minor", "tax_minor", "total_minor"])
    return invoice


@transaction.atomic
def issue(*, access: Access, invoice_id: int, today: date, at: datetime) -> Invoice:
    """Issues a stored draft; ``today`` is the invoice date. Raises CannotIssue for a draft without lines or with a
    negative total, WrongState for an invoice that is no draft. Rights are the caller's."""
    invoice = Invoice.objects.locked().get(pk=invoice_id)
    for refusal in _refusals([invoice]).values():
        raise refusal
    _issue_stored([invoice], access=access, at=at, today=today)
    invoice.refresh_from_db()
    return invoice


@transaction.atomic
def issue_many(
    *, access: Access, invoice_ids: Sequence[int], at: datetime
) -> tuple[list[Invoice], list[tuple[Invoice, Exception]]]:
    """Issues stored drafts together, dated today where the seller is. Returns those issued, and the refused with
    what `issue` would have raised. Rights are the caller's. Some hundred at most: the series of numbers is locked."""
    invoices = list(Invoice.objects.filter(pk__in=invoice_ids).locked())
    refusals = _refusals(invoices)
    issued = [invoice for invoice in invoices if invoice.pk not in refusals]
    _issue_stored(issued, access=access, at=at)
    return issued, [(invoice, refusals[invoice.pk]) for invoice in invoices if invoice.pk in refusals]


def _issue_stored(invoices: Sequence[Invoice], *, access: Access, at: datetime, today: date | None = None) -> None:
    profiles = BillingProfile.objects.select_related("account").prefetch_related("account__tax_ids")
    by_id = profiles.in_bulk({invoice.profile_id for invoice in invoices})
    for invoice in invoices:
        invoice.profile = by_id[invoice.profile_id]
        invoice.issued_on = today or seller_day(at)
    issue_invoices(invoices, access=access, at=at)


def _refusals(invoices: Sequence[Invoice]) -> dict[int, Exception]:
    """Brings the sums of locked drafts up to date with their lines. Returns by id why some cannot be issued."""
    lines_of: dict[int, list[InvoiceLine]] = defaultdict(list)
    rows = InvoiceLine.objects.filter(invoice__in=[invoice.pk for invoice in invoices]).select_related("section")
    for line in rows.order_by("invoice", "position", "pk"):
        lines_of[line.invoice_id].append(line)
    refusals: dict[int, Exception] = {}
    computed: list[InvoiceLine] = []
    for invoice in invoices:
        lines = lines_of[invoice.pk]
        stored = [_sums_of(line) for line in lines]
        try:
            check_move(invoice.status, InvoiceStatus.OPEN)
            if not lines:
                raise CannotIssue(_("Add at least one line before you issue the invoice."))
            compute_sums(invoice, lines)
        except (CannotIssue, WrongState) as refusal:
            refusals[invoice.pk] = refusal
        else:
            computed += [line for line, sums in zip(lines, stored, strict=True) if _sums_of(line) != sums]
    InvoiceLine.objects.bulk_update(computed, LINE_SUMS, batch_size=500)
    return refusals


def _sums_of(line: InvoiceLine) -> list[Any]:
    return [getattr(line, name) for name in LINE_SUMS]


def create_drafts(invoices: Sequence[Invoice], lines: Iterable[InvoiceLine], *, access: Access, at: datetime) -> None:
    """Stores new drafts with computed sums and their lines, and an audit entry for each. Transaction and rights are the
    caller's. ``lines`` name their invoice; the invoices get their ids."""
    _insert_lines(invoices, lines)
    _insert(invoices, at)
    bulk_insert(AuditEntry, _audit_entries("invoice.drafted", invoices, access=access, at=at))


def issue_invoices(
    invoices: Sequence[Invoice],
    lines: Iterable[InvoiceLine] = (),
    *,
    access: Access,
    at: datetime,
    remittances: Remittances | None = None,
) -> None:
    """Issues drafts: stored and locked ones, or new ones, which are written with their ``lines`` unless those are in
    the database already, under the ids reserved for their invoices.

    Transaction and rights are the caller's. A draft has its ``profile`` with ``account`` and ``tax_ids``, its invoice
    date (``issued_on``, a day of the seller, so that numbers and dates run together) and its sums; a due date of its
    own wins over the profile's terms, and a number of its own over our series. An invoice of zero, or one that was paid
    before, is settled at once.
    ``remittances`` are our bank accounts, read once by a caller with many batches.
    Raises CannotIssue when a total is negative. The series of numbers stays locked until the transaction ends.
    """
    remittances, seller = remittances or Remittances(), dict(settings.SELLER)
    buyers: dict[int, dict[str, Any]] = {}
    new = [invoice for invoice in invoices if invoice.created_at is None]
    # Lines first: the series of numbers, which everybody who issues waits for, is locked as late as possible. That they
    # have an invoice is checked at the end of the transaction.
    _insert_lines(new, lines)
    of_lines = fingerprints.of_lines([invoice.pk for invoice in invoices])
    ours = [invoice for invoice in invoices if invoice.number is None]
    numbers = iter(take_numbers(settings.INVOICE_NUMBER_PREFIX, len(ours)))
    for invoice in invoices:
        if invoice.profile_id not in buyers:
            buyers[invoice.profile_id] = _buyer(invoice.profile)
        invoice.seller, invoice.buyer = seller, buyers[invoice.profile_id]
        _complete(invoice, invoice.number or next(numbers), remittances=remittances, at=at)
    if ours:
        fingerprints.chain(settings.INVOICE_NUMBER_PREFIX, ours, of_lines)
    for invoice in invoices:
        if invoice.is_numbered_elsewhere:
            invoice.digest = fingerprints.of_invoice(invoice.__dict__, of_lines.get(invoice.pk, ""), before="")
        if invoice.created_at is not None:
            invoice.save()
    _insert(new, at)
    _book(invoices, at)
    bulk_insert(AuditEntry, _audit_entries("invoice.issued", invoices, access=access, at=at))
    by_day: dict[date, list[int]] = defaultdict(list)
    for invoice in invoices:
        by_day[_issued_on(invoice)].append(invoice.pk)
    for day, invoice_ids in sorted(by_day.items()):
        apply_at_issue(access=access, invoice_ids=invoice_ids, today=day, at=at)


def _complete(invoice: Invoice, number: str, *, remittances: Remittances, at: datetime) -> None:
    """Sets what an issued invoice holds and a draft does not. Saves nothing."""
    profile, issued_on = invoice.profile, _issued_on(invoice)
    invoice.number = number
    invoice.total_minor = invoice.charges_minor + invoice.tax_minor
    _check_total(invoice)
    invoice.status = InvoiceStatus.OPEN if invoice.open_minor else InvoiceStatus.PAID
    if invoice.paid_before_on is not None:
        noon = datetime.combine(invoice.paid_before_on, time(12), ZoneInfo(profile.time_zone))
        invoice.paid_at, invoice.paid_with = noon, PAID_BEFORE
    if invoice.due_on is None:
        invoice.due_on = issued_on + timedelta(days=profile.payment_terms_days)
        if issued_on == seller_day(at):  # where the profile is, the next day may have begun
            invoice.due_on = max(invoice.due_on, profile.day_of(at))
    invoice.payment_terms_days = (invoice.due_on - issued_on).days
    invoice.payment_reference = creditor_reference(number)
    invoice.po_number = invoice.po_number or profile.po_number
    invoice.pays_by_wire = profile.pays_by_wire
    invoice.remittance = remittances.copy_for(invoice.currency, issued_on)
    if invoice.open_minor:
        _plan(invoice, issued_on, invoice.due_on, at)


def _book(invoices: Sequence[Invoice], at: datetime) -> None:
    """What is owed, from now on, and what was paid of it before the import. Two queries for any number of invoices."""
    rows = InvoiceLine.objects.filter(invoice__in=[invoice.pk for invoice in invoices]).order_by()
    taxes: dict[int, dict[str, int]] = defaultdict(dict)
    for pk, rate, minor in rows.values_list("invoice", "tax_rate").annotate(Sum("tax_minor")):
        taxes[pk][tax_account(rate)] = int(minor)

    def transfers() -> Iterator[Transfer]:
        for invoice in invoices:
            about: dict[str, Any] = {"profile_id": invoice.profile_id, "invoice_id": invoice.pk, "at": at}
            for account, minor in {REVENUE: invoice.charges_minor, **taxes[invoice.pk]}.items():
                yield transfer(
                    Transfer.Kind.INVOICE, Money(minor, invoice.currency), debit=RECEIVABLE, credit=account,
                    key=f"invoice:{invoice.pk}/{account}", reference=invoice.po_number, **about,
                )  # fmt: skip
            yield transfer(
                Transfer.Kind.PAYMENT, Money(invoice.paid_before_minor, invoice.currency), debit=OPENING,
                credit=RECEIVABLE, key=f"paid_before:{invoice.pk}", reference=invoice.source_reference, **about,
            )  # fmt: skip

    bulk_insert(Transfer, (row for row in transfers() if row.amount_minor))


def _issued_on(invoice: Invoice) -> date:
    assert invoice.issued_on is not None  # noqa: S101  of an invoice that is being issued
    return invoice.issued_on


def _buyer(profile: BillingProfile) -> dict[str, Any]:
    return {
        "agreement_type": profile.account.agreement_type,
        "profile": profile.name,
        "sold_to": profile.account.address_in(DOCUMENT_LANGUAGE),
        "bill_to": profile.address_in(DOCUMENT_LANGUAGE),
        "tax_ids": [tax_id.value for tax_id in profile.account.tax_ids.all()],
    }


def _plan(invoice: Invoice, issued_on: date, due_on: date, at: datetime) -> None:
    """When people are told of the invoice, its card is charged and its payer reminded; nothing on days gone by."""
    profile, today, booked_on = invoice.profile, invoice.profile.day_of(at), seller_day(at)
    by_card = profile.charges_automatically and not profile.pays_by_wire and profile.account.can_pay_by_card
    charged_on = issued_on + timedelta(days=settings.AUTOPAY_DELAY_DAYS)
    invoice.announce_on = today if profile.mails_invoices and issued_on >= booked_on - NEWS_FOR else None
    invoice.autopay_on = charged_on if by_card and charged_on >= booked_on else None
    invoice.next_reminder_on = next_reminder(due_on, from_on=today)
    invoice.dunning_from_on = today if due_on < today else None


def _insert_lines(invoices: Sequence[Invoice], lines: Iterable[InvoiceLine]) -> None:
    """Before their invoices, which get their ids here."""
    keep_currencies(invoice.profile for invoice in invoices)
    without_id = [invoice for invoice in invoices if invoice.pk is None]
    if without_id:
        for invoice, pk in zip(without_id, reserve_ids(Invoice, len(without_id)), strict=True):
            invoice.pk = pk

    def with_their_invoice() -> Iterator[InvoiceLine]:
        for line in lines:
            line.invoice_id = line.invoice.pk
            yield line

    bulk_insert(InvoiceLine, with_their_invoice())


def _insert(invoices: Sequence[Invoice], at: datetime) -> None:
    for invoice in invoices:
        invoice.created_at = at
    bulk_insert(Invoice, invoices)


def _audit_entries(action: str, invoices: Iterable[Invoice], *, access: Access, at: datetime) -> Iterator[AuditEntry]:
    """One entry for each invoice: the same object, since each is written before the next is drawn."""
    entry = audit.entry(access=access, at=at, action=action)
    for invoice in invoices:
        entry.subject, entry.profile_id = str(invoice), invoice.profile_id
        entry.detail = {"total": invoice.total_minor}
        if invoice.paid_before_minor:
            entry.detail["paid_before"] = invoice.paid_before_minor
        if invoice.source_reference:
            entry.detail["imported_as"] = invoice.source_reference
        if invoice.period_start_on and invoice.period_end_on:
            entry.detail["period"] = f"{invoice.period_start_on}/{invoice.period_end_on}"
        yield entry
