"""An entry about a payer's payment never holds the IP address of a colleague or of staff."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry
from payments.models import Payment, WebhookDelivery
from payments.operations.webhooks import receive
from tests.factories import UserFactory, issued, member
from tests.payments.acts import messages, press_pay
from tests.payments.test_challenge import answer

pytestmark = pytest.mark.django_db

NOWHERE = (None, "")
DESK = ("192.0.2.7", "Desk/1.0")


def at_a_desk(user):
    client = Client(headers={"user-agent": "Desk/1.0"}, REMOTE_ADDR="192.0.2.7")
    client.force_login(user)
    return client


def origin_of(action):
    entry = AuditEntry.objects.get(action=action)
    return entry.actor, (entry.ip_address, entry.browser)


@pytest.fixture
def payer(profile):
    return member(profile, "profile_owner")


@pytest.fixture
def waiting(payer, profile):
    """A payment with a new card that waits for the bank's approval."""
    return press_pay(payer, issued(profile), token="tok_3184_x", save_method=True, at=timezone.now())


def cancel(client, payment):
    client.post(reverse("payments:cancel", args=[payment.profile.code, payment.reference]))


def test_a_payment_that_its_payer_cancels(waiting, payer):
    cancel(at_a_desk(payer), waiting)
    assert origin_of("payment.expired") == (payer, DESK)


def test_a_payment_that_a_colleague_cancels(waiting, payer, profile):
    cancel(at_a_desk(member(profile, "profile_owner")), waiting)
    assert origin_of("payment.expired") == (payer, NOWHERE)


def test_an_automatic_charge_that_somebody_cancels(waiting, profile):
    Payment.objects.update(started_by=None, is_automatic=True)
    cancel(at_a_desk(member(profile, "profile_owner")), waiting)
    assert origin_of("payment.expired") == (None, NOWHERE)


def test_a_message_that_staff_have_processed_again(waiting, payer):
    answer(waiting, approved=True)
    for body, headers in messages():
        receive(gateway_slug="sandbox", body=body, headers=headers, at=timezone.now())
    clerk = UserFactory(is_staff=True, is_superuser=True)
    for delivery in WebhookDelivery.objects.order_by("pk"):
        at_a_desk(clerk).post(reverse("admin:payments_webhookdelivery_process", args=[delivery.pk]))
    assert origin_of("payment.succeeded") == (payer, NOWHERE)
    assert origin_of("method.added") == (payer, NOWHERE)
    assert set(AuditEntry.objects.filter(actor=clerk).values_list("ip_address", "browser")) == {DESK}
