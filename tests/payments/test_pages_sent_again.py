"""A page that was sent comes back with something else in it: from the history of the browser, or from an attacker.

The key of a page stands for one act. Under the same key nothing else is done, and nobody is told that it was.
"""

from datetime import date
from uuid import uuid4

import pytest

from invoices.money import Money
from payments.models import Payment, PaymentMethod, Refund
from payments.operations.attempts import CannotPay
from payments.operations.manual_payments import CannotRecord, record_payment
from payments.operations.refunds import CannotRefund, refund
from tests.factories import NOW, BillingProfileFactory, issued
from tests.payments.acts import books_are_clean, card, charges, press_pay, staff, state

pytestmark = pytest.mark.django_db
WIRE = {"channel": "wire", "received_on": date(2026, 10, 25), "at": NOW}


@pytest.mark.parametrize(
    "other",
    [
        {"bank_reference": "BANK-2"},
        {"amount": Money(5000, "EUR")},
        {"channel": "check"},
        {"received_on": date(2026, 10, 24)},
    ],
)
def test_a_second_wire_on_the_page_of_the_first_is_refused_not_swallowed(profile, other):
    invoice, key, clerk = issued(profile), uuid4(), staff()
    facts = {**WIRE, "bank_reference": "BANK-1", "amount": Money(4000, "EUR"), "invoice_id": invoice.pk}
    first = record_payment(access=clerk, attempt_key=key, **facts)
    assert record_payment(access=clerk, attempt_key=key, **facts).pk == first.pk
    with pytest.raises(CannotRecord, match=first.reference):
        record_payment(access=clerk, attempt_key=key, **(facts | other))
    assert state(invoice) == ("open", 4000, 8000)
    assert books_are_clean()


def test_a_wire_for_another_invoice_on_the_page_of_the_first_is_refused(profile):
    first, second, key, clerk = issued(profile), issued(profile), uuid4(), staff()
    facts = {**WIRE, "bank_reference": "BANK-1", "amount": Money(4000, "EUR"), "attempt_key": key}
    record_payment(access=clerk, invoice_id=first.pk, **facts)
    with pytest.raises(CannotRecord):
        record_payment(access=clerk, invoice_id=second.pk, **facts)
    assert state(second) == ("open", 0, 12000)


def test_another_refund_on_the_page_of_the_first_is_refused(profile, payer):
    payments = [press_pay(payer, issued(profile), card(profile)) for _index in range(2)]
    key, clerk = uuid4(), staff()
    wish = {"access": clerk, "reason": "Test", "attempt_key": key, "at": NOW}
    first = refund(payment_id=payments[0].pk, amount=Money(1000, "EUR"), **wish)
    assert refund(payment_id=payments[0].pk, amount=Money(1000, "EUR"), **wish).pk == first.pk
    with pytest.raises(CannotRefund):
        refund(payment_id=payments[0].pk, amount=Money(2000, "EUR"), **wish)
    with pytest.raises(CannotRefund):
        refund(payment_id=payments[1].pk, amount=Money(1000, "EUR"), **wish)
    assert Refund.objects.count() == 1
    assert books_are_clean()


def test_the_page_of_one_invoice_does_not_answer_for_another(profile, payer):
    first, second, visa, key = issued(profile), issued(profile), card(profile), uuid4()
    press_pay(payer, first, visa, attempt_key=key)
    with pytest.raises(CannotPay) as refused:
        press_pay(payer, second, visa, attempt_key=key)
    assert refused.value.code == "stale"
    assert (charges(first), charges(second)) == ([12000], [])


@pytest.mark.parametrize("whose", ["somebody else's", "removed"])
def test_the_id_of_a_stored_card_is_not_taken_for_a_card_just_typed_in(profile, payer, whose):
    invoice = issued(profile)
    stored = card(BillingProfileFactory() if whose == "somebody else's" else profile)
    if whose == "removed":
        PaymentMethod.objects.filter(pk=stored.pk).update(status="removed")
    with pytest.raises(CannotPay) as refused:
        press_pay(payer, invoice, token=stored.gateway_method)
    assert refused.value.code == "no_method"
    assert charges(invoice) == []
    assert not Payment.objects.exists()
