"""The gateway's answer does not come, or comes late. Nothing is guessed, and nothing is charged twice."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from payments.models import Payment
from payments.operations import attempts
from payments.operations.attempts import CannotPay
from payments.operations.reconciliation import reconcile
from tests.factories import NOW, issued
from tests.payments.acts import books_are_clean, card, charges, press_pay, run_reconciler, sandbox, state


@pytest.mark.parametrize("fault", ["drop_after", "garbage"])
def test_a_charge_whose_answer_is_lost_blocks_until_it_is_found_and_is_paid_once(profile, payer, fault):
    invoice = issued(profile)
    sandbox().faults.arm(fault)

    payment = press_pay(payer, invoice, card(profile))

    assert payment.status == "unknown"
    assert state(invoice) == ("open", 0, 12000)
    with pytest.raises(CannotPay) as problem:
        press_pay(payer, invoice, card(profile))
    assert problem.value.code == "in_progress"

    run_reconciler(1, 2)

    assert state(invoice) == ("paid", 12000, 0)
    assert charges(invoice) == [12000]
    assert Payment.objects.count() == 1
    assert books_are_clean()


@pytest.mark.parametrize("fault", ["drop_before", "server_error"])
def test_a_request_that_charged_nothing_is_closed_at_the_gateway_and_pay_is_possible_again(profile, payer, fault):
    invoice, visa = issued(profile), card(profile)
    sandbox().faults.arm(fault)

    lost = press_pay(payer, invoice, visa)
    assert lost.status == "unknown"
    run_reconciler(1)

    lost.refresh_from_db()
    assert lost.status == "expired"
    assert state(invoice) == ("open", 0, 12000)
    assert press_pay(payer, invoice, visa).status == "succeeded"
    assert charges(invoice) == [12000]
    assert books_are_clean()


def test_what_was_closed_can_never_be_charged_by_a_request_that_arrives_late(profile, payer):
    from payments.operations.gateway_calls import attempt_of

    invoice, visa = issued(profile), card(profile)
    sandbox().faults.arm("drop_before")
    lost = press_pay(payer, invoice, visa)
    run_reconciler(1)

    late = sandbox().charge(attempt_of(Payment.objects.select_related("profile", "method").get(pk=lost.pk)))

    assert late.result == "expired"
    assert charges(invoice) == []


def test_a_refused_connection_sent_nothing_so_pay_is_possible_at_once(profile, payer):
    invoice = issued(profile)
    sandbox().faults.arm("refuse_connection")

    assert press_pay(payer, invoice, card(profile)).status == "not_sent"
    assert state(invoice) == ("open", 0, 12000)
    assert press_pay(payer, invoice, card(profile)).status == "succeeded"
    assert charges(invoice) == [12000]


def test_an_exception_nobody_expected_is_unknown_not_an_error_page(profile, payer, monkeypatch):
    gateway = sandbox()
    real = gateway.charge

    def breaks(attempt):
        real(attempt)
        raise KeyError("unexpected")

    monkeypatch.setattr(gateway, "charge", breaks)
    invoice = issued(profile)
    assert press_pay(payer, invoice, card(profile)).status == "unknown"
    run_reconciler(1)
    assert state(invoice) == ("paid", 12000, 0)
    assert charges(invoice) == [12000]


def test_a_process_that_died_before_the_call_frees_the_invoice_after_a_while(profile, payer):
    """The attempt is written, the worker is gone, the gateway never heard of it."""
    from payments.operations.attempts import begin
    from tests.factories import access_for

    invoice, visa = issued(profile), card(profile)
    with transaction.atomic():
        payment, _invoices = begin(
            access=access_for(payer, profile),
            invoice_ids=[invoice.pk],
            shown=invoice.amount_due,
            attempt_key=uuid4(),
            method_id=visa.pk,
            at=NOW,
        )

    run_reconciler(0.5)
    payment.refresh_from_db()
    assert payment.status == "created"

    run_reconciler(2)
    payment.refresh_from_db()
    assert payment.status == "expired"
    assert press_pay(payer, invoice, visa).status == "succeeded"


def test_what_stays_unknown_goes_to_staff_and_never_ends_by_age(profile, payer):
    invoice = issued(profile)
    gateway = sandbox()
    gateway.faults.arm("drop_after")
    payment = press_pay(payer, invoice, card(profile))
    gateway.faults.arm("drop_before", on="lookup", times=500)

    for hours in range(0, 24 * 30, 3):
        reconcile(at=NOW + timedelta(hours=hours))

    payment.refresh_from_db()
    assert (payment.status, payment.needs_staff, payment.next_lookup_at) == ("unknown", True, None)
    assert state(invoice) == ("open", 0, 12000)
    assert charges(invoice) == [12000]

    gateway.faults.clear()
    from payments.models import PaymentEvent
    from payments.operations.reconciliation import sync_payment

    sync_payment(payment_id=payment.pk, source=PaymentEvent.Source.STAFF, at=NOW + timedelta(days=31))
    payment.refresh_from_db()
    assert (payment.status, payment.needs_staff) == ("succeeded", False)
    assert state(invoice) == ("paid", 12000, 0)


def test_a_payment_that_settles_later_is_paid_when_it_has_settled(profile, payer):
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "6223"))
    assert payment.status == "pending"
    run_reconciler(1)
    assert state(invoice) == ("open", 0, 12000)

    sandbox().operator.advance_clock(60)
    run_reconciler(10)

    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_a_payment_that_fails_later_makes_the_invoice_due_again(profile, payer):
    invoice = issued(profile)
    press_pay(payer, invoice, card(profile, "6231"))
    sandbox().operator.advance_clock(60)
    run_reconciler(10)
    assert state(invoice) == ("open", 0, 12000)
    assert not invoice.is_being_paid
    assert press_pay(payer, invoice, card(profile)).status == "succeeded"


@pytest.mark.parametrize(
    ("switch", "value"), [("other_amount", "11999"), ("other_amount", "12001"), ("other_currency", "USD")]
)
def test_another_amount_or_currency_than_asked_pays_nothing_and_waits_for_staff(profile, payer, switch, value):
    invoice = issued(profile)
    sandbox().faults.arm(switch, value=value)

    payment = press_pay(payer, invoice, card(profile))

    assert (payment.status, payment.needs_staff) == ("mismatch", True)
    assert state(invoice) == ("open", 0, 12000)
    with pytest.raises(CannotPay):
        press_pay(payer, invoice, card(profile))
    run_reconciler(5, 60, 600)
    payment.refresh_from_db()
    assert payment.status == "mismatch"


def test_the_reconciler_run_twice_or_by_two_workers_asks_once(profile, payer):
    sandbox().faults.arm("drop_after")
    press_pay(payer, issued(profile), card(profile))
    at = NOW + timedelta(minutes=1)
    assert (reconcile(at=at), reconcile(at=at)) == (1, 0)


@pytest.mark.parametrize("text", ["x" * 10_000, "💳" * 400, "null\x00byte", ""])
def test_whatever_the_gateway_says_the_failure_is_written_down(profile, payer, monkeypatch, text):
    from payments.gateways.base import Bucket, Decline, DeclineCode, Outcome, Result

    gateway = sandbox()
    answer = Outcome(Result.DECLINED, decline=Decline(DeclineCode.GENERIC, Bucket.NEW_METHOD), message=text)
    monkeypatch.setattr(gateway, "charge", lambda attempt: answer)
    payment = press_pay(payer, issued(profile), card(profile))
    payment.refresh_from_db()
    assert payment.status == "declined"
    assert len(payment.gateway_message) <= 300


def test_an_attempt_at_a_gateway_that_was_taken_away_waits_for_staff_and_for_the_gateway(profile, payer, settings):
    from payments.gateways.registry import get_gateway

    invoice = issued(profile)
    sandbox().faults.arm("drop_after")
    payment = press_pay(payer, invoice, card(profile))
    listed = settings.PAYMENT_GATEWAYS
    settings.PAYMENT_GATEWAYS = {}
    get_gateway.cache_clear()

    run_reconciler(1, 5)
    payment.refresh_from_db()
    assert (payment.status, payment.needs_staff) == ("unknown", True)

    settings.PAYMENT_GATEWAYS = listed
    get_gateway.cache_clear()
    run_reconciler(60 * 25)
    assert state(invoice) == ("paid", 12000, 0)
    assert charges(invoice) == [12000]


def test_a_database_that_is_busy_before_the_call_charges_nothing_and_says_so(profile, payer, monkeypatch):
    from django.db import OperationalError

    def locked(**_arguments):
        raise OperationalError("database is locked")

    invoice = issued(profile)
    monkeypatch.setattr(attempts, "begin", locked)
    with pytest.raises(CannotPay) as problem:
        press_pay(payer, invoice, card(profile))
    assert problem.value.code == "busy"
    assert charges(invoice) == []


def test_a_database_that_is_gone_after_the_call_loses_nothing(profile, payer, monkeypatch):
    from django.db import OperationalError

    def gone(**_arguments):
        raise OperationalError("server closed the connection")

    invoice = issued(profile)
    with monkeypatch.context() as patch:
        patch.setattr(attempts, "settle", gone)
        assert press_pay(payer, invoice, card(profile)).status == "created"
    run_reconciler(2)
    assert state(invoice) == ("paid", 12000, 0)
    assert charges(invoice) == [12000]
