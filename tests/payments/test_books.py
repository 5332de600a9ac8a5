"""check_books finds every row that somebody changed by hand."""

from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from invoices.money import Money
from payments.operations import record_payment, refund
from tests.factories import NOW, issued
from tests.payments.acts import books_are_clean, card, deliver, press_pay, sandbox, staff


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
    for decided in (None, "lost", "won"):
        disputed = press_pay(payer, issued(profile), card(profile))
        dispute_id = sandbox().desk.dispute(disputed.gateway_id, 4000)
        if decided:
            sandbox().desk.decide(dispute_id, decided)
    deliver()
    assert books_are_clean()


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE invoices_invoice SET paid_minor = paid_minor - 1, status = 'open' WHERE status = 'paid'",
        (
            "UPDATE invoices_invoice SET paid_minor = total_minor, status = 'paid', payment_started_at = NULL"
            " WHERE status = 'open' AND paid_minor = 0"
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
    ],
)
def test_a_row_changed_by_hand_is_found(busy, tampering):
    with connection.cursor() as cursor:
        cursor.execute(tampering)
        assert cursor.rowcount > 0
    with pytest.raises(CommandError, match="do not add up"):
        call_command("check_books", stderr=StringIO())


def test_clean_books_say_so(busy):
    out = StringIO()
    call_command("check_books", stdout=out)
    assert out.getvalue() == "The books add up.\n"


def test_the_numbers_of_a_longer_prefix_are_a_series_of_their_own(profile, settings):
    issued(profile)
    settings.INVOICE_NUMBER_PREFIX = "INV-2026-"
    issued(profile)
    assert books_are_clean()


def test_each_check_is_a_fixed_number_of_queries(busy, profile, payer, django_assert_max_num_queries):
    for _more in range(5):
        press_pay(payer, issued(profile), card(profile))
    with django_assert_max_num_queries(21):
        assert books_are_clean()
