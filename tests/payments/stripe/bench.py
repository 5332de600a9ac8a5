"""The contract suite's bench for Stripe: a gateway at the stand-in."""

import stripe
from django.conf import settings
from urllib3.util import connection

from invoices.money import Money
from payments.gateways.stripe.client import RETRIES
from payments.gateways.stripe.gateway import StripeGateway
from tests.payments.stripe.standin.client import the_stand_in
from tests.payments.stripe.standin.messages import sign
from tests.payments.stripe.standin.numbers import CARDS

SECRET, ACCOUNT = "whsec_standin", "acct_standin"
CHARGE = "POST payment_intents"
TRIES = RETRIES + 1

stripe.HTTPClient.INITIAL_DELAY = 0.01  # the library's pause before it tries again, in seconds


def gateway_at(url, slug="stripe", **options):
    """A gateway with the options of the settings, at a stand-in, unless said otherwise."""
    return StripeGateway(slug=slug, **settings.GATEWAYS_KNOWN["stripe"]["options"] | {"api_base": url} | options)


class Bench:
    # 1.234 dinar has a last digit that is not zero; 29 cents are less than Stripe charges.
    unrepresentable = frozenset({Money(1234, "KWD"), Money(29, "USD")})

    def __init__(self, slug: str) -> None:
        self.standin = the_stand_in()
        self.standin("clear")
        self.standin("forget")
        self.gateway = gateway_at(self.standin.url, slug)

    def good_card(self) -> str:
        return self.standin.card("4242424242424242")

    def declined_card(self) -> str:
        return self.standin.card("4000000000000002")

    def poor_card(self) -> str:
        return self.standin.card("4000000000009995")

    def challenge_card(self) -> str:
        return self.standin.card("4000002760003184")

    def refuse_connection(self) -> None:
        """Nobody listens, for all tries of one call."""
        real, left = connection.create_connection, [TRIES]

        def refused(*args, **kwargs):
            left[0] -= 1
            if not left[0]:
                connection.create_connection = real
            raise ConnectionRefusedError(111, "Connection refused")

        connection.create_connection = refused

    def lose_request(self) -> None:
        self.standin("arm", name="drop_before", route=CHARGE, times=TRIES)

    def lose_answer(self) -> None:
        self.standin("arm", name="drop_after", route=CHARGE, times=TRIES)

    def break_answer(self) -> None:
        self.standin("arm", name="garbage", route=CHARGE)

    def taken(self, reference: str) -> list[tuple[int, str]]:
        return [(amount, currency.upper()) for amount, currency in self.standin("charged", reference=reference)]

    def messages(self) -> list[tuple[bytes, dict[str, str]]]:
        return [(told["body"].encode(), told["headers"]) for told in self.standin("messages", secret=SECRET)]

    def refund_at_the_provider(self, payment_id: str, minor: int) -> str:
        return self.standin("refund", account=ACCOUNT, payment_intent=payment_id, amount=minor)["id"]

    def dispute(self, payment_id: str, minor: int | None = None) -> str:
        return self.standin("dispute", account=ACCOUNT, payment_intent=payment_id, amount=minor)["id"]

    def decide(self, dispute_id: str, status: str) -> None:
        self.standin("decide", dispute=dispute_id, status=status)

    def break_dispute_lookups(self) -> None:
        self.standin("arm", name="drop_before", route="GET disputes/{id}", times=0)

    def message(self) -> tuple[bytes, dict[str, str]]:
        from tests.payments.contract.benches import an_attempt

        self.gateway.charge(an_attempt(self))
        return self.messages()[-1]

    def signed(self, body: bytes, at: float) -> dict[str, str]:
        return {"Stripe-Signature": sign(SECRET, body, at)["Stripe-Signature"]}

    def forget_secret(self) -> None:
        self.gateway.webhook_secrets = ()

    def secrets(self) -> list[bytes]:
        return [settings.GATEWAYS_KNOWN["stripe"]["options"]["secret_key"].encode(), *(n.encode() for n in CARDS)]

    def stored(self) -> list[bytes]:
        """The gateway stores nothing at all."""
        return []
