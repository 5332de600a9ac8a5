"""Void: cancel an issued invoice. It keeps its number and stays readable."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access
from invoices.models import Invoice
from invoices.payability import in_progress_text
from invoices.states import InvoiceStatus, check_move


class CannotVoid(Exception):
    """The invoice cannot be voided now. The message says why and may be shown to staff."""


@transaction.atomic
def void(*, access: Access, invoice_id: int, reason: str, at: datetime) -> Invoice:
    """Cancels an open invoice. Returns it.

    Raises CannotVoid without a reason, while a payment is in progress (its money could not be placed), or when money
    was received (refund it first); WrongState for an invoice that is not open.
    """
    invoice = Invoice.objects.locked().get(pk=invoice_id)
    if not reason.strip():
        raise CannotVoid(_("Say why the invoice is void; the customer sees the reason."))
    check_move(invoice.status, InvoiceStatus.VOID)
    if invoice.is_being_paid:
        raise CannotVoid(
            _("A payment is in progress (%(text)s). Wait for it to end.") % {"text": in_progress_text(invoice)}
        )
    if invoice.paid_minor:
        raise CannotVoid(_("Money was received for this invoice. Refund it first."))
    invoice.status, invoice.void_reason, invoice.voided_at = InvoiceStatus.VOID, reason.strip()[:200], at
    invoice.autopay_on = invoice.next_reminder_on = None
    invoice.save(update_fields=["status", "void_reason", "voided_at", "autopay_on", "next_reminder_on"])
    audit.record(
        access=access,
        at=at,
        action="invoice.voided",
        subject=str(invoice),
        profile=invoice.profile,
        reason=reason.strip(),
    )
    return invoice
