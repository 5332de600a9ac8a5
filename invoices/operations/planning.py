"""What happens next by itself to an invoice: written here, found by the clock, shown on its pages.

Called inside a transaction, on invoices that the caller has locked.
"""

from datetime import date

from accounts.models import BillingProfile
from invoices.models import Invoice


def plan_autopay(invoice: Invoice, on: date | None) -> None:
    """The card is charged on this day, or on none."""
    if invoice.autopay_on != on:
        invoice.autopay_on = on
        Invoice.objects.filter(pk=invoice.pk).update(autopay_on=on)


def note_declined(invoice: Invoice, on: date) -> None:
    """The card was to be charged on this day, and its bank declined."""
    invoice.autopay_declined_on = on
    Invoice.objects.filter(pk=invoice.pk).update(autopay_declined_on=on)


def drop_autopay(profile: BillingProfile) -> int:
    """No invoice of the profile is charged by itself any more. Returns how many would have been."""
    return Invoice.objects.filter(profile=profile, autopay_on__isnull=False).update(autopay_on=None)


def mark_announced(invoice: Invoice) -> None:
    """Its people were told that it is there, or are not to be told."""
    invoice.announce_on = None
    Invoice.objects.filter(pk=invoice.pk).update(announce_on=None)
