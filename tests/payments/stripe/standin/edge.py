"""The edge: requests as Stripe takes them, one at a time into the books, and all that can go wrong on the way."""

import json
import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.payments.stripe.standin import documented
from tests.payments.stripe.standin.books import Books, Refusal
from tests.payments.stripe.standin.faults import Faults
from tests.payments.stripe.standin.forms import unflatten
from tests.payments.stripe.standin.keys import Keys
from tests.payments.stripe.standin.routes import act, make_card, route_of
from tests.payments.stripe.standin.shop import Shop

DOORS = {
    "rate_limit": (429, {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests."}),
    "lock_timeout": (429, {"type": "invalid_request_error", "code": "lock_timeout", "message": "Busy."}),
    "unavailable": (503, {"type": "api_error", "message": "Unavailable."}),
}
BROKEN = {"type": "api_error", "message": "An unknown error occurred."}
OTHER = {
    "type": "idempotency_error",
    "message": "Keys for idempotent requests can only be used with the same parameters.",
}
IN_USE = {
    "type": "invalid_request_error",
    "code": "idempotency_key_in_use",
    "message": "There is currently another in-progress request using this key.",
}


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: str = ""
    given: dict = field(default_factory=dict)

    def __post_init__(self):
        parts = urlsplit(self.path)
        self.path = parts.path
        self.given = unflatten(self.body if self.method == "POST" else parts.query)


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Dropped(Exception):
    """The connection ends without an answer."""


class Edge:
    def __init__(self, books: Books) -> None:
        self.shop = Shop(books)
        self.keys = Keys()
        self.faults = Faults()
        self.revoked = set()  # secret keys
        self.seen = []  # every request, as far as tests ask for it
        self.undocumented = []
        self.held = []

    def serve(self, request: Request) -> Answer:
        """Raises Dropped."""
        route, id_ = route_of(request.path)
        fault = self.faults.take(f"{request.method} {route}")
        name = fault.name if fault else ""
        if name == "hold":
            self.held.append(request)
        if name in {"hold", "drop_before"}:
            raise Dropped
        if name == "delay":
            time.sleep(fault.seconds)
        if name in DOORS:
            return _error(*DOORS[name])
        answer = self._answer(request, route, id_, name)
        if name == "slow":
            time.sleep(fault.seconds)
        if name == "drop_after":
            raise Dropped
        if name == "garbage":
            return Answer(200, b"<html>Bad gateway</html>")
        if name == "cut":
            return Answer(200, answer.body[: len(answer.body) // 2])
        return answer

    def release(self):
        """The requests that were held arrive now. Their statuses."""
        held, self.held = self.held, []
        return [self.serve(request).status for request in held]

    def _answer(self, request, route, id_, fault):
        try:
            account = self._account(request)
            if request.headers.get("stripe-version") != documented.VERSION:
                raise self._undocumented(request, ["Stripe-Version"])
            unknown = documented.unknown_parameters(request.method, route, request.given)
            if unknown:
                raise self._undocumented(request, unknown)
            key = request.headers.get("idempotency-key", "")
            self.seen.append({"method": request.method, "route": route, "given": request.given, "key": key})
            if request.method != "POST":
                with self.shop.lock:
                    return _ok(act(self.shop, request.method, route, id_, account, request.given))
            return self._once(f"{account} {key}", request, route, id_, account, fault)
        except Refusal as refusal:
            return _error(refusal.status, refusal.error)

    def _once(self, key, request, route, id_, account, fault):
        earlier = self.keys.begin(key, [request.path, request.given])
        if earlier == "in_use":
            return _error(409, IN_USE)
        if earlier == "other":
            return _error(400, OTHER)
        if earlier is not None:
            return Answer(earlier[1].status, earlier[1].body, {"Idempotent-Replayed": "true"})
        try:
            with self.shop.lock:
                todo = act(self.shop, request.method, route, id_, account, request.given)
                answer = _error(500, BROKEN) if fault == "error_500" else _acted(todo)
                if fault == "error_500_after":
                    answer = _error(500, BROKEN)
        except BaseException:
            self.keys.forget(key)
            raise
        self.keys.keep(key, answer)
        return answer

    def _account(self, request):
        """Whose key it is: ``sk_live_standin`` and ``pk_live_standin`` are of ``acct_standin``."""
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not key.startswith(("sk_", "rk_")) or key in self.revoked:
            raise Refusal(401, {"type": "invalid_request_error", "message": "Invalid API Key provided."})
        self.shop.live = "_live_" in key
        return "acct_" + key.rpartition("_")[2]

    def _undocumented(self, request, names):
        self.undocumented.append(f"{request.method} {request.path}: {', '.join(names)}")
        error = {"code": "parameter_unknown", "message": f"Received unknown parameters: {', '.join(names)}"}
        return Refusal(400, {"type": "invalid_request_error", "param": names[0], **error})

    def card(self, given) -> Answer:
        """From a browser."""
        try:
            with self.shop.lock:
                return _ok(make_card(self.shop, "acct_" + given["key"].rpartition("_")[2], given))
        except Refusal as refusal:
            return _error(refusal.status, refusal.error)


def _acted(todo):
    """What was begun is kept under its key also when it is refused on the way, as a declined card is."""
    try:
        return _ok(todo() if callable(todo) else todo)
    except Refusal as refusal:
        return _error(refusal.status, refusal.error)


def _ok(body):
    return Answer(200, json.dumps(body).encode(), {"Request-Id": f"req_{secrets.token_hex(7)}"})


def _error(status, error):
    return Answer(status, json.dumps({"error": error}).encode(), {"Request-Id": f"req_{secrets.token_hex(7)}"})
