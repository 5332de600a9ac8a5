"""A look-up of an attempt that has ended, and messages from another gateway than the one that was asked to charge."""

from datetime import timedelta

import pytest
from django.utils import timezone

from payments.gateways.registry import get_gateway
from payments.gateways.sandbox.models import CardPayment, Fence, record
from payments.models import PaymentEvent, WebhookDelivery
from payments.operations.reconciliation import sync_payment
from payments.operations.webhooks import process_deliveries, receive
from tests.factories import NOW, issued
from tests.payments.acts import books_are_clean, card, messages, press_pay, sandbox, state

LATER = NOW + timedelta(days=1)


def at_the_gateway(payment):
    return CardPayment.objects.get(reference=payment.reference).state


def ask_again(payment):
    sync_payment(payment_id=payment.pk, source=PaymentEvent.Source.STAFF, at=LATER)
    payment.refresh_from_db()
    return payment.status


def test_an_attempt_that_ended_here_is_not_closed_at_the_gateway(profile, payer):
    """The person may be at the bank's page again; only an open attempt is ours to close."""
    payment = press_pay(payer, issued(profile), card(profile, "0002"))
    CardPayment.objects.update(state="needs_customer")
    assert ask_again(payment) == "declined"
    assert at_the_gateway(payment) == "needs_customer"


def test_an_attempt_that_ended_without_reaching_the_gateway_stays_as_it_ended(profile, payer):
    sandbox().faults.arm("refuse_connection")
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile))
    assert payment.status == "not_sent"
    events = payment.events.count()
    assert ask_again(payment) == "not_sent"
    assert (payment.events.count(), payment.lookups, payment.next_lookup_at) == (events, 0, None)
    assert not Fence.objects.exists(), "it was closed at the gateway, which nobody asked for"
    assert state(invoice) == ("open", 0, 12000)
    assert books_are_clean()


@pytest.fixture
def another_gateway(settings):
    """A second sandbox, with a secret of its own."""
    first = settings.PAYMENT_GATEWAYS["sandbox"]
    options = {**first["options"], "webhook_secret": "another secret"}
    settings.PAYMENT_GATEWAYS = {**settings.PAYMENT_GATEWAYS, "other": {**first, "options": options}}
    return get_gateway("other")


@pytest.mark.parametrize("named_by", ["reference", "gateway_id"])
def test_a_message_of_one_gateway_says_nothing_about_a_payment_of_another(profile, payer, another_gateway, named_by):
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "3184"))
    messages()
    CardPayment.objects.update(state="succeeded")
    object_id, reference = {"reference": ("pay_other", payment.reference), "gateway_id": (payment.gateway_id, "")}[
        named_by
    ]
    record("payment.succeeded", object_id, reference=reference, at=timezone.now())

    for body, headers in another_gateway.take_deliveries():
        receive(gateway_slug="other", body=body, headers=headers, at=NOW)
    process_deliveries(at=NOW)

    payment.refresh_from_db()
    assert payment.status == "needs_customer"
    assert state(invoice)[0] == "open"
    assert not WebhookDelivery.objects.filter(status="processed").exists()
