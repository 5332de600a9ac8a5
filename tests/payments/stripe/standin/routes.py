"""What each address does. A handler checks first and raises; what it returns then, when that can be called, acts."""

import re

from tests.payments.stripe.standin import intents, money_back, setups
from tests.payments.stripe.standin.books import Refusal, invalid
from tests.payments.stripe.standin.shop import Shop

ID = re.compile(r"^[A-Za-z0-9_]+$")
ACTIONS = {"cancel", "detach"}


def route_of(path):
    """``payment_intents/pi_1/cancel`` is the route ``payment_intents/{id}/cancel`` with the id ``pi_1``."""
    parts = path.removeprefix("/v1/").split("/")
    if len(parts) == 1 or parts[1] == "search":
        return "/".join(parts), ""
    return "/".join([parts[0], "{id}", *parts[2:]]), parts[1]


def act(shop: Shop, method, route, id_, account, given):
    """The handler's answer, not yet acted. Raises Refusal."""
    handler = HANDLERS.get((method, route))
    if handler is None:
        raise invalid(f"Unrecognized request URL ({method}: /v1/{route}).", status=404)
    return handler(shop, account, id_, given)


def _customer(shop, account, given):
    made = shop.books.post("/v1/customers", description=given.get("description"), metadata=given.get("metadata", {}))[
        "id"
    ]
    shop.add(made, account)
    return shop.customer(made)


def _detach(shop, account, method, given):
    shop.owned(method, account, param="payment_method")
    if not shop.method(method)["customer"]:
        raise invalid("The payment method you provided is not attached to a customer.", param="payment_method")
    shop.detach(method)
    return shop.method(method)


def _method(shop, account, method, given):
    return shop.method(shop.owned(method, account, param="payment_method"), expand=given.get("expand", ()))


def make_card(shop: Shop, account, given):
    """A card typed into Stripe's field becomes an id. Only for browsers, with the publishable key."""
    typed = given.get("card", {})
    number = re.sub(r"\D", "", str(typed.get("number", "")))
    if len(number) != 16 or not _luhn(number):
        error = {"type": "card_error", "code": "incorrect_number", "message": "Your card number is incorrect."}
        raise Refusal(402, error | {"param": "number"})
    year = str(typed.get("exp_year", ""))
    card = {"number": number, "exp_month": typed.get("exp_month"), "exp_year": year, "cvc": typed.get("cvc", "")}
    made = shop.books.post("/v1/payment_methods", type="card", card=card)["id"]
    shop.add(made, account)
    return shop.method(made)


def _luhn(number):
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    return sum(digit - 9 * (digit > 9) for digit in doubled) % 10 == 0


HANDLERS = {
    ("GET", "account"): lambda shop, account, id_, given: {"id": account, "object": "account"},
    ("POST", "customers"): lambda shop, account, id_, given: lambda: _customer(shop, account, given),
    ("GET", "disputes"): lambda shop, account, id_, given: money_back.listed_disputes(shop, account, given),
    ("GET", "disputes/{id}"): money_back.retrieve_dispute,
    ("POST", "payment_intents"): lambda shop, account, id_, given: intents.create(shop, account, given),
    ("GET", "payment_intents"): lambda shop, account, id_, given: intents.listed(shop, account, given),
    ("GET", "payment_intents/search"): lambda shop, account, id_, given: intents.searched(shop, account, given),
    ("GET", "payment_intents/{id}"): intents.retrieve,
    ("POST", "payment_intents/{id}/cancel"): intents.cancel,
    ("GET", "payment_methods/{id}"): _method,
    ("POST", "payment_methods/{id}/detach"): _detach,
    ("POST", "refunds"): lambda shop, account, id_, given: money_back.create(shop, account, given),
    ("GET", "refunds"): lambda shop, account, id_, given: money_back.listed(shop, account, given),
    ("GET", "refunds/{id}"): money_back.retrieve,
    ("POST", "setup_intents"): lambda shop, account, id_, given: setups.create(shop, account, given),
    ("GET", "setup_intents/{id}"): setups.retrieve,
    ("POST", "setup_intents/{id}/cancel"): setups.cancel,
}
