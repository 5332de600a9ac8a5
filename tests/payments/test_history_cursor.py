"""A word for another page of the payment history that nobody was given leads to the first page."""

import json
from base64 import urlsafe_b64encode
from uuid import UUID, uuid4

import pytest
from django.urls import reverse

from payments.models import Payment
from tests.factories import issued
from tests.payments.acts import card, press_pay

pytestmark = [pytest.mark.django_db]


def word(*parts):
    return urlsafe_b64encode(json.dumps(["started_at", True, *parts]).encode()).decode().rstrip("=")


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59"])
def test_a_time_before_or_after_all_calendars_gives_the_first_page(client, profile, payer, moment, backwards):
    payment = press_pay(payer, issued(profile), card(profile))
    client.force_login(payer)
    address = reverse("payments:history", args=[profile.code])
    response = client.get(address, {"page": word(moment, uuid4().hex, backwards)})
    assert response.status_code == 200
    assert payment.reference in response.text


def test_a_time_zone_with_seconds_is_taken(client, profile, payer):
    press_pay(payer, issued(profile), card(profile))
    client.force_login(payer)
    address = reverse("payments:history", args=[profile.code])
    response = client.get(address, {"page": word("2026-01-01T00:00:00+00:00:30.5", UUID(int=0).hex, True)})
    assert response.status_code == 200
    assert Payment.objects.get().reference in response.text
