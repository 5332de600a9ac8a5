"""The endpoint for providers' messages, through every middleware; and the policy of pages with a card field."""

import time

import pytest
from django.test import Client
from django.urls import reverse

from billing_portal.card_fields import PAGES, policy_for
from payments.gateways.base import Browser
from payments.gateways.sandbox.events import HEADER, signature
from payments.models import WebhookDelivery
from payments.operations import process_again
from tests.factories import NOW, issued
from tests.payments.acts import messages, press_pay, sandbox
from tests.payments.pages import browser, pay_url

pytestmark = pytest.mark.django_db


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
