"""The proof of the books: how it is told, and what it finds in the plans of automatic charges. What becomes of each row
that is changed by hand stands in test_tampering."""

from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import transaction
from django.urls import reverse

from accounts.models import BillingProfile, Seller
from billing_portal.core.database import snapshot
from invoices.models import Invoice, Transfer
from invoices.money import Money
from payments.models import AutomaticCharge, BooksCheck, Payment
from payments.operations.autopay import plan_again
from payments.operations.daily_check import check_books_daily
from payments.operations.integrity import check_books
from payments.operations.refunds import refund
from tests.factories import NOW, issued
from tests.payments.acts import at_once, books_are_clean, card, press_pay, staff, state
from tests.payments.autopaying import CHARGED, run
from tests.payments.books import fill

pytestmark = pytest.mark.django_db


@pytest.fixture
def busy(profile, payer):
    fill(profile, payer)
    assert books_are_clean()


def test_clean_books_say_so(busy):
    out = StringIO()
    call_command("check_books", stdout=out)
    assert out.getvalue() == "The books add up.\n"


def test_the_books_are_proven_once_a_day_and_staff_see_what_is_wrong(client, busy, admin_user):
    assert [check_books_daily(at=NOW) for _run in range(2)] == [0, 0]
    assert BooksCheck.objects.get().problems == []
    client.force_login(admin_user)
    assert "the books do not add up" not in client.get(reverse("admin:index")).content.decode()
    Invoice.objects.filter(status="paid").update(refunded_minor=1)
    assert check_books_daily(at=NOW + timedelta(days=1)) > 0
    assert check_books_daily(at=NOW + timedelta(days=1)) == 0
    assert "the books do not add up" in client.get(reverse("admin:index")).content.decode()
    check = BooksCheck.objects.latest("day")
    page = client.get(reverse("admin:payments_bookscheck_change", args=[check.pk])).content.decode()
    assert "its refunds come to" in page


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_what_is_paid_while_the_books_are_proven_is_no_difference(profile):
    with snapshot():
        before = Transfer.objects.count()
        at_once(lambda: issued(profile))
        assert Transfer.objects.count() == before
    assert Transfer.objects.count() == before + 1


@pytest.mark.django_db(transaction=True)
def test_the_books_are_proven_outside_a_transaction_too():
    """And what is written afterwards is committed."""
    for day in (NOW, NOW + timedelta(days=1)):
        assert check_books_daily(at=day) == 0
        with transaction.atomic():
            pass
    assert BooksCheck.objects.filter(finished_at__isnull=False).count() == 2


def test_a_proof_that_was_killed_is_made_again_the_same_day(busy):
    BooksCheck.objects.create(day=NOW.date(), started_at=NOW)
    Invoice.objects.filter(status="paid").update(refunded_minor=1)
    assert check_books_daily(at=NOW + timedelta(minutes=10)) == 0  # it may be under way
    assert check_books_daily(at=NOW + timedelta(hours=2)) > 0
    assert BooksCheck.objects.get().finished_at is not None
    assert check_books_daily(at=NOW + timedelta(hours=4)) == 0  # it was made


def test_the_numbers_of_a_longer_prefix_are_a_series_of_their_own(profile):
    issued(profile)
    Seller.objects.update(invoice_prefix="INV-2026-")
    issued(BillingProfile.objects.get())
    assert books_are_clean()


def test_each_check_is_a_fixed_number_of_queries(busy, profile, payer, django_assert_max_num_queries):
    for _more in range(5):
        press_pay(payer, issued(profile), card(profile))
    with django_assert_max_num_queries(122):
        assert books_are_clean()


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
    assert any("is paid, and yet to be charged on" in problem for problem in check_books())


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
