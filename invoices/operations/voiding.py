"""Void: cancel an issued invoice. It keeps its number and stays readable, and a credit note takes it back.

Rebill: the same, and a draft in its place. Invoice, credit note and new invoice then form a chain.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access
from billing_portal.core.time_zones import seller_day
from invoices.models import CreditNote, Invoice
from invoices.operations.credit_notes import rest_of, write_note
from invoices.operations.credits import give_credits_back
from invoices.operations.dunning import lock_profile, reinstate
from invoices.operations.issuing import compute_sums, create_drafts
from invoices.operations.write_offs import undo_write_off
from invoices.payability import wait_text
from invoices.states import InvoiceStatus, check_move

VOIDED = [
    "status", "void_reason", "voided_at", "credited_minor", "autopay_on", "next_reminder_on", "paid_at", "paid_with",
]  # fmt: skip


class CannotVoid(Exception):
    """The invoice cannot be voided now. The message says why and may be shown to staff."""


@transaction.atomic
def void(*, access: Access, invoice_id: int, reason: str, at: datetime) -> Invoice:
    """Cancels an invoice for which no money was received, by a credit note for all that is left of it. Credits that
    paid for it are given back. Returns it.

    Raises CannotVoid without a reason, while a payment is in progress, when money was received (refund it first), and
    when a credit note of it became a credit; WrongState for a draft, and an invoice that is void or paid with money.
    """
    invoice = Invoice.objects.locked().get(pk=invoice_id)
    reason = reason.strip()[:200]
    if not reason:
        raise CannotVoid(_("Give the reason for voiding the invoice; the customer sees it."))
    if invoice.status == InvoiceStatus.PAID and invoice.credited_minor and not invoice.paid_minor:
        check_move(invoice.status, InvoiceStatus.OPEN)  # given back, the credits leave it due
        invoice.status, invoice.paid_at, invoice.paid_with = InvoiceStatus.OPEN, None, ""
    check_move(invoice.status, InvoiceStatus.VOID)
    if invoice.is_being_paid:
        raise CannotVoid(wait_text(invoice))
    if invoice.paid_minor:
        raise CannotVoid(_("Money was received for this invoice. Refund it first."))
    # That credit was money or other credits once; given back besides, they would be there twice.
    if CreditNote.objects.filter(invoice=invoice, credit__isnull=False).exists():
        raise CannotVoid(
            _("A credit note of this invoice became a credit. Make a credit note for what is left of it instead.")
        )
    rest = rest_of(invoice)
    if rest.total_minor <= 0:
        raise CannotVoid(_("This invoice has already been credited in full."))
    lock_profile(invoice.profile)
    undo_write_off(invoice, most_minor=invoice.total_minor, at=at)
    due = invoice.open_minor
    given_back = give_credits_back(invoice, access=access, at=at, note=reason)
    today = seller_day(at)
    note = write_note(
        invoice, rest.all, access=access, reason=reason, today=today, at=at, due_minor=due, given_back_minor=given_back,
        voids=True,
    )  # fmt: skip
    invoice.credited_minor += note.applied_minor
    invoice.status, invoice.void_reason, invoice.voided_at = InvoiceStatus.VOID, reason, at
    invoice.autopay_on = invoice.next_reminder_on = None
    invoice.save(update_fields=VOIDED)
    audit.record(
        access=access, at=at, action="invoice.voided", subject=str(invoice), profile=invoice.profile, reason=reason,
        credit_note=note.number,
    )  # fmt: skip
    reinstate(invoice.profile, at=at)
    return invoice


@transaction.atomic
def rebill(*, access: Access, invoice_id: int, reason: str, at: datetime) -> Invoice:
    """Voids an invoice, unless it is void already, and returns a draft with the same lines in its place. Charges stay
    with the void invoice. Raises what `void` raises, and CannotVoid when another invoice has its place."""
    invoice = Invoice.objects.locked().get(pk=invoice_id)
    if invoice.status != InvoiceStatus.VOID:
        invoice = void(access=access, invoice_id=invoice_id, reason=reason, at=at)
    other = Invoice.objects.filter(replaces=invoice).first()
    if other is not None:
        raise CannotVoid(_("%(invoice)s already replaces it.") % {"invoice": other})
    draft = Invoice(replaces=invoice, profile=invoice.profile, currency=invoice.currency)
    for field in Invoice._meta.concrete_fields:
        # What a draft can be given; the reference of an import stays with the invoice that was imported.
        if field.editable and field.name not in {"id", "profile", "source_reference"}:
            setattr(draft, field.attname, getattr(invoice, field.attname))
    lines = list(invoice.lines.select_related("section").order_by("position", "pk"))
    for line in lines:
        line.pk, line.invoice = None, draft
    compute_sums(draft, lines)
    create_drafts([draft], lines, access=access, at=at)
    audit.record(
        access=access, at=at, action="invoice.rebilled", subject=str(invoice), profile=invoice.profile, draft=draft.pk
    )
    return draft
