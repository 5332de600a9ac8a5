"""What the database itself refuses, whatever the code that writes: the last guard behind the operations."""

import pytest
from django.db import IntegrityError, transaction

from invoices.models import Credit
from payments.models import Payment, PaymentAllocation, PaymentMethod, Refund
from tests.factories import NOW, BillingProfileFactory, PaymentMethodFactory, issued


def a_payment(profile, **fields):
    values = {"amount_minor": 100, "currency": "EUR", "started_at": NOW, "gateway": "sandbox", **fields}
    return Payment.objects.create(profile=profile, **values)


def refused(name, write):
    """The write fails, and by the constraint of this name where the database tells it."""
    with pytest.raises(IntegrityError) as problem, transaction.atomic():
        write()
    told = str(problem.value)
    assert name in told or told.startswith("UNIQUE constraint failed")


def test_an_invoice_has_one_open_attempt(profile):
    invoice = issued(profile)

    def attempt(*, is_open):
        a_payment(profile).allocations.create(invoice=invoice, amount_minor=100, is_open=is_open)

    attempt(is_open=True)
    attempt(is_open=False)
    refused("one_open_attempt_per_invoice", lambda: attempt(is_open=True))


def test_the_gateways_id_of_a_payment_stands_once_and_no_id_any_number_of_times(profile):
    for _payment in range(2):
        a_payment(profile, gateway_id="")
    a_payment(profile, gateway_id="ch_1")
    a_payment(profile, gateway_id="ch_1", gateway="another")
    refused("gateway_payment_once", lambda: a_payment(profile, gateway_id="ch_1"))


def test_the_gateways_id_of_a_refund_stands_once(profile):
    def give_back(gateway_id):
        values = {"amount_minor": 1, "currency": "EUR", "started_at": NOW}
        Refund.objects.create(payment=payment, gateway_id=gateway_id, **values)

    payment = a_payment(profile)
    for gateway_id in ("", "", "re_1"):
        give_back(gateway_id)
    refused("gateway_refund_once", lambda: give_back("re_1"))


def test_a_profile_has_one_default_card(profile):
    PaymentMethodFactory(profile=profile, is_default=True)
    PaymentMethodFactory(profile=BillingProfileFactory(), is_default=True)
    refused("one_default_method_per_profile", lambda: PaymentMethodFactory(profile=profile, is_default=True))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("default_method_is_active", {"is_default": True, "status": "removed"}),
        ("expiry_month_is_a_month", {"expiry_month": 13}),
        ("last_four_are_four_digits", {"last_four": "42x2"}),
        ("last_four_are_four_digits", {"last_four": "42"}),
    ],
)
def test_a_card_is_what_it_says(profile, name, fields):
    refused(name, lambda: PaymentMethodFactory(profile=profile, **fields))
    assert not PaymentMethod.objects.exists()


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("payment_amount_positive", {"amount_minor": 0}),
        ("payment_refunds_within_amount", {"refunded_minor": 101}),
        ("payment_", {"refunded_minor": -1}),  # two constraints forbid it, and databases name different ones
        ("payment_status_known", {"status": "paid"}),
    ],
)
def test_a_payment_is_of_something_and_gives_back_no_more(profile, name, fields):
    refused(name, lambda: a_payment(profile, **fields))


@pytest.mark.parametrize(
    ("name", "amounts"),
    [
        ("allocation_refunds_within_amount", (-1, 0)),
        ("allocation_refunds_within_amount", (100, 101)),
        ("allocation_refunds_within_amount", (100, -1)),
    ],
)
def test_an_allocation_gives_back_no_more_than_it_holds(profile, name, amounts):
    payment, invoice = a_payment(profile), issued(profile)
    fields = dict(zip(("amount_minor", "refunded_minor"), amounts, strict=True))
    refused(name, lambda: PaymentAllocation.objects.create(payment=payment, invoice=invoice, **fields))


def test_an_allocation_is_to_an_invoice_or_a_credit_never_both_or_neither(profile):
    credit = Credit.objects.create(
        profile=profile, currency="EUR", amount_minor=5, remaining_minor=5, description="Left over", created_at=NOW
    )
    for target in ({}, {"invoice": issued(profile), "credit": credit}):
        payment = a_payment(profile)
        refused(
            "allocation_to_one_thing",
            lambda payment=payment, target=target: payment.allocations.create(amount_minor=5, is_open=False, **target),
        )


@pytest.mark.parametrize("remaining", [-1, 6])
def test_what_is_left_of_a_credit_is_part_of_it(profile, remaining):
    values = {"currency": "EUR", "amount_minor": 5, "description": "Left over", "created_at": NOW}
    refused(
        "credit_remaining_within_amount",
        lambda: Credit.objects.create(profile=profile, remaining_minor=remaining, **values),
    )


def test_a_refund_is_of_something(profile):
    payment = a_payment(profile)
    refused(
        "refund_amount_positive",
        lambda: Refund.objects.create(payment=payment, amount_minor=0, currency="EUR", started_at=NOW),
    )
