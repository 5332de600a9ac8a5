"""SetupIntents: a card that is kept without a charge."""

from tests.payments.stripe.standin import numbers
from tests.payments.stripe.standin.books import Refusal, invalid, missing
from tests.payments.stripe.standin.intents import next_action
from tests.payments.stripe.standin.shop import Shop


def create(shop: Shop, account, given):
    shop.owned(given["customer"], account, param="customer")
    shop.usable(given["payment_method"], given["customer"], account)
    return lambda: _create(shop, account, given)


def _create(shop, account, given):
    method = given["payment_method"]
    card = numbers.card_of(shop.last_four(method))
    setup = shop.books.post(
        "/v1/setup_intents",
        customer=given["customer"],
        usage=given.get("usage", "off_session"),
        metadata=given.get("metadata", {}),
    )["id"]
    kept = {name: given[name] for name in ("return_url", "use_stripe_sdk") if name in given}
    shop.add(setup, account, **kept)
    if not card.attachable:
        error = {"code": card.decline[0], "decline_code": card.decline[1], "message": "Your card was declined."}
        return _refuse(shop, setup, {"type": "card_error", **error})
    shop.books.post(f"/v1/setup_intents/{setup}/confirm", payment_method=method)
    if not card.challenge:
        if shop.last_four(method) in numbers.CHECKED_BY_THE_BOOKS:
            shop.books.post(f"/v1/setup_intents/{setup}/confirm")
        _succeeded(shop, setup)
    return export(shop, setup, given.get("expand", ()))


def _refuse(shop, setup, error):
    shop.more[setup] |= {"status": "requires_payment_method", "last_setup_error": error}
    shop.emit("setup_intent.setup_failed", export(shop, setup))
    raise Refusal(402, {**error, "setup_intent": export(shop, setup)})


def _succeeded(shop, setup):
    found = export(shop, setup)
    shop.attach(found["payment_method"], found["customer"])
    shop.set_up.add(found["payment_method"])
    shop.emit("setup_intent.succeeded", export(shop, setup))


def authenticate(shop: Shop, setup, *, passed):
    """What the cardholder said at the bank."""
    if export(shop, setup)["status"] != "requires_action":
        return export(shop, setup)
    if passed:
        shop.books.post(f"/v1/setup_intents/{setup}/confirm")
        _succeeded(shop, setup)
    else:
        failed = {"code": "setup_intent_authentication_failure", "message": "The check was not passed."}
        error = {"type": "invalid_request_error", **failed}
        shop.more[setup] |= {"status": "requires_payment_method", "last_setup_error": error}
    return export(shop, setup)


def retrieve(shop: Shop, account, setup, given):
    if shop.owner.get(setup) != account:
        raise missing("setupintent", setup, "intent")
    return export(shop, setup, given.get("expand", ()))


def cancel(shop: Shop, account, setup, given):
    status = retrieve(shop, account, setup, {})["status"]
    if status in {"succeeded", "canceled"}:
        message = f"You cannot cancel this SetupIntent because it has a status of {status}."
        raise invalid(message, code="setup_intent_unexpected_state")
    shop.more[setup] |= {"status": "canceled", "cancellation_reason": given.get("cancellation_reason")}
    return export(shop, setup)


def export(shop: Shop, setup, expand=()):
    raw = shop.books.get(f"/v1/setup_intents/{setup}")
    names = ("id", "object", "client_secret", "customer", "payment_method", "metadata", "created", "status", "usage")
    found = {name: raw[name] for name in names} | {"livemode": shop.live, "next_action": None}
    found |= {"last_setup_error": None} | shop.more[setup]
    if found["status"] == "requires_action":
        found["next_action"] = next_action(shop, setup)
    if "payment_method" in expand and found["payment_method"]:
        found["payment_method"] = shop.method(found["payment_method"])
    return found
