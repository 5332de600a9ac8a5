"""Proofs of the books that compare sums of several tables: the balances of accounts, facts without their transfers."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import batched
from typing import Any

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Concat

from accounts.models import AuditEntry, WireRequest
from invoices.ledger import BANK, FEES, UNMATCHED, WRITE_OFF
from invoices.models import CreditNoteLine, CreditNoteTax, Invoice, InvoiceTax, Transfer
from invoices.operations.closing import differing_lines
from invoices.operations.issuing import stored_taxes
from invoices.tax import Tax
from payments.models import (
    Dispute,
    DisputeAllocation,
    Payment,
    PaymentAllocation,
    Payout,
    Refund,
    RefundAllocation,
)
from payments.operations.payouts import transfers_of
from payments.states import DisputeStatus, PaymentStatus, RefundStatus

AT_ONCE = 500
# Accounts besides those at providers that are proven as a whole.
OTHERS = (BANK, FEES, UNMATCHED, WRITE_OFF)
TRANSFERS, DISPUTES = Transfer.objects.all(), Dispute.objects.all()


def wrong_balances() -> Iterator[str]:
    """Each account at a provider or our bank holds what payments brought and refunds and disputes took; what these took
    and found nowhere is unmatched, or written off, as small rests of invoices are."""
    expected: Counter[tuple[str, str]] = Counter()
    took = Case(When(channel=Payment.Channel.CARD, then=Concat(Value("clearing:"), F("gateway"))), default=Value(BANK))
    paid_in = Payment.objects.filter(status=PaymentStatus.SUCCEEDED).annotate(account=took).order_by()
    for account, currency, minor in paid_in.values_list("account", "currency").annotate(Sum("amount_minor")):
        expected[account, currency] += minor
    refunds = Refund.objects.exclude(status=RefundStatus.FAILED).annotate(unfound=F("missing_minor"))
    lost = DISPUTES.filter(status=DisputeStatus.LOST).annotate(unfound=F("amount_minor") - F("taken_minor"))
    by_gateway = When(payment__channel=Payment.Channel.CARD, then=Concat(Value("clearing:"), F("payment__gateway")))
    lost = lost.filter(currency=F("payment__currency")).annotate(account=Case(by_gateway, default=Value(BANK)))
    sent_by_us = When(paid_on__isnull=False, then=Value(BANK))
    refunds = refunds.annotate(account=Case(sent_by_us, by_gateway, default=Value(BANK)))
    for claims in (refunds, lost):
        rows = claims.order_by().values_list("account", "currency")
        parts = rows.annotate(Sum("amount_minor"), Sum("unfound"), Sum("written_off_minor"))
        for account, currency, minor, unfound, written_off in parts:
            expected[account, currency] -= minor
            expected[UNMATCHED, currency] += unfound - written_off
            expected[WRITE_OFF, currency] += written_off
    payouts = Payout.objects.order_by().annotate(sign=Case(When(reverses=None, then=1), default=-1))
    paid_out = payouts.values_list("gateway", "currency", "sign").annotate(Sum("amount_minor"), Sum("fees_minor"))
    for gateway, currency, sign, minor, fees in paid_out:
        expected[BANK, currency] += sign * minor
        expected[FEES, currency] += sign * fees
        expected[f"clearing:{gateway}", currency] -= sign * (minor + fees)
    rests = Invoice.objects.filter(written_off_minor__gt=0).order_by().values_list("currency")
    for currency, minor in rests.annotate(Sum("written_off_minor")):
        expected[WRITE_OFF, currency] += minor
    booked: Counter[tuple[str, str]] = Counter()
    moved = TRANSFERS.exclude(kind__startswith="credit_")  # prepayments, which no payment here brought
    for column, sign in (("debit", 1), ("credit", -1)):
        of_money = Q(**{f"{column}__startswith": "clearing:"}) | Q(**{f"{column}__in": OTHERS})
        sums = moved.filter(of_money).order_by().values_list(column, "currency").annotate(Sum("amount_minor"))
        for account, currency, minor in sums:
            booked[account, currency] += sign * minor
    for account, currency in sorted(expected.keys() | booked.keys()):
        if expected[account, currency] != booked[account, currency]:
            yield (
                f"Account {account} in {currency}: the ledger has {booked[account, currency]}, its payments, refunds,"
                f" disputes, payouts and rests come to {expected[account, currency]}."
            )


def unbooked_payments(allocations: QuerySet[PaymentAllocation]) -> Iterator[str]:
    """What a payment brought for an invoice was booked under its own key and reference."""
    taken = allocations.filter(
        payment__status=PaymentStatus.SUCCEEDED, invoice__isnull=False, amount_minor__gt=0
    ).order_by()
    for some in batched(taken.values_list("payment_id", "invoice", "payment__reference").iterator(), AT_ONCE):
        facts = {f"payment:{payment}/{invoice}": (invoice, reference) for payment, invoice, reference in some}
        booked = TRANSFERS.filter(key__in=facts).values_list("key", "invoice", "reference")
        for _key, (_invoice, reference) in facts.items() - {(key, tuple(fact)) for key, *fact in booked}:
            yield f"Payment {reference}: a part of it is not booked."


def unbooked_refunds(parts: QuerySet[RefundAllocation]) -> Iterator[str]:
    return _unbooked("refund", parts)


def unbooked_disputes(parts: QuerySet[DisputeAllocation]) -> Iterator[str]:
    return _unbooked("dispute", parts)


def unbooked_payouts(payouts: QuerySet[Payout]) -> Iterator[str]:
    """Each payout has its own transfers, and no other."""
    for some in batched(payouts.order_by().iterator(), AT_ONCE):
        wanted = {
            (row.key, row.debit, row.credit, row.amount_minor, row.currency): payout
            for payout in some
            for row in transfers_of(payout)
        }
        rows = TRANSFERS.filter(key__in=[key for key, *_columns in wanted])
        booked = set(rows.values_list("key", "debit", "credit", "amount_minor", "currency"))
        for payout in dict.fromkeys(payout for columns, payout in wanted.items() if columns not in booked):
            yield f"Payout {payout}: it is not booked as it was recorded."


def foreign_payouts(transfers: QuerySet[Transfer]) -> Iterator[str]:
    """Nothing is booked as paid out that is no payout."""
    for some in batched(transfers.filter(profile=None).order_by().values_list("pk", "key").iterator(), AT_ONCE):
        found = Payout.objects.filter(pk__in=[_payout_of(key) for _pk, key in some])
        keys = {row.key for payout in found for row in transfers_of(payout)}
        for _pk, key in some:
            if key not in keys:
                yield f"Transfer {key}: there is no such payout."


def _payout_of(key: str) -> int:
    pk = key.removeprefix("payout:").partition("/")[0]
    return int(pk) if pk.isdecimal() else 0


def _unbooked(name: str, parts: QuerySet[Any]) -> Iterator[str]:
    """What a refund or a lost dispute took of an invoice or a credit was booked, part by part."""
    rows = parts.order_by().values_list("pk", f"{name}_id", "amount_minor", "allocation__invoice", "allocation__credit")
    for some in batched(rows.iterator(), AT_ONCE):
        facts = {f"{name}:{claim}/{pk}": tuple(part) for pk, claim, *part in some}
        booked = TRANSFERS.filter(key__in=facts).values_list("key", "amount_minor", "invoice", "lot")
        for key, _part in facts.items() - {(key, tuple(part)) for key, *part in booked}:
            yield f"Part {key} of a {name}: it is not booked."


def wrong_lines(invoices: QuerySet[Invoice]) -> Iterator[str]:
    """The lines of an invoice that closed a period are its charges, added up."""
    closed = invoices.filter(closing__isnull=False).order_by("pk").values_list("pk", "currency", "number")
    for some in batched(closed.iterator(), AT_ONCE):
        numbers = {pk: number for pk, _currency, number in some}
        for pk in differing_lines((currency, pk) for pk, currency, _number in some):
            yield f"Invoice {numbers[pk]}: its lines are not what its charges come to."


def wrong_taxes(invoices: QuerySet[Invoice]) -> Iterator[str]:
    """The table of taxes of an issued invoice is computed from its lines, by category and rate; a draft has none."""
    with_taxes = Exists(InvoiceTax.objects.filter(invoice=OuterRef("pk")))
    for pk in invoices.filter(with_taxes, number=None).values_list("pk", flat=True):
        yield f"Draft {pk}: it has a table of taxes."
    issued = invoices.filter(number__isnull=False).order_by("pk").values_list("pk", "number")
    for some in batched(issued.iterator(), AT_ONCE):
        ids = [pk for pk, _number in some]
        kept: dict[int, list[Tax]] = defaultdict(list)
        for row in InvoiceTax.objects.filter(invoice__in=ids).order_by("pk"):
            kept[row.invoice_id].append(row.as_tax)
        right = stored_taxes(ids)
        for pk, number in some:
            if {tax[:4] for tax in kept[pk]} != {tax[:4] for tax in right.get(pk, [])}:
                yield f"Invoice {number}: its table of taxes is not what its lines come to."


def wrong_note_taxes(taxes: QuerySet[CreditNoteTax]) -> Iterator[str]:
    """The table of taxes of a credit note is on its lines: of each category and rate that it has, and of no other."""
    lines = CreditNoteLine.objects.filter(
        note=OuterRef("note"), line__tax_category=OuterRef("category"), line__tax_rate=OuterRef("rate")
    )
    nets = lines.order_by().values("note").annotate(sum=Sum("amount_minor")).values("sum")
    rows = taxes.annotate(net=Subquery(nets))
    wrong = rows.filter(~Q(taxable_minor=Coalesce("net", 0)) | Q(net=None, tax_minor=0))
    columns = ("note__number", "category", "rate", "taxable_minor", "net")
    for number, category, rate, taxable, net in wrong.values_list(*columns):
        yield f"Credit note {number}: its tax at {category} {rate} is on {taxable}, its lines come to {net or 0}."


def wrong_decisions() -> Iterator[str]:
    """Each request to pay by check or wire, and each decision about one, is in the audit trail."""
    rows = WireRequest.objects.order_by().values_list("profile", "status")
    decided = Counter((profile, f"wire.{status}") for profile, status in rows if status != WireRequest.Status.OPEN)
    decided.update((profile, "wire.requested") for profile, _status in rows)
    actions = ["wire.requested", *(f"wire.{status}" for status in WireRequest.Status.values)]
    entries = AuditEntry.objects.filter(action__in=actions).order_by()
    recorded = Counter(entries.values_list("profile", "action"))
    for profile, action in sorted(decided.keys() | recorded.keys()):
        one, other = decided[profile, action], recorded[profile, action]
        if one != other:
            yield f"Billing profile {profile}: {one} requests are {action}, the audit trail has {other}."
