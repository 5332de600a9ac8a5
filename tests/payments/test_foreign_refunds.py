"""Refunds that were made at the provider, not here, and how they are told from our own."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError

from invoices.money import Money
from payments.gateways.base import Outcome, RefundRequest, Result
from payments.gateways.sandbox.models import CardPayment
from payments.models import Refund, WebhookDelivery
from payments.operations import refunds
from payments.operations.manual_payments import resolve_mismatch
from payments.operations.refunds import refund, settle_refund
from payments.operations.webhooks import process_deliveries
from tests.factories import NOW, issued
from tests.payments.acts import (
    books_are_clean,
    card,
    deliver,
    messages,
    press_pay,
    run_reconciler,
    sandbox,
    staff,
    state,
)
from tests.payments.contract.benches import SandboxBench, an_attempt


@pytest.fixture
def invoice(profile):
    return issued(profile)


@pytest.fixture
def payment(invoice, profile, payer):
    """An invoice of 120.00 was paid, and the gateway's messages about that have been heard."""
    payment = press_pay(payer, invoice, card(profile))
    messages()
    return payment


def refund_at_the_provider(payment, minor):
    request = RefundRequest(
        key=uuid4().hex, reference=payment.reference, amount=Money(minor, "EUR"), gateway_id=payment.gateway_id
    )
    return sandbox().refund(request)


def give_back(payment, minor):
    fields = {"reason": "Test", "attempt_key": uuid4(), "at": NOW}
    return refund(access=staff(), payment_id=payment.pk, amount=Money(minor, "EUR"), **fields)


def statuses():
    return sorted(Refund.objects.values_list("amount_minor", "status"))


def waiting_messages():
    return WebhookDelivery.objects.filter(status="received", next_try_at__isnull=False).count()


def test_one_of_the_same_amount_as_ours_that_never_arrived_is_booked_beside_it(invoice, payment):
    sandbox().faults.arm("drop_before", on="refund")
    assert give_back(payment, 2000).status == "unknown"
    refund_at_the_provider(payment, 2000)

    deliver()
    deliver()

    assert statuses() == [(2000, "succeeded"), (2000, "succeeded")]
    assert sandbox().operator.totals() == {"EUR": 8000}
    assert state(invoice) == ("open", 8000, 4000)
    assert books_are_clean()


def test_one_that_left_nothing_for_ours_is_booked_instead_of_it(invoice, payment):
    sandbox().faults.arm("drop_before", on="refund")
    give_back(payment, 12000)
    refund_at_the_provider(payment, 12000)

    deliver()

    assert statuses() == [(12000, "failed"), (12000, "succeeded")]
    assert state(invoice) == ("open", 0, 12000)
    assert books_are_clean()


def test_while_ours_has_no_answer_the_message_about_the_other_waits(invoice, payment):
    sandbox().faults.arm("drop_before", on="refund")
    give_back(payment, 2000)
    refund_at_the_provider(payment, 2000)
    sandbox().faults.arm("drop_before", on="lookup_refund")

    deliver()
    assert waiting_messages() == 1
    assert statuses() == [(2000, "unknown")]
    process_deliveries(at=NOW + timedelta(minutes=1))

    assert waiting_messages() == 0
    assert statuses() == [(2000, "succeeded"), (2000, "succeeded")]
    assert books_are_clean()


@pytest.mark.parametrize("fault", ["drop_before", "refuse_connection"])
def test_one_that_the_gateway_cannot_be_asked_about_is_asked_about_again(invoice, payment, fault):
    refund_at_the_provider(payment, 2000)
    sandbox().faults.arm(fault, on="lookup_refund")

    deliver()
    assert waiting_messages() == 1
    assert statuses() == []
    process_deliveries(at=NOW + timedelta(minutes=1))

    assert statuses() == [(2000, "succeeded")]
    assert state(invoice) == ("open", 10000, 2000)


def test_ours_with_another_amount_than_asked_is_not_taken_for_a_foreign_one(payment):
    """Its answer was lost; the look-up finds it with another amount, which is for staff, and only once."""
    sandbox().faults.arm("drop_after", on="refund")
    sandbox().faults.arm("other_amount", on="refund", value=1500)
    ours = give_back(payment, 2000)

    deliver()

    ours.refresh_from_db()
    assert (ours.status, ours.needs_staff) == ("unknown", True)
    assert Refund.objects.count() == 1


def test_one_that_waited_for_staff_and_then_succeeded_waits_for_nobody(payment):
    sandbox().faults.arm("drop_before", on="refund")
    ours = give_back(payment, 2000)
    other = Outcome(Result.SUCCEEDED, amount=Money(1999, "EUR"))
    assert settle_refund(refund_id=ours.pk, outcome=other, at=NOW).needs_staff
    right = Outcome(Result.SUCCEEDED, amount=Money(2000, "EUR"))
    settle_refund(refund_id=ours.pk, outcome=right, at=NOW)
    ours.refresh_from_db()
    assert (ours.status, ours.needs_staff) == ("succeeded", False)


def test_one_without_a_reference_of_ours_is_found_by_its_payment(invoice, payment):
    sandbox().operator.refund(payment.gateway_id, 2000)

    parcel = messages()
    for _time in range(3):
        deliver(*parcel)

    assert WebhookDelivery.objects.values_list("reference", "gateway_payment_id").get() == ("", payment.gateway_id)
    assert statuses() == [(2000, "succeeded")]
    assert state(invoice) == ("open", 10000, 2000)
    assert books_are_clean()


def test_one_of_somebody_elses_payment_is_ignored(payment):
    theirs = sandbox().charge(an_attempt(SandboxBench("sandbox"), reference="ORDER-7"))
    sandbox().operator.refund(theirs.gateway_id, 300)

    deliver()

    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"ignored"}
    assert statuses() == []


def test_one_that_may_be_of_a_payment_whose_answer_was_lost_waits_for_it(profile, payer):
    """The provider is quicker than we are: money is paid back before we know the provider's id of the payment."""
    invoice = issued(profile)
    sandbox().faults.arm("drop_after")
    payment = press_pay(payer, invoice, card(profile))
    assert payment.gateway_id == ""
    messages()
    sandbox().operator.refund(CardPayment.objects.get(reference=payment.reference).pk, 2000)

    deliver()
    assert waiting_messages() == 1
    run_reconciler(2)
    process_deliveries(at=NOW + timedelta(minutes=3))

    assert state(invoice) == ("open", 10000, 2000)
    assert books_are_clean()


def test_one_that_names_our_payment_and_belongs_to_another_is_for_staff(payment):
    """The ids count, not what somebody wrote beside them."""
    theirs = sandbox().charge(an_attempt(SandboxBench("sandbox"), reference="ORDER-7"))
    messages()
    sandbox().refund(
        RefundRequest(
            key=uuid4().hex, reference=payment.reference, amount=Money(300, "EUR"), gateway_id=theirs.gateway_id
        )
    )

    deliver()

    assert waiting_messages() == 1
    assert statuses() == []


def test_one_of_a_payment_whose_answer_was_lost_looks_the_payment_up_first(profile, payer):
    invoice = issued(profile)
    sandbox().faults.arm("drop_after")
    payment = press_pay(payer, invoice, card(profile))
    charge = CardPayment.objects.get(reference=payment.reference)
    request = RefundRequest(
        key=uuid4().hex, reference=payment.reference, amount=Money(2000, "EUR"), gateway_id=charge.pk
    )
    messages()
    sandbox().refund(request)

    deliver()

    assert state(invoice) == ("open", 10000, 2000)
    assert books_are_clean()


def test_one_of_a_wrong_amount_that_staff_paid_back_takes_nothing_from_the_books(profile, payer):
    invoice = issued(profile)
    sandbox().faults.arm("other_amount", value=11000)
    payment = press_pay(payer, invoice, card(profile))
    messages()
    sandbox().operator.refund(payment.gateway_id, 11000)

    deliver()
    assert waiting_messages() == 1
    resolve_mismatch(access=staff(), payment_id=payment.pk, accept=False, at=NOW)
    process_deliveries(at=NOW + timedelta(minutes=1))

    payment.refresh_from_db()
    assert (payment.status, waiting_messages()) == ("declined", 0)
    assert state(invoice) == ("open", 0, 12000)
    assert books_are_clean()


def test_a_row_that_the_database_refuses_is_not_taken_for_a_page_sent_twice(payment, monkeypatch):
    def refuses(*_arguments, **_fields):
        raise IntegrityError("some other constraint")

    monkeypatch.setattr(refunds, "record_audit", refuses)
    with pytest.raises(IntegrityError, match="some other constraint"):
        give_back(payment, 2000)
    assert not Refund.objects.exists()
