"""Money that goes back: refunds, never more than was taken, and disputes, in which a payer's bank asks its money back
and decides; one that is not decided by the time the evidence was due is lost. All inside one transaction of the store.
"""

import secrets
from datetime import datetime, timedelta

from payments.gateways import base
from payments.gateways.base import Bucket, Decline, DeclineCode, DisputeStatus, Outcome, Result
from payments.gateways.sandbox.cards import BY_LAST_FOUR, REFUND_ENDS, decline
from payments.gateways.sandbox.faults import CallFaults, Fault
from payments.gateways.sandbox.models import CardPayment, Dispute, Refund

SETTLES_AFTER = timedelta(seconds=5)  # by the sandbox's clock
EVIDENCE_WITHIN = timedelta(days=7)


def outcome_of(refund: Refund) -> Outcome:
    return Outcome(
        Result(refund.state),
        gateway_id=refund.pk,
        amount=refund.amount if refund.state != Result.DECLINED else None,
        decline=decline(refund.decline) if refund.decline else None,
    )


def _refused(code: DeclineCode, message: str) -> Outcome:
    return Outcome(Result.DECLINED, decline=Decline(code, Bucket.NEVER), message=message)


def refund(request: base.RefundRequest, faults: CallFaults, *, at: datetime) -> Outcome:
    ordered = faults.get(Fault.DECLINE)
    if ordered is not None:
        return _refused(DeclineCode(ordered or DeclineCode.GENERIC), "The bank refused the refund.")
    payment = CardPayment.objects.filter(pk=request.gateway_id, state=Result.SUCCEEDED).first()
    if payment is None:
        return _refused(DeclineCode.GENERIC, "There is no such payment to pay back.")
    if payment.currency != request.amount.currency:
        return _refused(DeclineCode.CURRENCY, f"The payment was in {payment.currency}.")
    left = refundable(payment)
    if not 0 < request.amount.minor <= left:
        return _refused(DeclineCode.LIMIT_EXCEEDED, f"{left} minor units are left to pay back.")
    minor = int(faults.get(Fault.OTHER_AMOUNT) or request.amount.minor)
    return outcome_of(pay_back(payment, minor, key=request.key, reference=request.reference, at=at))


def pay_back(payment: CardPayment, minor: int, *, at: datetime, key: str = "", reference: str = "") -> Refund:
    """A refund of so much of a payment. One that was not asked for by the portal has no key and no reference."""
    end = REFUND_ENDS.get(BY_LAST_FOUR[payment.last_four].habit)
    row = Refund(
        id="re_" + secrets.token_urlsafe(15),
        payment=payment,
        amount_minor=minor,
        currency=payment.currency,
        key=key,
        reference=reference,
    )
    if end is None:
        row.move(Result.SUCCEEDED, at=at)
    else:
        row.move(Result.PENDING, at=at, settles_at=at + SETTLES_AFTER, settles_as=end)
    return row


def refundable(payment: CardPayment) -> int:
    """Minor units that are not paid back, on their way back, or asked back by the payer's bank."""
    refunds = payment.refunds.exclude(state=Result.DECLINED)
    disputes = payment.disputes.filter(state__in=[DisputeStatus.OPEN, DisputeStatus.LOST])
    return payment.amount_minor - sum(row.amount_minor for row in (*refunds, *disputes))


def find_refund(request: base.RefundRequest) -> Refund | None:
    """By the sandbox's id, else by the key it was asked under: a payment may have several refunds."""
    return (
        Refund.objects.filter(pk=request.refund_id).first()
        or Refund.objects.exclude(key="").filter(key=request.key).order_by("-created_at").first()
    )


def dispute_of(row: Dispute) -> base.Dispute:
    return base.Dispute(
        id=row.pk,
        payment_id=row.payment_id,
        amount=row.amount,
        status=DisputeStatus(row.state),
        reason=row.reason,
        evidence_due_at=row.settles_at,
    )


def open_dispute(payment: CardPayment, minor: int, *, reason: str, at: datetime) -> str:
    """Writes a dispute over so much of a payment. Returns its id. It carries no reference of the portal's."""
    row = Dispute(
        id="dp_" + secrets.token_urlsafe(15),
        payment=payment,
        amount_minor=minor,
        currency=payment.currency,
        reason=reason,
    )
    row.move(DisputeStatus.OPEN, at=at, settles_at=at + EVIDENCE_WITHIN, settles_as=DisputeStatus.LOST)
    return row.pk


def settle_due(*, at: datetime) -> None:
    """Ends refunds that were on their way, and disputes for which nobody gave evidence, by the sandbox's clock."""
    for row in Refund.objects.filter(state=Result.PENDING, settles_at__lte=at):
        failed = row.settles_as == Result.DECLINED
        row.move(row.settles_as, at=at, decline=DeclineCode.PROCESSING_ERROR if failed else "")
    for dispute in Dispute.objects.filter(state=DisputeStatus.OPEN, settles_at__lte=at):
        dispute.move(dispute.settles_as, at=at)
