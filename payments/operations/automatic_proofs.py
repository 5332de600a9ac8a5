"""Proofs of automatic charges: plans, the days on which cards are charged, and the payments that came of them.
Sentences with the columns of a row in braces, as in `payments.operations.integrity`."""

from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet

from invoices.models import Invoice
from invoices.states import InvoiceStatus
from payments.models import AutomaticCharge, PaymentAllocation
from payments.operations.proofs import subquery_sum
from payments.states import OPEN, PaymentStatus

Plan = AutomaticCharge.Status
PLANNED = Invoice.objects.filter(autopay_on__isnull=False)
PLANS, ALLOCATIONS = AutomaticCharge.objects.all(), PaymentAllocation.objects.all()
CHARGED = ALLOCATIONS.filter(payment__status=PaymentStatus.SUCCEEDED, payment__is_automatic=True)
own_payment = ALLOCATIONS.filter(
    payment=OuterRef("last_payment"), invoice=OuterRef("invoice"), payment__is_automatic=True
)

AUTOMATIC: dict[str, QuerySet[Any]] = {
    # Only an open invoice has a day on which it is charged, and its plan, if it was taken up, is not over.
    "Invoice {number}: it is {status}, and yet to be charged on {autopay_on}.": PLANNED.exclude(
        status=InvoiceStatus.OPEN
    ),
    "Invoice {number}: it is to be charged on {autopay_on}, but its plan is not a planned one.": PLANNED.filter(
        automatic_charge__isnull=False
    ).exclude(automatic_charge__status=Plan.PLANNED),
    # A plan that waits, or is done, names an automatic payment of its invoice; one that is done was paid by one.
    "Invoice {invoice__number}: its automatic charge is {status}, but names no payment.": PLANS.filter(
        status__in=(Plan.WAITING, Plan.DONE), last_payment=None
    ),
    "Invoice {invoice__number}: its automatic charge names {last_payment__reference},"
    " which is another's.": PLANS.filter(~Exists(own_payment), last_payment__isnull=False),
    "Invoice {invoice__number}: its automatic charge is done, but no automatic payment succeeded.": PLANS.filter(
        ~Exists(CHARGED.filter(invoice=OuterRef("invoice"))), status=Plan.DONE
    ),
    # An invoice holds no more of automatic payments than it came to. It may hold several: what was refunded in part, or
    # paid by a check that bounced, is charged again when staff say so.
    "Invoice {number}: automatic payments hold {held} of it, its total is {total_minor}.": Invoice.objects.annotate(
        held=subquery_sum(CHARGED, "invoice", F("amount_minor") - F("refunded_minor"))
    ).filter(held__gt=F("total_minor")),
    "Invoice {invoice__number}: its automatic charge is of another billing profile.": PLANS.exclude(
        profile=F("invoice__profile")
    ),
    "Invoice {invoice__number}: {payment__reference} was automatic, but it has no plan.": ALLOCATIONS.filter(
        payment__is_automatic=True, invoice__isnull=False, invoice__automatic_charge=None
    ),
    "Invoice {invoice__number}: its automatic charge is {status}, its payment is still open.": PLANS.filter(
        last_payment__status__in=OPEN
    ).exclude(status=Plan.WAITING),
    "Invoice {invoice__number}: its automatic charge names a payment, but was never tried.": PLANS.filter(
        tries=0, last_payment__isnull=False
    ),
}
