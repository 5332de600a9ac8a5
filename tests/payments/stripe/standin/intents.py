"""PaymentIntents: translated for localstripe, with the answers that Stripe's test cards give."""

import re
import secrets
import time

from tests.payments.stripe.standin import numbers
from tests.payments.stripe.standin.books import Refusal, invalid
from tests.payments.stripe.standin.shop import Shop

KEPT = ("description", "return_url", "setup_future_usage", "use_stripe_sdk")


def create(shop: Shop, account, given):
    """Refuses what Stripe refuses before it begins; what comes back then does the rest."""
    _validate(given)
    method, customer = given.get("payment_method"), given.get("customer")
    if customer:
        shop.owned(customer, account, param="customer")
    if method:
        shop.usable(method, customer, account)
    return lambda: _create(shop, account, given)


def _validate(given):
    currency, amount = given["currency"], int(given["amount"])
    confirms = given.get("confirm") == "true"
    for name in ("off_session", "return_url", "error_on_requires_action"):
        if name in given and not confirms:
            raise invalid(f"{name} can only be used with confirm=true.", param=name)
    if given.get("off_session") == "true" and "setup_future_usage" in given:
        raise invalid("setup_future_usage cannot be used with off_session.", param="setup_future_usage")
    if amount % numbers.LAST_DIGITS_ZERO.get(currency, 1):
        raise invalid("Invalid integer.", code="parameter_invalid_integer", param="amount")
    if amount < numbers.SMALLEST.get(currency, 1):
        raise invalid("Amount must be at least 0.50.", code="amount_too_small", param="amount")
    if amount > numbers.LARGEST:
        raise invalid("Amount must be no more than 999,999.99.", code="amount_too_large", param="amount")


def _create(shop, account, given):
    method = given.get("payment_method") if given.get("confirm") == "true" else None
    card = numbers.card_of(shop.last_four(method)) if method else None
    raw = {"amount": int(given["amount"]), "currency": given["currency"], "metadata": given.get("metadata", {})}
    if given.get("customer"):
        raw["customer"] = given["customer"]
    wanted = _refusal(shop, method, card, given)
    if card is not None and not wanted:
        raw |= {"payment_method": method, "confirm": True}
    intent = shop.books.post("/v1/payment_intents", **raw)["id"]
    shop.add(intent, account, **{name: given[name] for name in KEPT if name in given})
    shop.intents.append(intent)
    shop.emit("payment_intent.created", export(shop, intent))
    if wanted:
        _decline(shop, intent, method, *wanted)
    if card is None:
        return export(shop, intent, given.get("expand", ()))
    asks = _asks(shop, method, card)
    if not asks and shop.last_four(method) in numbers.CHECKED_BY_THE_BOOKS:
        _authenticate(shop, intent, passed=True)
    if asks:
        shop.emit("payment_intent.requires_action", export(shop, intent))
    else:
        _succeeded(shop, intent, method)
    return export(shop, intent, given.get("expand", ()))


def _asks(shop, method, card):
    return card.challenge == "always" or (card.challenge == "unless_set_up" and method not in shop.set_up)


def _refusal(shop, method, card, given):
    """Code and decline code when the card is not charged at once, nor its bank asked."""
    if card is None:
        return None
    if _asks(shop, method, card):
        alone = "true" in {given.get("off_session"), given.get("error_on_requires_action")}
        return ("authentication_required", "authentication_required") if alone else None
    return card.decline if card.decline[0] else None


def _decline(shop, intent, method, code, decline_code):
    """Ends the attempt as declined. Raises the 402."""
    error = {
        "type": "card_error",
        "code": code,
        "decline_code": decline_code,
        "message": "Your card was declined.",
        "charge": f"ch_{secrets.token_hex(8)}",
        "payment_method": shop.method(method),
    }
    advice = shop.more[method].get("advice_code")
    if advice:
        error["advice_code"] = advice
    shop.more[intent]["last_payment_error"] = error
    shop.emit("payment_intent.payment_failed", export(shop, intent))
    raise Refusal(402, {**error, "payment_intent": export(shop, intent)})


def _succeeded(shop, intent, method):
    more = shop.more[intent]
    customer = shop.books.get(f"/v1/payment_intents/{intent}")["customer"]
    if more.get("setup_future_usage") and customer:
        shop.attach(method, customer)
        shop.set_up.add(method)
    elif not shop.method(method)["customer"]:
        shop.used_up.add(method)
    shop.emit("payment_intent.succeeded", export(shop, intent))


def authenticate(shop: Shop, intent, *, passed):
    """What the cardholder said at the bank. Only an intent that waits for it changes."""
    before = export(shop, intent)
    if before["status"] != "requires_action":
        return before
    method = before["payment_method"]
    card = numbers.card_of(shop.last_four(method))
    declined = card.decline[0] if passed else "payment_intent_authentication_failure"
    _authenticate(shop, intent, passed=passed and not declined)
    if not declined:
        _succeeded(shop, intent, method)
        return export(shop, intent)
    shop.more[intent]["last_payment_error"] = {
        "type": "card_error" if passed else "invalid_request_error",
        "code": declined,
        "message": "Your card was declined." if passed else "The provided PaymentMethod has failed authentication.",
        "payment_method": shop.method(method),
        **({"decline_code": card.decline[1]} if passed else {}),
    }
    shop.emit("payment_intent.payment_failed", export(shop, intent))
    return export(shop, intent)


def _authenticate(shop, intent, *, passed):
    secret = shop.books.get(f"/v1/payment_intents/{intent}")["client_secret"]
    answer = str(passed).lower()
    shop.books.post(f"/v1/payment_intents/{intent}/_authenticate?success={answer}", client_secret=secret)


def cancel(shop: Shop, account, intent, given):
    shop.owned(intent, account, param="intent")
    if export(shop, intent)["status"] in {"succeeded", "canceled", "processing"}:
        status = export(shop, intent)["status"]
        message = f"You cannot cancel this PaymentIntent because it has a status of {status}."
        raise invalid(message, code="payment_intent_unexpected_state")
    shop.books.post(f"/v1/payment_intents/{intent}/cancel")
    shop.more[intent]["cancellation_reason"] = given.get("cancellation_reason")
    shop.emit("payment_intent.canceled", export(shop, intent))
    return export(shop, intent, given.get("expand", ()))


def retrieve(shop: Shop, account, intent, given):
    return export(shop, shop.owned(intent, account, param="intent"), given.get("expand", ()))


def listed(shop: Shop, account, given):
    """Newest first, a page at a time."""
    created = given.get("created", {})
    ids = [id_ for id_ in reversed(shop.intents) if shop.owner[id_] == account]
    if given.get("starting_after"):
        ids = ids[ids.index(given["starting_after"]) + 1 :]
    inner = [path.removeprefix("data.") for path in given.get("expand", ())]
    raws = {raw["id"]: raw for raw in shop.books.get("/v1/payment_intents?limit=1000000")["data"]}
    found = [export(shop, id_, inner, raws[id_]) for id_ in ids]
    found = [
        each
        for each in found
        if int(created.get("gte", 0)) <= each["created"] <= int(created.get("lte", 2**62))
        and given.get("customer") in {None, each["customer"]}
    ]
    limit = int(given.get("limit", 10))
    return {"object": "list", "url": "/v1/payment_intents", "data": found[:limit], "has_more": len(found) > limit}


def searched(shop: Shop, account, given):
    """By our reference alone, whenever it was; what was made in the last ``search_lag`` seconds is not seen yet."""
    match = re.fullmatch(r"metadata\['reference'\]:'([^']+)'", given["query"])
    if match is None:
        raise invalid("We were unable to parse your search query.", param="query")
    everything = listed(shop, account, {"limit": 1000000, "expand": given.get("expand", ())})["data"]
    seen = [each for each in everything if each["created"] <= time.time() - shop.search_lag]
    found = [each for each in seen if each["metadata"].get("reference") == match[1]]
    return {"object": "search_result", "url": "/v1/payment_intents/search", "data": found, "has_more": False}


def export(shop: Shop, intent, expand=(), raw=None):
    """An intent as Stripe writes it."""
    raw = raw or shop.books.get(f"/v1/payment_intents/{intent}")
    names = ("id", "object", "amount", "currency", "client_secret", "customer", "payment_method", "metadata", "created")
    found = {name: raw[name] for name in names} | {"status": raw["status"], "livemode": shop.live}
    found |= {"last_payment_error": raw["last_payment_error"], "next_action": None, "latest_charge": None}
    if raw["status"] == "requires_action":
        found["next_action"] = next_action(shop, intent)
    if raw["latest_charge"]:
        found["latest_charge"] = raw["latest_charge"]["id"]
    found["amount_received"] = raw["amount"] if raw["status"] == "succeeded" else 0
    found |= shop.more[intent]
    method = found["payment_method"]
    if "latest_charge" in expand and found["latest_charge"]:
        details = {"type": "card", "card": shop.method(method)["card"]} if method else None
        found["latest_charge"] = {"id": found["latest_charge"], "object": "charge", "payment_method_details": details}
    if "payment_method" in expand and method:
        found["payment_method"] = shop.method(method)
    return found


def next_action(shop, intent):
    """Inside the page where that was asked for; else at an address of the edge's."""
    more = shop.more[intent]
    if more.get("use_stripe_sdk") == "true":
        return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    address = {"return_url": more.get("return_url"), "url": f"{shop.url}/check/{intent}"}
    return {"type": "redirect_to_url", "redirect_to_url": address}
