"""check_books finds every row that somebody changed by hand."""

from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.urls import reverse

from billing_portal.core.database import snapshot
from invoices.models import Invoice, Transfer
from invoices.money import Money
from invoices.operations.credit_notes import credit_note
from invoices.operations.credits import expire_credits
from invoices.operations.voiding import void
from payments.models import AutomaticCharge, BooksCheck, Payment
from payments.operations.autopay import plan_again
from payments.operations.integrity import check_books, check_books_daily
from payments.operations.manual_payments import record_payment
from payments.operations.refunds import refund
from tests.factories import NOW, granted, issued
from tests.payments.acts import at_once, books_are_clean, card, deliver, press_pay, sandbox, staff, state
from tests.payments.autopaying import CHARGED, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def busy(profile, payer):
    """Books with a bit of everything: paid, partly refunded, declined, waiting, a credit, an open invoice,
    disputes that are open, lost and won."""
    paid = press_pay(payer, issued(profile), card(profile))
    refund(access=staff(), payment_id=paid.pk, amount=Money(100, "EUR"), reason="Goodwill", attempt_key=uuid4(), at=NOW)
    press_pay(payer, issued(profile), card(profile, "0002"))
    press_pay(payer, issued(profile), card(profile, "3184"))
    record_payment(
        access=staff(),
        invoice_id=issued(profile).pk,
        amount=Money(12500, "EUR"),
        channel="check",
        bank_reference="CHECK-1",
        received_on=NOW.date(),
        attempt_key=uuid4(),
        at=NOW,
    )
    issued(profile)
    granted(profile, 700)
    void(access=staff(), invoice_id=issued(profile).pk, reason="Sent twice", at=NOW)
    note_of(issued(profile), 2000)
    note_of(Invoice.objects.filter(status="paid").first(), 300)
    granted(profile, 100, expires_on=NOW.date())
    expire_credits(at=NOW + timedelta(days=2))
    for decided in (None, "lost", "won"):
        disputed = press_pay(payer, issued(profile), card(profile))
        dispute_id = sandbox().operator.dispute(disputed.gateway_id, 4000)
        if decided:
            sandbox().operator.decide(dispute_id, decided)
    deliver()
    granted(profile, 900)
    assert books_are_clean()


def note_of(invoice, minor):
    credit_note(
        access=staff(), invoice_id=invoice.pk, amounts={invoice.lines.get().pk: minor}, reason="Billed too much",
        today=NOW.date(), at=NOW,
    )  # fmt: skip


ENTRY = (
    "INSERT INTO invoices_creditentry (credit_id, kind, amount_minor, invoice_id, at, note)"
    " SELECT {columns}, '2026-10-26 08:00:00+00:00', '' FROM {table}"
)


# A transfer like another one, but between other accounts.
TRANSFER = (
    "INSERT INTO invoices_transfer (profile_id, kind, debit, credit, amount_minor, invoice_id, lot_id, currency,"
    " booked_on, booked_at, key, reference) SELECT profile_id, kind, {columns}, currency, booked_on, booked_at,"
    " 'forged', '' FROM invoices_transfer WHERE kind = '{kind}' LIMIT 1"
)


TAMPERINGS = [
    "UPDATE invoices_invoice SET paid_minor = paid_minor - 1, status = 'open' WHERE status = 'paid'",
    (
        "UPDATE invoices_invoice SET paid_minor = total_minor - credited_minor, status = 'paid',"
        " payment_started_at = NULL WHERE status = 'open' AND paid_minor = 0"
    ),
    "UPDATE invoices_invoice SET refunded_minor = 0 WHERE charged_back_minor = 0",
    (
        "UPDATE invoices_invoice SET charges_minor = charges_minor + 1, total_minor = total_minor + 1"
        " WHERE status = 'open' AND paid_minor = 0"
    ),
    "UPDATE invoices_invoiceline SET amount_minor = amount_minor - 1",
    "UPDATE invoices_invoice SET payment_started_at = NULL",
    "UPDATE invoices_credit SET remaining_minor = 0",
    "UPDATE invoices_credit SET amount_minor = amount_minor + 1",
    "UPDATE invoices_credit SET amount_minor = amount_minor - 1 WHERE remaining_minor < amount_minor",
    "UPDATE invoices_credit SET source = 'goodwill' WHERE source = 'overpayment'",
    "UPDATE invoices_credit SET source = 'overpayment' WHERE source = 'goodwill'",
    "UPDATE invoices_credit SET source = 'goodwill' WHERE source = 'credit_note'",
    "UPDATE invoices_credit SET source = 'credit_note' WHERE source = 'goodwill'",
    "UPDATE invoices_credit SET currency = 'USD'",
    "UPDATE invoices_invoice SET credited_minor = credited_minor - 1, status = 'open' WHERE credited_minor > 0",
    "UPDATE invoices_invoice SET credited_at_issue_minor = credited_at_issue_minor + 1",
    "UPDATE invoices_invoice SET credited_at_issue_minor = -1",
    "UPDATE invoices_invoice SET status = 'open' WHERE status = 'void'",
    "UPDATE invoices_invoiceline SET amount_minor = 1, tax_minor = amount_minor - 1",
    ENTRY.format(columns="id, 'granted', 5, NULL", table="invoices_credit"),
    ENTRY.format(columns="id, 'expired', -1, NULL", table="invoices_credit WHERE remaining_minor > 0"),
    ENTRY.format(columns="credit_id, 'given_back', 1, invoice_id", table="invoices_creditentry WHERE kind = 'applied'"),
    TRANSFER.format(columns="'receivable', 'revenue', 1, invoice_id, NULL", kind="invoice"),
    TRANSFER.format(columns="'clearing:sandbox', 'receivable', amount_minor, invoice_id, NULL", kind="payment"),
    TRANSFER.format(columns="'goodwill', 'customer_credit', 1, NULL, lot_id", kind="credit_granted"),
    TRANSFER.format(columns="'clearing:sandbox', 'unmatched', 1, NULL, NULL", kind="payment"),
    TRANSFER.format(columns="'bank', 'unmatched', 1, NULL, NULL", kind="refund"),
    "UPDATE invoices_numberseries SET next_number = next_number + 1",
    "UPDATE payments_payment SET status = 'succeeded' WHERE status = 'declined'",
    "UPDATE payments_payment SET status = 'declined' WHERE status = 'succeeded' AND refunded_minor = 0",
    "UPDATE payments_payment SET status = 'pending' WHERE status = 'needs_customer'",
    "UPDATE payments_payment SET amount_minor = amount_minor + 1 WHERE status = 'succeeded'",
    "UPDATE payments_payment SET refunded_minor = 0 WHERE charged_back_minor = 0",
    "UPDATE payments_payment SET currency = 'USD'",
    "UPDATE payments_paymentallocation SET amount_minor = amount_minor + 1",
    "UPDATE payments_paymentallocation SET is_open = NOT is_open",
    "UPDATE payments_refund SET amount_minor = amount_minor + 1",
    "UPDATE payments_refund SET status = 'failed'",
    "DELETE FROM payments_refundallocation",
    "UPDATE payments_dispute SET taken_minor = taken_minor - 1 WHERE status = 'lost'",
    "UPDATE payments_dispute SET status = 'won', taken_minor = 0 WHERE status = 'lost'",
    "UPDATE payments_dispute SET status = 'won', closed_at = opened_at WHERE status = 'open'",
    "UPDATE payments_dispute SET status = 'open', closed_at = NULL WHERE status = 'won'",
    "UPDATE payments_dispute SET opened_at = '2026-01-01 00:00:00+00:00' WHERE status = 'open'",
    "UPDATE payments_disputeallocation SET amount_minor = amount_minor - 1",
    "DELETE FROM payments_disputeallocation",
    "UPDATE payments_payment SET charged_back_minor = 0",
    "UPDATE payments_payment SET disputed_at = NULL",
    "UPDATE payments_payment SET disputed_at = started_at WHERE disputed_at IS NULL",
    "UPDATE invoices_invoice SET charged_back_minor = 0",
    "UPDATE invoices_invoice SET disputed_at = NULL",
    "UPDATE invoices_invoice SET disputed_at = created_at WHERE disputed_at IS NULL",
]


def test_a_row_changed_by_hand_is_found(busy, subtests):
    """Each is undone before the next: filling the books takes longer than checking them."""
    for tampering in TAMPERINGS:
        with subtests.test(tampering), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(tampering)
                assert cursor.rowcount > 0
            with pytest.raises(CommandError, match="do not add up"):
                call_command("check_books", stderr=StringIO())
            transaction.set_rollback(True)
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


def test_the_numbers_of_a_longer_prefix_are_a_series_of_their_own(profile, settings):
    issued(profile)
    settings.INVOICE_NUMBER_PREFIX = "INV-2026-"
    issued(profile)
    assert books_are_clean()


def test_each_check_is_a_fixed_number_of_queries(busy, profile, payer, django_assert_max_num_queries):
    for _more in range(5):
        press_pay(payer, issued(profile), card(profile))
    with django_assert_max_num_queries(80):
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
