"""News of a payment or refund that had ended, and a gateway that cannot be asked about it at that moment.

Nobody looks such a row up by themselves any more, so the message itself must stay until it was answered.
"""

from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from invoices.money import Money
from payments.gateways.base import Outcome, Result
from payments.gateways.sandbox.models import CardPayment, record
from payments.gateways.sandbox.models import Refund as SandboxRefund
from payments.models import PaymentEvent, WebhookDelivery
from payments.operations.gateway_calls import NoAnswer
from payments.operations.manual_payments import record_payment, resolve_mismatch
from payments.operations.reconciliation import sync_payment
from payments.operations.refunds import refund
from payments.operations.settlement import settle
from payments.operations.webhooks import process_deliveries
from tests.factories import NOW, issued
from tests.payments.acts import books_are_clean, card, deliver, press_pay, run_reconciler, sandbox, staff, state


def the_gateway_now_says(model, status):
    model.objects.update(state=status)


def waiting_messages():
    return WebhookDelivery.objects.filter(status="received", next_try_at__isnull=False).count()


def tell(kind, object_id, reference):
    """The gateway's message of this change, as it signs one."""
    record(kind, object_id, reference=reference, at=timezone.now())
    deliver()


def pay_back(payment, minor):
    return refund(
        access=staff(), payment_id=payment.pk, amount=Money(minor, "EUR"), reason="Test", attempt_key=uuid4(), at=NOW
    )


def test_money_that_came_after_a_decline_is_booked_though_the_first_look_up_failed(profile, payer):
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "0002"))
    deliver()
    assert payment.status == "declined"
    the_gateway_now_says(CardPayment, "succeeded")
    sandbox().faults.arm("drop_before", on="lookup")

    tell("payment.succeeded", payment.gateway_id, payment.reference)
    assert waiting_messages() == 1
    process_deliveries(at=NOW + timedelta(minutes=1))

    assert waiting_messages() == 0
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_a_refund_that_failed_after_all_is_put_back_though_the_first_look_up_failed(profile, payer):
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile))
    returned = pay_back(payment, 12000)
    deliver()
    assert returned.status == "succeeded"
    the_gateway_now_says(SandboxRefund, "declined")
    sandbox().faults.arm("drop_before", on="lookup_refund")

    tell("refund.failed", returned.gateway_id, payment.reference)
    assert waiting_messages() == 1
    process_deliveries(at=NOW + timedelta(minutes=1))

    assert waiting_messages() == 0
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_staff_who_ask_about_an_ended_payment_are_told_when_there_was_no_answer(profile, payer):
    payment = press_pay(payer, issued(profile), card(profile, "0002"))
    sandbox().faults.arm("drop_before", on="lookup")
    with pytest.raises(NoAnswer, match="could not reach the payment provider"):
        sync_payment(payment_id=payment.pk, source=PaymentEvent.Source.STAFF, at=NOW)
    payment.refresh_from_db()
    assert payment.status == "declined"


@pytest.mark.parametrize("accept", [True, False])
def test_another_amount_taken_after_a_decline_waits_for_staff_and_the_books_allow_for_it(profile, payer, accept):
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "0002"))
    outcome = Outcome(Result.SUCCEEDED, gateway_id=payment.gateway_id, amount=Money(5000, "EUR"))
    payment = settle(payment_id=payment.pk, outcome=outcome, source=PaymentEvent.Source.WEBHOOK, at=NOW)
    assert (payment.status, payment.needs_staff) == ("mismatch", True)
    assert books_are_clean()

    waiting = press_pay(payer, invoice, card(profile, "3184"))
    resolve_mismatch(access=staff(), payment_id=payment.pk, accept=accept, at=NOW)

    invoice.refresh_from_db()
    assert invoice.is_being_paid, "the decision about an earlier attempt must not end the one that is under way"
    assert state(invoice) == (("open", 5000, 7000) if accept else ("open", 0, 12000))
    waiting.refresh_from_db()
    assert waiting.status == "needs_customer"
    assert books_are_clean()


def test_an_invoice_due_again_still_says_that_an_earlier_attempt_is_under_way(profile, payer):
    """A wire pays the rest while a card payment is not answered yet; then part of an older payment goes back."""
    invoice, visa = issued(profile), card(profile)
    first = press_pay(payer, invoice, visa)
    pay_back(first, 5000)
    sandbox().faults.arm("drop_after")
    assert press_pay(payer, invoice, visa).status == "unknown"
    record_payment(
        access=staff(), invoice_id=invoice.pk, amount=Money(5000, "EUR"), channel="wire", bank_reference="W-1",
        received_on=date(2026, 10, 25), attempt_key=uuid4(), at=NOW,
    )  # fmt: skip
    assert state(invoice) == ("paid", 12000, 0)

    pay_back(first, 1000)

    assert state(invoice) == ("open", 11000, 1000)
    assert invoice.is_being_paid
    assert books_are_clean()

    run_reconciler(1)
    assert state(invoice) == ("paid", 12000, 0)
    assert not invoice.is_being_paid
    assert books_are_clean()


def test_the_message_that_a_slow_payment_arrived_stays_until_it_was_answered(profile, payer):
    """Its next look-up may be a day away, and the customer waits for what the message already says."""
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "6223"))
    assert payment.status == "pending"
    sandbox().operator.advance_clock(10)
    sandbox().work()
    sandbox().faults.arm("server_error", on="lookup", times=2)
    deliver()
    assert state(invoice)[0] == "open"
    assert waiting_messages()
    process_deliveries(at=NOW + timedelta(seconds=10))
    assert state(invoice) == ("paid", 12000, 0)
