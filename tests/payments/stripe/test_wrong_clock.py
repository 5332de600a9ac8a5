"""What Stripe says counts, not our clock: a charge begun by a wrong clock is found all the same, and an answer that is
none is believed only when it is given twice, minutes apart."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from payments.gateways.registry import get_gateway
from payments.gateways.stripe import client, payment_intents
from payments.models import Dispute, Payment
from payments.operations.comparison import compare_gateway
from payments.operations.integrity import check_books
from payments.operations.reconciliation import reconcile
from tests.factories import issued
from tests.payments.acts import press_pay, state
from tests.payments.stripe.asks import CHARGE, an_attempt
from tests.payments.stripe.bench import ACCOUNT, TRIES
from tests.payments.stripe.test_paying import hear, is_paid_once, press, taken

CLOCKS = [timedelta(days=-2), timedelta(minutes=30)]


def press_by_a_wrong_clock(payer, invoice, shop, wrong_by, monkeypatch):
    """Stripe makes the charge, and neither of its answers arrives."""
    shop("search_lag", seconds=60)
    shop("arm", name="drop_after", route=CHARGE, times=TRIES)
    with monkeypatch.context() as patch:
        patch.setattr(payment_intents, "now", lambda: now() + wrong_by)
        payment = press_pay(payer, invoice, token=shop.card("4242424242424242"), at=now() + wrong_by)
    assert payment.status == "unknown"
    assert taken(shop, invoice) == [[12000, "eur"]]
    return payment


@pytest.mark.parametrize("wrong_by", CLOCKS)
def test_a_charge_begun_by_a_wrong_clock_is_booked_by_its_message(payer, profile, shop, wrong_by, monkeypatch):
    """Both answers are lost; the message comes once the clock is right, before Stripe's search sees the charge."""
    invoice = issued(profile)
    press_by_a_wrong_clock(payer, invoice, shop, wrong_by, monkeypatch)

    hear(shop)

    is_paid_once(shop, invoice)


@pytest.mark.parametrize("wrong_by", CLOCKS)
def test_a_charge_begun_by_a_wrong_clock_is_never_ended_by_that_clock(payer, profile, shop, wrong_by, monkeypatch):
    """No message ever comes. Closing is refused by Stripe, which knows the key, until its search sees the charge."""
    invoice = issued(profile)
    payment = press_by_a_wrong_clock(payer, invoice, shop, wrong_by, monkeypatch)
    for minutes in (1, 3):
        reconcile(at=now() + max(wrong_by, timedelta()) + timedelta(minutes=minutes))
        payment.refresh_from_db()
        assert payment.status == "unknown"
    shop("search_lag", seconds=0)

    reconcile(at=now() + max(wrong_by, timedelta()) + timedelta(minutes=10))

    is_paid_once(shop, invoice)


def test_a_stored_500_frees_the_invoice_within_minutes(payer, profile, shop):
    """Stripe keeps its 500 under the key for a day. That there is nothing is believed when it is said twice."""
    invoice = issued(profile)
    shop("arm", name="error_500", route=CHARGE)
    payment = press(payer, invoice, shop)
    for minutes, status in ((1, "unknown"), (3, "unknown"), (9, "expired")):
        reconcile(at=now() + timedelta(minutes=minutes))
        payment.refresh_from_db()
        assert payment.status == status
    assert [row.result for row in payment.events.order_by("pk")].count("spent") == 3

    assert press(payer, invoice, shop).status == "succeeded"
    is_paid_once(shop, invoice)


def test_a_500_of_a_charge_that_was_made_is_found(payer, profile, shop):
    invoice = issued(profile)
    shop("arm", name="error_500_after", route=CHARGE)
    press(payer, invoice, shop)
    reconcile(at=now() + timedelta(minutes=1))
    is_paid_once(shop, invoice)


def test_the_clock_is_read_from_any_answer_of_stripes(gateway, standin):
    assert abs(gateway.clock_difference()) < timedelta(minutes=1)
    standin("revoke", key="sk_live_standin")
    try:
        assert abs(gateway.clock_difference()) < timedelta(minutes=1)
    finally:
        standin("restore", key="sk_live_standin")


def test_stripes_own_list_is_compared_page_by_page(payer, profile, shop, monkeypatch):
    """Messages of a second charge, a refund and a dispute never come; a charge of nobody's waits for staff."""
    monkeypatch.setattr(client, "PAGE", 2)
    first, second = issued(profile), issued(profile)
    shop("arm", name="drop_after", route=CHARGE, times=TRIES)
    press(payer, first, shop)
    payment = press(payer, second, shop)
    shop("refund", account=ACCOUNT, payment_intent=payment.gateway_id, amount=2000)
    disputed = press(payer, issued(profile), shop)
    shop("decide", dispute=shop("dispute", account=ACCOUNT, payment_intent=disputed.gateway_id)["id"], status="lost")
    since = now() - timedelta(minutes=1)
    others = {record.id for record in get_gateway("stripe").records(since)}
    stray = get_gateway("stripe").charge(an_attempt(shop, reference="SHOP-1"))

    differences = compare_gateway(gateway_slug="stripe", since=since, at=now())

    assert stray.gateway_id not in others
    assert stray.gateway_id in {row.gateway_id for row in differences}
    own = {payment.gateway_id for payment in Payment.objects.all()}
    assert not own & {row.gateway_id for row in differences}
    assert state(first) == ("paid", 12000, 0)
    assert state(second)[1] == 10000
    assert Dispute.objects.get().status == "lost"
    assert check_books() == []
