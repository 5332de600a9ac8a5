"""Money of a payment that goes back, by a refund or to the payer's bank: what it is taken off, and how to undo that.
Everything here happens inside the transaction of a refund or a dispute, on a payment and invoices it has locked."""

from collections.abc import Sequence
from datetime import datetime

from invoices.models import Credit, Invoice
from invoices.money import Money
from invoices.operations.credits import change_credit
from invoices.operations.invoice_payments import give_back_payment, mark_payment_started, take_back_payment
from payments.models import Dispute, Payment, PaymentAllocation, Refund
from payments.operations.settlement import credit_surplus

Part = tuple[PaymentAllocation, Money]


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


def parts_of(row: Refund | Dispute) -> list[Part]:
    taken = row.allocations.select_related("allocation__invoice").order_by("pk")
    return [(part.allocation, Money(part.amount_minor, row.currency)) for part in taken]


def reverse_payment(payment: Payment, parts: Sequence[Part], *, by_bank: bool, at: datetime) -> None:
    """Takes the parts off credits and invoices, which are due again. ``by_bank``: they went to the payer's bank."""
    for allocation, part in parts:
        _change_allocation(allocation, part.minor)
        if allocation.invoice is not None:
            allocation.invoice.profile = payment.profile
            take_back_payment(allocation.invoice, part, at=at, by_bank=by_bank)
            _note_open_attempt(allocation.invoice)
        elif allocation.credit is not None:
            change_credit(allocation.credit, -part, at=at, note=payment.reference)
    _change_payment(payment, total_of(parts, payment.currency), by_bank=by_bank)


def restore_payment(payment: Payment, parts: Sequence[Part], *, by_bank: bool, at: datetime) -> None:
    """Undoes `reverse_payment`: the money stayed with us, or came back. What no longer fits, because an invoice was
    paid in another way meanwhile, becomes a credit. Staff are told."""
    surplus, kept = Money(0, payment.currency), _locked_credits(payment)
    for allocation, part in parts:
        _change_allocation(allocation, -part.minor)
        if allocation.invoice is not None:
            paid_with = payment.method_on_record
            left = give_back_payment(allocation.invoice, part, at=at, paid_with=paid_with, by_bank=by_bank)
            if left:
                allocation.amount_minor -= left.minor
                allocation.save(update_fields=["amount_minor"])
                surplus += left
        elif allocation.credit_id is not None:
            change_credit(kept[allocation.credit_id], part, at=at, note=payment.reference)
    payment.needs_staff = True
    _change_payment(payment, -total_of(parts, payment.currency), by_bank=by_bank)
    if surplus:
        credit_surplus(payment, surplus, description=payment.reference, at=at)


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
