"""What others do at the sandbox, for tests and for the demo: its own staff pay money back, payers' banks dispute and
decide, a bank sends a payer a new card, time passes. The portal hears of it by messages only.
"""

from collections import Counter
from datetime import timedelta

from payments.gateways.base import DisputeStatus, Result
from payments.gateways.sandbox import models, refunds
from payments.gateways.sandbox.models import CardPayment, Clock, StoredCard, transaction


class Operator:
    def refund(self, payment_id: str, minor: int) -> str:
        """Pays back part of a payment. Returns the refund's id. Raises ValueError for more than is left."""
        with transaction() as at:
            payment = _payment(payment_id)
            left = refunds.refundable(payment)
            if not 0 < minor <= left:
                raise ValueError(f"{left} minor units are left to pay back.")
            return refunds.pay_back(payment, minor, at=at).pk

    def dispute(self, payment_id: str, minor: int | None = None, *, reason: str = "fraudulent") -> str:
        """The payer's bank asks all or part of a payment back. Returns the dispute's id."""
        with transaction() as at:
            payment = _payment(payment_id)
            return refunds.open_dispute(payment, minor or payment.amount_minor, reason=reason, at=at)

    def decide(self, dispute_id: str, status: str) -> None:
        """The bank decides ``won`` or ``lost``, from our point of view; it may change its mind."""
        with transaction() as at:
            models.Dispute.objects.get(pk=dispute_id).move(DisputeStatus(status), at=at)

    def renew_card(self, card_id: str, *, expiry_month: int, expiry_year: int) -> None:
        """The bank sent the payer a new card with the same number."""
        with transaction() as at:
            StoredCard.objects.filter(pk=card_id).update(expiry_month=expiry_month, expiry_year=expiry_year)
            models.record("method.updated", card_id, at=at)

    def totals(self) -> dict[str, int]:
        """What was taken less what was paid back or lost to payers' banks, in minor units, by currency."""
        totals = Counter[str]()
        for payment in CardPayment.objects.filter(state=Result.SUCCEEDED):
            totals[payment.currency] += payment.amount_minor
        for row in (
            *models.Refund.objects.filter(state=Result.SUCCEEDED),
            *models.Dispute.objects.filter(state="lost"),
        ):
            totals[row.currency] -= row.amount_minor
        return dict(totals)

    def advance_clock(self, seconds: int) -> None:
        with transaction():
            clock = Clock.objects.first() or Clock(ahead=timedelta())
            clock.ahead += timedelta(seconds=seconds)
            clock.save()


def _payment(payment_id: str) -> CardPayment:
    payment = CardPayment.objects.filter(pk=payment_id, state=Result.SUCCEEDED).first()
    if payment is None:
        raise ValueError("There is no such payment.")
    return payment
