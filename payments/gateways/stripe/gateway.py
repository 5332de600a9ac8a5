"""Stripe as the portal sees it: `payments.gateways.base.Gateway`, on Stripe's own library.

Cards are typed into Stripe's frame and arrive here as ids (``pm_...``). A payment is a PaymentIntent
(`payment_intents`), a card that is added without one a SetupIntent (`cards`). What goes wrong is translated in one
table (`errors`), amounts in one place (`money`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import stripe
from django.conf import settings
from django.urls import URLPattern

from payments.gateways.base import Browser, Capabilities, DisputeStatus, Event, EventKind, ProviderRecord, Result
from payments.gateways.stripe import events
from payments.gateways.stripe.cards import Cards, id_of
from payments.gateways.stripe.client import API_BASE, Account
from payments.gateways.stripe.errors import trouble
from payments.gateways.stripe.money import LARGEST, SMALLEST, money_or_none
from payments.gateways.stripe.payment_intents import PaymentIntents
from payments.gateways.stripe.refunds import DISPUTES, RESULTS, Refunds

JS_URL = "https://js.stripe.com/v3/"
SECRET = ("sk_live_", "sk_test_", "rk_live_", "rk_test_")  # rk: restricted keys
PUBLISHABLE = ("pk_live_", "pk_test_")
THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


class StripeGateway(PaymentIntents, Cards, Refunds):
    """Options: ``secret_key``, ``publishable_key``, ``webhook_secrets`` (several while one is rolled), ``account`` (its
    id, checked when given), and for a stand-in ``api_base`` and ``js_url``. ``prefix`` begins the names of the
    variables they come from, for the messages of `checks`."""

    label = "Stripe"
    capabilities = Capabilities(minimum_minor=SMALLEST, maximum_minor=LARGEST)

    def __init__(
        self,
        slug: str,
        *,
        secret_key: str,
        publishable_key: str,
        webhook_secrets: Sequence[str],
        account: str = "",
        api_base: str = "",
        js_url: str = "",
        prefix: str = "STRIPE_",
    ) -> None:
        self.slug = slug
        self.prefix = prefix
        self.secret_key, self.publishable_key = secret_key, publishable_key
        self.webhook_secrets = tuple(webhook_secrets)
        self.api_base, self.js_url = (api_base or API_BASE).rstrip("/"), js_url or JS_URL
        self.test_mode = not secret_key.startswith(("sk_live_", "rk_live_"))
        self.account = Account(secret_key, self.api_base, account)
        self.browser = self._browser()

    def records(self, since: datetime) -> Iterator[ProviderRecord]:
        asked, each = {"created": {"gte": int(since.timestamp())}}, self.account.each
        try:
            for intent in each(lambda client, asked: client.v1.payment_intents.list(asked), asked):
                if intent["status"] == "succeeded":
                    taken = intent | {"payment_intent": intent["id"], "amount": intent["amount_received"]}
                    yield _record(EventKind.PAYMENT, taken, Result.SUCCEEDED)
            for refund in each(lambda client, asked: client.v1.refunds.list(asked), asked):
                yield _record(EventKind.REFUND, refund, RESULTS.get(refund["status"], Result.UNKNOWN))
            for dispute in each(lambda client, asked: client.v1.disputes.list(asked), asked):
                own = dispute | {"metadata": None}
                yield _record(EventKind.DISPUTE, own, DISPUTES.get(dispute["status"], DisputeStatus.OPEN))
        except stripe.StripeError as error:
            raise trouble(error) from error

    def clock_difference(self) -> timedelta:
        return self.account.clock_difference()

    def verify(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:
        return events.verify(self.webhook_secrets, body, headers, live=not self.test_mode)

    def checks(self) -> list[str]:
        return [self.prefix + problem for problem in (*_key_problems(self), *_other_problems(self))]

    def urls(self) -> list[URLPattern]:
        return []

    def work(self) -> None:
        """Nothing: Stripe works by itself."""

    def _browser(self) -> Browser:
        own_js = self.js_url == JS_URL
        scripts = ("https://js.stripe.com", "https://*.js.stripe.com") if own_js else (_origin(self.js_url),)
        return Browser(
            template="payments/gateways/stripe/card_field.html",
            challenge_template="payments/gateways/stripe/challenge.html",
            scripts=(self.js_url, "js/card.js", "gateways/stripe/card.js", "gateways/stripe/challenge.js"),
            script_origins=scripts,
            frame_origins=(*scripts, "https://hooks.stripe.com") if own_js else scripts,
            connect_origins=(_origin(self.api_base),),
            context={"publishable_key": self.publishable_key},
        )


def _record(kind: EventKind, row: Mapping[str, Any], state: Result | DisputeStatus) -> ProviderRecord:
    return ProviderRecord(
        kind,
        id=row["id"],
        payment_id=id_of(row.get("payment_intent")),
        amount=money_or_none(row["amount"], row["currency"]),
        state=state,
        reference=str((row.get("metadata") or {}).get("reference") or ""),
    )


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _key_problems(gateway: StripeGateway) -> Iterator[str]:
    if not gateway.secret_key.startswith(SECRET):
        yield "SECRET_KEY must be a secret or restricted key: sk_... or rk_..."
    elif gateway.test_mode and not settings.DEBUG:
        yield "SECRET_KEY is a test key, and DEBUG is off: nobody would be charged."
    elif not gateway.test_mode and settings.DEBUG:
        yield "SECRET_KEY is a live key, and DEBUG is on: real cards would be charged."
    if not gateway.publishable_key.startswith(PUBLISHABLE):
        yield "PUBLISHABLE_KEY must be a publishable key: pk_..."
    elif gateway.secret_key.startswith(SECRET) and gateway.publishable_key.startswith("pk_test_") != gateway.test_mode:
        yield "PUBLISHABLE_KEY is of another mode than the secret key: one is live, one for tests."
    if gateway.account.expected and not gateway.account.expected.startswith("acct_"):
        yield "ACCOUNT must be the id of an account: acct_..."


def _other_problems(gateway: StripeGateway) -> Iterator[str]:
    if not gateway.webhook_secrets:
        yield "WEBHOOK_SECRETS is empty: every message from Stripe would be refused."
    elif not all(secret.startswith("whsec_") for secret in gateway.webhook_secrets):
        yield "WEBHOOK_SECRETS must be signing secrets, whsec_..., separated by commas."
    for name, address in (("API_BASE", gateway.api_base), ("JS_URL", gateway.js_url)):
        parts = urlsplit(address)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in THIS_MACHINE):
            yield f"{name} must begin with https://, unless it is on this machine."
