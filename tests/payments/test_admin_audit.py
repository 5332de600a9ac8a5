"""Who of the staff asked a provider, or had a message worked on again, is in the audit."""

import pytest
from django.urls import reverse

from accounts.models import AuditEntry
from payments.models import WebhookDelivery
from tests.factories import NOW, UserFactory, issued
from tests.payments.acts import card, press_pay
from tests.payments.pages import browser


@pytest.fixture
def clerk(db):
    return UserFactory(is_staff=True, is_superuser=True)


def press(clerk, row, deed):
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_{deed}"
    return browser(clerk).post(reverse(name, args=[row.pk]))


def test_a_payment_that_is_looked_up(clerk, payer, profile):
    waiting = press_pay(payer, issued(profile), card(profile, "3184"))
    press(clerk, waiting, "look_up")
    entry = AuditEntry.objects.get(action="payment.looked_up")
    assert (entry.actor, entry.subject, entry.profile) == (clerk, waiting.reference, profile)


def test_a_message_that_is_worked_on_again(clerk):
    row = WebhookDelivery.objects.create(
        gateway="sandbox", event_id="e1", type="payment.unheard_of", kind="other", received_at=NOW
    )
    press(clerk, row, "process")
    assert AuditEntry.objects.get(action="delivery.processed").actor == clerk


def test_a_look_up_without_the_permission_leaves_nothing(payer, profile, db):
    waiting = press_pay(payer, issued(profile), card(profile, "3184"))
    before = AuditEntry.objects.count()
    assert press(UserFactory(is_staff=True), waiting, "look_up").status_code == 403
    assert AuditEntry.objects.count() == before
