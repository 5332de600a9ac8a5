"""The part of the books that is about automatic charges: plans, invoices and payments say the same."""

from collections.abc import Iterator

from django.db.models import F, Q

from invoices.models import Invoice
from invoices.states import InvoiceStatus
from payments.models import AutomaticCharge, PaymentAllocation
from payments.operations.sums import SHOWN, sum_of
from payments.states import PaymentStatus

S = AutomaticCharge.Status


def plans_against_invoices() -> Iterator[str]:
    """Only an open invoice has a day on which it is charged, and its plan, if it was taken up, is not over."""
    planned = Invoice.objects.filter(autopay_on__isnull=False)
    for invoice in planned.exclude(status=InvoiceStatus.OPEN)[:SHOWN]:
        yield f"Invoice {invoice}: it is {invoice.status}, and yet to be charged on {invoice.autopay_on}."
    for invoice in planned.filter(automatic_charge__isnull=False).exclude(automatic_charge__status=S.PLANNED)[:SHOWN]:
        yield f"Invoice {invoice}: it is to be charged on {invoice.autopay_on}, but its plan is not a planned one."


def plans_against_payments() -> Iterator[str]:
    """A plan that waits, or is done, names an automatic payment of its invoice; one that is done was paid by one."""
    charges = AutomaticCharge.objects.select_related("invoice", "last_payment")
    for charge in charges.filter(status__in=(S.WAITING, S.DONE), last_payment=None)[:SHOWN]:
        yield f"Invoice {charge.invoice}: its automatic charge is {charge.status}, but names no payment."
    named = charges.filter(last_payment__isnull=False)
    own = Q(last_payment__allocations__invoice=F("invoice"), last_payment__is_automatic=True)
    for charge in named.exclude(pk__in=named.filter(own).values("pk"))[:SHOWN]:
        yield f"Invoice {charge.invoice}: its automatic charge names {charge.last_payment}, which is another's."
    succeeded = PaymentAllocation.objects.filter(payment__is_automatic=True, payment__status=PaymentStatus.SUCCEEDED)
    paid = succeeded.values("invoice")
    for charge in charges.filter(status=S.DONE).exclude(invoice__in=paid)[:SHOWN]:
        yield f"Invoice {charge.invoice}: its automatic charge is done, but no automatic payment succeeded."


def no_more_than_the_total() -> Iterator[str]:
    """An invoice holds no more of automatic payments than it came to. It may hold several of them: what was refunded in
    part, or paid by a check that bounced, is charged again when staff say so."""
    taken = PaymentAllocation.objects.filter(payment__is_automatic=True, payment__status=PaymentStatus.SUCCEEDED)
    held = sum_of(taken, "invoice", F("amount_minor") - F("refunded_minor"))
    rows = Invoice.objects.annotate(held=held).filter(held__gt=F("total_minor"))
    for number, total, minor in rows.values_list("number", "total_minor", "held")[:SHOWN]:
        yield f"Invoice {number}: automatic payments hold {minor} of it, its total is {total}."


CHECKS_OF_PLANS = [plans_against_invoices, plans_against_payments, no_more_than_the_total]
