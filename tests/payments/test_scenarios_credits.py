"""Credits and payments together, each as a story from the list of what goes wrong elsewhere."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models import Sum

from accounts.models import BillingProfile
from invoices.models import Credit, CreditEntry, Invoice
from invoices.money import Money
from invoices.operations.credit_notes import credit_note
from invoices.operations.credits import apply_credits
from invoices.operations.voiding import void
from payments.models import Payment, PaymentAllocation
from payments.operations.attempts import CannotPay
from payments.operations.autopay import charge_due
from payments.operations.manual_payments import record_payment
from payments.operations.refunds import refund
from tests.factories import NOW, TODAY, granted, issued
from tests.payments.acts import books_are_clean, card, charges, press_pay, sandbox, staff, state

pytestmark = pytest.mark.django_db


def wire(invoice, minor):
    return record_payment(
        access=staff(), invoice_id=invoice.pk, amount=Money(minor, "EUR"), channel="wire", bank_reference=uuid4().hex,
        received_on=NOW.date(), attempt_key=uuid4(), at=NOW,
    )  # fmt: skip


def test_a_credit_that_came_between_page_and_click_shows_the_new_amount_and_charges_nothing(profile, payer):
    """Scenario 23."""
    invoice = issued(profile, "100.00")
    shown = invoice.amount_due
    granted(profile, 3000)
    apply_credits(access=staff(), invoice_id=invoice.pk, at=NOW)
    with pytest.raises(CannotPay) as refused:
        press_pay(payer, invoice, card(profile), shown=shown)
    assert refused.value.code == "amount_changed"
    assert charges(invoice) == []
    press_pay(payer, invoice, card(profile), shown=Money(7000, "EUR"))
    assert (charges(invoice), state(invoice)) == ([7000], ("paid", 7000, 0))
    assert books_are_clean()


def test_part_by_wire_and_the_rest_by_credit_pays_it(profile):
    """Scenario 26."""
    invoice = issued(profile, "100.00")
    wire(invoice, 4000)
    granted(profile, 6000)
    apply_credits(access=staff(), invoice_id=invoice.pk, at=NOW)
    assert state(invoice) == ("paid", 4000, 0)
    assert (invoice.credited_minor, Credit.objects.get().remaining_minor) == (6000, 0)
    assert books_are_clean()


def charge_automatically(profile):
    BillingProfile.objects.filter(pk=profile.pk).update(charges_automatically=True)
    card(profile, is_default=True)


def charge_later(invoice):
    invoice.refresh_from_db()
    charge_due(at=NOW + timedelta(days=5), limit=10)


def test_a_credit_of_30_leaves_70_for_the_automatic_charge(profile):
    """Scenario 28."""
    charge_automatically(profile)
    granted(profile, 3000)
    invoice = issued(profile, "100.00")
    assert invoice.autopay_on is not None
    charge_later(invoice)
    assert (charges(invoice), state(invoice)) == ([7000], ("paid", 7000, 0))
    assert CreditEntry.objects.get(invoice=invoice).amount_minor == -3000
    assert books_are_clean()


@pytest.mark.parametrize("minor", [10000, 15000])
def test_a_credit_that_covers_it_leaves_nothing_to_charge(profile, minor):
    """Scenario 29."""
    charge_automatically(profile)
    granted(profile, minor)
    invoice = issued(profile, "100.00")
    charge_later(invoice)
    assert (state(invoice), Payment.objects.count()) == (("paid", 0, 0), 0)
    assert Credit.objects.get().remaining_minor == minor - 10000


def test_a_credit_note_for_all_stops_the_automatic_charge(profile):
    charge_automatically(profile)
    invoice = issued(profile, "100.00")
    credit_note(access=staff(), invoice_id=invoice.pk, reason="Billed too much", today=TODAY, at=NOW)
    charge_later(invoice)
    assert (invoice.autopay_on, Payment.objects.count()) == (None, 0)


def test_a_surplus_pays_for_the_next_invoice_and_that_one_can_be_voided(profile):
    wire(issued(profile, "100.00"), 15000)
    invoice = issued(profile, "50.00")
    assert state(invoice) == ("paid", 0, 0)
    void(access=staff(), invoice_id=invoice.pk, reason="Sent twice", at=NOW)
    assert (state(invoice), Credit.objects.get().remaining_minor) == (("void", 0, 0), 5000)
    assert books_are_clean()


def test_what_the_gateway_took_is_what_the_books_say(profile, payer):
    """Scenario 61: by hand and by itself, with a credit, a surplus, a decline and a refund, and no check of the books
    that our own records alone could satisfy."""
    visa = card(profile, is_default=True)
    granted(profile, 3000)
    with_credit, by_hand, by_wire = issued(profile, "100.00"), issued(profile, "50.00"), issued(profile, "20.00")
    press_pay(payer, by_hand, card(profile, "0002"))
    payment = press_pay(payer, by_hand, visa)
    wire(by_wire, 2500)
    charge_later(with_credit)
    refund(access=staff(), payment_id=payment.pk, amount=Money(2000, "EUR"), reason="x", attempt_key=uuid4(), at=NOW)

    assert sandbox().operator.totals() == {"EUR": 7000 + 5000 - 2000}
    by_card = PaymentAllocation.objects.filter(payment__status="succeeded", payment__channel="card")
    sums = by_card.aggregate(Sum("amount_minor"), Sum("refunded_minor"))
    assert sums == {"amount_minor__sum": 12000, "refunded_minor__sum": 2000}
    paid = Invoice.objects.aggregate(Sum("paid_minor"))["paid_minor__sum"]
    in_credits = Credit.objects.filter(source="overpayment").aggregate(Sum("remaining_minor"))["remaining_minor__sum"]
    assert (paid, in_credits) == (7000 + 3000 + 2000, 500)
    assert books_are_clean()


def test_refunding_and_crediting_the_same_money_leaves_it_paid_back_once(profile, payer):
    """100 by card, 20 of it credited, then all 100 refunded: the invoice is due again, less what is credited next."""
    invoice = issued(profile, "100.00")
    payment = press_pay(payer, invoice, card(profile))
    credit_note(
        access=staff(), invoice_id=invoice.pk, amounts={invoice.lines.get().pk: 2000}, reason="Too much", today=TODAY,
        at=NOW,
    )  # fmt: skip
    refund(access=staff(), payment_id=payment.pk, amount=Money(10000, "EUR"), reason="x", attempt_key=uuid4(), at=NOW)
    assert state(invoice) == ("open", 0, 10000)
    credit_note(access=staff(), invoice_id=invoice.pk, reason="Billed too much", today=TODAY, at=NOW)
    assert state(invoice) == ("open", 0, 2000)
    apply_credits(access=staff(), invoice_id=invoice.pk, at=NOW)
    assert (state(invoice), Credit.objects.get().remaining_minor) == (("paid", 0, 0), 0)
    assert books_are_clean()
