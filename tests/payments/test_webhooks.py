"""Messages from the gateway: stored first, worked on later, harmless in any number and order."""

import json
import time
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from django.test import Client
from django.urls import reverse

from billing_portal.core.models import OutgoingMail
from payments.csp import PAGES, policy_for
from payments.gateways.base import BadSignature, Browser
from payments.gateways.registry import UnknownGateway
from payments.gateways.sandbox.events import HEADER
from payments.gateways.sandbox.models import CardPayment
from payments.gateways.signatures import signature
from payments.models import Payment, PaymentEvent, WebhookDelivery
from payments.operations.webhooks import process_again, process_deliveries, receive
from tests.factories import NOW, issued
from tests.payments.acts import books_are_clean, card, charges, deliver, messages, press_pay, sandbox, state
from tests.payments.pages import browser, pay_url

pytestmark = pytest.mark.django_db


def take(body, headers, at=NOW):
    return receive(gateway_slug="sandbox", body=body, headers=headers, at=at)


def message(kind="payment.succeeded", object_id="ch_unknown", reference="", event_id="evt_1"):
    from payments.gateways.sandbox.events import HEADER
    from payments.gateways.signatures import signature

    content = {"id": event_id, "type": kind, "created": 1, "data": {"object": object_id, "reference": reference}}
    body = json.dumps(content).encode()
    import time

    return body, {HEADER: signature(sandbox().webhook_secret, body, int(time.time()))}


def test_a_lost_answer_is_settled_by_the_message(profile, payer):
    invoice = issued(profile)
    sandbox().faults.arm("drop_after")
    press_pay(payer, invoice, card(profile))
    deliver()
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_a_message_that_comes_before_our_own_commit_is_tried_again(profile, payer):
    """The gateway is quicker than our database: the message names a payment that nobody can see yet."""
    invoice = issued(profile)
    sandbox().faults.arm("drop_after")
    payment = press_pay(payer, invoice, card(profile))
    parcel = messages()
    Payment.objects.filter(pk=payment.pk).update(gateway="not yet")
    deliver(*parcel)
    assert WebhookDelivery.objects.filter(status="received", next_try_at__isnull=False).count() == len(parcel)
    assert state(invoice)[0] == "open"

    Payment.objects.filter(pk=payment.pk).update(gateway="sandbox")
    process_deliveries(at=NOW + timedelta(minutes=1))

    assert state(invoice) == ("paid", 12000, 0)
    assert not WebhookDelivery.objects.exclude(status="processed").exists()


def test_the_same_message_five_times_has_one_effect(profile, payer):
    invoice = issued(profile)
    sandbox().faults.arm("drop_after")
    press_pay(payer, invoice, card(profile))
    parcel = messages()
    for _time in range(5):
        deliver(*parcel)
    assert WebhookDelivery.objects.count() == len(parcel)
    assert PaymentEvent.objects.filter(new_status="succeeded").count() == 1
    assert OutgoingMail.objects.count() == 1
    assert state(invoice) == ("paid", 12000, 0)


def test_every_order_of_the_messages_ends_the_same(profile, payer):
    """Started, on its way, succeeded: told in any order, more than once."""
    kinds = ["payment.pending", "payment.declined", "payment.succeeded"]
    for number, order in enumerate(permutations(kinds)):
        invoice = issued(profile)
        sandbox().faults.arm("drop_after")
        payment = press_pay(payer, invoice, card(profile))
        object_id = CardPayment.objects.get(reference=payment.reference).pk
        for kind in order:
            deliver(message(kind, object_id, payment.reference, f"evt_{number}_{kind}"))
        assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_late_news_of_failure_leaves_a_paid_invoice_paid(profile, payer):
    from payments.gateways.base import Bucket, Decline, DeclineCode, Outcome, Result
    from payments.operations.settlement import settle

    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile))
    late = [
        Outcome(Result.PENDING),
        Outcome(Result.UNKNOWN),
        Outcome(Result.EXPIRED),
        Outcome(Result.DECLINED, decline=Decline(DeclineCode.GENERIC, Bucket.NEW_METHOD)),
    ]
    for outcome in late:
        settle(payment_id=payment.pk, outcome=outcome, source=PaymentEvent.Source.WEBHOOK, at=NOW)
    payment.refresh_from_db()
    assert payment.status == "succeeded"
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_a_gateway_that_changed_its_mind_after_a_decline_is_believed(profile, payer):
    from payments.gateways.base import Outcome, Result
    from payments.operations.settlement import settle

    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "0002"))
    outcome = Outcome(Result.SUCCEEDED, gateway_id=payment.gateway_id, amount=payment.amount)
    settle(payment_id=payment.pk, outcome=outcome, source=PaymentEvent.Source.WEBHOOK, at=NOW)
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_a_message_with_a_wrong_signature_is_refused_and_not_stored(db):
    body, headers = message()
    for bad in ({}, {"Sandbox-Signature": "t=1,v1=00"}, {name: value + "0" for name, value in headers.items()}):
        with pytest.raises(BadSignature):
            take(body, bad)
    with pytest.raises(BadSignature):
        take(body + b" ", headers)
    assert not WebhookDelivery.objects.exists()


def test_a_message_for_a_gateway_that_is_not_configured_is_refused(db):
    with pytest.raises(UnknownGateway):
        receive(gateway_slug="nobody", body=b"", headers={}, at=NOW)


@pytest.mark.parametrize("bad", ["evt\x00", "evt\ud800", "e" * 121])
@pytest.mark.parametrize("field", ["id", "object_id", "payment_id"])
def test_an_id_that_no_column_holds_is_kept_for_staff_whatever_the_gateway_thought_of_it(db, monkeypatch, field, bad):
    event = replace(sandbox().verify(*message())[0], **{field: bad})
    monkeypatch.setattr(sandbox(), "verify", lambda _body, _headers: [event])
    assert take(b"", {}) == 1
    assert WebhookDelivery.objects.values_list("type", "status").get() == ("unreadable", "failed")


@pytest.mark.parametrize("foreign", ["ORDER\x00", "ORDER\ud800", "ORDER-" + "7" * 40])
def test_somebody_elses_odd_reference_is_no_reason_to_refuse(db, monkeypatch, foreign):
    event = replace(sandbox().verify(*message())[0], reference=foreign, type="payment.\x00odd")
    monkeypatch.setattr(sandbox(), "verify", lambda _body, _headers: [event])
    assert take(b"", {}) == 1
    assert WebhookDelivery.objects.values_list("reference", "type").get() == ("", "payment.odd")


def test_messages_about_things_that_are_not_ours_are_kept_and_ignored(db):
    for parcel in (
        message(event_id="evt_1"),
        message("charge.created", event_id="evt_2"),
        message(reference="ORDER-7", event_id="evt_3"),
    ):
        deliver(parcel)
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"ignored"}


def test_a_genuine_message_about_another_payment_cannot_pay_our_invoice(profile, payer):
    """Somebody pays one euro and the message claims our reference: our own attempt is what is looked up."""
    cheap, dear = issued(profile, "1.00"), issued(profile, "2000.00")
    waiting = press_pay(payer, dear, card(profile, "3184"))
    paid = press_pay(payer, cheap, card(profile))
    messages()
    object_id = CardPayment.objects.get(reference=paid.reference).pk

    deliver(message("payment.succeeded", object_id, waiting.reference))
    deliver(message("payment.succeeded", "ch_forged", waiting.reference, "evt_2"))

    assert state(dear) == ("open", 0, 200000)
    waiting.refresh_from_db()
    assert waiting.status == "needs_customer"


def test_a_message_that_cannot_be_worked_on_keeps_its_error_and_ends_with_staff(profile, payer, monkeypatch):
    sandbox().faults.arm("drop_after")
    invoice = issued(profile)
    press_pay(payer, invoice, card(profile))
    parcel = messages()
    from payments.operations import webhooks

    def breaks(**_arguments):
        raise RuntimeError("the database went away")

    with monkeypatch.context() as patch:
        patch.setattr(webhooks, "sync_payment", breaks)
        deliver(*parcel)
        for days in range(1, 12):
            process_deliveries(at=NOW + timedelta(days=days))
    row = WebhookDelivery.objects.first()
    assert (row.status, row.next_try_at) == ("failed", None)
    assert "went away" in row.last_error
    assert charges(invoice) == [12000]


def test_two_workers_do_not_take_the_same_message(db):
    take(*message())
    assert (process_deliveries(at=NOW), process_deliveries(at=NOW)) == (1, 0)


@pytest.fixture
def parcel(payer, profile):
    press_pay(payer, issued(profile), token="tok_4242_x")
    return messages()[0]


def send(body, headers=None, gateway="sandbox", client=None):
    client = client or Client(enforce_csrf_checks=True)
    return client.post(f"/webhooks/{gateway}", body, content_type="application/json", headers=headers or {})


def test_a_signed_message_is_stored_once(parcel):
    body, headers = parcel
    assert [send(body, headers).status_code for _time in range(2)] == [200, 200]
    assert WebhookDelivery.objects.count() == 1


def test_a_message_that_was_changed_is_refused(parcel):
    body, headers = parcel
    assert send(body + b" ", headers).status_code == 400
    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\x00", b"[]", b"null", b"x" * 1000])
@pytest.mark.parametrize("headers", [{}, {"Sandbox-Signature": "t=1,v1=x"}, {"Sandbox-Signature": "\xff"}])
def test_garbage_is_refused_and_breaks_nothing(body, headers):
    assert send(body, headers).status_code == 400
    assert not WebhookDelivery.objects.exists()


def about(**changes):
    """The body of a message, as text, with some of it as a strange provider would write it."""
    event_id, kind = changes.get("id", '"evt_1"'), changes.get("type", '"payment.succeeded"')
    about = f'{{"object": {changes.get("object", '"pay_1"')}, "reference": {changes.get("reference", '""')}}}'
    return f'{{"id": {event_id}, "type": {kind}, "created": {changes.get("created", 1)}, "data": {about}}}'


STRANGE = {
    "deeper than a parser goes": "[" * 100_000,
    "deep inside": about(object="[" * 50_000 + "]" * 50_000),
    "a NUL in the id": about(id='"evt\\u0000"'),
    "a NUL in the object": about(object='"pay\\u0000"'),
    "a NUL in the type": about(type='"payment\\u0000"'),
    "a NUL in the reference": about(reference='"PAY-\\u0000"'),
    "half a character in the id": about(id='"evt\\ud800"'),
    "half a character in the object": about(object='"pay\\udfff"'),
    "a line break in the id": about(id='"evt\\n1"'),
    "an empty id": about(id='""'),
    "an id that is longer than any": about(id=f'"{"e" * 200_000}"'),
    "an id that is an object": about(id="{}"),
    "a number of many digits": about(created="9" * 5000),
    "a time that is none": about(created="NaN"),
    "a time without end": about(created="1e999"),
    "a list": "[1]",
    "words that are not UTF-8": b'{"id": "\xff"}',
}


def signed(body):
    return {HEADER: signature(sandbox().webhook_secret, body, int(time.time()))}


@pytest.mark.parametrize("body", STRANGE.values(), ids=STRANGE.keys())
def test_a_strange_message_that_is_signed_is_kept_for_staff_and_not_asked_for_again(body):
    body = body if isinstance(body, bytes) else body.encode()
    assert [send(body, signed(body)).status_code for _time in range(2)] == [200, 200]
    row = WebhookDelivery.objects.get()
    assert (row.status, row.kind, row.type, row.next_try_at) == ("failed", "other", "unreadable", None)
    assert row.event_id.startswith("unreadable-")
    assert "It begins: " in row.last_error


@pytest.mark.parametrize("body", STRANGE.values(), ids=STRANGE.keys())
def test_a_strange_message_that_is_not_signed_is_refused(body):
    body = body if isinstance(body, bytes) else body.encode()
    assert send(body).status_code == 400
    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize(
    "secret", ["pi_3Qx8_secret_9fJ2kLm4Zq", "4242424242424242", "4242 4242 4242 4242", "sk_live_abcdefghijklmnop"]
)
def test_what_is_kept_of_a_strange_message_is_how_it_begins_and_no_secret(secret):
    body = f'{{"type": "payment.odd", "x": "{secret}", "y": "{"far " * 200}'.encode()
    send(body, signed(body))
    said = WebhookDelivery.objects.get().last_error
    assert said.startswith('The message cannot be read. It begins: {"type": "payment.odd", "x": "…"')
    assert secret not in said
    assert len(said) < 150


def test_staff_who_process_a_strange_message_again_find_it_as_it_was():
    send(b"{", signed(b"{"))
    assert process_again(delivery_id=WebhookDelivery.objects.get().pk, at=NOW).status == "failed"


def test_a_body_that_is_too_large_is_refused():
    assert send(b"x" * (256 * 1024 + 1)).status_code == 413
    assert send(b"x" * 256 * 1024).status_code == 400
    assert not WebhookDelivery.objects.exists()


def test_a_provider_we_do_not_have_is_not_found():
    assert send(b"{}", gateway="nobody").status_code == 404


def test_only_post_is_answered():
    assert Client().get("/webhooks/sandbox").status_code == 405


def test_the_script_of_the_card_field_is_on_the_pages_that_can_show_it(payer, profile):
    client, invoice = browser(payer), issued(profile)
    with_field = [pay_url(invoice), reverse("invoices:list", args=[profile.code])]
    for address in with_field:
        assert "gateways/sandbox/card.js" in client.get(address).content.decode()
    without = reverse("payments:history", args=[profile.code])
    assert "gateways/sandbox/card.js" not in client.get(without).content.decode()
    assert "payments:pay" in PAGES


def test_a_gateway_adds_its_origins_to_the_policy_and_takes_nothing_away(settings):
    field = Browser("x.html", script_origins=["https://js.example"], frame_origins=["https://frame.example"])
    policy = policy_for(field)
    assert policy["script-src"] == ["'self'", "https://js.example"]
    assert policy["frame-src"] == ["https://frame.example"]
    assert policy["default-src"] == ["'none'"]
    assert "https://js.example" not in settings.SECURE_CSP["script-src"]
