"""Cards that are changed by several connections at once, on PostgreSQL."""

from collections import Counter
from threading import Thread
from uuid import uuid4

import pytest
from django.db import connections, transaction

from accounts.models import BillingProfile
from payments.models import MethodSetup, PaymentMethod
from payments.operations import CannotAddCard
from tests.factories import NOW, access_for, issued, member
from tests.payments.acts import card, press_pay
from tests.payments.adding import add, cards_at_the_gateway
from tests.payments.test_races import at_once

pytestmark = [pytest.mark.two_connections, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def owner(profile):
    return access_for(member(profile, "profile_owner"), profile)


def test_one_page_sent_many_times_at_once_adds_one_card(owner):
    wish = {"key": uuid4(), "card_token": "tok_4242_once"}
    results = at_once(*[lambda: add(owner, **wish)] * 8)
    assert {result.status for result in results} == {"succeeded"}
    assert MethodSetup.objects.count() == PaymentMethod.objects.count() == cards_at_the_gateway() == 1


def refused_cards_at_once(profile, owner):
    """Five at once, of which the hour still has room for one."""
    for _time in range(9):
        MethodSetup.objects.create(
            profile=profile, gateway="sandbox", status="declined", created_at=NOW, created_by=owner.user
        )
    results = at_once(*[lambda: add(owner, "0002")] * 5)
    return Counter(result.code if isinstance(result, CannotAddCard) else result.status for result in results)


def test_refused_cards_are_counted_one_after_the_other(profile, owner):
    assert refused_cards_at_once(profile, owner) == {"declined": 1, "throttled": 4}


def test_somebody_can_pay_while_the_cards_of_the_profile_are_being_changed(profile, owner):
    """Whoever changes cards locks the profile and then a card; a payer has a card locked and then names the profile."""
    invoice, method = issued(profile), card(profile)
    results = []

    def pay():
        results.append(press_pay(owner.user, invoice, method).status)
        connections.close_all()

    with transaction.atomic():
        BillingProfile.objects.locked().get(pk=profile.pk)
        payer = Thread(target=pay)
        payer.start()
        payer.join(10)
        assert results == ["succeeded"]
