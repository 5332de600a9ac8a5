"""Disputes: a payer's bank asks money back, and decides. We only hear of it, so nothing here moves money; it books.

While a dispute is open, the money stays booked, the payment and its invoices say that it is disputed, and nothing of it
is refunded. A lost dispute takes the money off credits and invoices as a refund does, as far as something is left of
it; staff are told of the rest. A bank that thinks again gives it back.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Min

from accounts.access import system_access
from invoices.models import Invoice
from invoices.operations.invoice_payments import mark_disputed
from payments.gateways import base
from payments.models import Dispute, Payment, PaymentAllocation, PaymentEvent
from payments.operations import notifications
from payments.operations.gateway_calls import DAY, fetch_dispute
from payments.operations.reversals import take, undo
from payments.operations.settlement import invoices_of, lock, record_audit, record_event
from payments.states import DISPUTE_MOVES, DisputeStatus


@transaction.atomic(durable=True)
def book_dispute(*, payment_id: UUID, facts: base.Dispute, source: PaymentEvent.Source, at: datetime) -> Dispute:
    """Records how a dispute of a payment that succeeded stands. Returns it. Safe to call any number of times and in any
    order: only moves of DISPUTE_MOVES, and news of an open dispute (amount, date for the evidence), change anything."""
    return book_on_locked(lock(payment_id), facts, source=source, at=at)


def book_on_locked(
    rows: list[PaymentAllocation], facts: base.Dispute, *, source: PaymentEvent.Source, at: datetime
) -> Dispute:
    """The same inside the transaction that holds the lock of the payment."""
    payment = rows[0].payment
    row = Dispute.objects.filter(gateway=payment.gateway, gateway_id=facts.id, payment=payment).first()
    new = DisputeStatus(facts.status)
    if row is None:
        row = Dispute(payment=payment, gateway=payment.gateway, gateway_id=facts.id, opened_at=at)
        old = None
    else:
        row.payment, old = payment, DisputeStatus(row.status)
        if new not in DISPUTE_MOVES[old] and not new == old == DisputeStatus.OPEN:
            return row
    _copy_facts(row, facts, new, at)
    row.save()
    if old == new:
        return row
    if new == DisputeStatus.LOST:
        take(payment, row, at=at)
    elif old == DisputeStatus.LOST:
        undo(payment, row, at=at)
    invoices = invoices_of(rows)
    _mark(payment, invoices)
    _record(row, invoices, source=source, at=at)
    return row


def _copy_facts(row: Dispute, facts: base.Dispute, new: DisputeStatus, at: datetime) -> None:
    row.status = new
    row.amount_minor, row.currency = facts.amount.minor, facts.amount.currency
    row.reason = "".join(filter(str.isprintable, facts.reason))[:80]
    row.evidence_due_at = facts.evidence_due_at
    is_open = new == DisputeStatus.OPEN
    row.closed_at = None if is_open else at
    row.next_lookup_at = at + DAY if is_open else None
    row.taken_minor = row.written_off_minor = 0


def _mark(payment: Payment, invoices: list[Invoice]) -> None:
    """Notes on the payment and its invoices since when they are disputed; an invoice may have several payments."""
    still_open = Dispute.objects.filter(status=DisputeStatus.OPEN)
    payment.disputed_at = still_open.filter(payment=payment).aggregate(since=Min("opened_at"))["since"]
    payment.save(update_fields=["disputed_at"])
    for invoice in invoices:
        since = still_open.filter(payment__allocations__invoice=invoice).aggregate(since=Min("opened_at"))["since"]
        mark_disputed(invoice, since=since)


def _record(row: Dispute, invoices: list[Invoice], *, source: PaymentEvent.Source, at: datetime) -> None:
    """History, audit and mail; and the staff queue, which a dispute that was closed without loss leaves."""
    payment, status = row.payment, DisputeStatus(row.status)
    row.needs_staff = status != DisputeStatus.WON
    row.save(update_fields=["needs_staff"])
    detail: dict[str, Any] = {"amount_minor": row.amount_minor, "currency": row.currency, "gateway_id": row.gateway_id}
    if status == DisputeStatus.LOST:
        detail["taken_minor"] = row.taken_minor
    record_event(payment, old=payment.status, result=f"dispute_{status}", source=source, at=at, detail=detail)
    record_audit(f"dispute.{status}", payment, system_access(), at, reason=row.reason, **detail)
    if status == DisputeStatus.OPEN:
        notifications.notify_staff_of_dispute(row, invoices, at=at)
    elif status == DisputeStatus.LOST:
        notifications.notify_lost_dispute(row, invoices, at=at)


def sync_dispute(*, dispute_id: int, source: PaymentEvent.Source, at: datetime) -> Dispute:
    """Asks the gateway how a dispute stands and books it. Returns it; one that the gateway does not know any more is
    for staff. Raises Dispute.DoesNotExist, UnknownGateway, NoAnswer."""
    row = Dispute.objects.select_related("payment").get(pk=dispute_id)
    facts = fetch_dispute(row.payment, row.gateway_id)
    if facts is not None:
        return book_dispute(payment_id=row.payment_id, facts=facts, source=source, at=at)
    next_lookup_at = at + DAY if row.status == DisputeStatus.OPEN else None
    Dispute.objects.filter(pk=row.pk, status=row.status).update(needs_staff=True, next_lookup_at=next_lookup_at)
    row.refresh_from_db(fields=["status", "needs_staff"])
    return row
