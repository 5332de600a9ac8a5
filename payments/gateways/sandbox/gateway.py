"""The sandbox as the portal sees it: `payments.gateways.base.Gateway`, with no network and no keys.

It behaves like an outside party. Its books are its own (`books`), the first answer under an idempotency key is kept
for a day and given again, other parameters under the same key are an error, and what can go wrong between two parties
goes wrong on demand (`switches`) or by the card (`cards`).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.urls import URLPattern, path

from invoices.money import Money
from payments.gateways.base import (
    Attempt,
    Browser,
    Bucket,
    Capabilities,
    Decline,
    DeclineCode,
    Dispute,
    Event,
    GatewayError,
    MethodInfo,
    Outcome,
    RefundRequest,
    Result,
    SetupStep,
)
from payments.gateways.sandbox import charges, disputes, events, refunds, stored, views
from payments.gateways.sandbox.books import Book, Books
from payments.gateways.sandbox.cards import CARDS, Lost, card_of, known
from payments.gateways.sandbox.desk import Desk
from payments.gateways.sandbox.switches import NetworkTrouble, Switches

SERVER_ERROR = Outcome(Result.UNKNOWN, message="The sandbox answered 500.")


class SandboxGateway:
    """Options: ``books`` (the file), ``webhook_secret``, ``webhook_url``, and ``allowed`` where DEBUG is off."""

    label = "Sandbox"
    test_mode = True
    capabilities = Capabilities(slow_settlement=True)

    def __init__(self, slug: str, books: Path | str, webhook_secret: str, webhook_url: str, allowed: bool) -> None:
        self.slug = slug
        self.books = Books(books)
        self.switches = Switches(self.books)
        self.desk = Desk(self.books)
        self.webhook_secret = webhook_secret
        self.webhook_url = webhook_url
        self.allowed = allowed
        self.browser = Browser(
            template="payments/gateways/sandbox/card_field.html",
            challenge_template="payments/gateways/sandbox/challenge.html",
            scripts=("gateways/sandbox/card.js",),
            context={"tokens_path": f"/gateways/{slug}/tokens", "test_cards": CARDS},
        )

    def charge(self, attempt: Attempt) -> Outcome:
        """Raises GatewayError where the sandbox is not allowed, and for a key used with other parameters."""
        self._check_allowed()
        faults = self.switches.take("charge")
        card = card_of(attempt.method)
        asked = [
            *(attempt.reference, attempt.amount.minor, attempt.amount.currency, attempt.profile, attempt.description),
            *(attempt.gateway_customer, known(attempt.method), attempt.save_method, attempt.customer_present),
            *(attempt.return_url, attempt.in_page),
        ]

        def act(book: Book) -> Outcome:
            if faults.server_error:
                return SERVER_ERROR
            return charges.outcome_of(charges.make(book, attempt, faults), self.slug)

        try:
            faults.before()
            if card is not None and card.lost == Lost.BEFORE:
                raise NetworkTrouble("No answer in time.")
            with self._transaction() as book:
                if charges.is_fenced(book, attempt):
                    return Outcome(Result.EXPIRED, message="The attempt was closed before it came.")
                outcome, is_new = self._once(book, f"charge {attempt.key}", asked, act)
            faults.after()
            if is_new and card is not None and card.lost == Lost.AFTER:
                raise NetworkTrouble("No answer in time.")
        except NetworkTrouble as trouble:
            return _lost(trouble)
        return outcome

    def lookup(self, attempt: Attempt) -> Outcome:
        with self._asking("lookup") as book:
            row = charges.find(book, gateway_id=attempt.gateway_id, reference=attempt.reference)
            if row is not None:
                return charges.outcome_of(row, self.slug)
            return Outcome(Result.EXPIRED if charges.is_fenced(book, attempt) else Result.NOT_FOUND)

    def expire(self, attempt: Attempt) -> Outcome:
        with self._asking("expire") as book:
            row = charges.expire(book, attempt)
            return charges.outcome_of(row, self.slug) if row is not None else Outcome(Result.EXPIRED)

    def challenge(self, attempt: Attempt) -> dict[str, str]:
        with self._asking("challenge") as book:
            row = charges.find(book, gateway_id=attempt.gateway_id, reference=attempt.reference)
            return charges.challenge_of(row, self.slug, about="payment")

    def begin_setup(
        self, *, key: str, profile: str, gateway_customer: str, token: str, return_url: str, in_page: bool = False
    ) -> SetupStep:
        with self._asking("setup") as book:
            asked = [profile, gateway_customer, known(token), return_url, in_page]
            earlier = book.replay(f"setup {key}", asked)
            if earlier is None:
                row = stored.begin(book, profile=profile, token=token, return_url=return_url, in_page=in_page)
                book.keep(f"setup {key}", asked, row["id"])
                return stored.step_of(row, self.slug)
            return stored.step_of(book.rows("SELECT * FROM setups WHERE id = ?", earlier)[0], self.slug)

    def finish_setup(self, setup_id: str) -> SetupStep:
        with self._asking("finish_setup") as book:
            return stored.step_of(stored.being_added(book, setup_id), self.slug)

    def expire_setup(self, setup_id: str) -> SetupStep:
        with self._asking("expire_setup") as book:
            stored.answer_challenge(book, stored.being_added(book, setup_id), approved=False)
            return stored.step_of(stored.being_added(book, setup_id), self.slug)

    def setup_challenge(self, setup_id: str) -> dict[str, str]:
        with self._asking("challenge") as book:
            return charges.challenge_of(stored.being_added(book, setup_id), self.slug, about="card")

    def lookup_method(self, *, gateway_method: str, gateway_customer: str) -> MethodInfo | None:
        with self._asking("lookup_method") as book:
            return stored.find(book, card_id=gateway_method, customer=gateway_customer)

    def detach(self, *, gateway_method: str) -> None:
        with self._asking("detach") as book:
            stored.detach(book, gateway_method)

    def refund(self, request: RefundRequest) -> Outcome:
        """Raises GatewayError where the sandbox is not allowed, and for a key used with other parameters."""
        self._check_allowed()
        faults = self.switches.take("refund")
        asked = [request.reference, request.amount.minor, request.amount.currency, request.gateway_id]

        def act(book: Book) -> Outcome:
            return SERVER_ERROR if faults.server_error else refunds.make(book, request, faults)

        try:
            faults.before()
            with self._transaction() as book:
                outcome, _is_new = self._once(book, f"refund {request.key}", asked, act)
            faults.after()
        except NetworkTrouble as trouble:
            return _lost(trouble)
        return outcome

    def lookup_refund(self, request: RefundRequest) -> Outcome:
        with self._asking("lookup_refund") as book:
            row = refunds.find(book, request)
            return refunds.outcome_of(row) if row is not None else Outcome(Result.NOT_FOUND)

    def lookup_dispute(self, dispute_id: str) -> Dispute | None:
        with self._asking("lookup_dispute") as book:
            row = disputes.find(book, dispute_id)
            return disputes.dispute_of(row) if row is not None else None

    def verify(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:
        return events.verify(self.webhook_secret, body, headers)

    def checks(self) -> list[str]:
        problems = []
        if not self._is_allowed:
            problems.append("moves no real money: with DEBUG off it refuses to start unless SANDBOX_ALLOWED is true.")
        if not self.webhook_secret:
            problems.append("needs SANDBOX_WEBHOOK_SECRET to sign its messages.")
        if not self.webhook_url.startswith(("http://", "https://")):
            problems.append("SANDBOX_WEBHOOK_URL must begin with http:// or https://.")
        return problems

    def urls(self) -> list[URLPattern]:
        return [
            path("tokens", views.tokens, {"slug": self.slug}, name="sandbox-tokens"),
            path("challenge/<str:challenge>", views.challenge, {"slug": self.slug}, name="sandbox-challenge"),
        ]

    def work(self) -> None:
        """Settles what was on its way, then delivers the events that are due."""
        if self._is_allowed:
            with self._transaction():
                pass
            events.deliver(self.books, self.webhook_secret, self.webhook_url)

    def take_deliveries(self) -> list[tuple[bytes, dict[str, str]]]:
        """The messages not delivered yet, as (body, headers), counted as delivered: for tests, to post in any order."""
        return events.take(self.books, self.webhook_secret)

    @property
    def _is_allowed(self) -> bool:
        return self.allowed or settings.DEBUG

    def _check_allowed(self) -> None:
        if not self._is_allowed:
            raise GatewayError("The sandbox is not allowed here: DEBUG is off.", sent=False)

    @contextmanager
    def _transaction(self) -> Iterator[Book]:
        """The books, up to date by the sandbox's clock."""
        with self.books.transaction() as book:
            charges.settle_due(book)
            refunds.settle_due(book)
            disputes.settle_due(book)
            yield book

    @contextmanager
    def _asking(self, operation: str) -> Iterator[Book]:
        """A call that is not repeated under a key: trouble on the way is raised."""
        self._check_allowed()
        faults = self.switches.take(operation)
        faults.before()
        if faults.server_error:
            raise GatewayError("The sandbox answered 500.")
        with self._transaction() as book:
            yield book
        faults.after()

    def _once(self, book: Book, key: str, asked: list[Any], act: Callable[[Book], Outcome]) -> tuple[Outcome, bool]:
        """The first answer under a key, whatever it was; and whether this is it."""
        earlier = book.replay(key, asked)
        if earlier is not None:
            return _load(earlier), False
        outcome = act(book)
        book.keep(key, asked, asdict(outcome))
        return outcome, True


def _load(kept: dict[str, Any]) -> Outcome:
    return Outcome(
        Result(kept["result"]),
        gateway_id=kept["gateway_id"],
        amount=Money(**kept["amount"]) if kept["amount"] else None,
        next_url=kept["next_url"],
        decline=Decline(DeclineCode(kept["decline"]["code"]), Bucket(kept["decline"]["bucket"]))
        if kept["decline"]
        else None,
        method=MethodInfo(**kept["method"]) if kept["method"] else None,
        message=kept["message"],
    )


def _lost(trouble: NetworkTrouble) -> Outcome:
    return Outcome(Result.UNKNOWN if trouble.sent else Result.NOT_SENT, message=str(trouble))
