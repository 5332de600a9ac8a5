"""A second charge under one reference: booked as a payment of its own, and staff are told."""

from dataclasses import replace
from uuid import uuid4

import pytest

from invoices.models import Credit
from invoices.money import Money
from payments.gateways.base import Outcome, Result
from payments.gateways.sandbox.models import CardPayment
from payments.models import Payment, PaymentEvent
from payments.operations.gateway_calls import attempt_of
from payments.operations.manual_payments import resolve_mismatch
from payments.operations.refunds import refund
from payments.operations.settlement import _write_further_payment, adopt_payment
from tests.factories import NOW, issued
from tests.payments.acts import books_are_clean, card, deliver, press_pay, sandbox, staff, state

pytestmark = pytest.mark.django_db


def paid(payer, profile):
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile))
    deliver()
    return invoice, payment


def charge_again(payment):
    """The provider charges once more under the same reference, as when it has forgotten the key."""
    payment = Payment.objects.select_related("profile", "method").get(pk=payment.pk)
    attempt = replace(attempt_of(payment), key=str(uuid4()), gateway_id="", return_url="http://testserver/")
    assert sandbox().charge(attempt).result == Result.SUCCEEDED


def test_a_second_success_under_one_reference_becomes_a_credit_and_staff_are_told(payer, profile):
    invoice, first = paid(payer, profile)
    charge_again(first)

    for _time in range(2):
        deliver()

    second = Payment.objects.exclude(pk=first.pk).get()
    assert (second.status, second.amount, second.needs_staff) == ("succeeded", Money(12000, "EUR"), True)
    assert state(invoice) == ("paid", 12000, 0)
    assert [credit.remaining_minor for credit in Credit.objects.all()] == [12000]
    first.refresh_from_db()
    assert first.needs_staff
    assert first.events.filter(result="charged_again", detail__gateway_id=second.gateway_id).count() == 1
    assert sum(CardPayment.objects.filter(state="succeeded").values_list("amount_minor", flat=True)) == 24000
    assert books_are_clean()


def test_a_second_success_can_be_paid_back_to_the_card(payer, profile):
    _invoice, first = paid(payer, profile)
    charge_again(first)
    deliver()
    second = Payment.objects.exclude(pk=first.pk).get()

    made = refund(
        access=staff(), payment_id=second.pk, amount=second.amount, reason="Twice", attempt_key=uuid4(), at=NOW
    )

    assert made.status == "succeeded"
    assert sandbox().operator.totals() == {"EUR": 12000}
    assert books_are_clean()


def test_a_second_success_pays_what_is_due_again(payer, profile):
    invoice, first = paid(payer, profile)
    refund(access=staff(), payment_id=first.pk, amount=first.amount, reason="Test", attempt_key=uuid4(), at=NOW)
    charge_again(first)

    deliver()

    assert state(invoice) == ("paid", 12000, 0)
    assert not Credit.objects.exists()
    assert books_are_clean()


def test_success_after_an_end_is_booked_where_the_money_is(payer, profile):
    """The provider closed one attempt, and charged another under the same reference: refunds go to that one."""
    invoice = issued(profile)
    sandbox().faults.arm("decline")
    first = press_pay(payer, invoice, card(profile))
    assert first.status == "declined"
    charge_again(first)

    deliver()

    first.refresh_from_db()
    assert first.status == "succeeded"
    assert CardPayment.objects.get(pk=first.gateway_id).state == "succeeded"
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_a_second_charge_that_failed_changes_nothing(payer, profile):
    invoice, first = paid(payer, profile)
    sandbox().faults.arm("decline")
    payment = Payment.objects.select_related("profile", "method").get(pk=first.pk)
    sandbox().charge(replace(attempt_of(payment), key=str(uuid4()), gateway_id=""))

    deliver()

    assert Payment.objects.count() == 1
    assert state(invoice) == ("paid", 12000, 0)


def further(minor=12000, currency="EUR"):
    return Outcome(Result.SUCCEEDED, gateway_id="ch_again", amount=Money(minor, currency))


def test_a_further_charge_is_booked_once_also_by_a_process_that_was_killed_half_way(payer, profile):
    _invoice, payment = paid(payer, profile)
    _write_further_payment(payment.pk, further(), source=PaymentEvent.Source.WEBHOOK, at=NOW)
    rows = [
        adopt_payment(payment_id=payment.pk, outcome=further(), source=PaymentEvent.Source.WEBHOOK, at=NOW)
        for _index in range(2)
    ]
    assert rows[0] == rows[1]
    assert rows[0].status == "succeeded"
    assert Payment.objects.count() == 2
    assert Credit.objects.get().remaining_minor == 12000


def test_a_further_charge_in_another_currency_waits_for_staff(payer, profile):
    _invoice, payment = paid(payer, profile)
    row = adopt_payment(
        payment_id=payment.pk, outcome=further(currency="USD"), source=PaymentEvent.Source.WEBHOOK, at=NOW
    )
    assert (row, row.needs_staff) == (payment, True)
    assert Payment.objects.count() == 1


def test_a_late_message_does_not_open_what_staff_refused(payer, profile):
    sandbox().faults.arm("other_amount", value=11000)
    payment = press_pay(payer, issued(profile), card(profile))
    resolve_mismatch(access=staff(), payment_id=payment.pk, accept=False, at=NOW)
    deliver()
    payment.refresh_from_db()
    assert (payment.status, payment.needs_staff) == ("declined", False)


def test_a_second_charge_in_another_currency_is_not_booked_and_waits_for_staff(payer, profile):
    invoice, first = paid(payer, profile)
    payment = Payment.objects.select_related("profile", "method").get(pk=first.pk)
    other = replace(attempt_of(payment), key=str(uuid4()), gateway_id="", amount=Money(12000, "USD"))
    assert sandbox().charge(other).result == Result.SUCCEEDED

    for _time in range(2):
        deliver()

    first.refresh_from_db()
    assert Payment.objects.get() == first
    assert first.needs_staff
    assert first.events.filter(result="charged_again", detail__currency="USD").count() == 1
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()
