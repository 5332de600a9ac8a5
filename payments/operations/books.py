"""Proof that the books add up, over the whole database.

Each check is one query that finds the rows for which two independent records of the same fact differ: the sum on an
invoice and the allocations it came from, a payment's state and the last event of its history, what was refunded and
the refunds. A row changed by hand fails at least one of them.
"""

import re
from collections.abc import Callable, Iterator

from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from invoices.models import CreditNote, Invoice, InvoiceLine, NumberSeries
from invoices.states import InvoiceStatus
from payments.models import (
    Dispute,
    DisputeAllocation,
    Payment,
    PaymentAllocation,
    PaymentEvent,
    Refund,
    RefundAllocation,
)
from payments.operations.books_of_credits import CHECKS_OF_CREDITS
from payments.operations.books_of_periods import CHECKS_OF_PERIODS
from payments.operations.books_of_plans import CHECKS_OF_PLANS
from payments.operations.sums import SHOWN, sum_of
from payments.states import OPEN, DisputeStatus, PaymentStatus, RefundStatus


def check_books() -> list[str]:
    """One sentence for each difference found, at most 20 for each kind; an empty list when everything adds up."""
    return [problem for check in CHECKS for problem in check()]


def invoices_against_allocations() -> Iterator[str]:
    """Paid on an invoice = what succeeded payments allocated to it, less what went back of that."""
    taken = PaymentAllocation.objects.filter(payment__status=PaymentStatus.SUCCEEDED)
    rows = Invoice.objects.annotate(
        taken=sum_of(taken, "invoice", "amount_minor"), back=sum_of(taken, "invoice", "refunded_minor")
    )
    paid = rows.exclude(paid_minor=F("taken") - F("back"))
    for name, said, came, back in paid.values_list("number", "paid_minor", "taken", "back")[:SHOWN]:
        yield f"Invoice {name}: paid is {said}, its payments come to {came - back}."
    refunded = rows.exclude(refunded_minor=F("back"))
    for name, said, back in refunded.values_list("number", "refunded_minor", "back")[:SHOWN]:
        yield f"Invoice {name}: refunded is {said}, its refunds come to {back}."


def invoices_against_lines() -> Iterator[str]:
    """The sums of an issued invoice = the sums of its lines."""
    lines = InvoiceLine.objects.all()
    rows = Invoice.objects.exclude(status=InvoiceStatus.DRAFT).annotate(
        charges=sum_of(lines, "invoice", "amount_minor"), tax=sum_of(lines, "invoice", "tax_minor")
    )
    wrong = rows.exclude(charges_minor=F("charges"), tax_minor=F("tax"))
    columns = ("number", "charges_minor", "tax_minor", "charges", "tax")
    for name, charges, tax, line_charges, line_tax in wrong.values_list(*columns)[:SHOWN]:
        yield f"Invoice {name}: charges are {charges} and tax {tax}, on its lines {line_charges} and {line_tax}."


def payments_against_allocations() -> Iterator[str]:
    """What was taken = what was allocated, to invoices and to credits."""
    rows = Payment.objects.annotate(parts=sum_of(PaymentAllocation.objects.all(), "payment", "amount_minor"))
    wrong = rows.exclude(amount_minor=F("parts"))
    for name, amount, parts in wrong.values_list("reference", "amount_minor", "parts")[:SHOWN]:
        yield f"Payment {name}: amount is {amount}, its allocations come to {parts}."
    other = PaymentAllocation.objects.filter(
        ~Q(invoice__currency=F("payment__currency")) | ~Q(invoice__profile=F("payment__profile")), invoice__isnull=False
    )
    for name, invoice in other.values_list("payment__reference", "invoice__number")[:SHOWN]:
        yield f"Payment {name}: invoice {invoice} is of another profile or currency."


def payments_against_events() -> Iterator[str]:
    """The state of a payment = the state after its last event. Every payment has a history."""
    events = PaymentEvent.objects.filter(payment=OuterRef("pk")).order_by("-pk")
    rows = Payment.objects.annotate(last=Coalesce(Subquery(events.values("new_status")[:1]), Value("")))
    for name, status, last in rows.exclude(status=F("last")).values_list("reference", "status", "last")[:SHOWN]:
        yield f"Payment {name}: status is {status}, its history ends with {last or 'nothing'}."


def refunds_against_payments() -> Iterator[str]:
    """Refunded of a payment = its refunds that did not fail, as far as they found something, and what disputes took =
    what those took off its allocations."""
    standing = Refund.objects.exclude(status=RefundStatus.FAILED)
    rows = Payment.objects.annotate(
        refunds_sum=sum_of(standing, "payment", F("amount_minor") - F("missing_minor")),
        taken=sum_of(Dispute.objects.all(), "payment", "taken_minor"),
        parts=sum_of(PaymentAllocation.objects.all(), "payment", "refunded_minor"),
    )
    wrong = rows.exclude(refunded_minor=F("refunds_sum") + F("taken"), parts=F("refunds_sum") + F("taken"))
    columns = ("reference", "refunded_minor", "refunds_sum", "taken", "parts")
    for name, said, sum_, taken, parts in wrong.values_list(*columns)[:SHOWN]:
        yield (
            f"Payment {name}: refunded is {said}, its refunds come to {sum_} and its disputes to {taken},"
            f" taken off its allocations {parts}."
        )
    split = Refund.objects.annotate(parts=sum_of(RefundAllocation.objects.all(), "refund", "amount_minor"))
    wrong_split = split.exclude(amount_minor=F("parts") + F("missing_minor"))
    for pk, amount, missing, parts in wrong_split.values_list("pk", "amount_minor", "missing_minor", "parts")[:SHOWN]:
        yield f"Refund {pk}: amount is {amount} and missing {missing}, its parts come to {parts}."


def disputes_against_payments() -> Iterator[str]:
    """Taken back by banks of a payment = what its disputes took = their parts; the same of each invoice. Only a lost
    dispute takes."""
    split = Dispute.objects.annotate(parts=sum_of(DisputeAllocation.objects.all(), "dispute", "amount_minor"))
    wrong_split = split.exclude(taken_minor=F("parts"))
    for dispute, taken, parts in wrong_split.values_list("gateway_id", "taken_minor", "parts")[:SHOWN]:
        yield f"Dispute {dispute}: taken is {taken}, its parts come to {parts}."
    rows = Payment.objects.annotate(taken=sum_of(Dispute.objects.all(), "payment", "taken_minor"))
    wrong = rows.exclude(charged_back_minor=F("taken"))
    for name, said, taken in wrong.values_list("reference", "charged_back_minor", "taken")[:SHOWN]:
        yield f"Payment {name}: taken back is {said}, its disputes come to {taken}."
    parts_of_invoice = sum_of(DisputeAllocation.objects.all(), "allocation__invoice", "amount_minor")
    invoices = Invoice.objects.annotate(taken=parts_of_invoice).exclude(charged_back_minor=F("taken"))
    for number, said, taken in invoices.values_list("number", "charged_back_minor", "taken")[:SHOWN]:
        yield f"Invoice {number}: taken back is {said}, its disputes come to {taken}."


def open_disputes() -> Iterator[str]:
    """A payment and its invoices note a dispute exactly while one is open, since it was opened."""
    still_open = Dispute.objects.filter(status=DisputeStatus.OPEN)
    payments = Payment.objects.annotate(since=_first(still_open.filter(payment=OuterRef("pk"))))
    for row in payments.filter(_differ("disputed_at", "since"))[:SHOWN]:
        yield f"Payment {row}: its note of a dispute does not agree with its disputes."
    about = still_open.filter(payment__allocations__invoice=OuterRef("pk"))
    for invoice in Invoice.objects.annotate(since=_first(about)).filter(_differ("disputed_at", "since"))[:SHOWN]:
        yield f"Invoice {invoice}: its note of a dispute does not agree with the disputes of its payments."


def _first(disputes: QuerySet[Dispute]) -> Subquery:
    return Subquery(disputes.order_by("opened_at").values("opened_at")[:1])


def _differ(one: str, other: str) -> Q:
    """Two columns of which either may be empty."""
    one_empty, other_empty = Q(**{f"{one}__isnull": True}), Q(**{f"{other}__isnull": True})
    unequal = Q(**{f"{one}__lt": F(other)}) | Q(**{f"{one}__gt": F(other)})
    return (one_empty & ~other_empty) | (~one_empty & other_empty) | unequal


def open_attempts() -> Iterator[str]:
    """An allocation is open exactly while its payment is; an open invoice notes a payment exactly while one is open.

    A mismatch found after the attempt had ended is open without holding its invoice, which may be paid meanwhile.
    """
    rows = PaymentAllocation.objects.select_related("payment")
    for allocation in rows.exclude(
        Q(is_open=True, payment__status__in=OPEN)
        | Q(~Q(payment__status__in=OPEN), is_open=False)
        | Q(payment__status=PaymentStatus.MISMATCH, is_open=False)
    )[:SHOWN]:
        yield f"Payment {allocation.payment}: it is {allocation.payment.status}, but an allocation says otherwise."
    being_paid = Exists(PaymentAllocation.objects.filter(invoice=OuterRef("pk"), is_open=True))
    noted = Invoice.objects.filter(status=InvoiceStatus.OPEN).annotate(being_paid=being_paid)
    for row in noted.exclude(
        Q(payment_started_at=None, being_paid=False) | Q(payment_started_at__isnull=False, being_paid=True)
    )[:SHOWN]:
        yield f"Invoice {row}: its note of a payment in progress does not agree with its payments."


def numbers_without_gaps() -> Iterator[str]:
    """Every number of a series below the next one stands on exactly one invoice or credit note."""
    for series in NumberSeries.objects.all():
        # Digits after the prefix, or the numbers of a series whose prefix is longer would count here too.
        pattern = rf"^{re.escape(series.prefix)}[0-9]+$"
        count, numbers = 0, []
        for documents in (Invoice.objects, CreditNote.objects):
            own = documents.filter(number__startswith=series.prefix, number__regex=pattern)
            found = own.aggregate(count=Count("pk"), first=Min("number"), last=Max("number"))
            count += found["count"]
            numbers += [number for number in (found["first"], found["last"]) if number]
        if count != series.next_number - 1:
            yield (
                f"Series {series.prefix}: {series.next_number - 1} numbers were given, {count} documents carry one"
                f" ({min(numbers, default=None)} to {max(numbers, default=None)})."
            )


CHECKS: list[Callable[[], Iterator[str]]] = [
    invoices_against_allocations,
    invoices_against_lines,
    payments_against_allocations,
    payments_against_events,
    refunds_against_payments,
    disputes_against_payments,
    open_disputes,
    *CHECKS_OF_CREDITS,
    open_attempts,
    numbers_without_gaps,
    *CHECKS_OF_PERIODS,
    *CHECKS_OF_PLANS,
]
