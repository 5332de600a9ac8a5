"""Paying back, and what a bank took back: refunds and disputes."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import stripe

from payments.gateways.base import Bucket, Decline, DeclineCode, Dispute, DisputeStatus, Outcome, RefundRequest, Result
from payments.gateways.stripe.cards import id_of
from payments.gateways.stripe.client import Account
from payments.gateways.stripe.errors import is_key_used, is_missing, message_of, never_arrived, trouble
from payments.gateways.stripe.money import Unrepresentable, from_stripe, to_stripe

RESULTS = {
    "succeeded": Result.SUCCEEDED,
    "pending": Result.PENDING,
    "requires_action": Result.PENDING,
    "failed": Result.DECLINED,
    "canceled": Result.DECLINED,
}
# Why a bank did not take a refund that was on its way. https://docs.stripe.com/refunds#failed-refunds
FAILURES = {
    "expired_or_canceled_card": DeclineCode.EXPIRED_CARD,
    "lost_or_stolen_card": DeclineCode.LOST_OR_STOLEN,
}
DISPUTES = {
    "lost": DisputeStatus.LOST,
    "won": DisputeStatus.WON,
    "warning_closed": DisputeStatus.WON,
    "prevented": DisputeStatus.WON,
}


class Refunds:
    account: Account

    def refund(self, request: RefundRequest) -> Outcome:
        """Pays back once for a key. Raises GatewayError for a key used with another amount."""
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        asked: Any = {
            "amount": to_stripe(request.amount),
            "metadata": {"reference": request.reference, "refund": request.key},
            "payment_intent": request.gateway_id,
        }
        options: stripe.RequestOptions = {"idempotency_key": f"{request.key}:refund"}
        try:
            return outcome_of(self.account.call(lambda client: client.v1.refunds.create(asked, options)))
        except stripe.IdempotencyError as error:
            raise trouble(error) from error
        except stripe.InvalidRequestError as error:
            return _refused(DeclineCode.GENERIC, message_of(error))
        except stripe.StripeError as error:
            if is_key_used(error):
                known = self.lookup_refund(request)
                return known if known.result != Result.NOT_FOUND else Outcome(Result.SPENT, message=message_of(error))
            result = Result.NOT_SENT if never_arrived(error) else Result.UNKNOWN
            return Outcome(result, message=message_of(error))

    def _refusal(self, request: RefundRequest) -> Outcome | None:
        """What is wrong before anything is sent: Stripe pays back in the payment's currency, whatever was meant."""
        try:
            to_stripe(request.amount)
            payment = self.account.call(lambda client: client.v1.payment_intents.retrieve(request.gateway_id))
        except Unrepresentable as error:
            return _refused(DeclineCode.AMOUNT, str(error))
        except stripe.InvalidRequestError as error:
            return _refused(DeclineCode.GENERIC, message_of(error))
        except stripe.StripeError as error:
            return Outcome(Result.NOT_SENT, message=message_of(error))
        if payment["currency"] == request.amount.currency.lower():
            return None
        return _refused(DeclineCode.CURRENCY, f"The payment was in {payment['currency'].upper()}.")

    def lookup_refund(self, request: RefundRequest) -> Outcome:
        """By its id, else by our key among the refunds of the payment. Raises GatewayError."""
        try:
            if request.refund_id:
                return self._by_id(request)
            asked = {"payment_intent": request.gateway_id}
            for refund in self.account.each(lambda client, asked: client.v1.refunds.list(asked), asked):
                if (refund.get("metadata") or {}).get("refund") == request.key:
                    return outcome_of(refund)
        except stripe.StripeError as error:
            raise trouble(error) from error
        return Outcome(Result.NOT_FOUND)

    def _by_id(self, request: RefundRequest) -> Outcome:
        """Not found counts only while the payment itself is there: with a key of another account neither is."""
        try:
            return outcome_of(self.account.call(lambda client: client.v1.refunds.retrieve(request.refund_id)))
        except stripe.InvalidRequestError as error:
            if not is_missing(error):
                raise
        self.account.call(lambda client: client.v1.payment_intents.retrieve(request.gateway_id))
        return Outcome(Result.NOT_FOUND)

    def lookup_dispute(self, dispute_id: str) -> Dispute | None:
        """None when Stripe knows none. Raises GatewayError."""
        try:
            dispute = self.account.call(lambda client: client.v1.disputes.retrieve(dispute_id))
        except stripe.StripeError as error:
            if is_missing(error):
                return None
            raise trouble(error) from error
        due = (dispute.get("evidence_details") or {}).get("due_by")
        return Dispute(
            id=dispute["id"],
            payment_id=id_of(dispute.get("payment_intent")),
            amount=from_stripe(dispute["amount"], dispute["currency"]),
            status=DISPUTES.get(dispute["status"], DisputeStatus.OPEN),
            reason=str(dispute.get("reason") or ""),
            evidence_due_at=datetime.fromtimestamp(due, UTC) if due else None,
        )


def outcome_of(refund: Mapping[str, Any]) -> Outcome:
    """How a refund stands. A state that is new to us is not known."""
    result = RESULTS.get(refund["status"], Result.UNKNOWN)
    reason = str(refund.get("failure_reason") or "")
    return Outcome(
        result,
        gateway_id=refund["id"],
        amount=from_stripe(refund["amount"], refund["currency"]) if result == Result.SUCCEEDED else None,
        decline=Decline(FAILURES.get(reason, DeclineCode.GENERIC), Bucket.NEVER) if result == Result.DECLINED else None,
        message=f"The refund is {refund['status']} at Stripe. {reason}".strip() if result != Result.SUCCEEDED else "",
    )


def _refused(code: DeclineCode, message: str) -> Outcome:
    return Outcome(Result.DECLINED, decline=Decline(code, Bucket.NEVER), message=message)
