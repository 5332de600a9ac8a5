"""Proof that the books add up. Each check is one query for the rows in which two records of the same fact differ, such
as the sum on an invoice and its allocations. A row changed by hand fails at least one of them.

Each is asked for some thousand rows at a time (`payments.operations.proofs`), by primary keys of the model of its
query: what is compared with a row is looked up for that row, never in a list of all.
"""

from datetime import date, datetime
from itertools import islice
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)  # fmt: skip
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, Concat, NullIf

from accounts.models import BillingProfile
from billing_portal.core.append_only import ERASED
from billing_portal.core.database import prefer_indexes, snapshot
from invoices.fingerprints import wrong_documents
from invoices.ledger import CUSTOMER_CREDIT, RECEIVABLE, WRITE_OFF
from invoices.models import (
    Charge,
    Credit,
    CreditEntry,
    CreditNote,
    CreditNoteLine,
    CreditNoteTax,
    Invoice,
    InvoiceLine,
    InvoiceTax,
    KeptStatement,
    PeriodClosing,
    Transfer,
)
from invoices.states import InvoiceStatus
from payments.models import (
    Dispute,
    DisputeAllocation,
    Payment,
    PaymentAllocation,
    PaymentEvent,
    Payout,
    Refund,
    RefundAllocation,
)
from payments.operations.automatic_proofs import AUTOMATIC
from payments.operations.balances import (
    foreign_payouts,
    unbooked_disputes,
    unbooked_payments,
    unbooked_payouts,
    unbooked_refunds,
    wrong_balances,
    wrong_decisions,
    wrong_lines,
    wrong_note_taxes,
    wrong_taxes,
)
from payments.operations.carried import CARRIED, wrong_settlements
from payments.operations.proofs import MAX_SHOWN, Progress, of_rows, of_sentence, prove, subquery_sum
from payments.operations.unattended import UNATTENDED, put_off, wrong_periods
from payments.states import OPEN, REFUND_OPEN, DisputeStatus, PaymentStatus, RefundStatus

PROOFS = [
    of_rows(BillingProfile, wrong_periods),
    of_rows(PaymentAllocation, unbooked_payments),
    of_rows(RefundAllocation, unbooked_refunds),
    of_rows(DisputeAllocation, unbooked_disputes),
    of_rows(Invoice, wrong_lines),
    of_rows(Invoice, wrong_taxes),
    of_rows(CreditNoteTax, wrong_note_taxes),
    of_rows(PeriodClosing, wrong_settlements),
    of_rows(Payout, unbooked_payouts),
    of_rows(Transfer, foreign_payouts),
]
Kind = CreditEntry.Kind


def check_books(
    *, at: datetime | None = None, since: date | None = None, progress: Progress = lambda _step, _done, _whole: None
) -> list[str]:
    """One sentence for each difference found, at most 20 for each kind; an empty list when everything adds up. All of
    it is read as of one moment, so that what is paid meanwhile is no difference.

    With ``at``, what waits longer than any job lets it wait is a difference too. With ``since``, only what something
    happened to since that day is proven: see `payments.operations.proofs`. ``progress`` is told the step, how much of
    it is done, and of how much.
    """
    late = put_off(at) if at is not None else {}
    proofs = [
        of_sentence(sentence, wrong) for sentence, wrong in (CHECKS | AUTOMATIC | CARRIED | UNATTENDED | late).items()
    ]
    with snapshot():
        found = [wrong_documents(since=since, progress=progress)]
        if since is None:
            found += [wrong_balances(), wrong_decisions()]
        problems = [problem for problems in found for problem in islice(problems, MAX_SHOWN)]
        prefer_indexes()
        return problems + prove([*PROOFS, *proofs], since=since, progress=progress)


def differ(one: str, other: str) -> Q:
    """Two columns of which either may be empty."""
    one_empty, other_empty = Q(**{f"{one}__isnull": True}), Q(**{f"{other}__isnull": True})
    unequal = Q(**{f"{one}__lt": F(other)}) | Q(**{f"{one}__gt": F(other)})
    return (one_empty & ~other_empty) | (~one_empty & other_empty) | unequal


def foreign(owner: str) -> Q:
    """The invoice that a row is about is of another profile or currency than the row's owner."""
    is_another = ~Q(invoice__currency=F(f"{owner}__currency")) | ~Q(invoice__profile=F(f"{owner}__profile"))
    return Q(is_another, invoice__isnull=False)


def owed_by_profile(**days: Any) -> Any:
    """What the profile of the outer row owed by the transfers of some days."""
    rows = Transfer.objects.filter(profile=OuterRef("profile"), **days).of_account(RECEIVABLE).order_by()
    signed = Sum(Case(When(debit=RECEIVABLE, then="amount_minor"), default=-F("amount_minor")))
    sums = rows.values("profile").annotate(sum=signed).values("sum")
    return Coalesce(Subquery(sums, output_field=BigIntegerField()), Value(0))


TRANSFERS = Transfer.objects.all()
ALLOCATIONS, ENTRIES, CHARGES = PaymentAllocation.objects.all(), CreditEntry.objects.all(), Charge.objects.order_by()
NOTES, DISPUTES, TAKEN_PARTS = CreditNote.objects.all(), Dispute.objects.all(), DisputeAllocation.objects.all()
LINES, NOTE_LINES = InvoiceLine.objects.all(), CreditNoteLine.objects.all()
TAXES, NOTE_TAXES = InvoiceTax.objects.all(), CreditNoteTax.objects.all()
CLOSINGS, CLOSED = PeriodClosing.objects.all(), PeriodClosing.objects.filter(profile=OuterRef("profile"))
TAKEN = ALLOCATIONS.filter(payment__status=PaymentStatus.SUCCEEDED)

paid = Invoice.objects.annotate(
    paid=subquery_sum(TAKEN, "invoice", F("amount_minor") - F("refunded_minor")),
    back=subquery_sum(TAKEN, "invoice", "refunded_minor"),
)
issued = Invoice.objects.exclude(status=InvoiceStatus.DRAFT).annotate(
    charges=subquery_sum(LINES, "invoice", "amount_minor"),
    taxable=subquery_sum(TAXES, "invoice", "taxable_minor"),
    tax=subquery_sum(TAXES, "invoice", "tax_minor"),
)
last_events = PaymentEvent.objects.filter(payment=OuterRef("pk")).order_by("-pk").values("new_status")
refunded = Payment.objects.annotate(
    back=subquery_sum(
        Refund.objects.exclude(status=RefundStatus.FAILED), "payment", F("amount_minor") - F("missing_minor")
    ),
    taken=subquery_sum(DISPUTES, "payment", "taken_minor"),
    parts=subquery_sum(ALLOCATIONS, "payment", "refunded_minor"),
)
open_since = DISPUTES.filter(status=DisputeStatus.OPEN).order_by("opened_at").values("opened_at")
disputed_payments = Payment.objects.annotate(since=Subquery(open_since.filter(payment=OuterRef("pk"))[:1]))
disputed_invoices = Invoice.objects.annotate(
    since=Subquery(open_since.filter(payment__allocations__invoice=OuterRef("pk"))[:1])
)
being_paid = Exists(ALLOCATIONS.filter(invoice=OuterRef("pk"), is_open=True))
lots = Credit.objects.annotate(
    granted=subquery_sum(ENTRIES.filter(kind=Kind.GRANTED), "credit", "amount_minor"),
    sum=subquery_sum(ENTRIES, "credit", "amount_minor"),
    made=subquery_sum(ALLOCATIONS, "credit", "amount_minor"),
    back=subquery_sum(ALLOCATIONS, "credit", "refunded_minor"),
    # Entries of money carry no name; those that do are acts of staff, who may take a rest away.
    moved=-subquery_sum(
        ENTRIES.filter(kind__in=[Kind.TAKEN_BACK, Kind.GIVEN_BACK], invoice=None, actor=None), "credit", "amount_minor"
    ),
    noted=subquery_sum(NOTES, "credit", F("total_minor") - F("applied_minor")),
)
is_paid, is_noted = Q(source=Credit.Source.OVERPAYMENT), Q(source=Credit.Source.CREDIT_NOTE)
has_right_source = (
    (is_paid & Q(made=F("amount_minor"), noted=0))
    | (is_noted & Q(noted=F("amount_minor"), made=0))
    | (~is_paid & ~is_noted & Q(made=0, noted=0))
)
credited = Invoice.objects.annotate(
    used=-subquery_sum(ENTRIES.filter(kind__in=[Kind.APPLIED, Kind.GIVEN_BACK]), "invoice", "amount_minor"),
    applied=-subquery_sum(ENTRIES.filter(kind=Kind.APPLIED), "invoice", "amount_minor"),
    noted=subquery_sum(NOTES, "invoice", "applied_minor"),
    given=subquery_sum(ENTRIES.filter(kind=Kind.GIVEN_BACK), "invoice", "amount_minor"),
    by_notes=subquery_sum(NOTES, "invoice", "given_back_minor"),
)
notes = CreditNote.objects.annotate(
    charges=subquery_sum(NOTE_LINES, "note", "amount_minor"),
    taxable=subquery_sum(NOTE_TAXES, "note", "taxable_minor"),
    tax=subquery_sum(NOTE_TAXES, "note", "tax_minor"),
)
owed = Invoice.objects.annotate(
    owed=subquery_sum(TRANSFERS.filter(debit=RECEIVABLE), "invoice", "amount_minor")
    - subquery_sum(TRANSFERS.filter(credit=RECEIVABLE), "invoice", "amount_minor"),
    billed=subquery_sum(TRANSFERS.filter(kind=Transfer.Kind.INVOICE, debit=RECEIVABLE), "invoice", "amount_minor")
    - subquery_sum(TRANSFERS.filter(kind=Transfer.Kind.INVOICE, credit=RECEIVABLE), "invoice", "amount_minor"),
    left=F("total_minor") - F("credited_minor") - F("paid_minor"),
    lost=subquery_sum(TRANSFERS.filter(debit=WRITE_OFF), "invoice", "amount_minor")
    - subquery_sum(TRANSFERS.filter(credit=WRITE_OFF), "invoice", "amount_minor"),
)
kept = Credit.objects.annotate(
    kept=subquery_sum(TRANSFERS.filter(credit=CUSTOMER_CREDIT), "lot", "amount_minor")
    - subquery_sum(TRANSFERS.filter(debit=CUSTOMER_CREDIT), "lot", "amount_minor")
)
noted_lines = InvoiceLine.objects.filter(invoice__credit_notes__isnull=False).annotate(
    charges=subquery_sum(NOTE_LINES, "line", "amount_minor")
)
within_line = Q(amount_minor__gte=0, charges__range=(0, F("amount_minor"))) | Q(
    amount_minor__lt=0, charges__range=(F("amount_minor"), 0)
)
of_same_tax = NOTE_TAXES.filter(
    note__invoice=OuterRef("invoice"), category=OuterRef("category"), rate=OuterRef("rate")
).order_by()
noted_taxes = TAXES.filter(invoice__credit_notes__isnull=False).annotate(
    taken=Coalesce(Subquery(of_same_tax.values("category").annotate(sum=Sum("tax_minor")).values("sum")), 0),
)
within_tax = Q(tax_minor__gte=0, taken__range=(0, F("tax_minor"))) | Q(
    tax_minor__lt=0, taken__range=(F("tax_minor"), 0)
)


def booked(fact: str, column: str = "pk") -> QuerySet[Transfer]:
    """The transfer of the outer row, by its key."""
    return TRANSFERS.filter(key=Concat(Value(f"{fact}:"), Cast(OuterRef(column), CharField())))


# The entries of staff and of invoices; those of money are booked under the key of the money.
own_entries = ENTRIES.filter(
    Q(kind__in=(Kind.APPLIED, Kind.EXPIRED)) | Q(kind__in=(Kind.GIVEN_BACK, Kind.TAKEN_BACK), invoice__isnull=False)
    | Q(kind=Kind.TAKEN_BACK, actor__isnull=False)
)  # fmt: skip
# What the events of a payment say of the money that came. Staff's own decisions name no id of a provider's.
successes = PaymentEvent.objects.filter(payment=OuterRef("pk"), new_status=PaymentStatus.SUCCEEDED)
successes = successes.exclude(old_status=PaymentStatus.SUCCEEDED).order_by("pk")
dispute_events = PaymentEvent.objects.annotate(told=KT("detail__gateway_id")).filter(
    payment=OuterRef("payment"), result__startswith="dispute_", told=OuterRef("gateway_id")
)
# What credits that were there before paid at the moment of issue, when the invoice was booked.
first_of_lot = TRANSFERS.filter(lot=OuterRef("credit")).order_by("pk").values("pk")[:1]
applied_at_issue = ENTRIES.annotate(granted_as=Subquery(first_of_lot)).filter(
    Exists(
        TRANSFERS.filter(
            kind=Transfer.Kind.INVOICE, invoice=OuterRef("invoice"), booked_at=OuterRef("at"),
            pk__gt=OuterRef("granted_as"),
        )
    ),
    kind=Kind.APPLIED,
)  # fmt: skip
told = Payment.objects.filter(status=PaymentStatus.SUCCEEDED).annotate(
    told_id=Subquery(successes.annotate(told=KT("detail__gateway_id")).filter(told__isnull=False).values("told")[:1]),
    told_reference=Subquery(
        successes.annotate(told=KT("detail__bank_reference")).filter(told__isnull=False).values("told")[:1]
    ),
    bank_reference_or_none=NullIf("bank_reference", Value("")),
)
last_end = PeriodClosing.objects.filter(profile=OuterRef("pk")).order_by("-end_on").values("end_on")[:1]
closed_profiles = BillingProfile.objects.annotate(end=Subquery(last_end)).filter(end__isnull=False)

# A sentence about a wrong row, with its columns in braces, and the rows that are wrong.
CHECKS: dict[str, QuerySet[Any]] = {
    # Paid on an invoice = what succeeded payments allocated to it, less what went back of that, and what was paid
    # before the import.
    "Invoice {number}: paid is {paid_minor}, its payments come to {paid}.": paid.exclude(
        paid_minor=F("paid") + F("paid_before_minor")
    ),
    "Invoice {number}: refunded is {refunded_minor}, its refunds come to {back}.": paid.exclude(
        refunded_minor=F("back")
    ),
    # What an invoice owes, and what is left of a credit = the balance of its transfers.
    "Invoice {number}: {left} of {total_minor} is left to pay, in the ledger {owed} of {billed}.": owed.exclude(
        status=InvoiceStatus.DRAFT
    ).exclude(left=F("owed"), total_minor=F("billed")),
    "Invoice {number}: {written_off_minor} of it is written off, in the ledger {lost}.": owed.exclude(
        written_off_minor=F("lost")
    ),
    # What was handed out of days that had ended is what the ledger says of them now.
    "Statement of {profile__code} from {first_on} to {last_on}: it began with {opening_minor} and ended with"
    " {closing_minor}, in the ledger {before} and {until}.": KeptStatement.objects.annotate(
        before=owed_by_profile(booked_on__lt=OuterRef("first_on")),
        until=owed_by_profile(booked_on__lte=OuterRef("last_on")),
    ).exclude(opening_minor=F("before"), closing_minor=F("until")),
    "Credit {pk}: {remaining_minor} is left, in the ledger {kept}.": kept.exclude(remaining_minor=F("kept")),
    "Transfer {key}: invoice {invoice__number} is of another profile or currency.": TRANSFERS.filter(
        Q(invoice__isnull=False),
        ~Q(invoice__currency=F("currency")) | ~Q(invoice__profile=F("profile")),
    ),
    "Transfer {key}: credit {lot} is of another profile or currency.": TRANSFERS.filter(
        Q(lot__isnull=False), ~Q(lot__currency=F("currency")) | ~Q(lot__profile=F("profile"))
    ),
    # The sums of an issued invoice = the sums of its lines.
    "Invoice {number}: charges are {charges_minor} and tax {tax_minor}, on its lines {charges}, in its table of taxes"
    " {taxable} and {tax}.": issued.exclude(charges_minor=F("charges"), taxable=F("charges"), tax_minor=F("tax")),
    # What was taken = what was allocated, to invoices and to credits.
    "Payment {reference}: amount is {amount_minor}, its allocations come to {parts}.": Payment.objects.annotate(
        parts=subquery_sum(ALLOCATIONS, "payment", "amount_minor")
    ).exclude(amount_minor=F("parts")),
    "Payment {payment__reference}: invoice {invoice__number} is of another profile or currency.": ALLOCATIONS.filter(
        foreign("payment")
    ),
    # The state of a payment = the state after its last event. Every payment has a history.
    "Payment {reference}: status is {status}, its history ends with {last}.": Payment.objects.annotate(
        last=Coalesce(Subquery(last_events[:1]), Value("nothing"))
    ).exclude(status=F("last")),
    # Refunded of a payment = its refunds that did not fail, as far as they found something, and what disputes took =
    # what those took off its allocations.
    "Payment {reference}: refunded is {refunded_minor}, its refunds come to {back} and its disputes to {taken},"
    " taken off its allocations {parts}.": refunded.exclude(
        refunded_minor=F("back") + F("taken"), parts=F("back") + F("taken")
    ),
    "Refund {pk}: amount is {amount_minor} and missing {missing_minor},"
    " its parts come to {parts}.": Refund.objects.annotate(
        parts=subquery_sum(RefundAllocation.objects.all(), "refund", "amount_minor")
    ).exclude(amount_minor=F("parts") + F("missing_minor")),
    # Taken back by banks of a payment = what its disputes took = their parts; the same of each invoice.
    "Dispute {gateway_id}: taken is {taken_minor}, its parts come to {parts}.": Dispute.objects.annotate(
        parts=subquery_sum(TAKEN_PARTS, "dispute", "amount_minor")
    ).exclude(taken_minor=F("parts")),
    "Payment {reference}: taken back is {charged_back_minor}, its disputes come to {taken}.": refunded.exclude(
        charged_back_minor=F("taken")
    ),
    "Invoice {number}: taken back is {charged_back_minor}, its disputes come to {taken}.": Invoice.objects.annotate(
        taken=subquery_sum(TAKEN_PARTS, "allocation__invoice", "amount_minor")
    ).exclude(charged_back_minor=F("taken")),
    # A payment and its invoices note a dispute exactly while one is open, since it was opened.
    "Payment {reference}: its note of a dispute does not agree with its disputes.": disputed_payments.filter(
        differ("disputed_at", "since")
    ),
    "Invoice {number}: its note of a dispute does not agree"
    " with the disputes of its payments.": disputed_invoices.filter(differ("disputed_at", "since")),
    # What is left of a lot = the sum of its entries; what it began with = what its first entry granted.
    "Credit {pk}: amount {amount_minor}, left {remaining_minor};"
    " its entries granted {granted} and come to {sum}.": lots.exclude(
        amount_minor=F("granted"), remaining_minor=F("sum")
    ),
    # A lot of money = the payment that made it, less what was paid back of that; a lot of a note = that note's rest.
    "Credit {pk}: amount {amount_minor}, paid in {made}, from a credit note {noted}; paid back {back}, taken off it"
    " {moved}.": lots.exclude(has_right_source & Q(back=F("moved"))),
    # Credited on an invoice = what lots gave to it and did not get back + what credit notes took off it.
    "Invoice {number}: credited is {credited_minor}, of which {credited_at_issue_minor} at issue; credits gave"
    " {used} and credit notes {noted}, written off is {written_off_minor}.": credited.exclude(
        credited_minor=F("noted") + F("used") + F("written_off_minor"), credited_at_issue_minor__range=(0, F("applied"))
    ),
    "Invoice {number}: {given} went back to credits, its credit notes say {by_notes}.": credited.filter(
        credit_notes__isnull=False
    ).exclude(given=F("by_notes")),
    "Credit {credit}: invoice {invoice__number} is of another profile or currency.": ENTRIES.filter(foreign("credit")),
    # A credit note = its lines; notes take back no more of a line than it had; the invoice that a note voids is void.
    "Credit note {number}: total is {total_minor}, on its lines {charges}, in its table of taxes {taxable} and"
    " {tax}.": notes.exclude(charges_minor=F("charges"), taxable=F("charges"), tax_minor=F("tax")),
    "Invoice {invoice__number}: credit notes take back more tax at {category} {rate} than it had.": noted_taxes.exclude(
        within_tax
    ),
    "Invoice {invoice__number}: credit notes take back more of “{description}” than it had.": noted_lines.exclude(
        within_line
    ),
    "Credit note {number}: it voids invoice {invoice__number}, which is not void.": NOTES.filter(
        voids_invoice=True
    ).exclude(invoice__status=InvoiceStatus.VOID),
    # An allocation is open exactly while its payment is; an open invoice notes a payment exactly while one is open. A
    # mismatch found after the attempt had ended is open without holding its invoice, which may be paid meanwhile.
    "Payment {payment__reference}: it is {payment__status}, but an allocation says otherwise.": ALLOCATIONS.exclude(
        Q(is_open=True, payment__status__in=OPEN)
        | Q(~Q(payment__status__in=OPEN), is_open=False)
        | Q(payment__status=PaymentStatus.MISMATCH, is_open=False)
    ),
    "Invoice {number}: its note of a payment in progress does not agree with its payments.": Invoice.objects.filter(
        status=InvoiceStatus.OPEN
    )
    .annotate(being_paid=being_paid)
    .exclude(Q(payment_started_at=None, being_paid=False) | Q(payment_started_at__isnull=False, being_paid=True)),
    # Only an invoice that closed a period has charges. Profile and period of the three are the same.
    "Invoice {invoice__number}: charge {pk} is on it, but it closed no period.": CHARGES.filter(
        invoice__isnull=False, invoice__closing=None
    ),
    "Invoice {invoice__number}: charge {pk} is of another billing profile.": CHARGES.filter(
        invoice__isnull=False
    ).exclude(invoice__profile=F("profile")),
    "Invoice {invoice__number}: it closed a period of another billing profile, or another period.": CLOSINGS.filter(
        invoice__isnull=False
    ).exclude(invoice__profile=F("profile"), invoice__period_start_on=F("start_on")),
    # Each period of a profile begins where another ended, but for its first; the last ends where the profile says.
    "Billing profile {profile__code}: nothing was closed up to {start_on}.": CLOSINGS.filter(
        Exists(CLOSED.filter(start_on__lt=OuterRef("start_on"))),
        ~Exists(CLOSED.filter(end_on=OuterRef("start_on"))),
    ),
    "Billing profile {code}: closed up to {end}, but invoiced up to {billed_until_on}.": closed_profiles.exclude(
        end=F("billed_until_on")
    ),
    # Each movement of a credit, and each note, has its own transfer, by key.
    "Credit {credit}: entry {pk}, {kind}, is not booked.": own_entries.filter(
        ~Exists(booked("credit_entry").filter(lot=OuterRef("credit")))
    ),
    "Credit note {number}: it is not booked.": NOTES.exclude(charges_minor=0).filter(
        ~Exists(
            TRANSFERS.filter(
                key=Concat(Value("credit_note:"), OuterRef("number"), Value("/revenue")), invoice=OuterRef("invoice")
            )
        )
    ),
    # An invoice is void by a credit note, for the same reason and at the same time, and by nothing else.
    "Invoice {number}: it is void, but no credit note voids it for that reason then.": Invoice.objects.filter(
        ~Exists(
            NOTES.filter(
                invoice=OuterRef("pk"),
                voids_invoice=True,
                reason=OuterRef("void_reason"),
                created_at=OuterRef("voided_at"),
            )
        ),
        status=InvoiceStatus.VOID,
    ).exclude(void_reason__contains=ERASED),
    "Invoice {number}: it is {status}, but was voided at {voided_at}.": Invoice.objects.exclude(
        status=InvoiceStatus.VOID
    ).exclude(voided_at=None, void_reason=""),
    # It was paid when something was booked that lowered it.
    "Invoice {number}: it was paid at {paid_at}, when nothing was booked.": Invoice.objects.filter(
        ~Exists(TRANSFERS.filter(invoice=OuterRef("pk"), credit=RECEIVABLE, booked_at=OuterRef("paid_at"))),
        paid_at__isnull=False,
        paid_before_on=None,
    ),
    "Invoice {number}: it is {status}, but paid at no time.": Invoice.objects.filter(
        status=InvoiceStatus.PAID, paid_at=None, total_minor__gt=0
    ),
    # The payment in progress that an invoice notes is the one that is open.
    "Invoice {number}: its open payment did not begin at {payment_started_at}.": Invoice.objects.filter(
        ~Exists(
            ALLOCATIONS.filter(invoice=OuterRef("pk"), is_open=True, payment__started_at=OuterRef("payment_started_at"))
        ),
        payment_started_at__isnull=False,
    ),
    "Invoice {number}: its billing profile is in {profile__currency}, it is in {currency}.": Invoice.objects.exclude(
        currency=F("profile__currency")
    ),
    # What came is what the provider, or whoever recorded it, told.
    "Payment {reference}: its gateway id is {gateway_id}, its history says {told_id}.": told.filter(
        told_id__isnull=False
    ).exclude(gateway_id=F("told_id")),
    "Payment {reference}: its bank reference is {bank_reference}, its history says {told_reference}.": told.filter(
        differ("bank_reference_or_none", "told_reference")
    ),
    "Payment {reference}: its card is of another billing profile.": Payment.objects.filter(
        method__isnull=False
    ).exclude(method__profile=F("profile")),
    "Payment {reference}: it has ended, at no time.": Payment.objects.filter(finished_at=None).exclude(status__in=OPEN),
    "Refund {pk}: it has ended, at no time.": Refund.objects.filter(finished_at=None).exclude(status__in=REFUND_OPEN),
    "Dispute {gateway_id}: the history of its payment does not tell of it.": DISPUTES.filter(~Exists(dispute_events)),
    "Invoice {number}: credits paid {credited_at_issue_minor} of it at issue, by their entries {at_issue}.": (
        Invoice.objects.annotate(at_issue=-subquery_sum(applied_at_issue, "invoice", "amount_minor")).exclude(
            credited_at_issue_minor=F("at_issue")
        )
    ),
}
