"""No gateway is called while a transaction is open: whoever wraps a payment in one is stopped before the call."""

import pytest
from django.db import transaction

from payments.gateways.base import Outcome, Result
from payments.models import Payment, PaymentEvent
from payments.operations.settlement import settle
from tests.factories import issued
from tests.payments.acts import card, charges, press_pay

pytestmark = [pytest.mark.two_connections, pytest.mark.django_db(transaction=True)]


def test_paying_inside_a_transaction_is_refused_before_anything_is_charged(profile, payer):
    invoice, visa = issued(profile), card(profile)
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        press_pay(payer, invoice, visa)
    assert not Payment.objects.exists()
    assert charges(invoice) == []


def test_an_outcome_is_not_recorded_inside_a_transaction_that_could_still_be_undone(profile, payer):
    payment = press_pay(payer, issued(profile), card(profile, "3184"))
    outcome = Outcome(Result.SUCCEEDED, amount=payment.amount)
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        settle(payment_id=payment.pk, outcome=outcome, source=PaymentEvent.Source.WEBHOOK, at=payment.started_at)
    payment.refresh_from_db()
    assert payment.status == "needs_customer"
