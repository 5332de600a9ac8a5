"""The endpoint for providers' messages, through every middleware; and the policy of pages with a card field."""

import pytest
from django.test import Client
from django.urls import reverse

from billing_portal.card_fields import PAGES, policy_for
from payments.gateways.base import Browser
from payments.models import WebhookDelivery
from payments.views.webhooks import LARGEST_BODY
from tests.factories import issued
from tests.payments.acts import messages, press_pay
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


def test_a_body_that_is_too_large_is_refused():
    assert send(b"x" * (LARGEST_BODY + 1)).status_code == 413
    assert send(b"x" * LARGEST_BODY).status_code == 400


def test_a_provider_we_do_not_have_is_not_found():
    assert send(b"{}", gateway="nobody").status_code == 404


def test_only_post_is_answered():
    assert Client().get("/webhooks/sandbox").status_code == 405


def test_the_script_of_the_card_field_is_on_the_pages_that_can_show_it(payer, profile):
    client, invoice = browser(payer), issued(profile)
    with_field = [pay_url(invoice), reverse("invoices:list", args=[profile.code])]
    for address in with_field:
        assert "js/sandbox-card" in client.get(address).content.decode()
    assert "js/sandbox-card" not in client.get(reverse("payments:methods", args=[profile.code])).content.decode()
    assert "payments:pay" in PAGES


def test_a_gateway_adds_its_origins_to_the_policy_and_takes_nothing_away(settings):
    field = Browser("x.html", script_origins=["https://js.example"], frame_origins=["https://frame.example"])
    policy = policy_for(field)
    assert policy["script-src"] == ["'self'", "https://js.example"]
    assert policy["frame-src"] == ["https://frame.example"]
    assert policy["default-src"] == ["'none'"]
    assert "https://js.example" not in settings.SECURE_CSP["script-src"]
