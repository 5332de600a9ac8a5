"""Every decline code that Stripe documents, in the portal's words. https://docs.stripe.com/declines/codes"""

import pytest
from django.utils import translation

from payments.declines import EXPLANATIONS, GENERIC, explain
from payments.gateways.base import DeclineCode, Result
from payments.gateways.stripe.errors import DECLINES, decline_of
from tests.payments.stripe.asks import an_attempt

DOCUMENTED = {
    "authentication_required": ("challenge_required", "customer_must_act"),
    "authentication_not_handled": ("challenge_required", "customer_must_act"),
    "approve_with_id": ("generic", "retry_later"),
    "call_issuer": ("generic", "new_method"),
    "card_not_supported": ("not_supported", "new_method"),
    "card_velocity_exceeded": ("limit_exceeded", "retry_later"),
    "currency_not_supported": ("currency", "new_method"),
    "do_not_honor": ("generic", "new_method"),
    "do_not_try_again": ("generic", "never"),
    "duplicate_transaction": ("duplicate", "retry_later"),
    "expired_card": ("expired_card", "new_method"),
    "fraudulent": ("fraud", "never"),
    "generic_decline": ("generic", "new_method"),
    "incorrect_address": ("wrong_address", "new_method"),
    "incorrect_cvc": ("wrong_code", "new_method"),
    "incorrect_number": ("wrong_number", "new_method"),
    "incorrect_pin": ("generic", "new_method"),
    "incorrect_zip": ("wrong_address", "new_method"),
    "insufficient_funds": ("insufficient_funds", "retry_later"),
    "invalid_account": ("invalid_account", "new_method"),
    "invalid_amount": ("limit_exceeded", "retry_later"),
    "invalid_cvc": ("wrong_code", "new_method"),
    "invalid_expiry_month": ("wrong_expiry", "new_method"),
    "invalid_expiry_year": ("wrong_expiry", "new_method"),
    "invalid_number": ("wrong_number", "new_method"),
    "invalid_pin": ("generic", "new_method"),
    "issuer_not_available": ("processing_error", "retry_later"),
    "lost_card": ("lost_or_stolen", "never"),
    "merchant_blacklist": ("fraud", "never"),
    "mobile_device_authentication_required": ("challenge_required", "customer_must_act"),
    "new_account_information_available": ("invalid_account", "new_method"),
    "no_action_taken": ("generic", "new_method"),
    "not_permitted": ("not_supported", "new_method"),
    "offline_pin_required": ("generic", "new_method"),
    "online_or_offline_pin_required": ("generic", "new_method"),
    "pickup_card": ("lost_or_stolen", "never"),
    "pin_try_exceeded": ("generic", "new_method"),
    "processing_error": ("processing_error", "retry_later"),
    "reenter_transaction": ("processing_error", "retry_later"),
    "restricted_card": ("lost_or_stolen", "never"),
    "revocation_of_all_authorizations": ("stopped", "never"),
    "revocation_of_authorization": ("stopped", "never"),
    "security_violation": ("generic", "new_method"),
    "service_not_allowed": ("not_supported", "new_method"),
    "stolen_card": ("lost_or_stolen", "never"),
    "stop_payment_order": ("stopped", "never"),
    "testmode_decline": ("test_card", "new_method"),
    "transaction_not_allowed": ("not_supported", "new_method"),
    "try_again_later": ("generic", "retry_later"),
    "withdrawal_count_limit_exceeded": ("limit_exceeded", "retry_later"),
}
# Error codes of charges and set-ups that come without a decline code. https://docs.stripe.com/error-codes
ERRORS = {
    "amount_too_large": ("too_large", "config_error"),
    "amount_too_small": ("too_small", "config_error"),
    "authentication_required": ("challenge_required", "customer_must_act"),
    "card_decline_rate_limit_exceeded": ("generic", "retry_later"),
    "card_declined": ("generic", "new_method"),
    "expired_payment_method": ("expired_card", "new_method"),
    "incorrect_postal_code": ("wrong_address", "new_method"),
    "invalid_card_type": ("not_supported", "new_method"),
    "payment_intent_authentication_failure": ("challenge_failed", "customer_must_act"),
    "payment_intent_payment_attempt_expired": ("challenge_failed", "customer_must_act"),
    "payment_intent_payment_attempt_failed": ("generic", "new_method"),
    "payment_method_currency_mismatch": ("currency", "new_method"),
    "payment_method_customer_decline": ("challenge_failed", "customer_must_act"),
    "payment_method_not_available": ("processing_error", "retry_later"),
    "payment_method_provider_decline": ("generic", "new_method"),
    "payment_method_provider_timeout": ("processing_error", "retry_later"),
    "setup_attempt_failed": ("generic", "new_method"),
    "setup_intent_authentication_failure": ("challenge_failed", "customer_must_act"),
    "token_already_used": ("method_gone", "new_method"),
}


@pytest.mark.parametrize("code", DOCUMENTED)
def test_a_decline_code_says_more_than_the_error_code_beside_it(code):
    decline = decline_of({"code": "card_declined", "decline_code": code})
    assert (decline.code, decline.bucket) == DOCUMENTED[code]


@pytest.mark.parametrize("code", ERRORS)
def test_an_error_code_alone_is_understood_too(code):
    decline = decline_of({"code": code})
    assert (decline.code, decline.bucket) == ERRORS[code]


@pytest.mark.parametrize("error", [{}, {"code": "card_declined", "decline_code": "new_to_us"}, {"code": "new_to_us"}])
def test_what_is_not_known_is_generic(error):
    decline = decline_of(error)
    assert (decline.code, decline.bucket) == ("generic", "new_method")


@pytest.mark.parametrize(
    ("code", "advice", "bucket"),
    [
        ("generic_decline", "try_again_later", "retry_later"),
        ("insufficient_funds", "do_not_try_again", "never"),
        ("do_not_honor", "confirm_card_data", "new_method"),
        ("stolen_card", "try_again_later", "never"),
        ("authentication_required", "try_again_later", "customer_must_act"),
        ("generic_decline", "new_advice", "new_method"),
    ],
)
def test_the_banks_advice_decides_whether_the_card_is_tried_again(code, advice, bucket):
    decline = decline_of({"code": "card_declined", "decline_code": code, "advice_code": advice})
    assert decline.bucket == bucket


def test_every_code_has_a_sentence_for_the_customer_in_both_languages():
    assert set(EXPLANATIONS) == set(DeclineCode)
    for code, explanation in EXPLANATIONS.items():
        for text in (explanation.reason, *explanation.advice):
            with translation.override("nl"):
                dutch = str(text)
            assert dutch != str(text), code


@pytest.mark.parametrize("code", ["lost_card", "stolen_card", "pickup_card", "fraudulent", "merchant_blacklist"])
def test_a_suspicion_is_not_told_to_whoever_holds_the_card(code):
    assert explain(DECLINES[code][0]) == GENERIC


@pytest.mark.parametrize(
    ("number", "code", "bucket"),
    [
        ("4000000000000002", "generic", "new_method"),
        ("4000000000009995", "insufficient_funds", "retry_later"),
        ("4000000000009987", "lost_or_stolen", "never"),
        ("4000000000009979", "lost_or_stolen", "never"),
        ("4000000000000069", "expired_card", "new_method"),
        ("4000000000000127", "wrong_code", "new_method"),
        ("4000000000000119", "processing_error", "retry_later"),
        ("4000000000006975", "limit_exceeded", "retry_later"),
        ("4000000000000341", "generic", "new_method"),
    ],
)
def test_the_published_cards_are_declined_as_they_are_meant_to(gateway, standin, number, code, bucket):
    attempt = an_attempt(standin, number)

    outcome = gateway.charge(attempt)

    assert outcome.result == Result.DECLINED
    assert (outcome.decline.code, outcome.decline.bucket) == (code, bucket)
    assert outcome.gateway_id.startswith("pi_")
    assert "Your card was declined." in outcome.message
    assert gateway.lookup(attempt).decline == outcome.decline
