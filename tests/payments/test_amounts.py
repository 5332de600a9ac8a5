"""The literal integer arrives at the gateway, whatever the currency."""

from uuid import uuid4

import pytest

from invoices.money import Money
from payments.gateways.sandbox.models import CardPayment
from payments.gateways.sandbox.models import Refund as SandboxRefund
from payments.operations.refunds import refund
from tests.factories import NOW, BillingProfileFactory, issued, member
from tests.payments.acts import card, press_pay, staff, state


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("1000", "JPY", 1000),
        ("1.234", "KWD", 1234),
        ("1.18", "EUR", 118),
        ("0.29", "USD", 29),
        ("1000", "ISK", 1000),
        ("5000", "UGX", 5000),
        ("19.99", "HUF", 1999),
        ("19.99", "TWD", 1999),
        ("8.20", "GBP", 820),
        ("99999999.99", "EUR", 9999999999),
    ],
)
def test_the_integer_is_exact_for_charge_and_refund(amount, currency, minor):
    profile = BillingProfileFactory(currency=currency)
    invoice = issued(profile, amount)
    payment = press_pay(member(profile, "invoice_manager"), invoice, card(profile))

    assert [(charge.amount_minor, charge.currency) for charge in CardPayment.objects.all()] == [(minor, currency)]
    assert state(invoice) == ("paid", minor, 0)

    refund(
        access=staff(), payment_id=payment.pk, amount=Money(minor, currency), reason="Test", attempt_key=uuid4(), at=NOW
    )
    assert [(made.amount_minor, made.currency) for made in SandboxRefund.objects.all()] == [(minor, currency)]
