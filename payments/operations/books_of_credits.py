"""Proof that credits and credit notes add up: what a lot says against its entries, the money it came from, the invoices
it paid for, and the notes that correct those."""

from collections.abc import Callable, Iterator

from django.db.models import F, Q

from invoices.models import Credit, CreditEntry, CreditNote, CreditNoteLine, Invoice, InvoiceLine
from invoices.states import InvoiceStatus
from payments.models import PaymentAllocation
from payments.operations.sums import SHOWN, sum_of

Kind = CreditEntry.Kind


def credits_against_entries() -> Iterator[str]:
    """What is left of a lot = the sum of its entries; what it began with = what its first entry granted."""
    entries = CreditEntry.objects.all()
    rows = Credit.objects.annotate(
        granted=sum_of(entries.filter(kind=Kind.GRANTED), "credit", "amount_minor"),
        sum=sum_of(entries, "credit", "amount_minor"),
    )
    wrong = rows.exclude(amount_minor=F("granted"), remaining_minor=F("sum"))
    columns = ("pk", "amount_minor", "remaining_minor", "granted", "sum")
    for pk, amount, left, granted, entered in wrong.values_list(*columns)[:SHOWN]:
        yield f"Credit {pk}: amount {amount}, left {left}; its entries granted {granted} and come to {entered}."


def credits_against_sources() -> Iterator[str]:
    """A lot of money = the payment that made it, less what was paid back of that; a lot of a note = that note's rest.

    Entries of money carry no name; those that do are acts of staff, who may take a rest away.
    """
    money = CreditEntry.objects.filter(kind__in=[Kind.TAKEN_BACK, Kind.GIVEN_BACK], invoice=None, actor=None)
    rows = Credit.objects.annotate(
        made=sum_of(PaymentAllocation.objects.all(), "credit", "amount_minor"),
        back=sum_of(PaymentAllocation.objects.all(), "credit", "refunded_minor"),
        moved=sum_of(money, "credit", "amount_minor"),
        noted=sum_of(CreditNote.objects.all(), "credit", F("total_minor") - F("applied_minor")),
    )
    paid, noted = Q(source=Credit.Source.OVERPAYMENT), Q(source=Credit.Source.CREDIT_NOTE)
    right = (
        (paid & Q(made=F("amount_minor"), noted=0))
        | (noted & Q(noted=F("amount_minor"), made=0))
        | (~paid & ~noted & Q(made=0, noted=0))
    )
    columns = ("pk", "amount_minor", "made", "noted", "back", "moved")
    for pk, amount, made, noted_, back, moved in rows.exclude(right & Q(back=-F("moved"))).values_list(*columns)[
        :SHOWN
    ]:
        yield (
            f"Credit {pk}: amount {amount}, paid in {made}, from a credit note {noted_}; paid back {back},"
            f" taken off it {-moved}."
        )


def invoices_against_credits() -> Iterator[str]:
    """Credited on an invoice = what lots gave to it and did not get back + what credit notes took off it."""
    entries = CreditEntry.objects.filter(kind__in=[Kind.APPLIED, Kind.GIVEN_BACK])
    rows = Invoice.objects.annotate(
        used=sum_of(entries, "invoice", "amount_minor"),
        applied=sum_of(entries.filter(kind=Kind.APPLIED), "invoice", "amount_minor"),
        noted=sum_of(CreditNote.objects.all(), "invoice", "applied_minor"),
    )
    wrong = rows.exclude(credited_minor=F("noted") - F("used"), credited_at_issue_minor__range=(0, -F("applied")))
    columns = ("number", "credited_minor", "credited_at_issue_minor", "used", "noted")
    for name, credited, at_issue, used, noted in wrong.values_list(*columns)[:SHOWN]:
        yield (
            f"Invoice {name}: credited is {credited}, of which {at_issue} at issue; credits gave {-used} and credit"
            f" notes {noted}."
        )
    given = rows.filter(credit_notes__isnull=False).annotate(
        given=sum_of(entries.filter(kind=Kind.GIVEN_BACK), "invoice", "amount_minor"),
        by_notes=sum_of(CreditNote.objects.all(), "invoice", "given_back_minor"),
    )
    for name, back, said in (
        given.exclude(given=F("by_notes")).values_list("number", "given", "by_notes").distinct()[:SHOWN]
    ):
        yield f"Invoice {name}: {back} went back to credits, its credit notes say {said}."
    foreign = CreditEntry.objects.filter(
        ~Q(invoice__currency=F("credit__currency")) | ~Q(invoice__profile=F("credit__profile")), invoice__isnull=False
    )
    for pk, number in foreign.values_list("credit", "invoice__number")[:SHOWN]:
        yield f"Credit {pk}: invoice {number} is of another profile or currency."


def notes_against_lines() -> Iterator[str]:
    """A credit note = its lines; notes take back no more of a line than it had; the invoice that a note voids is void.

    An invoice that was voided before there were credit notes has none.
    """
    lines = CreditNoteLine.objects.all()
    rows = CreditNote.objects.annotate(
        charges=sum_of(lines, "note", "amount_minor"), tax=sum_of(lines, "note", "tax_minor")
    )
    wrong = rows.exclude(charges_minor=F("charges"), tax_minor=F("tax"))
    for name, total, charges, tax in wrong.values_list("number", "total_minor", "charges", "tax")[:SHOWN]:
        yield f"Credit note {name}: total is {total}, on its lines {charges} and tax {tax}."
    taken = InvoiceLine.objects.filter(invoice__credit_notes__isnull=False).annotate(
        charges=sum_of(lines, "line", "amount_minor"), tax=sum_of(lines, "line", "tax_minor")
    )
    within = Q(amount_minor__gte=0, charges__range=(0, F("amount_minor")), tax__range=(0, F("tax_minor"))) | Q(
        amount_minor__lt=0, charges__range=(F("amount_minor"), 0), tax__range=(F("tax_minor"), 0)
    )
    for number, line in taken.exclude(within).values_list("invoice__number", "description").distinct()[:SHOWN]:
        yield f"Invoice {number}: credit notes take back more of “{line}” than it had."
    other = CreditNote.objects.filter(voids_invoice=True).exclude(invoice__status=InvoiceStatus.VOID)
    for name, number in other.values_list("number", "invoice__number")[:SHOWN]:
        yield f"Credit note {name}: it voids invoice {number}, which is not void."


CHECKS_OF_CREDITS: list[Callable[[], Iterator[str]]] = [
    credits_against_entries,
    credits_against_sources,
    invoices_against_credits,
    notes_against_lines,
]
