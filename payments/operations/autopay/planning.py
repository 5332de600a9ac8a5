"""What follows from a try: another day, another card, or the end. Run again at any time, it changes nothing twice.

`settle` knows nothing of plans. A plan that waits names its payment; when that has ended, whoever comes by goes on:
the job that charged, or the clock. So it makes no difference where a process is killed.
"""

from datetime import date, datetime, timedelta
from typing import Any

import structlog
from django.db import transaction

from accounts import audit
from accounts.access import Access, system_access
from invoices.models import Invoice
from invoices.operations.invoice_payments import note_declined, plan_autopay
from payments.gateways.base import Bucket
from payments.models import AutomaticCharge, Payment
from payments.operations.autopay import mails
from payments.operations.autopay.deciding import (
    NO_ANSWER_FOR,
    Stop,
    next_card,
    next_retry_on,
    tries_of,
    why_stopped,
)
from payments.states import OPEN, PaymentStatus

log = structlog.get_logger("portal.payments")
S = AutomaticCharge.Status


def lock_invoice(invoice_id: int) -> Invoice:
    """The invoice, locked, with its profile and account. Every act on a plan takes this lock first."""
    return Invoice.objects.select_related("profile__account").filter(pk=invoice_id).locked().get()


def lock_plan(invoice: Invoice) -> AutomaticCharge | None:
    """The plan of a locked invoice, if it was ever taken up."""
    charge = AutomaticCharge.objects.select_related("last_payment").filter(invoice=invoice).first()
    if charge is not None:
        charge.invoice, charge.profile = invoice, invoice.profile
    return charge


@transaction.atomic
def go_on(*, invoice_id: int, at: datetime) -> bool:
    """Plans what follows once the last try has ended, or ends a plan that somebody else's act made needless.

    Returns whether anything was to do.
    """
    invoice = lock_invoice(invoice_id)
    charge = lock_plan(invoice)
    if charge is None or charge.status not in (S.PLANNED, S.WAITING):
        return False
    if charge.status == S.PLANNED:
        if invoice.autopay_on is not None:
            return False
        end(charge, why_stopped(invoice) or Stop.SWITCHED_OFF, at=at)
        return True
    payment = charge.last_payment
    if payment is not None and payment.status in OPEN:
        return False
    _follow(charge, payment, at=at)
    return True


def _follow(charge: AutomaticCharge, payment: Payment | None, *, at: datetime) -> None:
    reason = why_stopped(charge.invoice)
    if payment is not None and payment.status == PaymentStatus.DECLINED:
        note_declined(charge.invoice, charge.profile.day_of(payment.started_at))
    if reason is not None or payment is None or payment.status == PaymentStatus.SUCCEEDED:
        end(charge, reason or Stop.NOTHING_DUE, at=at)
    elif payment.status != PaymentStatus.DECLINED:
        _after_no_answer(charge, payment, at=at)
    elif payment.decline_bucket == Bucket.CUSTOMER_MUST_ACT:
        end(charge, Stop.MUST_ACT, at=at)
    elif payment.decline_bucket == Bucket.CONFIG_ERROR:
        Payment.objects.filter(pk=payment.pk).update(needs_staff=True)
        end(charge, Stop.CONFIG, at=at)
    else:
        _after_refusal(charge, payment, at=at)


def _after_refusal(charge: AutomaticCharge, payment: Payment, *, at: datetime) -> None:
    """Another card at once, or the same one on a later day."""
    card, stop = next_card(charge, at=at)
    if card is None:
        end(charge, stop or Stop.REFUSED, at=at)
        return
    today = charge.profile.day_of(at)
    on = next_retry_on(charge, at=at) if card.pk == payment.method_id else today
    if on is None:
        end(charge, Stop.USED_UP, at=at)
        return
    _plan(charge, on, at=at)
    mails.tell_of_first_failure(charge, payment, card, on=on, at=at)


def _after_no_answer(charge: AutomaticCharge, payment: Payment, *, at: datetime) -> None:
    """Nothing was charged and no bank said no: once more tomorrow, for a week. A check that nobody passed, because
    nobody was there, is a wish of the bank."""
    if payment.events.filter(new_status=PaymentStatus.NEEDS_CUSTOMER).exists():
        end(charge, Stop.MUST_ACT, at=at)
    elif at - charge.created_at >= NO_ANSWER_FOR:
        end(charge, Stop.NO_ANSWER, at=at)
    else:
        _plan(charge, charge.profile.day_of(at) + timedelta(days=1), at=at)


def _plan(charge: AutomaticCharge, on: date, *, at: datetime) -> None:
    plan_autopay(charge.invoice, on)
    charge.status, charge.changed_at = S.PLANNED, at
    charge.save(update_fields=["status", "changed_at"])


def end(charge: AutomaticCharge, reason: Stop, *, at: datetime) -> None:
    """Nothing more is charged by itself. Done when an automatic charge paid it; otherwise stopped, and told to people
    where it is news to them. Call it with the invoice locked."""
    plan_autopay(charge.invoice, None)
    paid = tries_of(charge).filter(status=PaymentStatus.SUCCEEDED).exists()
    charge.status, charge.stopped_because = (S.DONE, "") if paid else (S.STOPPED, reason)
    charge.changed_at = at
    charge.save(update_fields=["status", "stopped_because", "changed_at"])
    if paid:
        return
    record("autopay.stopped", charge, system_access(), at, reason=reason.value)
    mails.tell_of_stop(charge, reason, at=at)


def record(action: str, charge: AutomaticCharge, access: Access, at: datetime, **detail: Any) -> None:
    """Adds to the audit trail."""
    audit.record(access=access, at=at, action=action, subject=str(charge.invoice), profile=charge.profile, **detail)
