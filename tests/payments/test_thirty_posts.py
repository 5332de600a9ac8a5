"""Thirty browsers send the payment form of one invoice in the same moment."""

from collections import Counter
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from payments.models import Payment
from tests.factories import issued, member
from tests.payments.acts import books_are_clean, card, charges, state
from tests.payments.test_races import at_once

pytestmark = [pytest.mark.two_connections, pytest.mark.django_db(transaction=True)]


def test_thirty_posts_by_three_members_make_one_charge_and_no_error_page(profile):
    invoice, visa = issued(profile), card(profile)
    people = [member(profile, role) for role in ("profile_owner", "profile_contributor", "invoice_manager")]
    url = reverse("payments:pay", args=[profile.code, invoice.number])
    clients = []
    for index in range(30):
        client = Client()
        client.force_login(people[index % 3])
        clients.append(client)
    pages = [uuid4() for _page in range(10)]  # every third post is a page of its own, the others are sent again

    def post(index):
        form = {"attempt": pages[index // 3], "amount": 12000, "currency": "EUR", "method": visa.pk}
        return lambda: clients[index].post(url, form).status_code

    statuses = Counter(at_once(*[post(index) for index in range(30)]))

    assert set(statuses) <= {303, 422}
    assert statuses[303] >= 1
    assert charges(invoice) == [12000]
    assert Payment.objects.count() == 1
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()
