"""Credit notes: what was billed is taken back, all of it or a part, by a document with a number of its own.

What the invoice still owes is lowered first. What was paid with money becomes a credit that never expires; what was
paid with credits goes back to those. Of a line no more is taken back than earlier notes have left.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import audit
from accounts.access import Access, require_staff
from billing_portal.core.time_zones import seller_day
from invoices.fingerprints import chain_note
from invoices.ledger import RECEIVABLE, REVENUE, book, tax_account, transfer
from invoices.models import Credit, CreditNote, CreditNoteLine, Invoice, InvoiceLine, Transfer
from invoices.money import Money
from invoices.numbering import take_numbers
from invoices.operations.credits import SETTLED, add_credit, apply_noted, give_credits_back, settle_credited
from invoices.operations.dunning import lock_profile, reinstate
from invoices.payability import wait_text
from invoices.states import InvoiceStatus

PAID_WITH = gettext_noop("Credit note")  # translated where it is shown


class CannotCorrect(Exception):
    """No credit note was made. The message may be shown to staff."""


class Part(NamedTuple):
    """What a credit note takes of a line, or what one could still take: with the sign that the line has."""

    line: InvoiceLine
    amount_minor: int
    tax_minor: int

    @property
    def total_minor(self) -> int:
        return self.amount_minor + self.tax_minor


def rest_of(invoice: Invoice) -> list[Part]:
    """What is left of each line of an invoice after its credit notes. Two queries."""
    sums = CreditNoteLine.objects.filter(note__invoice=invoice).order_by().values_list("line")
    taken = {pk: (amount, tax) for pk, amount, tax in sums.annotate(Sum("amount_minor"), Sum("tax_minor"))}
    parts = []
    for line in invoice.lines.order_by("position", "pk"):
        amount, tax = taken.get(line.pk, (0, 0))
        parts.append(Part(line, line.amount_minor - amount, line.tax_minor - tax))
    return parts


@transaction.atomic
def credit_note(
    *,
    access: Access,
    invoice_id: int,
    amounts: Mapping[int, int] | None = None,
    reason: str,
    today: date,
    at: datetime,
    shown_rest: int | None = None,
) -> CreditNote:
    """Takes back all that is left of an issued invoice, or of each line as much as ``amounts`` says.

    ``amounts`` holds minor units with tax by line id, with the sign of the line; ``today`` is the note's date;
    ``shown_rest`` what the page said was left, so that a form sent twice makes one note. Raises NotAllowed,
    Invoice.DoesNotExist, and CannotCorrect without a reason, for a draft or void invoice, while a payment is in
    progress or disputed, and for more than is left of a line or of the invoice.
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
    left = sum(part.total_minor for part in rest)
    if shown_rest not in {None, left}:
        raise CannotCorrect(_("A credit note was made meanwhile. Look at what is left."))
    parts = rest if amounts is None else chosen_parts(rest, amounts, invoice.currency)
    total = sum(part.total_minor for part in parts)
    if total <= 0:
        raise CannotCorrect(_("There is nothing to credit."))
    if total > left:
        raise CannotCorrect(_("That is more than what is left of the invoice."))
    lock_profile(invoice.profile)
    due = invoice.open_minor if invoice.status == InvoiceStatus.OPEN else 0
    given_back = _give_back(invoice, total - due, access=access, at=at, note=reason.strip())
    note = write_note(
        invoice, parts, access=access, reason=reason, today=today, at=at, due_minor=due, given_back_minor=given_back
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
    rest = rest_of(invoice)
    left = max(0, sum(part.total_minor for part in rest))
    if minor > left:
        apply_noted(invoice, most_minor=minor - left, access=access, at=at)
    if not left:
        return None
    amounts = None
    if minor < left:
        owed = [part for part in rest if part.total_minor > 0]
        shares = Money(minor, invoice.currency).split([part.total_minor for part in owed])
        amounts = {part.line.pk: share.minor for part, share in zip(owed, shares, strict=True)}
    today = seller_day(at)
    return credit_note(access=access, invoice_id=invoice_id, amounts=amounts, reason=reason, today=today, at=at)


def chosen_parts(rest: Sequence[Part], amounts: Mapping[int, int], currency: str) -> list[Part]:
    """Splits each amount into amount and tax, in the proportion of what is left. Raises CannotCorrect."""
    left = {part.line.pk: part for part in rest}
    if not amounts.keys() <= left.keys():
        raise CannotCorrect(_("That is not a line of this invoice."))
    parts = []
    for pk, minor in amounts.items():
        part = left[pk]
        if minor and not min(part.total_minor, 0) <= minor <= max(part.total_minor, 0):
            raise CannotCorrect(
                _("Only %(rest)s is left of “%(line)s”.")
                % {"line": part.line.description, "rest": Money(part.total_minor, currency)}
            )
        if minor:
            amount, tax = Money(minor, currency).split([abs(part.amount_minor), abs(part.tax_minor)])
            parts.append(Part(part.line, amount.minor, tax.minor))
    return parts


def write_note(
    invoice: Invoice,
    parts: Sequence[Part],
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
    number = take_numbers(settings.CREDIT_NOTE_NUMBER_PREFIX)[0]
    charges, tax = sum(part.amount_minor for part in parts), sum(part.tax_minor for part in parts)
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
        total_minor=charges + tax,
        applied_minor=applied,
        given_back_minor=given_back_minor,
        credit=credit,
        voids_invoice=voids,
        created_at=at,
        created_by=access.user,
    )
    lines = [
        CreditNoteLine(
            note=note, line=part.line, position=position, amount_minor=part.amount_minor, tax_minor=part.tax_minor
        )
        for position, part in enumerate(parts, start=1)
        if part.amount_minor or part.tax_minor
    ]
    chain_note(settings.CREDIT_NOTE_NUMBER_PREFIX, note, lines)
    note.save(force_insert=True)
    for line in lines:
        line.note_id = note.pk
    CreditNoteLine.objects.bulk_create(lines)
    taxes = Counter[str]()
    for part in parts:
        taxes[tax_account(part.line.tax_rate)] += part.tax_minor
    book(
        *(
            transfer(
                Transfer.Kind.CREDIT_NOTE, Money(minor, note.currency), debit=account, credit=RECEIVABLE,
                key=f"credit_note:{number}/{account}", profile_id=invoice.profile_id, invoice_id=invoice.pk,
                reference=number, at=at,
            )
            for account, minor in {REVENUE: charges, **taxes}.items()
        )
    )  # fmt: skip
    audit.record(
        access=access, at=at, action="credit_note.issued", subject=number, profile=invoice.profile,
        invoice=invoice.number, total=note.total_minor, applied=applied, reason=note.reason,
    )  # fmt: skip
    return note


def _give_back(invoice: Invoice, minor: int, *, access: Access, at: datetime, note: str) -> int:
    """Of an amount beyond what is due, gives back to credits what no money was received for. Returns how much."""
    kept = sum(note.kept.minor for note in CreditNote.objects.filter(invoice=invoice))
    most = minor - max(0, invoice.paid_minor - kept)
    if most <= 0:
        return 0
    return give_credits_back(invoice, access=access, at=at, note=note, most_minor=most)
