"""What a gateway is to the portal: a small interface, with dataclasses in and out.

A gateway only speaks to its provider. It knows nothing of invoices, users, rows or mail; it writes nothing of ours.
The core commits the attempt before it calls, calls outside any transaction, and hands what comes back to `settle`.

- ``attempt.key`` is the idempotency key of the attempt, for its whole life: the same key charges once. Refunds have
  their own.
- A decline is an outcome, not an exception. Trouble with the network is an outcome too: `NOT_SENT` only where it is
  certain that the provider never got the request, otherwise `UNKNOWN`. What a gateway raises counts as `UNKNOWN`.
- ``Outcome.amount`` is what the provider says it took, not what was asked.
- Amounts arrive as `Money` and are turned into the provider's integers here and nowhere else.
- `lookup` never creates anything. `NOT_FOUND` is not proof that nothing will happen; `expire` makes it proof.

``tests/payments/contract`` holds every gateway in ``GATEWAYS_KNOWN`` to this.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from django.urls import URLPattern

from invoices.money import Money


class Result(StrEnum):
    SUCCEEDED = "succeeded"
    NEEDS_CUSTOMER = "needs_customer"  # the person must approve it with the bank at `Outcome.next_url`
    PENDING = "pending"  # accepted; the answer comes later
    DECLINED = "declined"  # a definite no; `Outcome.decline` says why
    EXPIRED = "expired"  # closed at the gateway before money moved; it can no longer be charged
    NOT_SENT = "not_sent"  # the provider certainly never got it; safe to try again at once
    UNKNOWN = "unknown"  # may or may not have happened
    NOT_FOUND = "not_found"  # only from `lookup`: the provider knows no such attempt (yet)
    # Only from `expire` and `refund`: the key was used before, and there is nothing to see that it was used for. The
    # same answer some minutes later is final: nothing happened, and nothing can happen any more.
    SPENT = "spent"


class Bucket(StrEnum):
    RETRY_LATER = "retry_later"
    NEW_METHOD = "new_method"
    CUSTOMER_MUST_ACT = "customer_must_act"
    NEVER = "never"
    CONFIG_ERROR = "config_error"


class DeclineCode(StrEnum):
    """Why a bank said no, in the portal's words; `payments.declines` holds the sentences for the customer."""

    GENERIC = "generic"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED_CARD = "expired_card"
    WRONG_CODE = "wrong_code"
    WRONG_NUMBER = "wrong_number"
    PROCESSING_ERROR = "processing_error"
    LOST_OR_STOLEN = "lost_or_stolen"
    FRAUD = "fraud"
    CHALLENGE_FAILED = "challenge_failed"
    CHALLENGE_REQUIRED = "challenge_required"
    LIMIT_EXCEEDED = "limit_exceeded"
    CURRENCY = "currency"
    METHOD_GONE = "method_gone"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    WRONG_EXPIRY = "wrong_expiry"
    WRONG_ADDRESS = "wrong_address"
    INVALID_ACCOUNT = "invalid_account"
    NOT_SUPPORTED = "not_supported"
    DUPLICATE = "duplicate"
    STOPPED = "stopped"
    TEST_CARD = "test_card"
    AMOUNT = "amount"


@dataclass(frozen=True, slots=True)
class Decline:
    code: DeclineCode
    bucket: Bucket


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """All the portal keeps of a card. Never a number, never a security code."""

    brand: str  # "visa", "mastercard", "amex", ...
    last_four: str
    expiry_month: int
    expiry_year: int  # four digits
    gateway_method: str  # the gateway's id of the stored card
    gateway_customer: str = ""  # the gateway's id of the payer it belongs to
    fingerprint: str = ""  # the same for the same card number


@dataclass(frozen=True, slots=True)
class Attempt:
    key: str  # idempotency key: the same for every call about this attempt
    reference: str  # ours, shown to people, such as PAY-7F3K22QX; sent along as metadata
    amount: Money
    profile: str  # our code of the paying profile; the gateway keeps one payer for each
    description: str  # such as the invoice number; on the provider's pages and the statement where possible
    return_url: str  # where the person comes back to from the bank
    gateway_id: str = ""  # the provider's id, once it is known
    # Of the stored card; for a new one the payer's id that any card of this profile at this gateway already has.
    gateway_customer: str = ""
    method: str = ""  # a stored card's `gateway_method`, or the token of a card just typed in
    save_method: bool = False  # keep the new card for later payments
    customer_present: bool = True  # False for automatic charges: no bank can be answered
    in_page: bool = False  # the payer's browser runs the gateway's scripts, so the bank may be answered inside the page
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RefundRequest:
    key: str
    reference: str
    amount: Money
    gateway_id: str  # of the payment
    refund_id: str = ""  # of the refund, once it is known


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt (or refund) stands at the gateway."""

    result: Result
    gateway_id: str = ""
    amount: Money | None = None  # what was taken; required with SUCCEEDED
    next_url: str = ""  # with NEEDS_CUSTOMER: where to send the person; empty when the bank is answered in our page
    decline: Decline | None = None
    method: MethodInfo | None = None  # the card that was charged
    message: str = ""  # the provider's own words, for staff and logs only


@dataclass(frozen=True, slots=True)
class SetupStep:
    """How adding a card stands. With no address, card or decline it waits for the bank's approval in our page."""

    setup_id: str
    next_url: str = ""
    method: MethodInfo | None = None
    decline: Decline | None = None


class EventKind(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    METHOD = "method"
    DISPUTE = "dispute"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Event:
    """A message from the provider that something changed. It carries ids only: what changed is looked up."""

    id: str
    kind: EventKind
    type: str  # the provider's own name of it
    object_id: str
    reference: str  # ours, when the object carries it
    created_at: datetime
    payment_id: str = ""  # the provider's id of the payment that a refund or dispute belongs to


class DisputeStatus(StrEnum):
    OPEN = "open"  # the bank asks the money back; it has not decided
    WON = "won"  # decided for us (also: withdrawn, warning closed, prevented)
    LOST = "lost"  # the money is gone


@dataclass(frozen=True, slots=True)
class Dispute:
    id: str
    payment_id: str  # the provider's id of the payment
    amount: Money
    status: DisputeStatus
    reason: str = ""  # the provider's word, for staff
    evidence_due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ProviderRecord:
    """A line of the provider's own list: a charge that took money, a refund, or a dispute."""

    kind: EventKind
    id: str
    payment_id: str  # the provider's id of the payment that it is, or belongs to
    amount: Money | None  # None for an amount that a `Money` cannot be
    state: Result | DisputeStatus
    reference: str = ""  # ours, when the object carries it


@dataclass(frozen=True, slots=True)
class Browser:
    """What the card field needs in the browser; the pages that show it add the origins to their security policy."""

    template: str  # draws the card field; it fills the hidden input `card_token`
    challenge_template: str = ""  # draws the bank's approval inside our page; "": always given at `Outcome.next_url`
    scripts: Sequence[str] = ()  # static paths or absolute addresses
    script_origins: Sequence[str] = ()
    frame_origins: Sequence[str] = ()
    connect_origins: Sequence[str] = ()
    context: Mapping[str, Any] = field(default_factory=dict)  # for the template


@dataclass(frozen=True, slots=True)
class Capabilities:
    currencies: frozenset[str] | None = None  # None: every currency
    # The smallest and the largest charge by currency, in our minor units; without a bound where none is named.
    minimum_minor: Mapping[str, int] = field(default_factory=dict)
    maximum_minor: Mapping[str, int] = field(default_factory=dict)


class BadSignature(Exception):
    """The message is not certainly the provider's, or it is too old, or ahead of our clock."""


class UnreadableMessage(Exception):
    """A message that is the provider's and fresh, and cannot be read. It is stored for staff and acknowledged."""


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
        """Closes an attempt so that it can never be charged any more, also one the provider has not seen yet: EXPIRED
        is the provider's promise, never our clock's. When it is too late the true state is returned instead. A decline
        stays one. SPENT where the key can charge no more and the provider shows nothing that it charged."""

    def challenge(self, attempt: Attempt) -> Mapping[str, str]:
        """What `Browser.challenge_template` needs to ask for the bank's approval inside the portal's page; stored
        nowhere, since a client secret may be in it. Empty when nothing is asked here. Raises GatewayError."""

    def begin_setup(
        self, *, key: str, profile: str, gateway_customer: str, token: str, return_url: str, in_page: bool = False
    ) -> SetupStep:
        """Stores a card without charging it."""

    def finish_setup(self, setup_id: str) -> SetupStep:
        """After the person came back from the bank."""

    def expire_setup(self, setup_id: str) -> SetupStep:
        """Closes a card being added, so that no card can be tried with it any more. Returns how it then stands: with
        ``decline``, or with ``method`` when it is too late. Raises GatewayError."""

    def setup_challenge(self, setup_id: str) -> Mapping[str, str]:
        """The same as `challenge` for a card that is being added."""

    def lookup_method(self, *, gateway_method: str, gateway_customer: str) -> MethodInfo | None:
        """A stored card as it is now; None when detached, deleted or another payer's. Raises GatewayError."""

    def detach(self, *, gateway_method: str) -> None:
        """Forgets a stored card. One that is gone already is success."""

    def refund(self, request: RefundRequest) -> Outcome:
        """Pays back all or part. `DECLINED` when refused, never `EXPIRED`; `SPENT` for an error kept under the key."""

    def lookup_refund(self, request: RefundRequest) -> Outcome:
        """How a refund stands now: by ``refund_id``, else by ``key``. Creates nothing."""

    def lookup_dispute(self, dispute_id: str) -> Dispute | None:
        """How a dispute stands now; None when the provider knows none. Raises GatewayError."""

    def records(self, since: datetime) -> Iterator[ProviderRecord]:
        """Every charge that took money, then refunds, then disputes, made since a moment. Raises GatewayError."""

    def clock_difference(self) -> timedelta:
        """How far the provider's clock is ahead of ours, asked now. Raises GatewayError."""

    def verify(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:
        """The events in a message. Raises BadSignature, UnreadableMessage."""

    def checks(self) -> list[str]:
        """What is wrong with the configuration, one sentence each."""

    def urls(self) -> list[URLPattern]:
        """Pages of the gateway's own, served under ``/gateways/<slug>/``; empty for most."""

    def work(self) -> None:
        """Called by the worker every few seconds, for gateways that have something to do; empty for most."""
