"""Scenarios of messages, as a provider sends them: raw bytes to the address, through every middleware.

Which test shows which scenario stands in `tests.payments.test_scenarios`.
"""

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing_portal.core.models import OutgoingMail
from payments.gateways.sandbox.events import HEADER
from payments.gateways.signatures import signature
from payments.models import PaymentEvent, WebhookDelivery
from payments.operations import webhooks
from payments.operations.reconciliation import reconcile
from payments.operations.webhooks import process_deliveries
from tests.factories import issued
from tests.payments.acts import at_once, books_are_clean, card, charges, messages, press_pay, sandbox, state
from tests.payments.pages import browser
from tests.payments.test_challenge import answer

pytestmark = pytest.mark.django_db


def post(body, headers, *, at_address="/webhooks/sandbox", **request):
    """One message, from somebody who is not signed in and has no cookie of ours. Returns the status of the answer."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    return client.post(at_address, body, content_type="application/json", headers=headers, **request).status_code


def heard():
    """The provider's messages arrive and are worked on."""
    for parcel in messages():
        assert post(*parcel) == 200
    process_deliveries(at=timezone.now())


@pytest.fixture
def waiting(profile, payer):
    """An invoice whose payer has approved it with the bank; the portal does not know it yet."""
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "3184"), at=timezone.now())
    messages()
    answer(payment, approved=True)
    return invoice, payment


def came_back(payment, payer):
    return browser(payer).get(reverse("payments:return", args=[payment.profile.code, payment.reference]))


@pytest.mark.parametrize(
    "order", ["return, message", "message, return", "message", "return", "reconciler", "message, message, return"]
)
def test_return_message_both_or_neither_end_the_same(waiting, payer, order):
    invoice, payment = waiting
    for news in order.split(", "):
        if news == "return":
            came_back(payment, payer)
        elif news == "message":
            heard()
        else:
            reconcile(at=timezone.now() + timedelta(minutes=31))
    payment.refresh_from_db()
    assert payment.status == "succeeded"
    assert state(invoice) == ("paid", 12000, 0)
    assert charges(invoice) == [12000]
    assert PaymentEvent.objects.filter(payment=payment, new_status="succeeded").count() == 1
    assert OutgoingMail.objects.filter(template="payment_succeeded").count() == 1
    assert books_are_clean()


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_the_same_message_five_times_at_once_has_one_effect(waiting):
    """Five deliveries at the door and two workers behind it."""
    invoice, payment = waiting
    parcel = messages()[-1]

    def worker():
        return process_deliveries(at=timezone.now())

    answers = at_once(*[lambda: post(*parcel)] * 5, worker, worker)
    assert answers[:5] == [200] * 5
    assert sum(at_once(worker, worker, worker)) + sum(answers[5:]) == 1
    assert WebhookDelivery.objects.values_list("status", "tries").get() == ("processed", 1)
    assert state(invoice) == ("paid", 12000, 0)
    assert PaymentEvent.objects.filter(payment=payment, new_status="succeeded").count() == 1
    assert OutgoingMail.objects.filter(template="payment_succeeded").count() == 1
    assert books_are_clean()


def resigned(body, *, secret=None, seconds_ago=0):
    at = int(time.time()) - seconds_ago
    return {HEADER: signature(secret or sandbox().webhook_secret, body, at)}


FORGED = {
    "unsigned": lambda body, headers: (body, {}),
    "wrong secret": lambda body, headers: (body, resigned(body, secret="guessed")),
    "old": lambda body, headers: (body, resigned(body, seconds_ago=400)),
    "ahead of our clock": lambda body, headers: (body, resigned(body, seconds_ago=-400)),
    "tampered": lambda body, headers: (body.replace(b"succeeded", b"expired"), headers),
    "written anew": lambda body, headers: (body.replace(b'": "', b'":"'), headers),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_a_forged_message_is_refused_and_changes_nothing(waiting, forge):
    invoice, _payment = waiting
    assert post(*forge(*messages()[-1])) == 400
    assert not WebhookDelivery.objects.exists()
    assert state(invoice) == ("open", 0, 12000)


def test_without_a_secret_the_door_stays_closed(waiting, monkeypatch):
    body, _headers = messages()[-1]
    monkeypatch.setattr(sandbox(), "webhook_secret", "")
    digest = {HEADER: signature("", body, int(time.time()))}
    assert [post(body, headers) for headers in ({}, digest)] == [400, 400]
    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("payment.imagined", '{"object": "ch_1", "reference": ""}'),
        ("charge.updated", '{"object": "ch_1", "reference": "PAY-NOBODYS"}'),
        ("payment.succeeded", '{"object": "ch_1", "reference": "ORDER-1"}'),
        ("refund.succeeded", '{"object": "re_1", "reference": "", "charge": "ch_1"}'),
        ("dispute.open", '{"object": "dp_1", "reference": "", "charge": "ch_1"}'),
        ("method.detached", '{"object": "card_4242_x", "reference": ""}'),
    ],
)
def test_unknown_types_and_foreign_objects_are_acknowledged_and_ignored(db, kind, data):
    body = f'{{"id": "evt_1", "type": "{kind}", "created": 1, "data": {data}}}'.encode()
    assert post(body, resigned(body)) == 200
    process_deliveries(at=timezone.now())
    assert WebhookDelivery.objects.get().status == "ignored"


def test_the_door_needs_no_session_no_token_no_https_and_sends_nobody_elsewhere(waiting, settings):
    """A provider follows no redirect: 302 to the sign-in page would count as delivered, or as failed for ever."""
    settings.SECURE_SSL_REDIRECT = True
    invoice, _payment = waiting
    body, headers = messages()[-1]
    assert post(body, headers, secure=False) == 200
    assert post(body, {**headers, "Origin": "https://elsewhere.example"}, secure=True) == 200
    assert Client().get("/", secure=False).status_code == 301
    process_deliveries(at=timezone.now())
    assert state(invoice) == ("paid", 12000, 0)


def test_a_message_is_stored_even_if_working_on_it_breaks(waiting, monkeypatch):
    invoice, _payment = waiting

    def breaks(**_arguments):
        raise RuntimeError("broken")

    monkeypatch.setattr(webhooks, "sync_payment", breaks)
    heard()
    row = WebhookDelivery.objects.get()
    assert (row.status, row.last_error) == ("received", "RuntimeError: broken")
    monkeypatch.undo()
    process_deliveries(at=timezone.now() + timedelta(minutes=1))
    assert state(invoice) == ("paid", 12000, 0)


def test_a_message_that_cannot_be_stored_is_asked_for_again(waiting, monkeypatch):
    def full(*_arguments, **_fields):
        raise OSError("no space left")

    parcel = messages()[-1]
    monkeypatch.setattr(webhooks.WebhookDelivery.objects, "bulk_create", full)
    assert post(*parcel) == 500
    monkeypatch.undo()
    assert post(*parcel) == 200


def test_no_transaction_is_open_around_the_door(waiting, monkeypatch):
    """What is stored is safe when the answer goes out, and a message that breaks takes nothing with it."""
    seen = []
    real = webhooks._delivery
    outside = len(connection.atomic_blocks)
    monkeypatch.setattr(
        webhooks, "_delivery", lambda *arguments: (seen.append(len(connection.atomic_blocks)), real(*arguments))[1]
    )
    assert post(*messages()[-1]) == 200
    assert seen == [outside]


@pytest.mark.parametrize(("switch", "value"), [("other_amount", 11999), ("other_currency", "USD")])
def test_a_message_about_another_amount_or_currency_pays_nothing(profile, payer, switch, value):
    invoice = issued(profile)
    for fault, given in (("drop_after", ""), (switch, value)):
        sandbox().faults.arm(fault, value=given)
    payment = press_pay(payer, invoice, card(profile), at=timezone.now())
    assert payment.status == "unknown"
    heard()
    payment.refresh_from_db()
    assert (payment.status, payment.needs_staff) == ("mismatch", True)
    assert state(invoice) == ("open", 0, 12000)
