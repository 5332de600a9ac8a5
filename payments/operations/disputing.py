"""Disputes: a payer's bank asks money back, and decides. We only hear of it, so nothing here moves money; it books.

While a dispute is open, the money stays booked, the payment and each of its invoices say that it is disputed, and we
pay nothing of it back ourselves. A lost dispute takes the money off credits and invoices as a refund does, as far as
something is left of it; staff are told of the rest. A bank that thinks again gives it back.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Min
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, require_staff, system_access
from invoices.models import Invoice
from invoices.money import Money
from invoices.operations.invoice_payments import mark_disputed
from payments.gateways import base
from payments.models import Dispute, DisputeAllocation, Payment, PaymentAllocation, PaymentEvent
from payments.operations import mails
from payments.operations.asking import ask_about_dispute
from payments.operations.recording import CannotRecord
from payments.operations.schedule import DAY
from payments.operations.settling import lock, record_event
from payments.operations.taking_back import Part, parts_of, put_back, take_back, total_of
from payments.states import DISPUTE_MOVES, DisputeStatus


@transaction.atomic(durable=True)
def book_dispute(*, payment_id: UUID, told: base.Dispute, source: PaymentEvent.Source, at: datetime) -> Dispute:
    """Records how a dispute of a payment that succeeded stands. Returns it.

    Safe to call any number of times and in any order: only a move that DISPUTE_MOVES allows changes anything, and
    what is told of an open dispute again (the amount, the date for the evidence) is noted.
    """
    return book_on_locked(lock(payment_id), told, source=source, at=at)


def book_on_locked(
    rows: list[PaymentAllocation], told: base.Dispute, *, source: PaymentEvent.Source, at: datetime
) -> Dispute:
    """The same inside the transaction that holds the lock of the payment."""
    payment = rows[0].payment
    row = Dispute.objects.filter(gateway=payment.gateway, gateway_id=told.id, payment=payment).first()
    new = DisputeStatus(told.status)
    if row is None:
        row = Dispute(payment=payment, gateway=payment.gateway, gateway_id=told.id, opened_at=at)
        old = None
    else:
        row.payment, old = payment, DisputeStatus(row.status)
        if new not in DISPUTE_MOVES[old] and not new == old == DisputeStatus.OPEN:
            return row
    _take_over(row, told, new, at)
    row.save()
    if old == new:
        return row
    if new == DisputeStatus.LOST:
        _take(row, at)
    elif old == DisputeStatus.LOST:
        _give_back(row, at)
    invoices = [part.invoice for part in rows if part.invoice is not None]
    _mark(payment, invoices)
    _tell(row, invoices, source=source, at=at)
    return row


def _take_over(row: Dispute, told: base.Dispute, new: DisputeStatus, at: datetime) -> None:
    """Copies what the gateway said onto the dispute."""
    row.status = new
    row.amount_minor, row.currency = told.amount.minor, told.amount.currency
    row.reason = "".join(filter(str.isprintable, told.reason))[:80]
    row.evidence_due_at = told.evidence_due_at
    is_open = new == DisputeStatus.OPEN
    row.closed_at = None if is_open else at
    row.next_lookup_at = at + DAY if is_open else None
    row.taken_minor = 0


def _take(row: Dispute, at: datetime) -> None:
    """Takes what the bank took, as far as it is still there. A claim in another currency is for staff altogether."""
    payment = row.payment
    parts: list[Part] = []
    if row.currency == payment.currency:
        parts = parts_of(payment, row.amount)
    DisputeAllocation.objects.bulk_create(
        DisputeAllocation(dispute=row, allocation=allocation, amount_minor=part.minor) for allocation, part in parts
    )
    take_back(payment, parts, by_bank=True, at=at)
    row.taken_minor = total_of(parts, payment.currency).minor
    row.save(update_fields=["taken_minor"])


def _give_back(row: Dispute, at: datetime) -> None:
    """Undoes `_take`: the bank thought again."""
    taken = row.allocations.select_related("allocation__invoice").order_by("pk")
    parts = [(part.allocation, Money(part.amount_minor, row.currency)) for part in taken]
    taken.delete()
    put_back(row.payment, parts, by_bank=True, at=at)


def _mark(payment: Payment, invoices: list[Invoice]) -> None:
    """Notes on the payment and on its invoices since when they are disputed, if they are. An invoice may have been
    paid by several payments that are."""
    still_open = Dispute.objects.filter(status=DisputeStatus.OPEN)
    payment.disputed_at = still_open.filter(payment=payment).aggregate(since=Min("opened_at"))["since"]
    payment.save(update_fields=["disputed_at"])
    for invoice in invoices:
        since = still_open.filter(payment__allocations__invoice=invoice).aggregate(since=Min("opened_at"))["since"]
        mark_disputed(invoice, since=since)


def _tell(row: Dispute, invoices: list[Invoice], *, source: PaymentEvent.Source, at: datetime) -> None:
    """History, audit and mail; and the staff queue, which a dispute that was closed without loss leaves."""
    payment, status = row.payment, DisputeStatus(row.status)
    row.needs_staff = status != DisputeStatus.WON
    row.save(update_fields=["needs_staff"])
    detail: dict[str, Any] = {"amount_minor": row.amount_minor, "currency": row.currency, "gateway_id": row.gateway_id}
    if status == DisputeStatus.LOST:
        detail["taken_minor"] = row.taken_minor
    record_event(payment, old=payment.status, result=f"dispute_{status}", source=source, at=at, detail=detail)
    audit.record(
        access=system_access(),
        at=at,
        action=f"dispute.{status}",
        subject=payment.reference,
        profile=payment.profile,
        reason=row.reason,
        **detail,
    )
    if status == DisputeStatus.OPEN:
        mails.tell_staff_of_dispute(row, invoices, at=at)
    elif status == DisputeStatus.LOST:
        mails.tell_of_lost_dispute(row, invoices, at=at)


def look_up_dispute(*, dispute_id: int, source: PaymentEvent.Source, at: datetime) -> Dispute:
    """Asks the gateway how a dispute stands and books it. Returns it.

    One that the gateway does not know any more is for staff. Raises Dispute.DoesNotExist, UnknownGateway, NoAnswer.
    """
    row = Dispute.objects.select_related("payment").get(pk=dispute_id)
    told = ask_about_dispute(row.payment, row.gateway_id)
    if told is not None:
        return book_dispute(payment_id=row.payment_id, told=told, source=source, at=at)
    next_look = at + DAY if row.status == DisputeStatus.OPEN else None
    Dispute.objects.filter(pk=row.pk, status=row.status).update(needs_staff=True, next_lookup_at=next_look)
    row.refresh_from_db(fields=["status", "needs_staff"])
    return row


@transaction.atomic
def mark_dispute_handled(*, access: Access, dispute_id: int, note: str, at: datetime) -> Dispute:
    """Takes a dispute out of the staff queue, with a note of what was done about it. When the bank decides against us
    it comes back into the queue. Raises NotAllowed, Dispute.DoesNotExist, CannotRecord."""
    require_staff(access)
    payment_id = Dispute.objects.values_list("payment_id", flat=True).get(pk=dispute_id)
    payment = lock(payment_id)[0].payment
    row = Dispute.objects.get(pk=dispute_id)
    if not note.strip():
        raise CannotRecord(_("Say what was done, for whoever reads this later."))
    if not row.needs_staff:
        raise CannotRecord(_("This dispute is not in the staff queue."))
    row.needs_staff = False
    row.save(update_fields=["needs_staff"])
    audit.record(
        access=access, at=at, action="dispute.handled", subject=payment.reference, profile=payment.profile,
        gateway_id=row.gateway_id, note=note.strip(),
    )  # fmt: skip
    return row
