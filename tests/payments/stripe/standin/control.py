"""What tests ask of the edge: to break, to act as somebody in Stripe's dashboard would, and to tell what it saw."""

from tests.payments.stripe.standin import intents, money_back
from tests.payments.stripe.standin.edge import Edge
from tests.payments.stripe.standin.messages import message
from tests.payments.stripe.standin.routes import act


def answer(edge: Edge, what, asked):
    with edge.shop.lock:
        return CONTROLS[what](edge, **asked)


def _charged(edge, reference=""):
    """What localstripe's own list says was charged: integers and currencies."""
    found = edge.shop.books.get("/v1/payment_intents?limit=1000000")["data"]
    return [
        [each["amount"], each["currency"]]
        for each in found
        if each["status"] == "succeeded" and reference in {"", each["metadata"].get("reference")}
    ]


def _take_messages(edge, secret):
    events, edge.shop.events = edge.shop.events, []
    return [{"body": body.decode(), "headers": headers} for body, headers in (message(each, secret) for each in events)]


def _set(edge, id, **fields):  # noqa: A002 - as the tests write it
    edge.shop.more[id].update(fields)


def _check(edge, intent, passed):
    return intents.authenticate(edge.shop, intent, passed=passed)


def _forget(edge):
    edge.seen.clear()
    edge.undocumented.clear()
    edge.held.clear()
    edge.keys.ahead = edge.shop.search_lag = 0


def _refund(edge, account, **given):
    return act(edge.shop, "POST", "refunds", "", account, given)()


CONTROLS = {
    "arm": lambda edge, **fault: edge.faults.arm(**fault),
    "clear": lambda edge: edge.faults.clear(),
    "ahead": lambda edge, seconds: setattr(edge.keys, "ahead", seconds),
    "charged": _charged,
    "check": _check,
    "detach": lambda edge, account, method: act(edge.shop, "POST", "payment_methods/{id}/detach", method, account, {}),
    "decide": lambda edge, dispute, status: money_back.decide(edge.shop, dispute, status),
    "dispute": lambda edge, account, **given: money_back.dispute(edge.shop, account, given),
    "emit": lambda edge, kind, about: edge.shop.emit(kind, about),
    "messages": _take_messages,
    "refund": _refund,
    "change_refund": lambda edge, refund, **fields: money_back.change(edge.shop, refund, **fields),
    "revoke": lambda edge, key: edge.revoked.add(key),
    "restore": lambda edge, key: edge.revoked.discard(key),
    "seen": lambda edge: edge.seen,
    "search_lag": lambda edge, seconds: setattr(edge.shop, "search_lag", seconds),
    "set": _set,
    "undocumented": lambda edge: edge.undocumented,
    "forget": _forget,
    "release": lambda edge: edge.release(),
}
