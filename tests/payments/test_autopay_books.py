"""The books find a plan that does not agree with its invoice, whoever changed it by hand."""

from uuid import uuid4

import pytest

from invoices.models import Invoice
from invoices.money import Money
from payments.models import AutomaticCharge, Payment
from payments.operations import check_books, plan_again, refund
from tests.factories import issued
from tests.payments.acts import books_are_clean, card, press_pay, staff, state
from tests.payments.autopaying import CHARGED, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def paid(profile, payer):
    card(profile, is_default=True)
    invoice = issued(profile)
    run()
    assert books_are_clean()
    return invoice


def found() -> str:
    (problem,) = check_books()
    return problem


def test_a_paid_invoice_that_is_to_be_charged(paid):
    AutomaticCharge.objects.all().delete()
    Invoice.objects.update(autopay_on=CHARGED)
    assert "is paid, and yet to be charged on" in found()


def test_a_plan_that_is_over_and_an_invoice_that_is_to_be_charged(profile, paid):
    other = issued(profile)
    AutomaticCharge.objects.create(
        invoice=other, profile=profile, status="stopped", stopped_because="paid", created_at=CHARGED, changed_at=CHARGED
    )
    assert "its plan is not a planned one" in found()


def test_a_plan_that_waits_for_nothing(paid):
    AutomaticCharge.objects.update(last_payment=None, status="waiting")
    assert "names no payment" in found()


def test_a_plan_that_names_the_payment_of_another_invoice(profile, paid, payer):
    other = press_pay(payer, issued(profile), card(profile))
    AutomaticCharge.objects.update(last_payment=other)
    assert "which is another's" in found()


def test_a_plan_that_is_done_without_money(paid):
    Payment.objects.update(is_automatic=False)
    problems = check_books()
    assert any("no automatic payment succeeded" in problem for problem in problems)


def test_two_automatic_payments_that_hold_money_of_one_invoice(profile, paid):
    twice = Payment.objects.create(
        profile=profile,
        amount_minor=12000,
        currency="EUR",
        started_at=CHARGED,
        gateway="sandbox",
        status="succeeded",
        is_automatic=True,
    )
    twice.allocations.create(invoice=paid, amount_minor=12000, is_open=False)
    assert any("automatic payments hold 24000 of it, its total is 12000" in problem for problem in check_books())


def test_what_went_back_and_is_charged_again_is_no_second_charge(profile, paid):
    first = Payment.objects.get()
    refund(access=staff(), payment_id=first.pk, amount=Money(4000, "EUR"), reason="x", attempt_key=uuid4(), at=CHARGED)
    plan_again(access=staff(), invoice_id=paid.pk, at=CHARGED)
    run()
    assert state(paid) == ("paid", 12000, 0)
    (again,) = Payment.objects.exclude(pk=first.pk)
    assert (first.amount_minor, again.amount_minor) == (12000, 4000)
    assert books_are_clean()
