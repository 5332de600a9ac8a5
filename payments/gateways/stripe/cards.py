"""Cards, how one is added without a charge, and their payers: a customer at Stripe for each paying profile, with its
code. A card that is being added is a SetupIntent, for charges that nobody is there to confirm."""

from collections.abc import Mapping
from typing import Any

import stripe

from payments.gateways import base
from payments.gateways.base import Decline, GatewayError, MethodInfo, Outcome, Result, SetupStep
from payments.gateways.stripe import errors
from payments.gateways.stripe.client import Account

PREFIX = "pm_"
EXPAND = ["payment_method"]
ABANDONED = Decline(base.DeclineCode.CHALLENGE_FAILED, base.Bucket.CUSTOMER_MUST_ACT)
IN_PAGE = "use_stripe_sdk"  # Stripe's name for a bank approval that its script opens


class Refused(Exception):
    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


def info_of(method: Mapping[str, Any], *, customer: str = "") -> MethodInfo:
    """What the portal keeps of a card. ``customer`` is the payer that keeps it; without one it is not kept."""
    card = method["card"]
    return MethodInfo(
        brand=card.get("brand") or "",
        last_four=card.get("last4") or "",
        expiry_month=card["exp_month"],
        expiry_year=card["exp_year"],
        gateway_method=method["id"] if customer else "",
        gateway_customer=customer,
        fingerprint=card.get("fingerprint") or "",
    )


def id_of(value: Any) -> str:
    """The id of what may be expanded, not expanded, or missing."""
    return str(value.get("id") or "") if isinstance(value, Mapping) else str(value or "")


def redirect_of(action: Mapping[str, Any]) -> str:
    """The address that a payer is sent to. Empty where the bank is answered inside our page."""
    return str(action["redirect_to_url"]["url"]) if action.get("type") == "redirect_to_url" else ""


def challenge_of(intent: Mapping[str, Any]) -> dict[str, str]:
    """The secret of an intent that Stripe's script takes to the bank; it is stored and logged nowhere."""
    waits = intent.get("status") == "requires_action" and (intent.get("next_action") or {}).get("type") == IN_PAGE
    return {"client_secret": str(intent["client_secret"])} if waits else {}


def payer_of(account: Account, attempt: base.Attempt) -> str:
    """The customer to charge for: empty for a new card that is not kept. Raises Refused, GatewayError. Nothing is
    charged here, so trouble on the way means that the charge was certainly not sent."""
    if not attempt.method.startswith(PREFIX):
        raise Refused(Outcome(Result.DECLINED, decline=errors.GONE, message="That is no card of Stripe's."))
    if attempt.gateway_customer:
        return attempt.gateway_customer
    try:
        asked: Any = {"expand": ["customer"]}
        method = account.call(lambda client: client.v1.payment_methods.retrieve(attempt.method, asked))
        owner = method.get("customer")
        if owner:
            if owner.get("metadata", {}).get("profile") != attempt.profile:
                raise Refused(
                    Outcome(Result.DECLINED, decline=errors.GONE, message="The card belongs to another payer.")
                )
            return id_of(owner)
        return make_payer(account, key=attempt.key, profile=attempt.profile) if attempt.save_method else ""
    except stripe.IdempotencyError as error:
        raise errors.trouble(error) from error
    except stripe.StripeError as error:
        if errors.is_method_gone(error):
            raise Refused(errors.charge_outcome(error)) from error
        raise Refused(Outcome(Result.NOT_SENT, message=errors.message_of(error))) from error


def make_payer(account: Account, *, key: str, profile: str) -> str:
    """A new customer. Raises stripe.StripeError."""
    payer: Any = {"description": profile, "metadata": {"profile": profile}}
    options: stripe.RequestOptions = {"idempotency_key": f"{key}:customer"}
    return str(account.call(lambda client: client.v1.customers.create(payer, options))["id"])


def step_of(intent: Mapping[str, Any]) -> SetupStep:
    """How a SetupIntent stands. One that is neither done nor refused waits, at its address or inside the page."""
    status, setup_id = intent["status"], intent["id"]
    if status == "succeeded":
        return SetupStep(setup_id, method=info_of(intent["payment_method"], customer=id_of(intent["customer"])))
    if status == "canceled":
        return SetupStep(setup_id, decline=ABANDONED)
    if status == "requires_payment_method":
        return SetupStep(setup_id, decline=errors.decline_of(intent.get("last_setup_error") or {}))
    return SetupStep(setup_id, next_url=redirect_of(intent.get("next_action") or {}))


class Cards:
    account: Account

    def lookup_method(self, *, gateway_method: str, gateway_customer: str) -> MethodInfo | None:
        """A stored card as Stripe has it now; None when it is gone or is not this payer's. Raises GatewayError."""
        try:
            method = self.account.call(lambda client: client.v1.payment_methods.retrieve(gateway_method))
        except stripe.StripeError as error:
            if errors.is_missing(error):
                return None
            raise errors.trouble(error) from error
        owner = id_of(method.get("customer"))
        if not owner or (gateway_customer and owner != gateway_customer) or not method.get("card"):
            return None
        return info_of(method, customer=owner)

    def detach(self, *, gateway_method: str) -> None:
        """Forgets a stored card. Raises GatewayError unless it is gone."""
        try:
            self.account.call(lambda client: client.v1.payment_methods.detach(gateway_method))
        except stripe.InvalidRequestError as error:
            if self.lookup_method(gateway_method=gateway_method, gateway_customer="") is not None:
                raise errors.trouble(error) from error
        except stripe.StripeError as error:
            raise errors.trouble(error) from error

    def begin_setup(
        self, *, key: str, profile: str, gateway_customer: str, token: str, return_url: str, in_page: bool = False
    ) -> SetupStep:
        """The same key gives the same step. Raises GatewayError."""
        if not token.startswith(PREFIX):
            return SetupStep("", decline=errors.GONE)
        try:
            asked: Any = {
                "confirm": True,
                "customer": gateway_customer or make_payer(self.account, key=key, profile=profile),
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
            return step_of(self.account.call(lambda client: client.v1.setup_intents.create(asked, options)))
        except stripe.CardError as error:
            facts = errors.details(error)
            return SetupStep(id_of(facts.get("setup_intent")), decline=errors.decline_of(facts))
        except stripe.StripeError as error:
            if errors.is_method_gone(error):
                return SetupStep("", decline=errors.GONE)
            raise errors.trouble(error) from error

    def finish_setup(self, setup_id: str) -> SetupStep:
        """Raises GatewayError, also for a set-up that Stripe does not know."""
        return step_of(self._setup(setup_id))

    def expire_setup(self, setup_id: str) -> SetupStep:
        """Cancels a set-up, whose secret a browser could try more cards with. A decline stays. Raises GatewayError."""
        setup = self._setup(setup_id)
        if setup["status"] in {"succeeded", "canceled"}:
            return step_of(setup)
        try:
            asked: Any = {"cancellation_reason": "abandoned"}
            canceled = self.account.call(lambda client: client.v1.setup_intents.cancel(setup_id, asked))
        except stripe.InvalidRequestError:
            return step_of(self._setup(setup_id))
        except stripe.StripeError as error:
            raise errors.trouble(error) from error
        return step_of(setup if setup["status"] == "requires_payment_method" else canceled)

    def setup_challenge(self, setup_id: str) -> dict[str, str]:
        """What the browser needs to ask for the bank's approval inside the page; empty when nothing is asked there."""
        return challenge_of(self._setup(setup_id))

    def _setup(self, setup_id: str) -> dict[str, Any]:
        if not setup_id:
            raise GatewayError("There is no such card being added.", sent=False)
        try:
            return self.account.call(lambda client: client.v1.setup_intents.retrieve(setup_id, {"expand": EXPAND}))
        except stripe.StripeError as error:
            raise errors.trouble(error) from error
