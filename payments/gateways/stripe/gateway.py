"""Stripe as the portal sees it: `payments.gateways.base.Gateway`, on Stripe's own library.

Cards are typed into Stripe's frame and arrive here as ids (``pm_...``). Charges are PaymentIntents (`charges`), cards
without a charge SetupIntents (`setups`); what goes wrong is translated in one table (`errors`), amounts in one place
(`money`).
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from django.urls import URLPattern

from payments.gateways.base import (
    Attempt,
    Browser,
    Capabilities,
    Dispute,
    Event,
    MethodInfo,
    Outcome,
    RefundRequest,
    SetupStep,
)
from payments.gateways.stripe import cards, charges, events, options, refunds, setups
from payments.gateways.stripe.client import API_BASE, Account
from payments.gateways.stripe.money import SMALLEST

JS_URL = "https://js.stripe.com/v3/"


class StripeGateway:
    """Options: ``secret_key``, ``publishable_key``, ``webhook_secrets`` (several while one is rolled), ``account`` (its
    id, checked when given), and for a stand-in ``api_base`` and ``js_url``. ``prefix`` begins the names of the
    variables they come from, for the messages of `checks`."""

    label = "Stripe"
    capabilities = Capabilities(slow_settlement=True, minimum_minor=SMALLEST)

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

    def charge(self, attempt: Attempt) -> Outcome:
        return charges.charge(self.account, attempt)

    def lookup(self, attempt: Attempt) -> Outcome:
        return charges.lookup(self.account, attempt)

    def expire(self, attempt: Attempt) -> Outcome:
        return charges.expire(self.account, attempt)

    def challenge(self, attempt: Attempt) -> Mapping[str, str]:
        return charges.challenge(self.account, attempt)

    def begin_setup(
        self, *, key: str, profile: str, gateway_customer: str, token: str, return_url: str, in_page: bool = False
    ) -> SetupStep:
        return setups.begin(
            self.account,
            key=key,
            profile=profile,
            gateway_customer=gateway_customer,
            token=token,
            return_url=return_url,
            in_page=in_page,
        )

    def finish_setup(self, setup_id: str) -> SetupStep:
        return setups.finish(self.account, setup_id)

    def expire_setup(self, setup_id: str) -> SetupStep:
        return setups.expire(self.account, setup_id)

    def setup_challenge(self, setup_id: str) -> Mapping[str, str]:
        return setups.challenge(self.account, setup_id)

    def lookup_method(self, *, gateway_method: str, gateway_customer: str) -> MethodInfo | None:
        return cards.lookup(self.account, gateway_method=gateway_method, gateway_customer=gateway_customer)

    def detach(self, *, gateway_method: str) -> None:
        cards.detach(self.account, gateway_method=gateway_method)

    def refund(self, request: RefundRequest) -> Outcome:
        return refunds.make(self.account, request)

    def lookup_refund(self, request: RefundRequest) -> Outcome:
        return refunds.lookup(self.account, request)

    def lookup_dispute(self, dispute_id: str) -> Dispute | None:
        return refunds.lookup_dispute(self.account, dispute_id)

    def verify(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:
        return events.verify(self.webhook_secrets, body, headers, live=not self.test_mode)

    def checks(self) -> list[str]:
        return options.problems_of(self)

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


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
