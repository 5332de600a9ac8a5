"""What a profile's pages say of automatic charges: what comes next, and what failed and is still due."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from accounts.access import Access
from invoices.models import Invoice
from invoices.states import InvoiceStatus
from payments.models import AutomaticCharge

SHOWN = 10
Stop = AutomaticCharge.Stop
# What nobody has to be reminded of.
ENDED_BY_PEOPLE = [Stop.SWITCHED_OFF, Stop.BY_WIRE, Stop.DISPUTED, Stop.NOTHING_DUE, Stop.PAID]


def failed_charges(access: Access) -> QuerySet[AutomaticCharge]:
    """Invoices of the profile that could not be charged automatically and that somebody has to pay. They are offered to
    be paid, on the page of payment methods and where a card has just become the default, until they are."""
    due = Invoice.objects.visible_to(access).filter(status=InvoiceStatus.OPEN, payment_started_at=None)
    stopped = AutomaticCharge.objects.filter(invoice__in=due, status=AutomaticCharge.Status.STOPPED)
    return stopped.exclude(stopped_because__in=ENDED_BY_PEOPLE)


def automatic_charges(access: Access) -> dict[str, Any]:
    """For the page of payment methods: when charging happens, and the first few of both kinds."""
    planned = Invoice.objects.visible_to(access).filter(status=InvoiceStatus.OPEN, autopay_on__isnull=False)
    return {
        "delay_days": settings.AUTOPAY_DELAY_DAYS,
        "planned": planned.order_by("autopay_on", "pk")[:SHOWN],
        "failed": failed_charges(access).select_related("invoice").order_by("invoice__due_on", "pk")[:SHOWN],
    }
