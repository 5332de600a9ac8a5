"""Money of a payment that goes back, by a refund or to the payer's bank: what it is taken off, and how to undo that.

Both are claims on what is left of the payment, and the end does not depend on the order in which they are heard of.
What a claim does not find, because another one holds it or a credit was used, is with the staff and `unmatched` in the
ledger: the provider has given it and nothing here has. It is taken as soon as the other claim is undone. What staff
write off of it is a loss, until it is found after all or the claim itself is undone.

Everything here happens inside the transaction of a refund or a dispute, on a payment and invoices it has locked.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import F

from invoices.ledger import BANK, UNMATCHED, WRITE_OFF, book, transfer
from invoices.models import Credit, Invoice, Transfer
from invoices.money import Money
from invoices.operations.credits import change_credit
from invoices.operations.invoice_payments import give_back_payment, mark_payment_started, take_back_payment
from invoices.querysets import TransferQuerySet
from payments.models import Dispute, DisputeAllocation, Payment, PaymentAllocation, Refund, RefundAllocation
from payments.operations.settlement import credit_surplus
from payments.states import DisputeStatus, RefundStatus

Claim = Refund | Dispute
Part = tuple[PaymentAllocation, Money]
Kind = Transfer.Kind


def plan_reversal(payment: Payment, amount: Money) -> list[Part]:
    """What an amount would be taken off: first what became a credit and is still there, then the invoices, newest
    first. The parts come to less than the amount where less is left. The credits are locked."""
    rows = list(payment.allocations.select_related("invoice", "credit").order_by("-pk"))
    kept = _locked_credits(payment)
    left, parts = amount.minor, []
    for row in sorted(rows, key=lambda row: row.credit_id is None):
        rest = row.amount_minor - row.refunded_minor
        if row.credit_id is not None:
            row.credit = kept[row.credit_id]
            rest = min(rest, row.credit.remaining_minor)
        part = min(left, rest)
        if part > 0:
            left -= part
            parts.append((row, Money(part, payment.currency)))
    return parts


def total_of(parts: Sequence[Part], currency: str) -> Money:
    return sum((part for _allocation, part in parts), Money(0, currency))


def parts_of(claim: Claim) -> list[Part]:
    """What a refund or a lost dispute has taken."""
    taken = claim.allocations.select_related("allocation__invoice").order_by("pk")
    return [(part.allocation, Money(part.amount_minor, claim.currency)) for part in taken]


def take(payment: Payment, claim: Claim, *, at: datetime) -> None:
    """Takes what a claim asks off credits and invoices, which are due again. What is not found is missing: noted with
    the claim, and unmatched in the ledger. A claim in another currency than the payment's finds nothing at all."""
    if claim.currency == payment.currency:
        _take(payment, claim, account=_account_of(claim, payment), at=at)
        _book_missing(payment, claim, claim.missing, at=at)


def _take(payment: Payment, claim: Claim, *, account: str, at: datetime) -> None:
    parts = plan_reversal(payment, claim.missing)
    by_bank = isinstance(claim, Dispute)
    for allocation, part in parts:
        row = claim.allocations.create(allocation=allocation, amount_minor=part.minor)
        _change_allocation(allocation, part.minor)
        about: dict[str, Any] = {"account": account, "key": f"{_fact(claim)}/{row.pk}", "at": at}
        if allocation.invoice is not None:
            allocation.invoice.profile = payment.profile
            take_back_payment(allocation.invoice, part, by_bank=by_bank, reference=payment.reference, **about)
            _note_open_attempt(allocation.invoice)
        elif allocation.credit is not None:
            kind = Kind.CHARGEBACK if by_bank else Kind.REFUND
            change_credit(allocation.credit, -part, booked_as=kind, note=payment.reference, **about)
    taken = total_of(parts, payment.currency)
    found = min(max(taken - claim.unmatched, Money(0, payment.currency)), claim.written_off)
    claim.written_off_minor -= found.minor
    if isinstance(claim, Dispute):
        claim.taken_minor += taken.minor
        claim.save(update_fields=["taken_minor", "written_off_minor"])
    else:
        claim.missing_minor -= taken.minor
        claim.save(update_fields=["missing_minor", "written_off_minor"])
    _book_written_off(payment, claim, -found, at=at)
    _change_payment(payment, taken, by_bank=by_bank)


def undo(payment: Payment, claim: Claim, *, at: datetime) -> None:
    """Undoes `take` of a claim that ended: the refund failed, or the bank changed its mind, so that the money stayed
    with us or came back. What no longer fits, because an invoice was paid in another way meanwhile, becomes a credit.
    Claims that found less than they ask take what is there now. Staff are told."""
    by_bank = isinstance(claim, Dispute)
    surplus, kept = Money(0, payment.currency), _locked_credits(payment)
    kind = Kind.CHARGEBACK_UNDONE if by_bank else Kind.REFUND_FAILED
    rows: list[RefundAllocation | DisputeAllocation] = list(claim.allocations.order_by("pk"))
    # The same objects throughout: a claim that was met in two steps has two parts of one allocation.
    allocations = payment.allocations.select_related("invoice").in_bulk()
    for row in rows:
        allocation, part = allocations[row.allocation_id], Money(row.amount_minor, payment.currency)
        key = f"{_fact(claim)}/{row.pk}/undone"
        about: dict[str, Any] = {"account": _account_of(claim, payment), "key": key, "at": at}
        _change_allocation(allocation, -part.minor)
        if allocation.invoice is not None:
            left = give_back_payment(
                allocation.invoice, part, paid_with=payment.method_on_record, by_bank=by_bank,
                reference=payment.reference, **about,
            )  # fmt: skip
            if left:
                allocation.amount_minor -= left.minor
                allocation.save(update_fields=["amount_minor"])
                surplus += left
        elif allocation.credit_id is not None:
            change_credit(kept[allocation.credit_id], part, booked_as=kind, note=payment.reference, **about)
    given_back = Money(sum(row.amount_minor for row in rows), payment.currency)
    payment.needs_staff = True
    _change_payment(payment, -given_back, by_bank=by_bank)
    if surplus:
        key = f"{_fact(claim)}/{rows[0].pk}/undone/surplus"
        credit_surplus(payment, surplus, description=payment.reference, kind=kind, key=key, at=at)
    booked = _booked(payment, f"{_fact(claim)}/")
    _book_written_off(payment, claim, Money(-booked.balance(WRITE_OFF), payment.currency), at=at)
    _book_missing(payment, claim, Money(-booked.balance(UNMATCHED), payment.currency), at=at)
    claim.written_off_minor = 0
    claim.save(update_fields=["written_off_minor"])
    if isinstance(claim, Dispute):
        claim.allocations.all().delete()
    take_missing(payment, at=at)


def take_missing(payment: Payment, *, at: datetime) -> bool:
    """Takes what claims of a locked payment did not find before, as far as it is there now. Returns whether any was."""
    before = payment.refunded_minor
    lost = payment.disputes.filter(status=DisputeStatus.LOST, currency=payment.currency)
    refunds = payment.refunds.exclude(status=RefundStatus.FAILED).filter(missing_minor__gt=0)
    claims: list[Claim] = [*lost.filter(taken_minor__lt=F("amount_minor")).order_by("pk"), *refunds.order_by("pk")]
    for claim in claims:
        _take(payment, claim, account=UNMATCHED, at=at)
    return payment.refunded_minor > before


def write_off(payment: Payment, claim: Claim, *, reason: str, at: datetime) -> Money:
    """Takes what a claim of a locked payment did not find for lost. Returns how much it was."""
    amount = claim.unmatched
    claim.written_off_minor += amount.minor
    claim.save(update_fields=["written_off_minor"])
    _book_written_off(payment, claim, amount, reason=reason, at=at)
    return amount


def _book_written_off(payment: Payment, claim: Claim, amount: Money, *, reason: str = "", at: datetime) -> None:
    """Negative when it was found after all, or came back."""
    accounts = {"debit": WRITE_OFF, "credit": UNMATCHED}
    _book_numbered(payment, claim, "written_off", Kind.WRITE_OFF, amount, **accounts, reason=reason, at=at)


def _book_missing(payment: Payment, claim: Claim, amount: Money, *, at: datetime) -> None:
    """What the provider has given and nothing here has; negative when it came back."""
    if isinstance(claim, Dispute):
        kind = Kind.CHARGEBACK if amount.minor > 0 else Kind.CHARGEBACK_UNDONE
    else:
        kind = Kind.REFUND if amount.minor > 0 else Kind.REFUND_FAILED
    accounts = {"debit": UNMATCHED, "credit": _account_of(claim, payment)}
    _book_numbered(payment, claim, "missing", kind, amount, **accounts, at=at)


def _book_numbered(
    payment: Payment, claim: Claim, part: str, kind: Kind, amount: Money, *, at: datetime, debit: str, credit: str,
    reason: str = "",
) -> None:  # fmt: skip
    """Books what can happen to a claim several times."""
    key = f"{_fact(claim)}/{part}:"
    earlier = _booked(payment, key).count() if amount else 0
    book(
        transfer(
            kind, amount, debit=debit, credit=credit, key=f"{key}{earlier + 1}", profile_id=payment.profile_id,
            reference=f"{payment.reference}: {reason}" if reason else payment.reference, at=at,
        )
    )  # fmt: skip


def _booked(payment: Payment, key: str) -> TransferQuerySet:
    """The transfers of a payment whose keys begin so. By the profile's index: SQLite has none for beginnings."""
    return Transfer.objects.filter(profile=payment.profile_id, key__startswith=key)


def _account_of(claim: Claim, payment: Payment) -> str:
    """Where the money of a claim goes from: where the payment's is, unless we sent it from our bank."""
    return BANK if isinstance(claim, Refund) and claim.paid_on is not None else payment.ledger_account


def _fact(claim: Claim) -> str:
    return f"{claim._meta.model_name}:{claim.pk}"


def _locked_credits(payment: Payment) -> dict[int, Credit]:
    return {credit.pk: credit for credit in Credit.objects.filter(allocation__payment=payment).locked()}


def _change_allocation(allocation: PaymentAllocation, minor: int) -> None:
    allocation.refunded_minor += minor
    allocation.save(update_fields=["refunded_minor"])


def _change_payment(payment: Payment, amount: Money, *, by_bank: bool) -> None:
    payment.refunded_minor += amount.minor
    payment.charged_back_minor += amount.minor if by_bank else 0
    payment.save(update_fields=["refunded_minor", "charged_back_minor", "needs_staff"])


def _note_open_attempt(invoice: Invoice) -> None:
    """An attempt that was under way when the invoice was paid in another way is in progress again."""
    other = Payment.objects.filter(allocations__invoice=invoice, allocations__is_open=True).first()
    if other is not None:
        mark_payment_started(invoice, by=other.started_by, at=other.started_at)
