"""Money that did not come through a gateway, and money that came but not as asked. Both are for staff."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, require_staff
from invoices.models import Invoice
from invoices.money import Money
from invoices.states import InvoiceStatus
from payments.gateways.base import Outcome, Result
from payments.models import Payment, PaymentAllocation, PaymentEvent
from payments.operations import mails
from payments.operations.settling import book_money, close, lock, record_event, settle
from payments.states import PaymentStatus


class CannotRecord(Exception):
    """Nothing was recorded. The message may be shown to staff."""


def record_payment(
    *,
    access: Access,
    invoice_id: int,
    amount: Money,
    channel: str,
    bank_reference: str,
    received_on: date,
    attempt_key: UUID,
    at: datetime,
) -> Payment:
    """Records a check or wire that arrived for an invoice.

    Less than what is due leaves the rest due; more becomes a credit of the profile, as does money for an invoice that
    is paid or void. Returns the payment; sending the same form twice returns the same one. A form that was sent before
    and comes back with other facts in it is refused, or that money would be lost. Raises NotAllowed,
    Invoice.DoesNotExist, CannotRecord.
    """
    try:
        return _record(
            access=access,
            invoice_id=invoice_id,
            amount=amount,
            channel=channel,
            bank_reference=bank_reference.strip(),
            received_on=received_on,
            attempt_key=attempt_key,
            at=at,
        )
    except IntegrityError as duplicate:
        earlier = Payment.objects.filter(attempt_key=attempt_key).first()
        if earlier is not None:
            same = earlier.allocations.filter(
                invoice=invoice_id,
                payment__amount_minor=amount.minor,
                payment__channel=channel,
                payment__bank_reference=bank_reference.strip(),
                payment__received_on=received_on,
            )
            if same.exists():
                return earlier
            raise CannotRecord(
                _("%(payment)s was recorded with this page before. Open the page again for other money.")
                % {"payment": earlier.reference}
            ) from duplicate
        raise CannotRecord(
            _(
                "A payment with this bank or check reference is recorded already. If one transfer was for several "
                "invoices, record its parts with -1, -2 and so on after the reference."
            )
        ) from duplicate


@transaction.atomic(durable=True)
def _record(
    *,
    access: Access,
    invoice_id: int,
    amount: Money,
    channel: str,
    bank_reference: str,
    received_on: date,
    attempt_key: UUID,
    at: datetime,
) -> Payment:
    _require_staff(access)
    invoice = Invoice.objects.select_related("profile").locked().get(pk=invoice_id)
    _check(invoice, amount, channel=channel, bank_reference=bank_reference)
    if received_on > invoice.profile.day_of(at):
        raise CannotRecord(_("The money cannot have arrived in the future."))
    payment = Payment.objects.create(
        profile=invoice.profile,
        attempt_key=attempt_key,
        channel=channel,
        status=PaymentStatus.SUCCEEDED,
        amount_minor=amount.minor,
        currency=amount.currency,
        bank_reference=bank_reference,
        received_on=received_on,
        started_at=at,
        started_by=access.user,
        finished_at=at,
    )
    row = PaymentAllocation.objects.create(payment=payment, invoice=invoice, amount_minor=amount.minor, is_open=False)
    book_money(payment, [row], at=at, late=True)
    payment.save(update_fields=["needs_staff"])
    detail: dict[str, Any] = {
        "amount_minor": amount.minor,
        "currency": amount.currency,
        "bank_reference": bank_reference,
    }
    record_event(payment, old="", result="recorded", source=PaymentEvent.Source.STAFF, at=at, detail=detail)
    audit.record(
        access=access, at=at, action="payment.recorded", subject=payment.reference, profile=invoice.profile, **detail
    )
    mails.tell_payer(payment, [invoice], at=at)
    return payment


def _require_staff(access: Access) -> None:
    require_staff(access)


def _check(invoice: Invoice, amount: Money, *, channel: str, bank_reference: str) -> None:
    if invoice.status == InvoiceStatus.DRAFT:
        raise CannotRecord(_("This invoice has not been issued yet."))
    if channel not in {Payment.Channel.WIRE, Payment.Channel.CHECK}:
        raise CannotRecord(_("Choose check or wire transfer."))
    if amount.currency != invoice.currency:
        raise CannotRecord(_("The invoice is in %(currency)s.") % {"currency": invoice.currency})
    if amount.minor <= 0:
        raise CannotRecord(_("The amount must be more than zero."))
    if not bank_reference:
        raise CannotRecord(_("Give the reference on the bank statement, or the number of the check."))


@transaction.atomic(durable=True)
def resolve_mismatch(*, access: Access, payment_id: UUID, accept: bool, at: datetime) -> Payment:
    """Ends a payment for which the gateway took another amount than asked.

    Accepting books what was really taken; refusing ends the payment as declined, for money that staff paid back at
    the provider. Raises NotAllowed, Payment.DoesNotExist, CannotRecord.
    """
    _require_staff(access)
    rows = lock(payment_id)
    payment = rows[0].payment
    if payment.status != PaymentStatus.MISMATCH:
        raise CannotRecord(_("This payment is not waiting for a decision."))
    taken = payment.events.filter(new_status=PaymentStatus.MISMATCH).order_by("-pk").values_list("detail", flat=True)[0]
    if accept and (taken.get("currency") != payment.currency or taken.get("amount_minor", 0) <= 0):
        raise CannotRecord(
            _("Money in another currency cannot be booked. Pay it back at the provider, then refuse it.")
        )
    payment.status = PaymentStatus.SUCCEEDED if accept else PaymentStatus.DECLINED
    payment.finished_at, payment.needs_staff = at, False
    late = not rows[0].is_open
    close(payment, rows)
    if accept:
        _resize(payment, rows, Money(taken["amount_minor"], payment.currency))
        book_money(payment, rows, at=at, late=late)
    else:
        for row in rows:
            if row.invoice is not None and not late:
                row.invoice.payment_started_at = row.invoice.payment_started_by = None
                row.invoice.save(update_fields=["payment_started_at", "payment_started_by"])
    payment.save(update_fields=["status", "finished_at", "needs_staff", "amount_minor"])
    result = "accepted" if accept else "refused"
    record_event(
        payment, old=PaymentStatus.MISMATCH, result=result, source=PaymentEvent.Source.STAFF, at=at, detail=taken
    )
    audit.record(
        access=access,
        at=at,
        action=f"payment.mismatch_{result}",
        subject=payment.reference,
        profile=payment.profile,
        **taken,
    )
    mails.tell_payer(payment, [row.invoice for row in rows if row.invoice is not None], at=at)
    return payment


def _resize(payment: Payment, rows: list[PaymentAllocation], taken: Money) -> None:
    """Spreads what was really taken over the invoices, first come first served; the last one holds the rest."""
    left = taken.minor
    for row in rows:
        row.amount_minor = left if row is rows[-1] else min(left, row.amount_minor)
        left -= row.amount_minor
        row.save(update_fields=["amount_minor"])
    payment.amount_minor = taken.minor


@transaction.atomic
def mark_handled(*, access: Access, payment_id: UUID, note: str, at: datetime) -> Payment:
    """Takes an ended payment out of the staff queue, with a note of what was done about it.

    An open payment stays in the queue: it is looked up, or its mismatch decided. Raises NotAllowed,
    Payment.DoesNotExist, CannotRecord.
    """
    _require_staff(access)
    payment = Payment.objects.select_related("profile").locked().get(pk=payment_id)
    if not note.strip():
        raise CannotRecord(_("Say what was done, for whoever reads this later."))
    if payment.is_open or not payment.needs_staff:
        raise CannotRecord(_("Only an ended payment in the staff queue can be marked as handled."))
    payment.needs_staff = False
    payment.save(update_fields=["needs_staff"])
    record_event(
        payment,
        old=payment.status,
        result="handled",
        source=PaymentEvent.Source.STAFF,
        at=at,
        detail={"note": note.strip()[:300]},
    )
    audit.record(
        access=access,
        at=at,
        action="payment.handled",
        subject=payment.reference,
        profile=payment.profile,
        note=note.strip(),
    )
    return payment


def end_unanswered(*, access: Access, payment_id: UUID, note: str, at: datetime) -> Payment:
    """Ends an attempt for which the gateway never answered, after staff made sure at the provider that it took nothing.

    Frees the invoice. A success that comes all the same is booked. Only for attempts whose look-ups are used up.
    Returns the payment. Raises NotAllowed, Payment.DoesNotExist, CannotRecord.
    """
    _require_staff(access)
    payment = Payment.objects.get(pk=payment_id)
    if not note.strip():
        raise CannotRecord(_("Say how you know that nothing was taken, for whoever reads this later."))
    waits = payment.is_open and payment.needs_staff and payment.next_lookup_at is None
    if not waits or payment.status == PaymentStatus.MISMATCH:
        raise CannotRecord(_("Only a payment whose look-ups are used up can be ended. Look it up again first."))
    outcome = Outcome(Result.EXPIRED, message=note.strip())
    return settle(payment_id=payment_id, outcome=outcome, source=PaymentEvent.Source.STAFF, at=at, by=access.user)
