"""Every error and decline of Stripe's in the portal's words. One table; what it does not know is `GENERIC`.
https://docs.stripe.com/declines/codes and https://docs.stripe.com/error-codes. A decline code is the bank's reason and
says more than the error code, so it comes first. The bank's advice decides whether the card may be tried again."""

from collections.abc import Mapping
from typing import Any

import stripe
import structlog

from payments.gateways.base import Bucket, Decline, DeclineCode, GatewayError, Outcome, Result
from payments.gateways.stripe.client import NeverSent

log = structlog.get_logger("payments.stripe")

D, B = DeclineCode, Bucket
LONGEST_MESSAGE = 300

# What the bank said, or what was wrong with the card: our code with what can be done, and Stripe's names for it.
NAMES = {
    (D.CHALLENGE_REQUIRED, B.CUSTOMER_MUST_ACT): (
        "authentication_required authentication_not_handled mobile_device_authentication_required"
    ),
    (D.CHALLENGE_FAILED, B.CUSTOMER_MUST_ACT): (
        "payment_intent_authentication_failure setup_intent_authentication_failure "
        "payment_intent_payment_attempt_expired setup_intent_setup_attempt_expired payment_intent_action_required "
        "payment_method_customer_decline"
    ),
    (D.GENERIC, B.NEW_METHOD): (
        "card_declined generic_decline call_issuer do_not_honor no_action_taken security_violation "
        "payment_intent_payment_attempt_failed payment_method_provider_decline setup_attempt_failed incorrect_pin "
        "invalid_pin offline_pin_required online_or_offline_pin_required pin_try_exceeded"
    ),
    (D.GENERIC, B.RETRY_LATER): "approve_with_id try_again_later card_decline_rate_limit_exceeded",
    (D.GENERIC, B.NEVER): "do_not_try_again",
    (D.PROCESSING_ERROR, B.RETRY_LATER): (
        "processing_error issuer_not_available reenter_transaction payment_method_not_available "
        "payment_method_provider_timeout three_d_secure_authentication_upstream_error"
    ),
    (D.INSUFFICIENT_FUNDS, B.RETRY_LATER): "insufficient_funds",
    (D.LIMIT_EXCEEDED, B.RETRY_LATER): (
        "card_velocity_exceeded withdrawal_count_limit_exceeded invalid_amount charge_exceeds_source_limit "
        "charge_exceeds_transaction_limit"
    ),
    (D.TOO_LARGE, B.CONFIG_ERROR): "amount_too_large",
    (D.TOO_SMALL, B.CONFIG_ERROR): "amount_too_small",
    (D.EXPIRED_CARD, B.NEW_METHOD): "expired_card expired_payment_method",
    (D.WRONG_EXPIRY, B.NEW_METHOD): "invalid_expiry_month invalid_expiry_year",
    (D.WRONG_CODE, B.NEW_METHOD): "incorrect_cvc invalid_cvc",
    (D.WRONG_NUMBER, B.NEW_METHOD): "incorrect_number invalid_number",
    (D.WRONG_ADDRESS, B.NEW_METHOD): "incorrect_zip incorrect_address incorrect_postal_code postal_code_invalid",
    (D.INVALID_ACCOUNT, B.NEW_METHOD): "invalid_account new_account_information_available account_closed",
    (D.NOT_SUPPORTED, B.NEW_METHOD): (
        "card_not_supported not_permitted service_not_allowed transaction_not_allowed invalid_card_type "
        "payment_method_unsupported_type payment_method_restricted three_d_secure_authentication_not_supported "
        "payment_intent_incompatible_payment_method"
    ),
    (D.CURRENCY, B.NEW_METHOD): "currency_not_supported payment_method_currency_mismatch",
    (D.DUPLICATE, B.RETRY_LATER): "duplicate_transaction",
    (D.LOST_OR_STOLEN, B.NEVER): "lost_card stolen_card pickup_card restricted_card",
    (D.FRAUD, B.NEVER): "fraudulent merchant_blacklist",
    (D.STOPPED, B.NEVER): (
        "revocation_of_all_authorizations revocation_of_authorization stop_payment_order "
        "india_recurring_payment_mandate_canceled payment_intent_mandate_invalid"
    ),
    (D.TEST_CARD, B.NEW_METHOD): "testmode_decline payment_method_invalid_parameter_testmode",
    (D.METHOD_GONE, B.NEW_METHOD): "token_already_used payment_method_unactivated",
}
DECLINES = {name: outcome for outcome, names in NAMES.items() for name in names.split()}
UNKNOWN = (D.GENERIC, B.NEW_METHOD)
GONE = Decline(D.METHOD_GONE, B.NEW_METHOD)

# https://docs.stripe.com/declines/card#retrying-issuer-declines
ADVICE = {"confirm_card_data": B.NEW_METHOD, "do_not_try_again": B.NEVER, "try_again_later": B.RETRY_LATER}


def decline_of(error: Mapping[str, Any]) -> Decline:
    """Why there was no charge, from an error as Stripe writes it: ``code``, ``decline_code``, ``advice_code``."""
    given = (str(error.get("decline_code") or ""), str(error.get("code") or ""))
    code, bucket = next((DECLINES[name] for name in given if name in DECLINES), UNKNOWN)
    if bucket in {B.NEW_METHOD, B.RETRY_LATER}:
        bucket = ADVICE.get(str(error.get("advice_code") or ""), bucket)
    return Decline(code, bucket)


def details(error: stripe.StripeError) -> dict[str, Any]:
    """The ``error`` of the answer's body; empty when the answer was none of Stripe's."""
    body = error.json_body
    error_body = body.get("error") if isinstance(body, dict) else None
    return error_body if isinstance(error_body, dict) else {}


def message_of(error: stripe.StripeError) -> str:
    facts = details(error)
    codes = [str(code) for code in (facts.get("code"), facts.get("decline_code"), error.request_id) if code]
    words = str(facts.get("message") or error.user_message or type(error).__name__)
    return (f"{words} ({', '.join(codes)})" if codes else words)[:LONGEST_MESSAGE]


def is_missing(error: stripe.StripeError) -> bool:
    return isinstance(error, stripe.InvalidRequestError) and details(error).get("code") == "resource_missing"


def is_method_gone(error: stripe.StripeError) -> bool:
    """The card was forgotten or is somebody else's: Stripe points at the parameter of the card or of its payer."""
    return isinstance(error, stripe.InvalidRequestError) and error.param in {"payment_method", "customer"}


def never_arrived(error: stripe.StripeError) -> bool:
    """Nothing was begun, for certain: no connection was ever made, or the request was turned away at the door. A
    try before this one that may have arrived makes it uncertain."""
    if isinstance(error, NeverSent):
        return True
    if getattr(error, "after_a_lost_try", False):
        return False
    if isinstance(error, stripe.RateLimitError):
        return details(error).get("code") != "lock_timeout"
    return isinstance(error, stripe.AuthenticationError | stripe.PermissionError)


def is_key_used(error: stripe.StripeError) -> bool:
    """Whether the idempotency key had been used before, for another request or for one that ended in a 500: what Stripe
    answers now is not about the request that was sent now. https://docs.stripe.com/api/idempotent_requests"""
    if isinstance(error, stripe.IdempotencyError):
        return True
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return (error.http_status or 0) >= 500 and headers.get("idempotent-replayed") == "true"


def charge_outcome(error: stripe.StripeError) -> Outcome:
    """What an error means for a charge. Raises GatewayError for what only a change here or at Stripe can mend."""
    facts, message = details(error), message_of(error)
    if isinstance(error, stripe.CardError):
        intent = facts.get("payment_intent") or facts.get("setup_intent") or {}
        return Outcome(Result.DECLINED, gateway_id=intent.get("id", ""), decline=decline_of(facts), message=message)
    if never_arrived(error):
        _tell_staff(error)
        return Outcome(Result.NOT_SENT, message=message)
    if is_method_gone(error):
        return Outcome(Result.DECLINED, decline=GONE, message=message)
    if isinstance(error, stripe.InvalidRequestError) and facts.get("code") in DECLINES:
        return Outcome(Result.DECLINED, decline=decline_of(facts), message=message)
    if isinstance(error, stripe.InvalidRequestError | stripe.IdempotencyError):
        raise trouble(error) from error
    return Outcome(Result.UNKNOWN, message=message)


def trouble(error: stripe.StripeError) -> GatewayError:
    _tell_staff(error)
    return GatewayError(message_of(error), sent=not never_arrived(error))


def _tell_staff(error: stripe.StripeError) -> None:
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        log.error("the provider refuses our key", status=error.http_status, message=message_of(error))
