"""The portal and Stripe together: whatever happens on the way, an invoice is paid once and the books agree."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils.timezone import now

from invoices.money import Money
from payments.gateways.registry import get_gateway
from payments.models import Payment
from payments.operations.attempts import CannotPay
from payments.operations.card_setups import end_abandoned, finish_adding
from payments.operations.integrity import check_books
from payments.operations.reconciliation import reconcile, return_from_bank
from payments.operations.refunds import refund, sync_refund
from payments.operations.webhooks import process_deliveries, receive
from tests.factories import access_for, issued, member
from tests.payments.acts import press_pay, staff, state
from tests.payments.adding import add
from tests.payments.stripe import asks
from tests.payments.stripe.asks import CHARGE
from tests.payments.stripe.bench import ACCOUNT, SECRET, TRIES
from tests.payments.stripe.test_charges import at_the_bank

GOOD, POOR = "4242424242424242", "4000000000009995"


@pytest.fixture
def invoice(profile, shop):
    return issued(profile)


def press(payer, invoice, shop, number=GOOD):
    return press_pay(payer, invoice, token=shop.card(number), at=now())


def look_again(*minutes):
    for each in minutes:
        reconcile(at=now() + timedelta(minutes=each))


def hear(shop):
    for told in shop("messages", secret=SECRET):
        receive(gateway_slug="stripe", body=told["body"].encode(), headers=told["headers"], at=now())
    process_deliveries(at=now())


def taken(shop, invoice):
    """What Stripe's own books say was charged for an invoice."""
    references = Payment.objects.filter(allocations__invoice=invoice).values_list("reference", flat=True)
    return [amount for reference in references for amount in shop("charged", reference=reference)]


def is_paid_once(shop, invoice):
    assert state(invoice) == ("paid", 12000, 0)
    assert taken(shop, invoice) == [[12000, "eur"]]
    assert check_books() == []


def test_a_new_card_pays_at_once(payer, invoice, shop):
    assert press(payer, invoice, shop).status == "succeeded"
    is_paid_once(shop, invoice)


def test_the_same_press_sent_again_is_one_charge(payer, invoice, shop):
    key, token = uuid4(), shop.card(GOOD)
    for _time in range(2):
        press_pay(payer, invoice, token=token, attempt_key=key, at=now(), shown=Money(12000, "EUR"))
    is_paid_once(shop, invoice)


@pytest.mark.parametrize("fault", ["drop_after", "garbage", "cut", "error_500_after"])
def test_a_charge_whose_answer_is_lost_blocks_and_is_found(payer, invoice, shop, fault):
    shop("arm", name=fault, route=CHARGE, times=TRIES)

    assert press(payer, invoice, shop).status == "unknown"
    with pytest.raises(CannotPay):
        press(payer, invoice, shop)
    look_again(1, 2)

    is_paid_once(shop, invoice)


def test_a_charge_whose_answer_is_lost_is_booked_by_its_message_too(payer, invoice, shop):
    shop("arm", name="drop_after", route=CHARGE, times=TRIES)
    press(payer, invoice, shop)

    hear(shop)

    is_paid_once(shop, invoice)


def test_a_request_that_was_lost_is_closed_and_paying_is_possible_again(payer, invoice, shop):
    shop("arm", name="hold", route=CHARGE, times=TRIES)
    lost = press(payer, invoice, shop)
    look_again(2)

    lost.refresh_from_db()
    assert lost.status == "expired"
    assert press(payer, invoice, shop).status == "succeeded"
    shop("release")
    look_again(3)

    is_paid_once(shop, invoice)


@pytest.mark.parametrize("door", ["rate_limit", "revoked"])
def test_what_was_not_sent_can_be_tried_again_at_once(payer, invoice, shop, door):
    if door == "rate_limit":
        shop("arm", name=door, route=CHARGE)
    else:
        shop("revoke", key="sk_live_standin")
    assert press(payer, invoice, shop).status == "not_sent"
    shop("restore", key="sk_live_standin")

    assert press(payer, invoice, shop).status == "succeeded"
    is_paid_once(shop, invoice)


def test_after_a_decline_another_card_pays(payer, invoice, shop):
    declined = press(payer, invoice, shop, POOR)
    assert (declined.status, declined.decline_code) == ("declined", "insufficient_funds")

    press(payer, invoice, shop)

    declined.refresh_from_db()
    assert declined.status == "declined"
    is_paid_once(shop, invoice)


def test_an_approval_that_failed_leaves_nothing_in_which_a_browser_could_try_other_cards(payer, invoice, shop):
    """The secret of an intent is in the payer's browser by then, and Stripe takes further cards with it."""
    payment = press(payer, invoice, shop, "4000002760003184")
    at_the_bank(payment.next_url, "fail")
    return_from_bank(access=access_for(payer, invoice.profile), reference=payment.reference, at=now())
    payment.refresh_from_db()
    assert (payment.status, payment.decline_code) == ("declined", "challenge_failed")
    assert [sent["cancellation_reason"] for sent in asks.sent(shop, "POST payment_intents/{id}/cancel")] == [
        "abandoned"
    ]


def test_adding_a_card_that_failed_or_was_left_at_the_bank_is_cancelled_at_stripe(profile, shop):
    owner = access_for(member(profile, "profile_owner"), profile)
    failed, left = (add(owner, card_token=shop.card("4000002760003184"), at=now()) for _card in range(2))
    at_the_bank(failed.next_url, "fail")
    assert finish_adding(access=owner, key=failed.key, at=now()).status == "declined"
    end_abandoned(at=now() + timedelta(minutes=31))
    left.refresh_from_db()
    assert left.status == "expired"
    assert len(asks.sent(shop, "POST setup_intents/{id}/cancel")) == 2
    for setup in (failed, left):
        assert get_gateway("stripe").finish_setup(setup.setup_id).decline


def test_another_amount_than_was_asked_goes_to_staff_and_pays_nothing(payer, invoice, shop):
    shop("arm", name="drop_after", route=CHARGE, times=TRIES)
    payment = press(payer, invoice, shop)
    made = [told for told in shop("messages", secret=SECRET) if payment.reference in told["body"]]
    [event] = get_gateway("stripe").verify(made[-1]["body"].encode(), made[-1]["headers"])
    shop("set", id=event.object_id, amount_received=9000)

    look_again(1)

    payment.refresh_from_db()
    assert payment.status == "mismatch"
    assert state(invoice)[0] == "open"


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "error_500_after"])
def test_a_refund_whose_answer_is_lost_is_made_once(payer, invoice, shop, fault):
    payment = press(payer, invoice, shop)
    shop("arm", name=fault, route="POST refunds", times=TRIES)
    made = refund(
        access=staff(),
        payment_id=payment.pk,
        amount=Money(5000, "EUR"),
        reason="Test",
        attempt_key=uuid4(),
        at=now(),
    )
    # A 500 that the provider repeats for a used key is looked up at once.
    assert made.status == ("succeeded" if fault == "error_500_after" else "unknown")

    sync_refund(refund_id=made.pk, at=now() + timedelta(minutes=2))

    made.refresh_from_db()
    assert made.status == "succeeded"
    assert [each["amount"] for each in refunds_at(shop, payment)] == [5000]
    assert check_books() == []


def refunds_at(shop, payment):
    gateway = get_gateway("stripe")
    return list(
        gateway.account.each(
            lambda client, asked: client.v1.refunds.list(asked), {"payment_intent": payment.gateway_id}
        )
    )


def test_a_refund_begun_in_the_dashboard_is_booked_once(payer, invoice, shop):
    payment = press(payer, invoice, shop)
    shop("refund", account=ACCOUNT, payment_intent=payment.gateway_id, amount=2000)

    for _time in range(2):
        hear(shop)

    assert state(invoice)[1] == 10000
    assert check_books() == []


def test_with_every_third_answer_lost_each_invoice_is_still_paid_once(profile, payer, shop, settings):
    settings.CARD_TRIES_PER_HOUR = settings.NEW_CARDS_PER_HOUR = 100  # more than one person may
    settings.CARD_TRIES_PER_HOUR_OF_PROFILE = settings.NEW_CARDS_PER_HOUR_OF_PROFILE = 100
    invoices = [issued(profile) for _number in range(50)]
    statuses = []

    for number, each in enumerate(invoices):
        if number % 3 == 2:
            shop("arm", name="drop_after", route=CHARGE, times=TRIES)
        statuses.append(press(payer, each, shop).status)
    look_again(1, 2)

    assert statuses == (["succeeded", "succeeded", "unknown"] * 17)[:50]
    for each in invoices:
        assert state(each) == ("paid", 12000, 0)
        assert taken(shop, each) == [[12000, "eur"]]
    assert check_books() == []
    charged = [shop("charged", reference=payment.reference) for payment in Payment.objects.all()]
    assert sum(minor for taken in charged for minor, _currency in taken) == 50 * 12000
    assert sum(Payment.objects.filter(status="succeeded").values_list("amount_minor", flat=True)) == 50 * 12000
