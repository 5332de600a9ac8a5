"""Drafts, and how they are issued: from a draft to a numbered document that never changes again.

Every invoice is born in one way: a draft in memory is given to `create_drafts`, for staff to look over, or to
`issue_invoices`, which writes everything that follows from an issue. Staff, imports, the billing run and rebilling call
these two.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import batched
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import audit
from accounts.access import Access
from accounts.models import AuditEntry, BillingProfile, TaxId
from accounts.operations.profiles import keep_currencies
from billing_portal.core.exact_decimals import rounded_product
from billing_portal.core.time_zones import seller_day
from invoices import fingerprints
from invoices.bulk import bulk_insert, new_row, reserve_ids
from invoices.documents.einvoice.checks import missing
from invoices.documents.einvoice.terms import Format, terms_of
from invoices.exchange import add_seller_taxes
from invoices.ledger import OPENING, RECEIVABLE, REVENUE, tax_account, transfer
from invoices.models import Charge, Invoice, InvoiceLine, InvoiceTax, Transfer
from invoices.money import Money, exponent
from invoices.numbering import creditor_reference, lock_series, take_numbers
from invoices.operations.credits import apply_at_issue
from invoices.operations.deliveries import plan as plan_deliveries
from invoices.operations.document_archive import format_of
from invoices.operations.dunning import next_reminder
from invoices.payability import online_at_issue
from invoices.remittances import Remittances
from invoices.states import InvoiceStatus, WrongState, check_move
from invoices.tax import Tax, TaxFault, complete, fault_of, taxes_of

MAX_MINOR = 10**15
# What `compute_line` sets.
COMPUTED = [
    "amount_minor", "section_name", "section", "quantity", "unit_price", "exemption_reason", "exemption_code",
]  # fmt: skip
# As many as are read together with their lines: they are gone from memory before the next.
CHECKED_AT_ONCE = 50
# An invoice that is older than this when it is written down is history: nobody is told that it has come.
NEWS_FOR = timedelta(days=7)
PAID_BEFORE = gettext_noop("Before this portal")  # translated where it is shown


class CannotIssue(Exception):
    """The draft cannot be issued, or its lines make no invoice. The message may be shown to staff."""


def make_price_positive(row: InvoiceLine | Charge) -> None:
    """A negative price is a negative quantity at that price: a price is never negative (EN 16931, BR-27)."""
    if row.unit_price < 0:
        row.quantity, row.unit_price = -row.quantity, -row.unit_price


def compute_line(line: InvoiceLine, currency: str, *, may_be_nothing: bool = False) -> None:
    """Sets the amount of a line, rounded half-up once, and what follows from its tax category, with a positive price; a
    discount on the whole invoice is deducted. Raises CannotIssue, also for a line that rounding would give away."""
    make_price_positive(line)
    if line.is_allowance:
        line.quantity, line.section = -abs(line.quantity), None
    try:
        complete(line, line.tax_rate)
    except TaxFault as fault:
        raise CannotIssue(f"{line.description}: {fault}") from fault
    line.amount_minor = rounded_product(line.quantity, line.unit_price, exponent(currency))
    if abs(line.amount_minor) > MAX_MINOR:
        raise CannotIssue(_("An amount is too large."))
    if not line.amount_minor and line.quantity and line.unit_price and not may_be_nothing:
        text = _(
            "%(line)s: the amount would be rounded to zero. Add the quantity of several lines up, or record charges,"
            " which are added up before they are rounded."
        )
        raise CannotIssue(text % {"line": line.description})
    line.section_name = line.section.name if line.section is not None else ""


def compute_sums(invoice: Invoice, lines: Sequence[InvoiceLine]) -> list[Tax]:
    """Sets the amount of each line, and on the invoice their sum, the tax and the total. Saves nothing. Returns the
    taxes. Raises CannotIssue for a line that `compute_line` refuses, for a negative total (that is a credit), and for
    amounts that no column holds."""
    for line in lines:  # one that was billed once may come to nothing: it was added up as far as it went
        compute_line(line, invoice.currency, may_be_nothing=invoice.replaces_id is not None)
    charged = {(line.tax_category, line.tax_rate) for line in lines if not line.is_allowance}
    for line in lines:
        if line.is_allowance and (line.tax_category, line.tax_rate) not in charged:
            text = _("%(line)s: a discount needs the tax rate of lines from which it is deducted.")
            raise CannotIssue(text % {"line": line.description})
    taxes = taxes_of(
        (line.tax_category, line.tax_rate, line.exemption_reason, line.exemption_code, line.amount_minor)
        for line in lines
    )
    _add_up(invoice, taxes)
    return taxes


def stored_taxes(invoice_ids: Sequence[int]) -> dict[int, list[Tax]]:
    """The taxes of the stored lines of each invoice that has any. One query."""
    columns = ("tax_category", "tax_rate", "exemption_reason", "exemption_code")
    rows = InvoiceLine.objects.filter(invoice__in=invoice_ids).order_by("invoice", *columns)
    nets: dict[int, list[tuple[str, Decimal, str, str, int]]] = defaultdict(list)
    for pk, category, rate, reason, code, net in rows.values_list("invoice", *columns).annotate(Sum("amount_minor")):
        nets[pk].append((category, rate, reason, code, int(net)))
    return {pk: taxes_of(of_invoice) for pk, of_invoice in nets.items()}


def _add_up(invoice: Invoice, taxes: Iterable[Tax]) -> None:
    """Sets the sums of an invoice. Raises CannotIssue."""
    invoice.charges_minor = invoice.tax_minor = 0
    for tax in taxes:
        invoice.charges_minor += tax.taxable_minor
        invoice.tax_minor += tax.tax_minor
    invoice.total_minor = invoice.charges_minor + invoice.tax_minor
    if invoice.total_minor > MAX_MINOR:
        raise CannotIssue(_("An amount is too large."))
    if invoice.total_minor < 0:
        raise CannotIssue(_("The total is negative. Give the customer a credit instead."))


def check_taxes(invoice: Invoice, taxes: Iterable[Tax]) -> None:
    """Raises CannotIssue when the data of customer or seller lack what the law or the taxes of an invoice ask for.
    Needs ``profile`` with ``account``, its ``seller`` and ``tax_ids``."""
    account = invoice.profile.account
    has_vat_number = any(tax_id.kind == TaxId.Kind.VAT for tax_id in account.tax_ids.all())
    categories = {tax.category for tax in taxes}
    fault = fault_of(categories, has_vat_number=has_vat_number) or account.seller.fault_of(categories)
    if fault:
        raise CannotIssue(fault)


def check_formats(invoices: Iterable[Invoice]) -> None:
    """Raises CannotIssue for an e-invoice that its receiver would refuse, with what it lacks. Three queries for each
    `CHECKED_AT_ONCE` e-invoices, none for others. The rows of an invoice are stored."""
    stored = Invoice.objects.select_related("profile__account", "replaces").prefetch_related("lines", "taxes")
    for ids in batched((invoice.pk for invoice in invoices if format_of(invoice) != Format.PDF), CHECKED_AT_ONCE):
        for invoice in stored.filter(pk__in=ids).order_by("pk"):
            if faults := missing(terms_of(invoice), format_of(invoice)):
                raise CannotIssue(" ".join(dict.fromkeys(fault.text for fault in faults)))


def convert_taxes(invoices: Sequence[Invoice]) -> list[tuple[Invoice, CannotIssue]]:
    """Sets the tax in the seller's currency on invoices that are in another one; sums and invoice date are known. Saves
    nothing. Returns those that cannot be issued, and why. One query for each currency of sellers at most."""
    text = _(
        "There is no exchange rate of %(other)s and %(currency)s for %(day)s or the seven days before. Add it in the"
        " staff pages, under exchange rates."
    )
    by_currency: dict[str, list[Invoice]] = defaultdict(list)
    for invoice in invoices:
        by_currency[invoice.profile.account.seller.tax_currency].append(invoice)
    refusals = [
        (invoice, CannotIssue(text % {"other": invoice.currency, "currency": currency, "day": invoice.issued_on}))
        for currency, of_currency in by_currency.items()
        for invoice in add_seller_taxes(of_currency, currency=currency)
    ]
    large = [invoice for invoice in invoices if abs(invoice.seller_tax_minor or 0) > MAX_MINOR]
    return refusals + [(invoice, CannotIssue(_("An amount is too large."))) for invoice in large]


@transaction.atomic
def recompute_draft(*, invoice_id: int) -> Invoice:
    """Brings the sums of a draft up to date with its lines. Raises WrongState when it was issued meanwhile, CannotIssue
    when its lines make no invoice. Rights are the caller's."""
    invoice = Invoice.objects.locked().get(pk=invoice_id)
    if invoice.status != InvoiceStatus.DRAFT:
        raise WrongState(_("Invoice %(number)s has been issued and does not change any more.") % {"number": invoice})
    lines = list(invoice.lines.select_related("section").order_by("position", "pk"))
    compute_sums(invoice, lines)
    InvoiceLine.objects.bulk_update(lines, COMPUTED)
    invoice.save(update_fields=["charges_minor", "tax_minor", "total_minor"])
    return invoice


@transaction.atomic
def issue(*, access: Access, invoice_id: int, today: date, at: datetime) -> Invoice:
    """Issues a stored draft; ``today`` is the invoice date. Raises CannotIssue for a draft without lines, with a
    negative total, or with a tax that lacks a reason, the customer's VAT number or a rate of exchange, WrongState for
    an invoice that is no draft. Rights are the caller's."""
    invoice = Invoice.objects.locked().get(pk=invoice_id)
    taxes, refusals = _compute_stored([invoice], today)
    for refusal in refusals.values():
        raise refusal
    issue_invoices([invoice], access=access, at=at, taxes=taxes)
    invoice.refresh_from_db()
    return invoice


@transaction.atomic
def issue_many(
    *, access: Access, invoice_ids: Sequence[int], at: datetime
) -> tuple[list[Invoice], list[tuple[Invoice, Exception]]]:
    """Issues stored drafts together, dated today where the seller is. Returns those issued, and the refused with
    what `issue` would have raised. Rights are the caller's. Some hundred at most: the series of numbers is locked."""
    invoices = list(Invoice.objects.filter(pk__in=invoice_ids).locked())
    taxes, refusals = _compute_stored(invoices, seller_day(at))
    issued = [invoice for invoice in invoices if invoice.pk not in refusals]
    lock_series(invoice.profile.account.seller.invoice_prefix for invoice in issued)
    plain = [invoice for invoice in issued if invoice.profile.invoice_format == Format.PDF]
    issue_invoices(plain, access=access, at=at, taxes={invoice.pk: taxes[invoice.pk] for invoice in plain})
    for invoice in issued:
        if invoice.profile.invoice_format != Format.PDF:  # what its format lacks is known once its rows are there
            try:
                with transaction.atomic():
                    issue_invoices([invoice], access=access, at=at, taxes={invoice.pk: taxes[invoice.pk]})
            except CannotIssue as refusal:
                refusals[invoice.pk] = refusal
                invoice.refresh_from_db()  # its number went back with the savepoint, and the next one gets it
    refused = [(invoice, refusals[invoice.pk]) for invoice in invoices if invoice.pk in refusals]
    return [invoice for invoice in issued if invoice.pk not in refusals], refused


type Taxes = Mapping[int, Sequence[Tax]]


def _compute_stored(invoices: Sequence[Invoice], today: date) -> tuple[Taxes, dict[int, Exception]]:
    """Brings the sums of locked drafts up to date with their lines and loads their profiles; ``today`` will be their
    invoice date. Returns by id the taxes, and why some cannot be issued."""
    profiles = BillingProfile.objects.select_related("account__seller").prefetch_related("account__tax_ids")
    by_id = profiles.in_bulk({invoice.profile_id for invoice in invoices})
    lines_of: dict[int, list[InvoiceLine]] = defaultdict(list)
    rows = InvoiceLine.objects.filter(invoice__in=[invoice.pk for invoice in invoices]).select_related("section")
    for line in rows.order_by("invoice", "position", "pk"):
        lines_of[line.invoice_id].append(line)
    taxes: dict[int, Sequence[Tax]] = {}
    refusals: dict[int, Exception] = {}
    computed: list[InvoiceLine] = []
    for invoice in invoices:
        invoice.profile = by_id[invoice.profile_id]
        lines = lines_of[invoice.pk]
        stored = [_sums_of(line) for line in lines]
        try:
            check_move(invoice.status, InvoiceStatus.OPEN)
            if not lines:
                raise CannotIssue(_("Add at least one line before you issue the invoice."))
            taxes[invoice.pk] = compute_sums(invoice, lines)
            check_taxes(invoice, taxes[invoice.pk])
        except (CannotIssue, WrongState) as refusal:
            refusals[invoice.pk] = refusal
        else:
            invoice.issued_on = today
            computed += [line for line, sums in zip(lines, stored, strict=True) if _sums_of(line) != sums]
    without_rate = convert_taxes([invoice for invoice in invoices if invoice.pk not in refusals])
    refusals |= {invoice.pk: refusal for invoice, refusal in without_rate}
    computed = [line for line in computed if line.invoice_id not in refusals]
    InvoiceLine.objects.bulk_update(computed, COMPUTED, batch_size=500)
    return {pk: of_invoice for pk, of_invoice in taxes.items() if pk not in refusals}, refusals


def _sums_of(line: InvoiceLine) -> list[Any]:
    return [getattr(line, name) for name in COMPUTED]


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
    taxes: Taxes | None = None,
) -> None:
    """Issues drafts: stored and locked ones, or new ones, which are written with their ``lines`` unless those are in
    the database already, under the ids reserved for their invoices.

    Transaction and rights are the caller's. A draft has its ``profile`` with ``account``, ``seller`` and ``tax_ids``,
    its invoice date (``issued_on``, a day of the seller, so that numbers and dates run together); a due date of its
    own wins over the profile's terms, and a number of its own over our series. Its sums are those of its lines. An
    invoice of zero, or one that was paid before, is settled at once.
    ``remittances`` are our bank accounts, read once by a caller with many batches; ``taxes`` those of the lines by
    invoice, when the caller knows them.
    Raises CannotIssue for what `check_taxes` and `convert_taxes` refuse and a negative total. The series of numbers
    stays locked until the transaction ends.
    """
    remittances = remittances or Remittances()
    sellers: dict[int, dict[str, Any]] = {}
    buyers = _buyers({invoice.profile_id: invoice.profile for invoice in invoices}.values())
    new = [invoice for invoice in invoices if invoice.created_at is None]
    # Lines first: the series of numbers, which everybody who issues waits for, is locked as late as possible. That they
    # have an invoice is checked at the end of the transaction.
    _insert_lines(new, lines)
    taxes = stored_taxes([invoice.pk for invoice in invoices]) if taxes is None else taxes
    _check(invoices, taxes)
    of_lines = fingerprints.of_lines([invoice.pk for invoice in invoices])
    for invoice in invoices:
        profile, seller = invoice.profile, invoice.profile.account.seller
        if seller.pk not in sellers:
            sellers[seller.pk] = seller.as_printed()
        invoice.seller, invoice.buyer = sellers[seller.pk], buyers[profile.pk]
    for prefix, ours in _by_series(invoices):
        for invoice, number in zip(ours, take_numbers(prefix, len(ours)), strict=True):
            _complete(invoice, number, remittances=remittances, at=at)
        fingerprints.chain(prefix, ours, of_lines)
    for invoice in invoices:
        if invoice.is_numbered_elsewhere:
            _complete(invoice, invoice.number or "", remittances=remittances, at=at)
            invoice.digest = fingerprints.of_invoice(invoice.__dict__, of_lines.get(invoice.pk, ""), before="")
        if invoice.created_at is not None:
            invoice.save()
    _insert(new, at)
    bulk_insert(InvoiceTax, _tax_rows(taxes))
    _book(invoices, taxes, at)
    # Another system has sent the invoices that it issued: the buyer would get them twice.
    own = [invoice for invoice in invoices if not invoice.is_numbered_elsewhere]
    check_formats(own)
    plan_deliveries(own, at=at)
    bulk_insert(AuditEntry, _audit_entries("invoice.issued", invoices, access=access, at=at))
    apply_at_issue(access=access, invoice_ids=[invoice.pk for invoice in invoices], at=at)


def _buyers(profiles: Iterable[BillingProfile]) -> dict[int, dict[str, Any]]:
    """What invoices keep of their customers, by billing profile. Electronic ones name the card that will be charged
    (BG-18); one query for those."""
    buyers = {profile.pk: profile.as_buyer() | online_at_issue(profile) for profile in profiles}
    charged = [pk for pk, buyer in buyers.items() if buyer["is_charged"] and buyer["format"] != Format.PDF]
    if charged:
        for pk, card in import_string(settings.CHARGED_CARDS)(charged).items():
            buyers[pk]["card"] = card
    return buyers


def _by_series(invoices: Sequence[Invoice]) -> list[tuple[str, list[Invoice]]]:
    """Those that get a number of ours by the prefix of their seller's series, always in one order: each series is
    locked when its numbers are taken."""
    series: dict[str, list[Invoice]] = defaultdict(list)
    for invoice in invoices:
        if invoice.number is None:
            series[invoice.profile.account.seller.invoice_prefix].append(invoice)
    return sorted(series.items(), key=itemgetter(0))


def _check(invoices: Sequence[Invoice], taxes: Taxes) -> None:
    """Sets the sums of invoices. Raises CannotIssue for the first that cannot be issued."""
    for invoice in invoices:
        _add_up(invoice, taxes.get(invoice.pk, ()))
        check_taxes(invoice, taxes.get(invoice.pk, ()))
    for _invoice, refusal in convert_taxes(invoices):
        raise refusal


def _complete(invoice: Invoice, number: str, *, remittances: Remittances, at: datetime) -> None:
    """Sets what an issued invoice holds and a draft does not. Saves nothing."""
    profile, issued_on = invoice.profile, _issued_on(invoice)
    invoice.number = number
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
    invoice.remittance = remittances.copy_for(profile.account.seller_id, invoice.currency, issued_on)
    if invoice.open_minor:
        _plan(invoice, issued_on, invoice.due_on, at)


def _tax_rows(taxes: Taxes) -> Iterator[InvoiceTax]:
    for pk, of_invoice in taxes.items():
        for tax in of_invoice:
            yield new_row(InvoiceTax, invoice_id=pk, **tax._asdict())


def _book(invoices: Sequence[Invoice], taxes: Taxes, at: datetime) -> None:
    """What is owed, from now on, and what was paid of it before the import. One query for any number of invoices."""

    def transfers() -> Iterator[Transfer]:
        for invoice in invoices:
            about: dict[str, Any] = {"profile_id": invoice.profile_id, "invoice_id": invoice.pk, "at": at}
            parts = {REVENUE: invoice.charges_minor}
            parts |= {tax_account(*tax.treatment): tax.tax_minor for tax in taxes.get(invoice.pk, ())}
            for account, minor in parts.items():
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
