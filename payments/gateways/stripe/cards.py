"""Cards and the payers they belong to. One customer at Stripe stands for each paying profile; its code is in there."""

from collections.abc import Mapping
from typing import Any

import stripe

from payments.gateways.base import Attempt, MethodInfo, Outcome, Result
from payments.gateways.stripe.client import Account
from payments.gateways.stripe.errors import GONE, charge_outcome, details, is_method_gone, message_of, trouble

PREFIX = "pm_"
IN_PAGE = "use_stripe_sdk"  # Stripe's name for a bank approval that its script opens


class Refused(Exception):
    """There is no charge to make; the outcome says why."""

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


def challenge_of(intent: Mapping[str, Any]) -> dict[str, str]:
    """The secret of an intent that Stripe's script takes to the bank; it is stored and logged nowhere."""
    waits = intent.get("status") == "requires_action" and (intent.get("next_action") or {}).get("type") == IN_PAGE
    return {"client_secret": str(intent["client_secret"])} if waits else {}


def payer_of(account: Account, attempt: Attempt) -> str:
    """The customer to charge for: empty for a new card that is not kept. Raises Refused, GatewayError.

    Nothing is charged here, so trouble on the way means that the charge was certainly not sent.
    """
    if not attempt.method.startswith(PREFIX):
        raise Refused(Outcome(Result.DECLINED, decline=GONE, message="That is no card of Stripe's."))
    if attempt.gateway_customer:
        return attempt.gateway_customer
    try:
        method = account.call(
            lambda client: client.v1.payment_methods.retrieve(attempt.method, {"expand": ["customer"]})
        ).to_dict()
        owner = method.get("customer")
        if owner:
            if owner.get("metadata", {}).get("profile") != attempt.profile:
                raise Refused(Outcome(Result.DECLINED, decline=GONE, message="The card belongs to another payer."))
            return id_of(owner)
        return make_payer(account, key=attempt.key, profile=attempt.profile) if attempt.save_method else ""
    except stripe.IdempotencyError as error:
        raise trouble(error) from error
    except stripe.StripeError as error:
        if is_method_gone(error):
            raise Refused(charge_outcome(error)) from error
        raise Refused(Outcome(Result.NOT_SENT, message=message_of(error))) from error


def make_payer(account: Account, *, key: str, profile: str) -> str:
    """A new customer. Raises stripe.StripeError."""
    return account.call(
        lambda client: client.v1.customers.create(
            {"description": profile, "metadata": {"profile": profile}}, {"idempotency_key": f"{key}:customer"}
        )
    ).id


def lookup(account: Account, *, gateway_method: str, gateway_customer: str) -> MethodInfo | None:
    """A stored card as Stripe has it now; None when it is gone or is not this payer's. Raises GatewayError."""
    try:
        method = account.call(lambda client: client.v1.payment_methods.retrieve(gateway_method)).to_dict()
    except stripe.InvalidRequestError as error:
        if details(error).get("code") == "resource_missing":
            return None
        raise trouble(error) from error
    except stripe.StripeError as error:
        raise trouble(error) from error
    owner = id_of(method.get("customer"))
    if not owner or (gateway_customer and owner != gateway_customer) or not method.get("card"):
        return None
    return info_of(method, customer=owner)


def detach(account: Account, *, gateway_method: str) -> None:
    """Forgets a stored card. Raises GatewayError unless it is gone."""
    try:
        account.call(lambda client: client.v1.payment_methods.detach(gateway_method))
    except stripe.InvalidRequestError as error:
        if lookup(account, gateway_method=gateway_method, gateway_customer="") is not None:
            raise trouble(error) from error
    except stripe.StripeError as error:
        raise trouble(error) from error
