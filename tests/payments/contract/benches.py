"""A bench knows what the contract suite cannot: a gateway's test cards, how to break its network, and its own books.

To add a gateway: write its bench, as `Bench` in ``tests/payments/<slug>/bench.py``. The suite then runs against it,
unchanged.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from django.apps import apps
from django.utils.module_loading import import_string

from invoices.money import Money
from payments.gateways.base import Attempt, Gateway, RefundRequest
from payments.gateways.registry import get_gateway


class Bench(Protocol):
    gateway: Gateway
    unrepresentable: frozenset[Money]  # amounts that the provider has no number for; it must refuse them

    def good_card(self) -> str:
        """A one-time token of a card that works."""

    def declined_card(self) -> str: ...

    def poor_card(self) -> str:
        """Declined because there is too little money: worth another try later."""

    def challenge_card(self) -> str: ...

    def refuse_connection(self) -> None:
        """The next charge certainly does not reach the provider."""

    def lose_request(self) -> None:
        """The next charge gets no answer, and the provider does nothing."""

    def lose_answer(self) -> None:
        """The provider makes the next charge, but the answer does not arrive."""

    def break_answer(self) -> None:
        """The provider makes the next charge, but what it answers cannot be read."""

    def taken(self, reference: str) -> list[tuple[int, str]]:
        """What the provider's own books say was charged under a reference: its integers, and currencies."""

    def message(self) -> tuple[bytes, dict[str, str]]:
        """A genuine message about something that just happened."""

    def messages(self) -> list[tuple[bytes, dict[str, str]]]:
        """All messages since this was asked last, in the order they would come."""

    def refund_at_the_provider(self, payment_id: str, minor: int) -> str:
        """Somebody pays so much of a payment back in the provider's dashboard. Returns the provider's id of it."""

    def dispute(self, payment_id: str, minor: int | None = None) -> str:
        """The payer's bank asks a payment back, all of it unless said otherwise. Returns the provider's id of it."""

    def decide(self, dispute_id: str, status: str) -> None:
        """The bank decides a dispute: "won" or "lost", from the portal's point of view."""

    def break_dispute_lookups(self) -> None:
        """From now on the provider cannot be asked about disputes."""

    def signed(self, body: bytes, at: float) -> dict[str, str]:
        """Headers that the provider would send with a body at a time."""

    def forget_secret(self) -> None:
        """Whoever set the portal up left the secret out that messages are signed with."""

    def secrets(self) -> list[bytes]:
        """What must not stand in anything the gateway stores."""

    def stored(self) -> list[bytes]:
        """All that the gateway has stored."""


class SandboxBench:
    unrepresentable: frozenset[Money] = frozenset()

    def __init__(self, slug: str) -> None:
        self.gateway = get_gateway(slug)

    def good_card(self) -> str:
        return f"tok_4242_{uuid4().hex}"

    def declined_card(self) -> str:
        return f"tok_0002_{uuid4().hex}"

    def poor_card(self) -> str:
        return f"tok_9995_{uuid4().hex}"

    def challenge_card(self) -> str:
        return f"tok_3184_{uuid4().hex}"

    def refuse_connection(self) -> None:
        self.gateway.faults.arm("refuse_connection")

    def lose_request(self) -> None:
        self.gateway.faults.arm("drop_before")

    def lose_answer(self) -> None:
        self.gateway.faults.arm("drop_after")

    def break_answer(self) -> None:
        self.gateway.faults.arm("garbage")

    def taken(self, reference: str) -> list[tuple[int, str]]:
        from payments.gateways.sandbox.models import CardPayment

        taken = CardPayment.objects.filter(reference=reference, state="succeeded").order_by("created_at")
        return list(taken.values_list("amount_minor", "currency"))

    def message(self) -> tuple[bytes, dict[str, str]]:
        self.gateway.charge(an_attempt(self))
        return self.gateway.take_deliveries()[-1]

    def messages(self) -> list[tuple[bytes, dict[str, str]]]:
        return self.gateway.take_deliveries()

    def refund_at_the_provider(self, payment_id: str, minor: int) -> str:
        return self.gateway.operator.refund(payment_id, minor)

    def dispute(self, payment_id: str, minor: int | None = None) -> str:
        return self.gateway.operator.dispute(payment_id, minor)

    def decide(self, dispute_id: str, status: str) -> None:
        self.gateway.operator.decide(dispute_id, status)

    def break_dispute_lookups(self) -> None:
        self.gateway.faults.arm("drop_before", on="lookup_dispute", times=1000)

    def signed(self, body: bytes, at: float) -> dict[str, str]:
        from payments.gateways.signatures import signature

        return {"Sandbox-Signature": signature(self.gateway.webhook_secret, body, int(at))}

    def forget_secret(self) -> None:
        self.gateway.webhook_secret = ""

    def secrets(self) -> list[bytes]:
        from payments.gateways.sandbox.cards import CARDS

        return [self.gateway.webhook_secret.encode(), *(card.number.encode() for card in CARDS)]

    def stored(self) -> list[bytes]:
        from payments.gateways.sandbox.models import DATABASE

        tables = [model.objects.all() for model in apps.get_app_config(DATABASE).get_models()]
        return [repr(row).encode() for rows in tables for row in rows.values_list()]


# The bench of a gateway with tests of its own lies among them.
BENCHES = {"sandbox": SandboxBench} | {
    file.parent.name: import_string(f"tests.payments.{file.parent.name}.bench.Bench")
    for file in sorted(Path(__file__).parent.parent.glob("*/bench.py"))
}


def an_attempt(bench: Bench, **changes) -> Attempt:
    """A new attempt of 10.00 euro with a card that works, unless said otherwise."""
    attempt = Attempt(
        key=str(uuid4()),
        reference=f"PAY-{uuid4().hex[:10].upper()}",
        amount=Money(1000, "EUR"),
        profile="BP-TEST",
        description="INV-000148",
        return_url="http://testserver/back",
    )
    return replace(attempt, **{"method": bench.good_card()} | changes)


def a_refund(payment_id: str, minor: int, currency: str = "EUR") -> RefundRequest:
    return RefundRequest(
        key=str(uuid4()), reference="PAY-REFUNDED", amount=Money(minor, currency), gateway_id=payment_id
    )


def minutes_ago(minutes: float) -> float:
    return time.time() - minutes * 60
