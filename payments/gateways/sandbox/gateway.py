"""The sandbox as the portal sees it: `payments.gateways.base.Gateway`, with no network and no keys.

It behaves like an outside party. Its store is its own (`models`), the first answer under an idempotency key is kept for
a day and given again, other parameters under the same key are an error, and what can go wrong between two parties goes
wrong on demand (`faults`) or by the card (`cards`).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.urls import URLPattern, path
from django.utils.timezone import now

from invoices.money import Money
from payments.gateways import base
from payments.gateways.base import Attempt, GatewayError, Outcome, Result, SetupStep
from payments.gateways.sandbox import card_payments, events, models, refunds, saved_cards, views
from payments.gateways.sandbox.cards import CARDS, Habit, card_of, known
from payments.gateways.sandbox.faults import CallFaults, Fault, Faults, NetworkTrouble
from payments.gateways.sandbox.models import IdempotencyKey, transaction
from payments.gateways.sandbox.operator import Operator

KEYS_LIVE = timedelta(days=1)  # older idempotency keys are forgotten, as large providers document it
SERVER_ERROR = Outcome(Result.UNKNOWN, message="The sandbox answered 500.")


class SandboxGateway:
    """Options: ``webhook_secret``, ``webhook_url``, and ``allowed`` where DEBUG is off."""

    label = "Sandbox"
    test_mode = True
    capabilities = base.Capabilities()

    def __init__(self, slug: str, webhook_secret: str, webhook_url: str, allowed: bool) -> None:
        self.slug = slug
        self.faults = Faults()
        self.operator = Operator()
        self.webhook_secret, self.webhook_url, self.allowed = webhook_secret, webhook_url, allowed
        self.browser = base.Browser(
            template="payments/gateways/sandbox/card_field.html",
            challenge_template="payments/gateways/sandbox/challenge.html",
            scripts=("js/card.js", "gateways/sandbox/card.js"),
            context={"tokens_path": f"/gateways/{slug}/tokens", "test_cards": CARDS},
        )

    def charge(self, attempt: Attempt) -> Outcome:
        """Raises GatewayError where the sandbox is not allowed, and for a key used with other parameters."""
        card = card_of(attempt.method)
        habit = card.habit if card is not None else Habit.NONE
        parameters = [
            *(attempt.reference, attempt.amount.minor, attempt.amount.currency, attempt.profile, attempt.description),
            *(attempt.gateway_customer, known(attempt.method), attempt.save_method, attempt.customer_present),
            *(attempt.return_url, attempt.in_page),
        ]
        try:
            with self._call("charge") as (faults, at):
                if habit == Habit.REQUEST_LOST:
                    raise NetworkTrouble("No answer in time.")
                if card_payments.is_fenced(attempt):
                    return Outcome(Result.EXPIRED, message="The attempt was closed before it came.")

                def charge() -> Outcome:
                    return card_payments.outcome_of(card_payments.charge(attempt, faults, at=at), self.slug)

                outcome, is_new = _once(f"charge {attempt.key}", parameters, faults, at, charge)
            if is_new and habit == Habit.ANSWER_LOST:
                raise NetworkTrouble("No answer in time.")
        except NetworkTrouble as trouble:
            return _lost(trouble)
        return outcome

    def lookup(self, attempt: Attempt) -> Outcome:
        with self._ask("lookup"):
            payment = card_payments.find(attempt)
            if payment is not None:
                return card_payments.outcome_of(payment, self.slug)
            return Outcome(Result.EXPIRED if card_payments.is_fenced(attempt) else Result.NOT_FOUND)

    def expire(self, attempt: Attempt) -> Outcome:
        with self._ask("expire") as at:
            payment = card_payments.expire(attempt, at=at)
            return card_payments.outcome_of(payment, self.slug) if payment is not None else Outcome(Result.EXPIRED)

    def challenge(self, attempt: Attempt) -> dict[str, str]:
        with self._ask("challenge"):
            return card_payments.challenge_of(card_payments.find(attempt), self.slug, about="payment")

    def begin_setup(
        self, *, key: str, profile: str, gateway_customer: str, token: str, return_url: str, in_page: bool = False
    ) -> SetupStep:
        parameters = [profile, gateway_customer, known(token), return_url, in_page]
        begin = partial(saved_cards.begin_setup, profile=profile, token=token, return_url=return_url, in_page=in_page)
        with self._ask("setup") as at:
            setup_id, _is_new = _answer(f"setup {key}", parameters, at, lambda: begin(at=at).pk)
            return saved_cards.step_of(saved_cards.find_setup(setup_id), self.slug)

    def finish_setup(self, setup_id: str) -> SetupStep:
        with self._ask("finish_setup"):
            return saved_cards.step_of(saved_cards.find_setup(setup_id), self.slug)

    def expire_setup(self, setup_id: str) -> SetupStep:
        with self._ask("expire_setup") as at:
            setup = saved_cards.find_setup(setup_id)
            saved_cards.answer_challenge(setup, approved=False, at=at)
            return saved_cards.step_of(setup, self.slug)

    def setup_challenge(self, setup_id: str) -> dict[str, str]:
        with self._ask("challenge"):
            return card_payments.challenge_of(saved_cards.find_setup(setup_id), self.slug, about="card")

    def lookup_method(self, *, gateway_method: str, gateway_customer: str) -> base.MethodInfo | None:
        with self._ask("lookup_method"):
            return saved_cards.find(gateway_method, customer=gateway_customer)

    def detach(self, *, gateway_method: str) -> None:
        with self._ask("detach") as at:
            saved_cards.detach(gateway_method, at=at)

    def refund(self, request: base.RefundRequest) -> Outcome:
        """Raises GatewayError where the sandbox is not allowed, and for a key used with other parameters."""
        parameters = [request.reference, request.amount.minor, request.amount.currency, request.gateway_id]
        try:
            with self._call("refund") as (faults, at):
                refund = partial(refunds.refund, request, faults, at=at)
                outcome, is_new = _once(f"refund {request.key}", parameters, faults, at, refund)
        except NetworkTrouble as trouble:
            return _lost(trouble)
        return outcome if is_new or outcome != SERVER_ERROR else replace(outcome, result=Result.SPENT)

    def lookup_refund(self, request: base.RefundRequest) -> Outcome:
        with self._ask("lookup_refund"):
            refund = refunds.find_refund(request)
            return refunds.outcome_of(refund) if refund is not None else Outcome(Result.NOT_FOUND)

    def lookup_dispute(self, dispute_id: str) -> base.Dispute | None:
        with self._ask("lookup_dispute"):
            dispute = models.Dispute.objects.filter(pk=dispute_id).first()
            return refunds.dispute_of(dispute) if dispute is not None else None

    def records(self, since: datetime) -> Iterator[base.ProviderRecord]:
        with self._ask("records"):
            for charge in models.CardPayment.objects.filter(state=Result.SUCCEEDED, created_at__gte=since):
                state, kind = Result.SUCCEEDED, base.EventKind.PAYMENT
                yield base.ProviderRecord(kind, charge.pk, charge.pk, charge.amount, state, charge.reference)
            for row in models.Refund.objects.filter(created_at__gte=since):
                state, kind = Result(row.state), base.EventKind.REFUND
                yield base.ProviderRecord(kind, row.pk, row.payment_id, row.amount, state, row.reference)
            for claim in models.Dispute.objects.filter(created_at__gte=since):
                status, kind = base.DisputeStatus(claim.state), base.EventKind.DISPUTE
                yield base.ProviderRecord(kind, claim.pk, claim.payment_id, claim.amount, status)

    def clock_difference(self) -> timedelta:
        with self._ask("records") as at:
            return at - now()

    def verify(self, body: bytes, headers: Mapping[str, str]) -> list[base.Event]:
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
            path("tokens", views.tokens, name="sandbox-tokens"),
            path("challenge/<str:challenge>", views.challenge, name="sandbox-challenge"),
        ]

    def work(self) -> None:
        """Settles what was on its way, then delivers the events that are due."""
        if self._is_allowed:
            with transaction() as at:
                _settle_due(at)
            events.deliver(self.webhook_secret, self.webhook_url)

    def take_deliveries(self) -> list[tuple[bytes, dict[str, str]]]:
        """The messages not delivered yet, as (body, headers), counted as delivered: for tests, to post in any order."""
        return events.take(self.webhook_secret)

    @property
    def _is_allowed(self) -> bool:
        return self.allowed or settings.DEBUG

    @contextmanager
    def _call(self, operation: str) -> Iterator[tuple[CallFaults, datetime]]:
        """One call: a transaction of the store, up to date by the sandbox's clock. Raises NetworkTrouble."""
        if not self._is_allowed:
            raise GatewayError("The sandbox is not allowed here: DEBUG is off.", sent=False)
        faults = self.faults.take(operation)
        faults.before()
        with transaction() as at:
            _settle_due(at)
            yield faults, at
        faults.after()

    @contextmanager
    def _ask(self, operation: str) -> Iterator[datetime]:
        """A call whose errors are not kept under a key: trouble on the way is raised."""
        with self._call(operation) as (faults, at):
            if Fault.SERVER_ERROR in faults:
                raise GatewayError("The sandbox answered 500.")
            yield at


def _settle_due(at: datetime) -> None:
    card_payments.settle_due(at=at)
    refunds.settle_due(at=at)


def _answer(key: str, parameters: list[Any], at: datetime, act: Callable[[], Any]) -> tuple[Any, bool]:
    """The first answer under a key, and whether this is it. Raises GatewayError for other parameters than then."""
    IdempotencyKey.objects.filter(created_at__lte=at - KEYS_LIVE).delete()
    earlier = IdempotencyKey.objects.filter(pk=key).first()
    if earlier is None:
        row = IdempotencyKey.objects.create(key=key, parameters=parameters, answer=act(), created_at=at)
        return row.answer, True
    if earlier.parameters != parameters:
        raise GatewayError("The idempotency key was used before with other parameters.")
    return earlier.answer, False


def _once(
    key: str, parameters: list[Any], faults: CallFaults, at: datetime, act: Callable[[], Outcome]
) -> tuple[Outcome, bool]:
    """As `_answer`, for an outcome."""
    act = (lambda: SERVER_ERROR) if Fault.SERVER_ERROR in faults else act
    answer, is_new = _answer(key, parameters, at, lambda: asdict(act()))
    amount, decline, method = answer["amount"], answer["decline"], answer["method"]
    answer["result"] = Result(answer["result"])
    answer["amount"] = Money(**amount) if amount else None
    answer["decline"] = (
        base.Decline(base.DeclineCode(decline["code"]), base.Bucket(decline["bucket"])) if decline else None
    )
    answer["method"] = base.MethodInfo(**method) if method else None
    return Outcome(**answer), is_new


def _lost(trouble: NetworkTrouble) -> Outcome:
    return Outcome(Result.UNKNOWN if trouble.sent else Result.NOT_SENT, message=str(trouble))
