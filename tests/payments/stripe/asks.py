"""What the tests of the Stripe gateway ask of it."""

from dataclasses import replace
from uuid import uuid4

from invoices.money import Money
from payments.gateways.base import Attempt, RefundRequest

CHARGE = "POST payment_intents"


def an_attempt(standin, number="4242424242424242", **changes) -> Attempt:
    """A new attempt of 10.00 euro with a card that was just typed in, unless said otherwise."""
    attempt = Attempt(
        key=str(uuid4()),
        reference=f"PAY-{uuid4().hex[:10].upper()}",
        amount=Money(1000, "EUR"),
        profile="BP-TEST",
        description="INV-000148",
        return_url="http://testserver/back",
    )
    return replace(attempt, **({"method": standin.card(number)} if "method" not in changes else {}) | changes)


def a_refund(payment_id: str, minor: int = 1000, currency: str = "EUR", **changes) -> RefundRequest:
    request = RefundRequest(
        key=str(uuid4()), reference="PAY-REFUNDED", amount=Money(minor, currency), gateway_id=payment_id
    )
    return replace(request, **changes)


def sent(standin, route):
    """What was sent to a route, oldest first: the parameters."""
    return [seen["given"] for seen in standin("seen") if f"{seen['method']} {seen['route']}" == route]


def keys_sent(standin, route):
    return [seen["key"] for seen in standin("seen") if f"{seen['method']} {seen['route']}" == route]


def charged(standin, attempt):
    return standin("charged", reference=attempt.reference)
