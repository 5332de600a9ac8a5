"""Proof that the books add up, over the whole database.

Each check is one query that finds the rows for which two independent records of the same fact differ: the sum on an
invoice and the allocations it came from, a payment's state and the last event of its history, what was refunded and
the refunds. A row changed by hand fails at least one of them.
"""

import re
from collections.abc import Callable, Iterator
from string import Formatter
from typing import Any

from django.db.models import BigIntegerField, Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from invoices.models import (
    Charge,
    Credit,
    CreditEntry,
    CreditNote,
    CreditNoteLine,
    Invoice,
    InvoiceLine,
    NumberSeries,
    PeriodClosing,
)
from invoices.states import InvoiceStatus
from payments.models import (
    AutomaticCharge,
    Dispute,
    DisputeAllocation,
    Payment,
    PaymentAllocation,
    PaymentEvent,
    Refund,
    RefundAllocation,
)
from payments.states import OPEN, DisputeStatus, PaymentStatus, RefundStatus

Kind, Plan = CreditEntry.Kind, AutomaticCharge.Status
MAX_SHOWN = 20


def check_books() -> list[str]:
    """One sentence for each difference found, at most 20 for each kind; an empty list when everything adds up."""
    return [problem for check in CHECKS for problem in check()]


def sentences(rows: QuerySet[Any], sentence: str) -> Iterator[str]:
    """One for each of the first rows. The sentence names its columns in braces."""
    columns = dict.fromkeys(name for _text, name, _format, _conversion in Formatter().parse(sentence) if name)
    for row in rows.values(*columns).distinct()[:MAX_SHOWN]:
        yield sentence.format(**row)


def subquery_sum(rows: QuerySet[Any], by: str, column: Any) -> Coalesce:
    """The sum of a column over the rows that belong to the outer row, 0 when there are none."""
    sums = rows.filter(**{by: OuterRef("pk")}).order_by().values(by).annotate(sum=Sum(column)).values("sum")
    return Coalesce(Subquery(sums, output_field=BigIntegerField()), Value(0))


def invoices_against_allocations() -> Iterator[str]:
    """Paid on an invoice = what succeeded payments allocated to it, less what went back of that."""
    taken = PaymentAllocation.objects.filter(payment__status=PaymentStatus.SUCCEEDED)
    rows = Invoice.objects.annotate(
        paid=subquery_sum(taken, "invoice", F("amount_minor") - F("refunded_minor")),
        back=subquery_sum(taken, "invoice", "refunded_minor"),
    )
    wrong = rows.exclude(paid_minor=F("paid"))
    yield from sentences(wrong, "Invoice {number}: paid is {paid_minor}, its payments come to {paid}.")
    wrong = rows.exclude(refunded_minor=F("back"))
    yield from sentences(wrong, "Invoice {number}: refunded is {refunded_minor}, its refunds come to {back}.")


def invoices_against_lines() -> Iterator[str]:
    """The sums of an issued invoice = the sums of its lines."""
    lines = InvoiceLine.objects.all()
    rows = Invoice.objects.exclude(status=InvoiceStatus.DRAFT).annotate(
        charges=subquery_sum(lines, "invoice", "amount_minor"), tax=subquery_sum(lines, "invoice", "tax_minor")
    )
    yield from sentences(
        rows.exclude(charges_minor=F("charges"), tax_minor=F("tax")),
        "Invoice {number}: charges are {charges_minor} and tax {tax_minor}, on its lines {charges} and {tax}.",
    )


def payments_against_allocations() -> Iterator[str]:
    """What was taken = what was allocated, to invoices and to credits."""
    rows = Payment.objects.annotate(parts=subquery_sum(PaymentAllocation.objects.all(), "payment", "amount_minor"))
    wrong = rows.exclude(amount_minor=F("parts"))
    yield from sentences(wrong, "Payment {reference}: amount is {amount_minor}, its allocations come to {parts}.")
    foreign = PaymentAllocation.objects.filter(
        ~Q(invoice__currency=F("payment__currency")) | ~Q(invoice__profile=F("payment__profile")), invoice__isnull=False
    )
    yield from sentences(
        foreign, "Payment {payment__reference}: invoice {invoice__number} is of another profile or currency."
    )


def payments_against_events() -> Iterator[str]:
    """The state of a payment = the state after its last event. Every payment has a history."""
    events = PaymentEvent.objects.filter(payment=OuterRef("pk")).order_by("-pk")
    rows = Payment.objects.annotate(last=Coalesce(Subquery(events.values("new_status")[:1]), Value("nothing")))
    wrong = rows.exclude(status=F("last"))
    yield from sentences(wrong, "Payment {reference}: status is {status}, its history ends with {last}.")


def refunds_against_payments() -> Iterator[str]:
    """Refunded of a payment = its refunds that did not fail, as far as they found something, and what disputes took =
    what those took off its allocations."""
    standing = Refund.objects.exclude(status=RefundStatus.FAILED)
    rows = Payment.objects.annotate(
        back=subquery_sum(standing, "payment", F("amount_minor") - F("missing_minor")),
        taken=subquery_sum(Dispute.objects.all(), "payment", "taken_minor"),
        parts=subquery_sum(PaymentAllocation.objects.all(), "payment", "refunded_minor"),
    )
    yield from sentences(
        rows.exclude(refunded_minor=F("back") + F("taken"), parts=F("back") + F("taken")),
        "Payment {reference}: refunded is {refunded_minor}, its refunds come to {back} and its disputes to {taken},"
        " taken off its allocations {parts}.",
    )
    split = Refund.objects.annotate(parts=subquery_sum(RefundAllocation.objects.all(), "refund", "amount_minor"))
    yield from sentences(
        split.exclude(amount_minor=F("parts") + F("missing_minor")),
        "Refund {pk}: amount is {amount_minor} and missing {missing_minor}, its parts come to {parts}.",
    )


def disputes_against_payments() -> Iterator[str]:
    """Taken back by banks of a payment = what its disputes took = their parts; the same of each invoice. Only a lost
    dispute takes."""
    allocations = DisputeAllocation.objects.all()
    split = Dispute.objects.annotate(parts=subquery_sum(allocations, "dispute", "amount_minor"))
    wrong = split.exclude(taken_minor=F("parts"))
    yield from sentences(wrong, "Dispute {gateway_id}: taken is {taken_minor}, its parts come to {parts}.")
    payments = Payment.objects.annotate(taken=subquery_sum(Dispute.objects.all(), "payment", "taken_minor"))
    invoices = Invoice.objects.annotate(taken=subquery_sum(allocations, "allocation__invoice", "amount_minor"))
    ending = "taken back is {charged_back_minor}, its disputes come to {taken}."
    yield from sentences(payments.exclude(charged_back_minor=F("taken")), "Payment {reference}: " + ending)
    yield from sentences(invoices.exclude(charged_back_minor=F("taken")), "Invoice {number}: " + ending)


def open_disputes() -> Iterator[str]:
    """A payment and its invoices note a dispute exactly while one is open, since it was opened."""
    still_open = Dispute.objects.filter(status=DisputeStatus.OPEN).order_by("opened_at").values("opened_at")
    of_payment = still_open.filter(payment=OuterRef("pk"))
    of_invoice = still_open.filter(payment__allocations__invoice=OuterRef("pk"))
    payments = Payment.objects.annotate(since=Subquery(of_payment[:1])).filter(_differ("disputed_at", "since"))
    invoices = Invoice.objects.annotate(since=Subquery(of_invoice[:1])).filter(_differ("disputed_at", "since"))
    yield from sentences(payments, "Payment {reference}: its note of a dispute does not agree with its disputes.")
    yield from sentences(
        invoices, "Invoice {number}: its note of a dispute does not agree with the disputes of its payments."
    )


def _differ(one: str, other: str) -> Q:
    """Two columns of which either may be empty."""
    one_empty, other_empty = Q(**{f"{one}__isnull": True}), Q(**{f"{other}__isnull": True})
    unequal = Q(**{f"{one}__lt": F(other)}) | Q(**{f"{one}__gt": F(other)})
    return (one_empty & ~other_empty) | (~one_empty & other_empty) | unequal


def open_attempts() -> Iterator[str]:
    """An allocation is open exactly while its payment is; an open invoice notes a payment exactly while one is open.

    A mismatch found after the attempt had ended is open without holding its invoice, which may be paid meanwhile.
    """
    allocations = PaymentAllocation.objects.exclude(
        Q(is_open=True, payment__status__in=OPEN)
        | Q(~Q(payment__status__in=OPEN), is_open=False)
        | Q(payment__status=PaymentStatus.MISMATCH, is_open=False)
    )
    yield from sentences(
        allocations, "Payment {payment__reference}: it is {payment__status}, but an allocation says otherwise."
    )
    being_paid = Exists(PaymentAllocation.objects.filter(invoice=OuterRef("pk"), is_open=True))
    invoices = Invoice.objects.filter(status=InvoiceStatus.OPEN).annotate(being_paid=being_paid)
    wrong = invoices.exclude(
        Q(payment_started_at=None, being_paid=False) | Q(payment_started_at__isnull=False, being_paid=True)
    )
    yield from sentences(wrong, "Invoice {number}: its note of a payment in progress does not agree with its payments.")


def numbers_without_gaps() -> Iterator[str]:
    """Every number of a series below the next one stands on exactly one invoice or credit note."""
    for series in NumberSeries.objects.all():
        # Digits after the prefix, or the numbers of a series whose prefix is longer would count here too.
        pattern = rf"^{re.escape(series.prefix)}[0-9]+$"
        count, numbers = 0, []
        for documents in (Invoice.objects, CreditNote.objects):
            own = documents.filter(number__startswith=series.prefix, number__regex=pattern)
            sums = own.aggregate(count=Count("pk"), first=Min("number"), last=Max("number"))
            count += sums["count"]
            numbers += [number for number in (sums["first"], sums["last"]) if number]
        if count != series.next_number - 1:
            yield (
                f"Series {series.prefix}: {series.next_number - 1} numbers were given, {count} documents carry one"
                f" ({min(numbers, default=None)} to {max(numbers, default=None)})."
            )


def credits_against_entries() -> Iterator[str]:
    """What is left of a lot = the sum of its entries; what it began with = what its first entry granted."""
    entries = CreditEntry.objects.all()
    rows = Credit.objects.annotate(
        granted=subquery_sum(entries.filter(kind=Kind.GRANTED), "credit", "amount_minor"),
        sum=subquery_sum(entries, "credit", "amount_minor"),
    )
    yield from sentences(
        rows.exclude(amount_minor=F("granted"), remaining_minor=F("sum")),
        "Credit {pk}: amount {amount_minor}, left {remaining_minor}; its entries granted {granted} and come to {sum}.",
    )


def credits_against_sources() -> Iterator[str]:
    """A lot of money = the payment that made it, less what was paid back of that; a lot of a note = that note's rest.

    Entries of money carry no name; those that do are acts of staff, who may take a rest away.
    """
    allocations = PaymentAllocation.objects.all()
    money = CreditEntry.objects.filter(kind__in=[Kind.TAKEN_BACK, Kind.GIVEN_BACK], invoice=None, actor=None)
    rows = Credit.objects.annotate(
        made=subquery_sum(allocations, "credit", "amount_minor"),
        back=subquery_sum(allocations, "credit", "refunded_minor"),
        moved=-subquery_sum(money, "credit", "amount_minor"),
        noted=subquery_sum(CreditNote.objects.all(), "credit", F("total_minor") - F("applied_minor")),
    )
    is_paid, is_noted = Q(source=Credit.Source.OVERPAYMENT), Q(source=Credit.Source.CREDIT_NOTE)
    right = (
        (is_paid & Q(made=F("amount_minor"), noted=0))
        | (is_noted & Q(noted=F("amount_minor"), made=0))
        | (~is_paid & ~is_noted & Q(made=0, noted=0))
    )
    yield from sentences(
        rows.exclude(right & Q(back=F("moved"))),
        "Credit {pk}: amount {amount_minor}, paid in {made}, from a credit note {noted}; paid back {back}, taken off it"
        " {moved}.",
    )


def invoices_against_credits() -> Iterator[str]:
    """Credited on an invoice = what lots gave to it and did not get back + what credit notes took off it."""
    entries = CreditEntry.objects.filter(kind__in=[Kind.APPLIED, Kind.GIVEN_BACK])
    notes = CreditNote.objects.all()
    rows = Invoice.objects.annotate(
        used=-subquery_sum(entries, "invoice", "amount_minor"),
        applied=-subquery_sum(entries.filter(kind=Kind.APPLIED), "invoice", "amount_minor"),
        noted=subquery_sum(notes, "invoice", "applied_minor"),
    )
    yield from sentences(
        rows.exclude(credited_minor=F("noted") + F("used"), credited_at_issue_minor__range=(0, F("applied"))),
        "Invoice {number}: credited is {credited_minor}, of which {credited_at_issue_minor} at issue; credits gave"
        " {used} and credit notes {noted}.",
    )
    given = Invoice.objects.filter(credit_notes__isnull=False).annotate(
        given=subquery_sum(entries.filter(kind=Kind.GIVEN_BACK), "invoice", "amount_minor"),
        by_notes=subquery_sum(notes, "invoice", "given_back_minor"),
    )
    wrong = given.exclude(given=F("by_notes"))
    yield from sentences(wrong, "Invoice {number}: {given} went back to credits, its credit notes say {by_notes}.")
    foreign = CreditEntry.objects.filter(
        ~Q(invoice__currency=F("credit__currency")) | ~Q(invoice__profile=F("credit__profile")), invoice__isnull=False
    )
    yield from sentences(foreign, "Credit {credit}: invoice {invoice__number} is of another profile or currency.")


def notes_against_lines() -> Iterator[str]:
    """A credit note = its lines; notes take back no more of a line than it had; the invoice that a note voids is void.

    An invoice that was voided before there were credit notes has none.
    """
    lines = CreditNoteLine.objects.all()
    rows = CreditNote.objects.annotate(
        charges=subquery_sum(lines, "note", "amount_minor"), tax=subquery_sum(lines, "note", "tax_minor")
    )
    yield from sentences(
        rows.exclude(charges_minor=F("charges"), tax_minor=F("tax")),
        "Credit note {number}: total is {total_minor}, on its lines {charges} and tax {tax}.",
    )
    taken = InvoiceLine.objects.filter(invoice__credit_notes__isnull=False).annotate(
        charges=subquery_sum(lines, "line", "amount_minor"), tax=subquery_sum(lines, "line", "tax_minor")
    )
    within = Q(amount_minor__gte=0, charges__range=(0, F("amount_minor")), tax__range=(0, F("tax_minor"))) | Q(
        amount_minor__lt=0, charges__range=(F("amount_minor"), 0), tax__range=(F("tax_minor"), 0)
    )
    yield from sentences(
        taken.exclude(within), "Invoice {invoice__number}: credit notes take back more of “{description}” than it had."
    )
    not_void = CreditNote.objects.filter(voids_invoice=True).exclude(invoice__status=InvoiceStatus.VOID)
    yield from sentences(not_void, "Credit note {number}: it voids invoice {invoice__number}, which is not void.")


def charges_against_invoices() -> Iterator[str]:
    """An invoice that closed a period holds what its charges come to, and no other invoice has charges. Profile and
    period of the three are the same."""
    charges = Charge.objects.order_by()
    recorded, taxed = (subquery_sum(charges, "invoice", column) for column in ("amount_minor", "tax_minor"))
    rows = Invoice.objects.filter(closing__isnull=False).annotate(recorded=recorded, taxed=taxed, sum=recorded + taxed)
    yield from sentences(
        rows.exclude(charges_minor=F("recorded"), tax_minor=F("taxed")),
        "Invoice {number}: its charges come to {sum}, its total is {total_minor}.",
    )
    billed = charges.filter(invoice__isnull=False)
    stray = billed.filter(invoice__closing=None)
    yield from sentences(stray, "Invoice {invoice__number}: charge {pk} is on it, but it closed no period.")
    foreign = billed.exclude(invoice__profile=F("profile"))
    yield from sentences(foreign, "Invoice {invoice__number}: charge {pk} is of another billing profile.")
    closings = PeriodClosing.objects.filter(invoice__isnull=False)
    yield from sentences(
        closings.exclude(invoice__profile=F("profile"), invoice__period_start_on=F("start_on")),
        "Invoice {invoice__number}: it closed a period of another billing profile, or another period.",
    )


def periods_without_gaps() -> Iterator[str]:
    """Each period of a profile begins where another ended, but for its first; the last ends where the profile says."""
    before = PeriodClosing.objects.filter(profile=OuterRef("profile"), end_on=OuterRef("start_on"))
    earlier = PeriodClosing.objects.filter(profile=OuterRef("profile"), start_on__lt=OuterRef("start_on"))
    gaps = PeriodClosing.objects.filter(Exists(earlier), ~Exists(before))
    yield from sentences(gaps, "Billing profile {profile__code}: nothing was closed up to {start_on}.")
    ends = PeriodClosing.objects.order_by().values("profile__code", "profile__billed_until_on")
    yield from sentences(
        ends.annotate(end=Max("end_on")).exclude(end=F("profile__billed_until_on")),
        "Billing profile {profile__code}: closed up to {end}, but invoiced up to {profile__billed_until_on}.",
    )


def plans_against_invoices() -> Iterator[str]:
    """Only an open invoice has a day on which it is charged, and its plan, if it was taken up, is not over."""
    planned = Invoice.objects.filter(autopay_on__isnull=False)
    yield from sentences(
        planned.exclude(status=InvoiceStatus.OPEN),
        "Invoice {number}: it is {status}, and yet to be charged on {autopay_on}.",
    )
    yield from sentences(
        planned.filter(automatic_charge__isnull=False).exclude(automatic_charge__status=Plan.PLANNED),
        "Invoice {number}: it is to be charged on {autopay_on}, but its plan is not a planned one.",
    )


def plans_against_payments() -> Iterator[str]:
    """A plan that waits, or is done, names an automatic payment of its invoice; one that is done was paid by one."""
    nameless = AutomaticCharge.objects.filter(status__in=(Plan.WAITING, Plan.DONE), last_payment=None)
    yield from sentences(nameless, "Invoice {invoice__number}: its automatic charge is {status}, but names no payment.")
    named = AutomaticCharge.objects.filter(last_payment__isnull=False)
    own = named.filter(last_payment__allocations__invoice=F("invoice"), last_payment__is_automatic=True)
    yield from sentences(
        named.exclude(pk__in=own.values("pk")),
        "Invoice {invoice__number}: its automatic charge names {last_payment__reference}, which is another's.",
    )
    unpaid = AutomaticCharge.objects.filter(status=Plan.DONE).exclude(invoice__in=_charged().values("invoice"))
    yield from sentences(
        unpaid, "Invoice {invoice__number}: its automatic charge is done, but no automatic payment succeeded."
    )


def no_more_than_the_total() -> Iterator[str]:
    """An invoice holds no more of automatic payments than it came to. It may hold several of them: what was refunded in
    part, or paid by a check that bounced, is charged again when staff say so."""
    held = subquery_sum(_charged(), "invoice", F("amount_minor") - F("refunded_minor"))
    rows = Invoice.objects.annotate(held=held).filter(held__gt=F("total_minor"))
    yield from sentences(rows, "Invoice {number}: automatic payments hold {held} of it, its total is {total_minor}.")


def _charged() -> QuerySet[PaymentAllocation]:
    return PaymentAllocation.objects.filter(payment__is_automatic=True, payment__status=PaymentStatus.SUCCEEDED)


CHECKS: list[Callable[[], Iterator[str]]] = [
    invoices_against_allocations,
    invoices_against_lines,
    payments_against_allocations,
    payments_against_events,
    refunds_against_payments,
    disputes_against_payments,
    open_disputes,
    credits_against_entries,
    credits_against_sources,
    invoices_against_credits,
    notes_against_lines,
    open_attempts,
    numbers_without_gaps,
    charges_against_invoices,
    periods_without_gaps,
    plans_against_invoices,
    plans_against_payments,
    no_more_than_the_total,
]
