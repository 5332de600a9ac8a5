"""Money that did not come through a gateway, money that came but not as asked, and money that bounced. For staff. What
bounced or was recalled is booked as a dispute that is lost at once, so books and documents treat both alike."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet, Value
from django.db.models.lookups import Exact
from django.utils.translation import gettext as _

from accounts.access import Access, require_staff
from billing_portal.core.database import lock_text
from billing_portal.core.spelling import Compact, compact, typed
from invoices.models import Invoice
from invoices.money import Money
from invoices.operations.charges import FIRST_DAY
from invoices.operations.issuing import MAX_MINOR
from invoices.states import InvoiceStatus
from payments.gateways import base
from payments.gateways.base import Outcome, Result
from payments.models import Dispute, Payment, PaymentAllocation, PaymentEvent
from payments.operations import reversals
from payments.operations.disputes import book_on_locked
from payments.operations.reversals import take_missing
from payments.operations.settlement import Decision, lock, record_audit, record_event, settle, settle_locked
from payments.states import PaymentStatus

STAFF = PaymentEvent.Source.STAFF


class CannotRecord(Exception):
    """Nothing was recorded. The message may be shown to staff."""


class SameReference(CannotRecord):
    """The reference was recorded for another customer, or for money that came in another way. Staff say whether this is
    other money."""


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
    is_other_money: bool = False,
) -> Payment:
    """Records a check or wire that arrived for an invoice. Less than what is due leaves the rest due; what is too much
    becomes a credit of the profile.

    Returns the payment, the same one when the form is sent twice; a form that comes back with other facts in it is
    refused, or that money would be lost. So is a reference that was recorded for another customer or as the other of
    check and wire, unless ``is_other_money``. Raises NotAllowed, Invoice.DoesNotExist, CannotRecord.
    """
    money: dict[str, Any] = {
        "amount_minor": amount.minor,
        "channel": channel,
        "bank_reference": typed(bank_reference),
        "received_on": received_on,
    }
    try:
        with transaction.atomic(durable=True):
            require_staff(access)
            invoice = Invoice.objects.select_related("profile").locked().get(pk=invoice_id)
            _check_money(invoice, amount, money, at)
            lock_text(compact(money["bank_reference"]))
            if not is_other_money and not Payment.objects.filter(attempt_key=attempt_key).exists():
                refuse_same_reference(invoice, money["bank_reference"], channel)
            return _record(invoice, money, access=access, attempt_key=attempt_key, at=at)
    except IntegrityError as duplicate:
        earlier = Payment.objects.filter(attempt_key=attempt_key).first()
        if earlier is None:
            text = _(
                "A payment with this bank or check reference is recorded already. If one transfer was for several "
                "invoices, record its parts with -1, -2 and so on after the reference."
            )
            raise CannotRecord(text) from duplicate
        if Payment.objects.filter(pk=earlier.pk, allocations__invoice=invoice_id, **money).exists():
            return earlier
        text = _("%(payment)s was recorded with this page before. Open the page again for other money.")
        raise CannotRecord(text % {"payment": earlier.reference}) from duplicate


def _check_money(invoice: Invoice, amount: Money, money: dict[str, Any], at: datetime) -> None:
    if invoice.status == InvoiceStatus.DRAFT:
        raise CannotRecord(_("This invoice has not been issued yet."))
    if money["channel"] not in {Payment.Channel.WIRE, Payment.Channel.CHECK}:
        raise CannotRecord(_("Choose check or wire transfer."))
    if amount.currency != invoice.currency:
        raise CannotRecord(_("The invoice is in %(currency)s.") % {"currency": invoice.currency})
    if amount.minor <= 0:
        raise CannotRecord(_("The amount must be more than zero."))
    if amount.minor > MAX_MINOR:
        raise CannotRecord(_("An amount is too large."))
    if not money["bank_reference"]:
        raise CannotRecord(_("Give the reference on the bank statement, or the number of the check."))
    if money["received_on"] > invoice.profile.day_of(at):
        raise CannotRecord(_("The money cannot have arrived in the future."))
    if money["received_on"] < FIRST_DAY:
        raise CannotRecord(_("The date is not between 2000 and 2099."))


def same_reference(text: str) -> QuerySet[Payment]:
    """What was recorded under a bank or check reference, in whatever spelling."""
    spelled_alike = Exact(Compact("bank_reference"), Compact(Value(typed(text))))
    return Payment.objects.exclude(bank_reference="").filter(spelled_alike)


def refuse_same_reference(invoice: Invoice, reference: str, channel: str) -> None:
    """Raises SameReference when the reference was recorded for another billing profile, or for this one as the other of
    check and wire: it may be the same money."""
    others = same_reference(reference).exclude(profile=invoice.profile_id, channel=channel).select_related("profile")
    other = others.first()
    if other is not None and other.profile_id == invoice.profile_id:
        facts = {"payment": other.reference, "amount": other.amount, "channel": other.get_channel_display()}
        text = _("This reference was recorded before: %(payment)s, %(amount)s, %(channel)s.")
        raise SameReference(text % facts)
    if other is not None:
        facts = {"payment": other.reference, "amount": other.amount, "profile": other.profile.name}
        text = _("This reference was recorded for another customer: %(payment)s, %(amount)s of %(profile)s.")
        raise SameReference(text % facts)


def _record(invoice: Invoice, money: dict[str, Any], *, access: Access, attempt_key: UUID, at: datetime) -> Payment:
    payment = Payment.objects.create(
        profile=invoice.profile,
        attempt_key=attempt_key,
        currency=invoice.currency,
        started_at=at,
        started_by=access.user,
        **money,
    )
    whole = {"amount_minor": payment.amount_minor, "is_open": False}
    row = PaymentAllocation.objects.create(payment=payment, invoice=invoice, **whole)
    detail = {name: getattr(payment, name) for name in ("amount_minor", "currency", "bank_reference")}
    return settle_locked(
        [row],
        Outcome(Result.SUCCEEDED, amount=payment.amount),
        source=STAFF,
        at=at,
        by=access.user,
        decision=Decision("recorded", action="payment.recorded", detail=detail),
    )


@transaction.atomic(durable=True)
def record_bounce(*, access: Access, payment_id: UUID, reason: str, at: datetime) -> Payment:
    """Takes back all that is left of a recorded check or wire; those who handle the invoices are told. Done once more,
    it takes what could not be taken then, because a credit was used that is there again.

    Returns the payment. Raises NotAllowed, Payment.DoesNotExist, and CannotRecord without a reason, for a card payment,
    and when nothing is there that has not gone back already.
    """
    require_staff(access)
    rows = lock(payment_id)
    payment = rows[0].payment
    if payment.channel == Payment.Channel.CARD or payment.status != PaymentStatus.SUCCEEDED:
        raise CannotRecord(_("Only a check or wire that was recorded can come back."))
    if not reason.strip():
        raise CannotRecord(_("Say why it came back, for whoever reads this later."))
    if not payment.rest:
        raise CannotRecord(_("All of this money has gone back already."))
    name = f"returned {payment.reference}"
    lost = base.Dispute(name, payment.gateway_id, payment.rest, base.DisputeStatus.LOST, reason.strip())
    earlier = Dispute.objects.filter(payment=payment, gateway_id=name).first()
    if earlier is not None and not take_missing(payment, at=at):
        raise CannotRecord(_("It is recorded already that it came back. A credit that it became has been used."))
    row = earlier or book_on_locked(rows, lost, source=STAFF, at=at)
    row.refresh_from_db(fields=["taken_minor", "written_off_minor"])
    row.needs_staff = bool(row.unmatched)
    row.save(update_fields=["needs_staff"])
    detail = {"amount_minor": row.amount_minor, "taken_minor": row.taken_minor, "reason": reason.strip()}
    record_audit("payment.returned", payment, access, at, **detail)
    return payment


@transaction.atomic(durable=True)
def resolve_mismatch(*, access: Access, payment_id: UUID, accept: bool, at: datetime) -> Payment:
    """Ends a payment for which the gateway took another amount than asked: books what was really taken, or ends it as
    declined, for money that staff paid back at the provider. Raises NotAllowed, Payment.DoesNotExist, CannotRecord."""
    require_staff(access)
    rows = lock(payment_id)
    payment = rows[0].payment
    if payment.status != PaymentStatus.MISMATCH:
        raise CannotRecord(_("This payment is not waiting for a decision."))
    taken = payment.events.filter(new_status=PaymentStatus.MISMATCH).order_by("-pk").values_list("detail", flat=True)[0]
    if accept and (taken.get("currency") != payment.currency or taken.get("amount_minor", 0) <= 0):
        text = _("Money in another currency cannot be booked. Pay it back at the provider, then refuse it.")
        raise CannotRecord(text)
    if accept:
        _resize(payment, rows, Money(taken["amount_minor"], payment.currency))
    word, result = ("accepted", Result.SUCCEEDED) if accept else ("refused", Result.DECLINED)
    return settle_locked(
        rows,
        Outcome(result, amount=payment.amount, message=payment.gateway_message),
        source=STAFF,
        at=at,
        by=access.user,
        decision=Decision(word, action=f"payment.mismatch_{word}", detail=taken),
    )


def _resize(payment: Payment, rows: list[PaymentAllocation], taken: Money) -> None:
    """Spreads what was really taken over the invoices, first come first served; the last one holds the rest."""
    left = taken.minor
    for row in rows:
        row.amount_minor = left if row is rows[-1] else min(left, row.amount_minor)
        left -= row.amount_minor
        row.save(update_fields=["amount_minor"])
    payment.amount_minor = taken.minor
    payment.save(update_fields=["amount_minor"])


@transaction.atomic
def mark_handled(*, access: Access, payment_id: UUID, note: str, at: datetime) -> Payment:
    """Takes an ended payment out of the staff queue. Raises NotAllowed, Payment.DoesNotExist, CannotRecord."""
    require_staff(access)
    payment = Payment.objects.select_related("profile").locked().get(pk=payment_id)
    note = required(note)
    if payment.is_open or not payment.needs_staff:
        raise CannotRecord(_("Only an ended payment in the staff queue can be marked as handled."))
    payment.needs_staff = False
    payment.save(update_fields=["needs_staff"])
    record_event(payment, old=payment.status, result="handled", source=STAFF, at=at, detail={"note": note[:300]})
    record_audit("payment.handled", payment, access, at, note=note)
    return payment


@transaction.atomic
def mark_dispute_handled(*, access: Access, dispute_id: int, note: str, at: datetime) -> Dispute:
    """Takes a dispute out of the staff queue until the bank decides against us, with a note of what was done about it.
    Raises NotAllowed, Dispute.DoesNotExist, CannotRecord."""
    require_staff(access)
    payment = lock(Dispute.objects.get(pk=dispute_id).payment_id)[0].payment
    row = Dispute.objects.get(pk=dispute_id)
    note = required(note)
    if not row.needs_staff:
        raise CannotRecord(_("This dispute is not in the staff queue."))
    row.needs_staff = False
    row.save(update_fields=["needs_staff"])
    record_audit("dispute.handled", payment, access, at, gateway_id=row.gateway_id, note=note)
    return row


@transaction.atomic(durable=True)
def write_off(*, access: Access, claim: reversals.Claim, shown: Money, reason: str, at: datetime) -> Money:
    """Books what a refund or a lost dispute found neither on invoices nor on credits as a loss, with the reason; first
    what is there by now is taken, such as a credit that came back. The loss is undone when the refund fails, the
    dispute is won, or the money is found after all.

    ``shown`` is what the page said is missing. Returns what was written off, less where something was taken. Raises
    NotAllowed, and CannotRecord without a reason, when nothing is missing, or another amount than was shown.
    """
    require_staff(access)
    payment = lock(claim.payment_id)[0].payment
    claim.refresh_from_db()
    claim.payment = payment
    if not reason.strip():
        raise CannotRecord(_("Give the reason for writing the amount off."))
    if not claim.unmatched:
        raise CannotRecord(_("There is nothing to write off."))
    if claim.unmatched != shown:
        raise CannotRecord(_("Another amount is missing now. Look at it again."))
    if take_missing(payment, at=at):
        claim.refresh_from_db()
        claim.payment = payment
    amount = reversals.write_off(payment, claim, reason=reason.strip(), at=at)
    if isinstance(claim, Dispute):
        claim.needs_staff = False
        claim.save(update_fields=["needs_staff"])
    detail = {"amount_minor": amount.minor, "currency": amount.currency, "gateway_id": claim.gateway_id}
    if amount:
        note = {"note": reason.strip()[:300]}
        record_event(payment, old=payment.status, result="written_off", source=STAFF, at=at, detail=detail | note)
    action = "dispute.written_off" if isinstance(claim, Dispute) else "refund.written_off"
    record_audit(action, payment, access, at, reason=reason.strip(), **detail)
    return amount


def required(note: str) -> str:
    if not note.strip():
        raise CannotRecord(_("Say what was done, for whoever reads this later."))
    return note.strip()


def is_stuck(payment: Payment) -> bool:
    """Whether the gateway never answered and the look-ups are used up."""
    waits = payment.is_open and payment.needs_staff and payment.next_lookup_at is None
    return waits and payment.status != PaymentStatus.MISMATCH


def end_unanswered(*, access: Access, payment_id: UUID, note: str, at: datetime) -> Payment:
    """Ends an attempt whose look-ups are used up, after staff made sure that nothing was taken; a success that still
    comes is booked. Raises NotAllowed, Payment.DoesNotExist, CannotRecord."""
    require_staff(access)
    payment = Payment.objects.get(pk=payment_id)
    if not note.strip():
        raise CannotRecord(_("Say how you know that nothing was taken, for whoever reads this later."))
    if not is_stuck(payment):
        raise CannotRecord(
            _("Only a payment that is no longer looked up automatically can be ended. Look it up again first.")
        )
    outcome = Outcome(Result.EXPIRED, message=note.strip())
    return settle(payment_id=payment_id, outcome=outcome, source=STAFF, at=at, by=access.user)
