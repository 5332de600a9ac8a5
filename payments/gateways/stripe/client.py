"""The connection to one account at Stripe: a pinned version, our own time-outs, and proof of what never left. Stripe's
library tries a second time by itself when an answer is lost, under the same idempotency key. So "refused" at the last
try does not mean that nothing was sent; the transport remembers whether an earlier one may have arrived."""

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import stripe
import structlog
import urllib3.exceptions
from django.utils.timezone import now

from payments.gateways.base import GatewayError

API_VERSION = "2026-10-28.endive"
API_BASE = "https://api.stripe.com"
CONNECT_TIMEOUT, READ_TIMEOUT = 5, 20  # seconds
RETRIES = 1
PAGE = 100


log = structlog.get_logger("payments.stripe")


class NeverSent(stripe.APIConnectionError):
    """No connection was made at any try, so the request certainly never left."""


class Transport(stripe.RequestsClient):
    """Stripe's own client, a session for each thread, that tells what certainly did not arrive."""

    def __init__(self) -> None:
        super().__init__(timeout=(CONNECT_TIMEOUT, READ_TIMEOUT))
        self._call = threading.local()
        # How far Stripe's clock was ahead of ours at the last answer; None before the first.
        self.clock_difference: timedelta | None = None

    @property
    def lost_tries(self) -> int:
        """Tries of this thread's last call, before its last, that may have arrived."""
        return int(getattr(self._call, "lost", 0))

    def request_with_retries(self, *args: Any, **kwargs: Any) -> tuple[str, int, Mapping[str, str]]:
        self._call.lost, self._call.is_first = 0, True
        try:
            return super().request_with_retries(*args, **kwargs)
        except stripe.APIConnectionError as error:
            if self._call.lost or not self._call.refused:
                raise
            raise NeverSent(error.user_message) from error  # type: ignore[no-untyped-call]  # the library's own class

    def request(  # type: ignore[override]  # as its own RequestsClient narrows it
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        if not self._call.is_first and not self._call.refused:
            self._call.lost += 1
        self._call.is_first = self._call.refused = False
        try:
            answer: tuple[bytes, int, Mapping[str, str]] = super().request(method, url, headers, post_data)
        except stripe.APIConnectionError as error:
            self._call.refused = _never_connected(error)
            raise
        self.clock_difference = _clock_difference(answer[2])
        return answer


def _never_connected(error: BaseException | None) -> bool:
    """Whether there was no connection at all: refused, no such host, or no answer to the first packet."""
    seen = 0
    while error is not None and seen < 10:
        reason = getattr(error.args[0], "reason", None) if error.args else None
        if isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False


def _clock_difference(headers: Mapping[str, str]) -> timedelta | None:
    try:
        return parsedate_to_datetime(headers["Date"]) - now()
    except (KeyError, ValueError, TypeError):
        return None


class Account:
    """One account. ``expected`` is its id, when the operator gave it: the key is then checked once, before anything."""

    def __init__(self, secret_key: str, api_base: str, expected: str = "") -> None:
        self.transport = Transport()
        self.expected = expected
        self._checked = False
        self._client = stripe.StripeClient(
            secret_key or "missing",
            stripe_version=API_VERSION,
            base_addresses={"api": api_base},
            max_network_retries=RETRIES,
            http_client=self.transport,
        )

    def clock_difference(self) -> timedelta:
        """How far Stripe's clock is ahead of ours. Any answer will do: even a refusal is dated. Raises GatewayError."""
        try:
            self._marked(lambda client: client.v1.accounts.retrieve_current())
        except stripe.APIConnectionError as error:
            raise GatewayError(f"The clock could not be read: {error.user_message}", sent=False) from error
        except stripe.StripeError:
            log.info("asked for the date alone")
        difference = self.transport.clock_difference
        if difference is None:
            raise GatewayError("The answer had no date.")
        return difference

    def call(self, method: Callable[[stripe.StripeClient], stripe.StripeObject]) -> dict[str, Any]:
        """Makes one call. Raises stripe.StripeError, marked when a try that was lost may have arrived, and GatewayError
        for a key that belongs to another account."""
        self._check()
        return self._marked(method)

    def each(
        self, listing: Callable[[stripe.StripeClient, Any], stripe.StripeObject], asked: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        """All objects of a list, page by page. Raises as `call` does."""
        parameters = {**asked, "limit": PAGE}
        while True:
            page = self.call(lambda client: listing(client, parameters))
            yield from page["data"]
            if not page["has_more"] or not page["data"]:
                return
            parameters["starting_after"] = page["data"][-1]["id"]

    def _marked(self, method: Callable[[stripe.StripeClient], stripe.StripeObject]) -> dict[str, Any]:
        try:
            return method(self._client).to_dict()
        except stripe.StripeError as error:
            error.after_a_lost_try = self.transport.lost_tries > 0  # type: ignore[attr-defined]  # read by errors.py
            raise

    def _check(self) -> None:
        if self._checked or not self.expected:
            return
        try:
            account = self._marked(lambda client: client.v1.accounts.retrieve_current())["id"]
        except stripe.StripeError as error:
            text = f"The account of the key could not be checked: {error.user_message}"
            raise GatewayError(text, sent=False) from error
        if account != self.expected:
            raise GatewayError(f"The secret key belongs to {account}, not to {self.expected}.", sent=False)
        self._checked = True
