"""What a gateway is to the portal: a small interface, with dataclasses in and out.

A gateway only speaks to its provider. It knows nothing of invoices, users, rows or mail; it writes nothing of ours.
The core commits the attempt before it calls, calls outside any transaction, and hands what comes back to `settle`.

Rules for whoever writes one:

- ``attempt.key`` is the idempotency key of the attempt, for its whole life: the same key charges once. Refunds have
  their own.
- A decline is an outcome, not an exception. Trouble with the network is an outcome too: `NOT_SENT` only where it is
  certain that the provider never got the request, otherwise `UNKNOWN`. What a gateway raises counts as `UNKNOWN`.
- ``Outcome.amount`` is what the provider says it took, not what was asked. The core compares.
- Amounts arrive as `Money` and are turned into the provider's integers here and nowhere else.
- `lookup` asks by the gateway's own id or else by our reference, and never creates anything. "Not found" is
  `NOT_FOUND`, which is not proof that nothing will happen; `expire` makes it proof.

Which behaviour is required is written down once, as tests, in ``tests/payments/contract``; they run against every
gateway in ``GATEWAYS_KNOWN``.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from django.urls import URLPattern

from payments.gateways.messages import (
    Attempt,
    Browser,
    Bucket,
    Capabilities,
    Decline,
    DeclineCode,
    Dispute,
    DisputeStatus,
    Event,
    EventKind,
    MethodInfo,
    Outcome,
    RefundRequest,
    Result,
    SetupStep,
)

__all__ = [
    "Attempt",
    "BadSignature",
    "Browser",
    "Bucket",
    "Capabilities",
    "Decline",
    "DeclineCode",
    "Dispute",
    "DisputeStatus",
    "Event",
    "EventKind",
    "Gateway",
    "GatewayError",
    "MethodInfo",
    "Outcome",
    "RefundRequest",
    "Result",
    "SetupStep",
    "UnreadableMessage",
]


class BadSignature(Exception):
    """The message is not certainly the provider's, or it is too old, or ahead of our clock."""


class UnreadableMessage(Exception):
    """The message is certainly the provider's and fresh, and cannot be read. It is stored for staff and acknowledged:
    asking for it again would not help."""


class GatewayError(Exception):
    """A call failed. `sent` is False only where the provider certainly never got the request."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


@runtime_checkable
class Gateway(Protocol):
    """One configured account at a provider. Made once per process by the registry; must be safe to share by threads."""

    slug: str
    label: str
    test_mode: bool
    capabilities: Capabilities
    browser: Browser

    def charge(self, attempt: Attempt) -> Outcome:
        """Takes the amount from ``attempt.method``, a stored card or a token just made in the browser."""

    def lookup(self, attempt: Attempt) -> Outcome:
        """How the attempt stands now. Creates nothing. Raises GatewayError when the provider cannot be asked."""

    def expire(self, attempt: Attempt) -> Outcome:
        """Closes an attempt so that it can never be charged any more, also one the provider has not seen yet.

        EXPIRED is a promise. When it is too late the true state is returned instead. A decline stays one, and no other
        card can be tried with the attempt.
        """

    def challenge(self, attempt: Attempt) -> Mapping[str, str]:
        """What `Browser.challenge_template` needs to ask for the bank's approval of a payment inside the portal's page,
        asked anew each time and stored nowhere (a client secret may be in it). Empty when nothing is asked here.
        Raises GatewayError."""

    def begin_setup(
        self, *, key: str, profile: str, gateway_customer: str, token: str, return_url: str, in_page: bool = False
    ) -> SetupStep:
        """Stores a card without charging it."""

    def finish_setup(self, setup_id: str) -> SetupStep:
        """After the person came back from the bank."""

    def expire_setup(self, setup_id: str) -> SetupStep:
        """Closes a card being added, so that neither it nor any other card can be tried with it any more. Returns how
        it then stands: with ``decline``, or with ``method`` when it is too late. Raises GatewayError."""

    def setup_challenge(self, setup_id: str) -> Mapping[str, str]:
        """The same as `challenge` for a card that is being added."""

    def lookup_method(self, *, gateway_method: str, gateway_customer: str) -> MethodInfo | None:
        """A stored card as the provider has it now, None when it is gone (detached, deleted, of another payer).
        Raises GatewayError."""

    def detach(self, *, gateway_method: str) -> None:
        """Forgets a stored card. One that is gone already is success."""

    def refund(self, request: RefundRequest) -> Outcome:
        """Pays back all or part. `DECLINED` when the provider refuses; `EXPIRED` does not occur."""

    def lookup_refund(self, request: RefundRequest) -> Outcome:
        """How a refund stands now: by ``refund_id``, else by ``key``, because one payment may have several refunds.
        Creates nothing."""

    def lookup_dispute(self, dispute_id: str) -> Dispute | None:
        """How a dispute stands now; None when the provider knows none. Raises GatewayError."""

    def verify(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:
        """The events in a message. Raises BadSignature, UnreadableMessage."""

    def checks(self) -> list[str]:
        """What is wrong with the configuration, one sentence each."""

    def urls(self) -> list[URLPattern]:
        """Pages of the gateway's own, served under ``/gateways/<slug>/``; empty for most."""

    def work(self) -> None:
        """Called by the worker every few seconds, for gateways that have something to do; empty for most."""
