"""Credit notes: what was billed is taken back, all of it or a part, by a document with a number of its own.

What the invoice still owes is lowered first. What was paid with money becomes a credit that never expires; what was
paid with credits goes back to those. Of a line no more is taken back than earlier notes have left.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import audit
from accounts.access import Access, require_staff
from accounts.models import Seller
from billing_portal.core.time_zones import seller_day
from invoices.documents.figures import percentage
from invoices.exchange import Quote
from invoices.fingerprints import chain_note
from invoices.ledger import RECEIVABLE, REVENUE, book, tax_account, transfer
from invoices.models import Credit, CreditNote, CreditNoteLine, CreditNoteTax, Invoice, InvoiceLine, Transfer
from invoices.money import Money, percent_of, without_tax
from invoices.numbering import take_numbers
from invoices.operations.credits import SETTLED, add_credit, apply_noted, give_credits_back, settle_credited
from invoices.operations.deliveries import notify_credit_note
from invoices.operations.dunning import lock_profile, reinstate
from invoices.operations.write_offs import undo_write_off
from invoices.payability import wait_text
from invoices.states import InvoiceStatus
from invoices.tax import Tax

PAID_WITH = gettext_noop("Credit note")  # translated where it is shown


class CannotCorrect(Exception):
    """No credit note was made. The message may be shown to staff."""


class Part(NamedTuple):
    """What a credit note takes of a line, or what one could still take: without tax, with the sign of the line."""

    line: InvoiceLine
    amount_minor: int

    @property
    def treatment(self) -> tuple[str, Decimal]:
        return self.line.tax_category, self.line.tax_rate


class Taken(NamedTuple):
    """What a note takes: parts of lines, and the tax on them by category and rate."""

    parts: list[Part]
    taxes: list[Tax]

    @property
    def total_minor(self) -> int:
        return sum(part.amount_minor for part in self.parts) + sum(tax.tax_minor for tax in self.taxes)


class Rest(NamedTuple):
    """What is left of an invoice after its credit notes: of each line, and of each tax. ``billed`` are the taxes that
    the invoice had."""

    parts: list[Part]
    taxes: list[Tax]
    billed: list[Tax]
    currency: str

    @property
    def total_minor(self) -> int:
        return sum(tax.total_minor for tax in self.taxes)

    @property
    def all(self) -> Taken:
        """Without the taxes of which earlier notes have left nothing."""
        parts = [part for part in self.parts if part.amount_minor]
        treatments = {part.treatment for part in parts}
        taxes = [tax for tax in self.taxes if tax.treatment in treatments or tax.taxable_minor or tax.tax_minor]
        return Taken(parts, taxes)

    def check(self, taken: Taken) -> None:
        """Raises CannotCorrect for nothing, for more than is left, and for all that is left by some of the lines: what
        stays would cancel out, at two rates of tax."""
        if taken.total_minor <= 0:
            raise CannotCorrect(_("There is nothing to credit."))
        if taken.total_minor > self.total_minor:
            raise CannotCorrect(_("That is more than what is left of the invoice."))
        if taken.total_minor == self.total_minor and {*taken.parts} != {*self.all.parts}:
            raise CannotCorrect(_("That comes to all that is left of the invoice. Credit what is left of every line."))

    def taken(self, amounts: Mapping[int, int] | None, total_minor: int | None = None) -> Taken:
        """What `credit_note` is asked for. Raises CannotCorrect."""
        if total_minor is not None:
            return self.spread(total_minor)
        return self.all if amounts is None else self.chosen(amounts)

    def chosen(self, amounts: Mapping[int, int]) -> Taken:
        """So much of each line, without tax, by line id. Raises CannotCorrect."""
        parts = [part for pk, minor in amounts.items() if (part := self.part(pk, minor)).amount_minor]
        return Taken(parts, self._taxes_on(parts))

    def part(self, line_id: int, minor: int) -> Part:
        """So much of a line, without tax. Raises CannotCorrect."""
        left = {part.line.pk: part for part in self.parts}.get(line_id)
        if left is None:
            raise CannotCorrect(_("That is not a line of this invoice."))
        if not min(left.amount_minor, 0) <= minor <= max(left.amount_minor, 0):
            raise CannotCorrect(
                _("Only %(rest)s is left of “%(line)s”.")
                % {"line": left.line.description, "rest": Money(left.amount_minor, self.currency)}
            )
        return Part(left.line, minor)

    def _taxes_on(self, parts: Iterable[Part]) -> list[Tax]:
        """The tax on all that was taken so far and these parts, less that on what was taken so far: so the notes of an
        invoice come to its tax together, and each differs by less than one minor unit from its own percentage. Raises
        CannotCorrect for more than is left at a rate, where discounts and returns are deducted: its tax would be on
        less than it takes."""
        nets = Counter[tuple[str, Decimal]]()
        for part in parts:
            nets[part.treatment] += part.amount_minor
        taxes = []
        for billed, left in zip(self.billed, self.taxes, strict=True):
            if billed.treatment in nets:
                net = nets[billed.treatment]
                if not min(left.taxable_minor, 0) <= net <= max(left.taxable_minor, 0):
                    text = _(
                        "Only %(rest)s is left of the lines at %(rate)s together, because discounts or returns are"
                        " deducted from them. Credit those too."
                    )
                    rest = Money(left.taxable_minor, self.currency)
                    raise CannotCorrect(text % {"rest": rest, "rate": percentage(billed.rate)})
                after = billed.taxable_minor - left.taxable_minor + net
                until = billed.tax_minor if after == billed.taxable_minor else percent_of(after, billed.rate)
                tax = until - (billed.tax_minor - left.tax_minor)
                tax = max(min(left.tax_minor, 0), min(tax, max(left.tax_minor, 0)))
                taxes.append(left._replace(taxable_minor=net, tax_minor=tax))
        return taxes

    def spread(self, minor: int) -> Taken:
        """An amount with tax, less than all that is left, over what is left of each tax and, within it, each line."""
        owed = [tax for tax in self.taxes if tax.total_minor > 0]
        shares = Money(minor, self.currency).split([tax.total_minor for tax in owed])
        parts, taxes = [], []
        for left, share in zip(owed, shares, strict=True):
            tax_minor = share.minor - without_tax(share.minor, left.rate)
            tax_minor = left.tax_minor if share.minor == left.total_minor else min(tax_minor, left.tax_minor)
            # Of what has no more than tax left, earlier notes took the lines.
            tax_minor = max(tax_minor, share.minor - max(left.taxable_minor, 0))
            lines = [part for part in self.parts if part.treatment == left.treatment and part.amount_minor > 0]
            net = Money(share.minor - tax_minor, self.currency)
            amounts = net.split([part.amount_minor for part in lines]) if net else []
            parts += [
                Part(part.line, amount.minor) for part, amount in zip(lines, amounts, strict=False) if amount.minor
            ]
            if share.minor:
                taxes.append(left._replace(taxable_minor=net.minor, tax_minor=tax_minor))
        return Taken(parts, taxes)


def rest_of(invoice: Invoice) -> Rest:
    """What is left of an issued invoice after its credit notes. Four queries."""
    lines = CreditNoteLine.objects.filter(note__invoice=invoice).order_by().values_list("line")
    taken = dict(lines.annotate(Sum("amount_minor")))
    parts = [
        Part(line, line.amount_minor - int(taken.get(line.pk, 0))) for line in invoice.lines.order_by("position", "pk")
    ]
    notes = CreditNoteTax.objects.filter(note__invoice=invoice).order_by().values_list("category", "rate")
    taxed = {
        (category, rate): (int(net), int(tax))
        for category, rate, net, tax in notes.annotate(Sum("taxable_minor"), Sum("tax_minor"))
    }
    billed = [row.as_tax for row in invoice.taxes.order_by("pk")]
    taxes = []
    for tax in billed:
        net_minor, tax_minor = taxed.get(tax.treatment, (0, 0))
        left = tax._replace(taxable_minor=tax.taxable_minor - net_minor, tax_minor=tax.tax_minor - tax_minor)
        taxes.append(left)
    return Rest(parts, taxes, billed, invoice.currency)


@transaction.atomic
def credit_note(
    *,
    access: Access,
    invoice_id: int,
    amounts: Mapping[int, int] | None = None,
    total_minor: int | None = None,
    reason: str,
    today: date,
    at: datetime,
    shown_rest: int | None = None,
) -> CreditNote:
    """Takes back all that is left of an issued invoice, or of each line as much as ``amounts`` says, or an amount that
    is spread over them.

    ``amounts`` holds minor units without tax by line id, with the sign of the line; ``total_minor`` is with tax and
    less than what is left; ``today`` is the note's date; ``shown_rest`` what the page said was left, so that a form
    sent twice makes one note. Raises NotAllowed, Invoice.DoesNotExist, and CannotCorrect without a reason, for a draft
    or void invoice, while a payment is in progress or disputed, and for more than is left of a line or of the invoice.
    """
    require_staff(access)
    invoice = Invoice.objects.select_related("profile").locked().get(pk=invoice_id)
    if not reason.strip():
        raise CannotCorrect(_("Give the reason; the customer sees it."))
    if invoice.status not in {InvoiceStatus.OPEN, InvoiceStatus.PAID}:
        raise CannotCorrect(_("Only an issued invoice that is not void can be corrected."))
    if invoice.is_being_paid:
        raise CannotCorrect(wait_text(invoice))
    if invoice.disputed_at is not None:
        raise CannotCorrect(_("A payment of this invoice is disputed. Wait for the outcome: its money may go back."))
    rest = rest_of(invoice)
    left = rest.total_minor
    if shown_rest not in {None, left}:
        raise CannotCorrect(_("A credit note was made meanwhile. Look at what is left."))
    taken = rest.taken(amounts, total_minor)
    rest.check(taken)
    total = taken.total_minor
    lock_profile(invoice.profile)
    due = invoice.open_minor if invoice.status == InvoiceStatus.OPEN else 0
    undo_write_off(invoice, most_minor=total - due, at=at)
    due = invoice.open_minor if invoice.status == InvoiceStatus.OPEN else 0
    given_back = _give_back(invoice, total - due, access=access, at=at, note=reason.strip())
    note = write_note(
        invoice, taken, access=access, reason=reason, today=today, at=at, due_minor=due, given_back_minor=given_back
    )
    if invoice.status == InvoiceStatus.PAID:
        invoice.credited_minor += given_back  # taken off by the note, where credits had paid for it
    elif note.applied_minor:
        settle_credited(invoice, note.applied_minor, at=at, paid_with=PAID_WITH)
        invoice.save(update_fields=SETTLED)
        reinstate(invoice.profile, at=at)
    return note


def take_off(*, access: Access, invoice_id: int, minor: int, reason: str, at: datetime) -> CreditNote | None:
    """Takes an amount with tax off an invoice, spread over its lines by what is left of each: all of it where no more
    is left. What earlier notes took is paid with the credit that they became, so that nobody owes what was taken back.
    Returns the note, None where earlier notes left nothing. Raises what `credit_note` raises."""
    invoice = Invoice.objects.select_related("profile").locked().get(pk=invoice_id)
    left = max(0, rest_of(invoice).total_minor)
    if minor > left:
        apply_noted(invoice, most_minor=minor - left, access=access, at=at)
    if not left:
        return None
    return credit_note(
        access=access, invoice_id=invoice_id, total_minor=minor if minor < left else None, reason=reason,
        today=seller_day(at), at=at,
    )  # fmt: skip


def write_note(
    invoice: Invoice,
    taken: Taken,
    *,
    access: Access,
    reason: str,
    today: date,
    at: datetime,
    due_minor: int,
    given_back_minor: int,
    voids: bool = False,
) -> CreditNote:
    """Writes a note of a locked invoice, with its number, and the credit that its rest becomes. The caller changes the
    invoice: it loses what was due, and what was given back to credits just before."""
    prefix = Seller.objects.values_list("credit_note_prefix", flat=True).get(accounts__profiles=invoice.profile_id)
    number = take_numbers(prefix)[0]
    charges, tax = sum(part.amount_minor for part in taken.parts), sum(tax.tax_minor for tax in taken.taxes)
    applied = min(charges + tax, due_minor + given_back_minor)
    credit = None
    if rest := charges + tax - applied:
        credit = add_credit(
            profile=invoice.profile, amount=Money(rest, invoice.currency), source=Credit.Source.CREDIT_NOTE,
            description=f"{number}: {invoice.number}", at=at, actor=access.user, account=RECEIVABLE, invoice=invoice,
            kind=Transfer.Kind.CREDIT_NOTE, key=f"credit_note:{number}/kept", reference=number,
        )  # fmt: skip
    note = CreditNote(
        invoice=invoice,
        profile=invoice.profile,
        number=number,
        currency=invoice.currency,
        issued_on=today,
        reason=reason.strip()[:200],
        seller=invoice.seller,
        buyer=invoice.buyer,
        charges_minor=charges,
        tax_minor=tax,
        seller_tax_minor=_seller_tax(invoice, tax),
        total_minor=charges + tax,
        applied_minor=applied,
        given_back_minor=given_back_minor,
        credit=credit,
        voids_invoice=voids,
        created_at=at,
        created_by=access.user,
    )
    lines = [
        CreditNoteLine(note=note, line=part.line, position=position, amount_minor=part.amount_minor)
        for position, part in enumerate(taken.parts, start=1)
        if part.amount_minor
    ]
    chain_note(prefix, note, lines)
    note.save(force_insert=True)
    for line in lines:
        line.note_id = note.pk
    CreditNoteLine.objects.bulk_create(lines)
    CreditNoteTax.objects.bulk_create(CreditNoteTax(note=note, **tax._asdict()) for tax in taken.taxes)
    notify_credit_note(note, at=at)
    accounts = {REVENUE: charges} | {tax_account(*tax.treatment): tax.tax_minor for tax in taken.taxes}
    book(
        *(
            transfer(
                Transfer.Kind.CREDIT_NOTE, Money(minor, note.currency), debit=account, credit=RECEIVABLE,
                key=f"credit_note:{number}/{account}", profile_id=invoice.profile_id, invoice_id=invoice.pk,
                reference=number, at=at,
            )
            for account, minor in accounts.items()
        )
    )  # fmt: skip
    audit.record(
        access=access, at=at, action="credit_note.issued", subject=number, profile=invoice.profile,
        invoice=invoice.number, total=note.total_minor, applied=applied, reason=note.reason,
    )  # fmt: skip
    return note


def _seller_tax(invoice: Invoice, tax_minor: int) -> int | None:
    """The tax of a new note in the seller's currency, at the rate of its invoice: that on all that was taken so far and
    by this note, less what earlier notes showed, so that they come to the invoice's together."""
    if not invoice.exchange:
        return None
    noted = CreditNote.objects.filter(invoice=invoice).aggregate(tax=Sum("tax_minor"), shown=Sum("seller_tax_minor"))
    until = Money((noted["tax"] or 0) + tax_minor, invoice.currency)
    return Quote.of_json(invoice.exchange).convert(until).minor - (noted["shown"] or 0)


def _give_back(invoice: Invoice, minor: int, *, access: Access, at: datetime, note: str) -> int:
    """Of an amount beyond what is due, gives back to credits what no money was received for. Returns how much."""
    kept = sum(note.kept.minor for note in CreditNote.objects.filter(invoice=invoice))
    most = minor - max(0, invoice.paid_minor - kept)
    if most <= 0:
        return 0
    return give_credits_back(invoice, access=access, at=at, note=note, most_minor=most)
