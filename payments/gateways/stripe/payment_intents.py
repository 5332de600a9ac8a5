"""PaymentIntents: one for each attempt, made and confirmed in one request under the attempt's own key.

The same key gives the same answer for at least a day, so the same attempt charges once however often it is sent; later
it is only looked up. Closing an attempt that Stripe never saw uses up that same key for an intent that is never
confirmed: should the first request still come, Stripe refuses it, because the key was used for something else.

Our clock proves nothing: an attempt is looked for by the id that Stripe gave, in the list of the time around its start,
and by Stripe's own search; and it is closed at Stripe, however old it seems to be.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import stripe
from django.utils.timezone import now

from payments.gateways.base import Attempt, Bucket, Decline, DeclineCode, GatewayError, MethodInfo, Outcome, Result
from payments.gateways.stripe.cards import IN_PAGE, Refused, challenge_of, id_of, info_of, payer_of, redirect_of
from payments.gateways.stripe.client import PAGE, Account
from payments.gateways.stripe.errors import (
    DECLINES,
    charge_outcome,
    decline_of,
    details,
    is_key_used,
    message_of,
    trouble,
)
from payments.gateways.stripe.money import Unrepresentable, from_stripe, to_stripe

EXPAND = ["latest_charge", "payment_method"]
# Stripe may forget a key once it is 24 hours old. Nothing is sent in the last hours before.
SENT_WITHIN = timedelta(hours=20)
# When the intent of an attempt can have been made, around the start of the attempt.
EARLIER, LATER = timedelta(minutes=10), timedelta(hours=25)
NO_NUMBER = Decline(DeclineCode.AMOUNT, Bucket.CONFIG_ERROR)


class PaymentIntents:
    account: Account

    def charge(self, attempt: Attempt) -> Outcome:
        """Raises GatewayError for a key used with other parameters, and for an attempt too old to be sent."""
        try:
            integer = to_stripe(attempt.amount)
        except Unrepresentable as error:
            return Outcome(Result.DECLINED, decline=NO_NUMBER, message=str(error))
        if _age(attempt) > SENT_WITHIN:
            intent = self._search(attempt)
            if intent is None:
                raise GatewayError("The attempt is too old to be sent.")
            return outcome_of(intent)
        try:
            asked = parameters(attempt, integer, payer_of(self.account, attempt))
            return outcome_of(self._create(attempt, asked))
        except Refused as refused:
            return refused.outcome
        except stripe.IdempotencyError as error:
            closed = self._closed(attempt, integer)
            if closed is None:
                raise trouble(error) from error
            return closed
        except stripe.StripeError as error:
            return charge_outcome(error)

    def lookup(self, attempt: Attempt) -> Outcome:
        """Raises GatewayError when Stripe cannot be asked, or denies its own id: that is another account's key."""
        intent = self._find(attempt)
        if intent is None or (intent["status"] != "canceled" and _is_fence(intent)):
            return Outcome(Result.NOT_FOUND)
        return outcome_of(intent)

    def expire(self, attempt: Attempt) -> Outcome:
        """Cancels what there is; where there is nothing, takes away the key that the first request would need. SPENT
        when that key was used and nothing is to be seen of it, as after a 500, which Stripe keeps under the key."""
        intent = self._find(attempt)
        if intent is not None:
            return self._close(intent)
        try:
            integer = to_stripe(attempt.amount)
            asked = {
                "amount": integer,
                "currency": attempt.amount.currency.lower(),
                "metadata": {**_metadata(attempt), "closed": "yes"},
                "allowed_payment_method_types": ["card"],
            }
            return self._close(self._create(attempt, asked))
        except Unrepresentable as error:
            return Outcome(Result.EXPIRED, message=str(error))
        except stripe.InvalidRequestError as error:
            if details(error).get("code") not in DECLINES:
                raise trouble(error) from error
            return Outcome(Result.EXPIRED, message=message_of(error))  # such an amount is refused whenever it comes
        except stripe.StripeError as error:
            if not is_key_used(error):
                raise trouble(error) from error
            intent = self._search(attempt)
            return self._close(intent) if intent is not None else Outcome(Result.SPENT, message=message_of(error))

    def challenge(self, attempt: Attempt) -> dict[str, str]:
        """What the browser needs to ask for the bank's approval inside the page; empty when nothing is asked there."""
        return challenge_of(self._find(attempt) or {})

    def _create(self, attempt: Attempt, asked: Any) -> dict[str, Any]:
        key: stripe.RequestOptions = {"idempotency_key": f"{attempt.key}:charge"}
        return self.account.call(lambda client: client.v1.payment_intents.create(asked, key))

    def _find(self, attempt: Attempt) -> dict[str, Any] | None:
        """By its id, else by our reference. Raises GatewayError."""
        return self._intent(attempt.gateway_id) if attempt.gateway_id else self._search(attempt)

    def _intent(self, intent_id: str) -> dict[str, Any]:
        try:
            return self.account.call(lambda client: client.v1.payment_intents.retrieve(intent_id, {"expand": EXPAND}))
        except stripe.StripeError as error:
            raise trouble(error) from error

    def _search(self, attempt: Attempt) -> dict[str, Any] | None:
        """The intent with our reference and key; of several the one that took money. Raises GatewayError.

        The list of the time around its start is complete at once, but when that was only our clock knows. Stripe's
        search needs no time, but a minute until it sees what is new. The list is not narrowed to the payer: which one
        that was is not certain any more.
        """
        try:
            intents = [intent for intent in self._listed(attempt) if _is_of(intent, attempt)]
            intents = intents or [intent for intent in self._searched(attempt) if _is_of(intent, attempt)]
        except stripe.StripeError as error:
            raise trouble(error) from error
        return min(intents, key=lambda intent: (intent["status"] != "succeeded", _is_fence(intent)), default=None)

    def _listed(self, attempt: Attempt) -> Iterator[dict[str, Any]]:
        """The intents of the time around an attempt's start, by our clock and by Stripe's where they differ."""
        start = attempt.started_at or now() - LATER
        starts = (start, start + (self.account.transport.clock_difference or timedelta()))
        created = {
            "gte": int((min(starts) - EARLIER).timestamp()),
            "lte": int((max(starts) + LATER + EARLIER).timestamp()),
        }
        asked = {"created": created, "expand": [f"data.{name}" for name in EXPAND]}
        return self.account.each(lambda client, asked: client.v1.payment_intents.list(asked), asked)

    def _searched(self, attempt: Attempt) -> list[dict[str, Any]]:
        """What Stripe's search finds under our reference; nothing for an account that may not search."""
        query = f"metadata['reference']:'{attempt.reference}'"
        asked: Any = {"query": query, "expand": [f"data.{name}" for name in EXPAND], "limit": PAGE}
        try:
            return list(self.account.call(lambda client: client.v1.payment_intents.search(asked))["data"])
        except stripe.InvalidRequestError:
            return []

    def _close(self, intent: Mapping[str, Any]) -> Outcome:
        """Cancels an intent; when that is too late, its true state. A decline stays one, now for good."""
        before = outcome_of(intent)
        if before.result in {Result.SUCCEEDED, Result.EXPIRED}:
            return before
        try:
            asked: Any = {"cancellation_reason": "abandoned", "expand": EXPAND}
            canceled = self.account.call(lambda client: client.v1.payment_intents.cancel(intent["id"], asked))
        except stripe.InvalidRequestError:
            return outcome_of(self._intent(intent["id"]))
        except stripe.StripeError as error:
            raise trouble(error) from error
        return before if before.result == Result.DECLINED else outcome_of(canceled)

    def _closed(self, attempt: Attempt, integer: int) -> Outcome | None:
        """The outcome when the key was used to close this very attempt; None when it was used for something else."""
        intent = self._search(attempt)
        if intent is None or not _is_fence(intent):
            return None
        same = (intent["amount"], intent["currency"], intent["metadata"]["profile"])
        if same != (integer, attempt.amount.currency.lower(), attempt.profile):
            return None
        return self._close(intent)


def parameters(attempt: Attempt, integer: int, customer: str) -> dict[str, Any]:
    """What is sent for an attempt; always the same for the same one."""
    asked: dict[str, Any] = {
        "amount": integer,
        "currency": attempt.amount.currency.lower(),
        "confirm": True,
        "description": attempt.description,
        "expand": EXPAND,
        "metadata": _metadata(attempt),
        "payment_method": attempt.method,
        "allowed_payment_method_types": ["card"],
    }
    if customer:
        asked["customer"] = customer
    if not attempt.customer_present:
        return asked | {"off_session": True, "error_on_requires_action": True}
    if attempt.save_method:
        asked["setup_future_usage"] = "off_session"
    if attempt.in_page:
        asked["use_stripe_sdk"] = True
    return asked | {"return_url": attempt.return_url}


def outcome_of(intent: Mapping[str, Any]) -> Outcome:
    status, intent_id = intent["status"], intent["id"]
    failure = intent.get("last_payment_error")
    if status == "succeeded":
        amount = from_stripe(intent["amount_received"], intent["currency"])
        return Outcome(Result.SUCCEEDED, gateway_id=intent_id, amount=amount, method=_method_of(intent))
    if status == "canceled":
        return Outcome(Result.EXPIRED, gateway_id=intent_id)
    if status == "processing":
        return Outcome(Result.PENDING, gateway_id=intent_id)
    if status == "requires_action":
        return _needs_customer(intent)
    if status == "requires_payment_method" and failure:
        message = f"{failure.get('message') or ''} ({failure.get('code')}, {failure.get('decline_code')})"[:300]
        return Outcome(Result.DECLINED, gateway_id=intent_id, decline=decline_of(failure), message=message)
    return Outcome(Result.UNKNOWN, gateway_id=intent_id, message=f"The payment is {status} at Stripe.")


def _needs_customer(intent: Mapping[str, Any]) -> Outcome:
    """Where the payer approves with the bank: at an address, or inside the page when it was asked for like that."""
    action = intent.get("next_action") or {}
    if action.get("type") in {"redirect_to_url", IN_PAGE}:
        return Outcome(Result.NEEDS_CUSTOMER, gateway_id=intent["id"], next_url=redirect_of(action))
    message = f"Stripe wants {action.get('type')}, which is no bank approval."
    return Outcome(Result.UNKNOWN, gateway_id=intent["id"], message=message)


def _method_of(intent: Mapping[str, Any]) -> MethodInfo | None:
    """The card that was charged: kept when it belongs to a payer, or will in a moment because that was asked for."""
    method = intent.get("payment_method")
    if not isinstance(method, Mapping) or not method.get("card"):
        paid = intent.get("latest_charge") or {}
        method = {"id": id_of(method), "card": (paid.get("payment_method_details") or {}).get("card")}
    if not method["card"]:
        return None
    kept = id_of(method.get("customer")) or (id_of(intent.get("customer")) if intent.get("setup_future_usage") else "")
    return info_of(method, customer=kept)


def _metadata(attempt: Attempt) -> dict[str, str]:
    return {"reference": attempt.reference, "attempt": attempt.key, "profile": attempt.profile}


def _is_of(intent: Mapping[str, Any], attempt: Attempt) -> bool:
    metadata = intent.get("metadata") or {}
    return metadata.get("reference") == attempt.reference and metadata.get("attempt") == attempt.key


def _is_fence(intent: Mapping[str, Any]) -> bool:
    return bool((intent.get("metadata") or {}).get("closed"))


def _age(attempt: Attempt) -> timedelta:
    return now() - attempt.started_at if attempt.started_at else timedelta()
