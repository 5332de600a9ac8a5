"""What localstripe does not keep: whose objects are whose, the fields it lacks, and the events of what happened."""

import copy
import secrets
import threading
import time
from collections import defaultdict

from tests.payments.stripe.standin.books import Books, invalid, missing
from tests.payments.stripe.standin.numbers import card_of

KINDS = {
    "pi": "payment_intent",
    "pm": "payment_method",
    "cus": "customer",
    "re": "refund",
    "seti": "setup_intent",
    "du": "dispute",
}


class Shop:
    def __init__(self, books: Books, url: str = "") -> None:
        self.books = books
        self.url = url  # of the edge, for the pages of the bank's check
        self.lock = threading.RLock()
        self.live = True
        self.owner = {}  # id -> account
        self.more = defaultdict(dict)  # id -> fields that stand over those of the books
        self.disputes = {}
        self.refunds = defaultdict(list)  # payment -> ids of its refunds
        self.intents = []  # ids, oldest first
        self.set_up = set()  # cards that the bank approved for later
        self.used_up = set()  # cards that were charged without a payer, or forgotten
        self.events = []
        self.search_lag = 0  # seconds until the search sees what is new
        self._methods = {}  # as the books have them, until they change there
        self.on_event = lambda event: None

    def owned(self, id_, account, *, param="id"):
        """Raises the refusal that Stripe gives for what is not there, or is another account's."""
        if self.owner.get(id_) != account:
            raise missing(KINDS.get(id_.partition("_")[0], "resource"), id_, param)
        return id_

    def add(self, id_, account, **more):
        self.owner[id_] = account
        self.more[id_].update(more)

    def method(self, id_, *, expand=()):
        if id_ not in self._methods:
            self._methods[id_] = self.books.get(f"/v1/payment_methods/{id_}")
        raw = copy.deepcopy(self._methods[id_]) | {"livemode": self.live}
        raw["card"]["brand"] = card_of(raw["card"]["last4"]).brand
        raw |= {name: value for name, value in self.more[id_].items() if name != "card"}
        raw["card"] |= self.more[id_].get("card", {})
        if "customer" in expand and raw["customer"]:
            raw["customer"] = self.customer(raw["customer"])
        return raw

    def customer(self, id_):
        raw = self.books.get(f"/v1/customers/{id_}")
        names = ("id", "object", "created", "description", "metadata")
        return {name: raw[name] for name in names} | {"livemode": self.live} | self.more[id_]

    def last_four(self, method_id):
        return self.method(method_id)["card"]["last4"]

    def usable(self, method_id, customer, account):
        """Raises what Stripe answers for a card that cannot be used by this payer."""
        self.owned(method_id, account, param="payment_method")
        if customer:
            self.owned(customer, account, param="customer")
        owner = self.method(method_id)["customer"]
        if method_id in self.used_up:
            message = (
                "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment or "
                "was detached from a Customer. It may not be used again."
            )
            raise invalid(message, param="payment_method")
        if owner and owner != customer:
            raise invalid("The payment method supplied belongs to another customer.", param="payment_method")

    def attach(self, method_id, customer):
        """Keeps a card for a payer."""
        if self.method(method_id)["customer"] != customer:
            self.books.post(f"/v1/payment_methods/{method_id}/attach", customer=customer)
            del self._methods[method_id]
            self.emit("payment_method.attached", self.method(method_id))

    def detach(self, method_id):
        """Forgets it; it can never be used again."""
        self.books.post(f"/v1/payment_methods/{method_id}/detach")
        del self._methods[method_id]
        self.used_up.add(method_id)
        self.emit("payment_method.detached", self.method(method_id))

    def emit(self, kind, about):
        """An event with a picture of the object at this moment."""
        event = {
            "id": f"evt_{secrets.token_hex(12)}",
            "object": "event",
            "api_version": "2020-08-27",
            "created": int(time.time()),
            "livemode": self.live,
            "type": kind,
            "data": {"object": about},
        }
        self.events.append(event)
        self.on_event(event)
        return event
