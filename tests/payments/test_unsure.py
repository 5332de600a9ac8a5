"""How long anybody may be unsure: staff see within the hour what nobody knows, and what can have no other answer ends
within minutes, without our clock alone deciding it."""

from datetime import timedelta
from uuid import uuid4

import pytest

from payments.gateways.sandbox.models import CardSetup
from payments.gateways.sandbox.saved_cards import answer_challenge
from payments.models import Refund
from payments.operations.card_setups import end_abandoned
from payments.operations.refunds import refund, sync_refund
from tests.factories import NOW, access_for, issued, member
from tests.payments.acts import books_are_clean, card, press_pay, run_reconciler, sandbox, staff, state
from tests.payments.adding import add
from tests.payments.test_charged_again import paid

pytestmark = pytest.mark.django_db


def test_staff_see_within_the_hour_what_nobody_knows_yet_and_the_gateway_is_asked_on(payer, profile):
    sandbox().faults.arm("drop_after")
    payment = press_pay(payer, issued(profile), card(profile))
    sandbox().faults.arm("drop_before", on="lookup", times=500)
    run_reconciler(1, 3, 9, 20, 36)
    payment.refresh_from_db()
    assert not payment.needs_staff

    run_reconciler(67)
    payment.refresh_from_db()
    assert payment.needs_staff
    assert payment.next_lookup_at is not None

    sandbox().faults.clear()
    run_reconciler(200)
    payment.refresh_from_db()
    assert (payment.status, payment.needs_staff) == ("succeeded", False)


def test_money_on_its_way_is_nothing_for_staff(payer, profile):
    payment = press_pay(payer, issued(profile), card(profile, "6223"), at=NOW - timedelta(hours=3))
    sandbox().faults.arm("drop_before", on="lookup", times=500)
    run_reconciler(1, 3, 80)
    payment.refresh_from_db()
    assert (payment.status, payment.needs_staff) == ("pending", False)


def test_a_stored_500_of_a_refund_gives_the_amount_back_within_minutes(payer, profile):
    invoice, payment = paid(payer, profile)
    sandbox().faults.arm("server_error", on="refund")
    made = refund(
        access=staff(), payment_id=payment.pk, amount=payment.amount, reason="Test", attempt_key=uuid4(), at=NOW
    )
    assert made.status == "unknown"
    for minutes, status in ((2, "unknown"), (4, "unknown"), (9, "failed")):
        sync_refund(refund_id=made.pk, at=NOW + timedelta(minutes=minutes))
        made = Refund.objects.get(pk=made.pk)
        assert made.status == status

    assert state(invoice) == ("paid", 12000, 0)
    again = refund(
        access=staff(), payment_id=payment.pk, amount=payment.amount, reason="Test", attempt_key=uuid4(), at=NOW
    )
    assert again.status == "succeeded"
    assert sandbox().operator.totals() == {"EUR": 0}
    assert books_are_clean()


def test_a_card_that_the_bank_approved_is_kept_however_old_the_try_is_by_our_clock(profile):
    """The clock jumped ahead by two days while the person was at the bank."""
    owner = access_for(member(profile, "profile_owner"), profile)
    setup = add(owner, card_token=f"tok_3184_{uuid4().hex}", at=NOW)
    answer_challenge(CardSetup.objects.get(pk=setup.setup_id), approved=True, at=NOW)

    end_abandoned(at=NOW + timedelta(days=2))

    setup.refresh_from_db()
    assert setup.status == "succeeded"
