"""Adding a card without charging it: a SetupIntent, for charges that nobody is there to confirm."""

from collections.abc import Mapping
from typing import Any

import stripe

from payments.gateways.base import Bucket, Decline, DeclineCode, GatewayError, SetupStep
from payments.gateways.stripe.cards import PREFIX, challenge_of, id_of, info_of, make_payer
from payments.gateways.stripe.client import Account
from payments.gateways.stripe.errors import GONE, decline_of, details, is_method_gone, trouble

EXPAND = ["payment_method"]
ABANDONED = Decline(DeclineCode.CHALLENGE_FAILED, Bucket.CUSTOMER_MUST_ACT)


def begin(
    account: Account, *, key: str, profile: str, gateway_customer: str, token: str, return_url: str, in_page: bool
) -> SetupStep:
    """The same key gives the same step. Raises GatewayError."""
    if not token.startswith(PREFIX):
        return SetupStep("", decline=GONE)
    try:
        asked: Any = {
            "confirm": True,
            "customer": gateway_customer or make_payer(account, key=key, profile=profile),
            "expand": EXPAND,
            "metadata": {"attempt": key, "profile": profile},
            "payment_method": token,
            "allowed_payment_method_types": ["card"],
            "return_url": return_url,
            "usage": "off_session",
        }
        if in_page:
            asked["use_stripe_sdk"] = True
        options: stripe.RequestOptions = {"idempotency_key": f"{key}:setup"}
        return step_of(account.call(lambda client: client.v1.setup_intents.create(asked, options)).to_dict())
    except stripe.CardError as error:
        said = details(error)
        return SetupStep(id_of(said.get("setup_intent")), decline=decline_of(said))
    except stripe.StripeError as error:
        if is_method_gone(error):
            return SetupStep("", decline=GONE)
        raise trouble(error) from error


def finish(account: Account, setup_id: str) -> SetupStep:
    """Raises GatewayError, also for a set-up that Stripe does not know."""
    return step_of(_retrieve(account, setup_id))


def expire(account: Account, setup_id: str) -> SetupStep:
    """Cancels a set-up: its secret, which a browser had, could otherwise be used to try one card after the other. A
    decline stays one. Raises GatewayError."""
    setup = _retrieve(account, setup_id)
    if setup["status"] in {"succeeded", "canceled"}:
        return step_of(setup)
    try:
        asked: Any = {"cancellation_reason": "abandoned"}
        canceled = account.call(lambda client: client.v1.setup_intents.cancel(setup_id, asked)).to_dict()
    except stripe.InvalidRequestError:
        return step_of(_retrieve(account, setup_id))
    except stripe.StripeError as error:
        raise trouble(error) from error
    return step_of(setup if setup["status"] == "requires_payment_method" else canceled)


def challenge(account: Account, setup_id: str) -> dict[str, str]:
    """What the browser needs to ask for the bank's approval inside the page; empty when nothing is asked there."""
    return challenge_of(_retrieve(account, setup_id))


def step_of(intent: Mapping[str, Any]) -> SetupStep:
    """How a SetupIntent stands. One that is neither done nor refused waits, at its address or inside the page."""
    status, setup_id = intent["status"], intent["id"]
    if status == "succeeded":
        return SetupStep(setup_id, method=info_of(intent["payment_method"], customer=id_of(intent["customer"])))
    if status == "canceled":
        return SetupStep(setup_id, decline=ABANDONED)
    if status == "requires_payment_method":
        return SetupStep(setup_id, decline=decline_of(intent.get("last_setup_error") or {}))
    action = intent.get("next_action") or {}
    address = action["redirect_to_url"]["url"] if action.get("type") == "redirect_to_url" else ""
    return SetupStep(setup_id, next_url=address)


def _retrieve(account: Account, setup_id: str) -> dict[str, Any]:
    if not setup_id:
        raise GatewayError("There is no such card being added.", sent=False)
    try:
        return account.call(lambda client: client.v1.setup_intents.retrieve(setup_id, {"expand": EXPAND})).to_dict()
    except stripe.StripeError as error:
        raise trouble(error) from error
