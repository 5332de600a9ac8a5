"""Many payments with everything that goes wrong between two parties at once: answers and requests lost, late and
broken, errors kept under keys, keys forgotten, clocks two days back and half an hour ahead, messages lost,
repeated and out of order. In the end the provider's list is the books, and nothing was stuck for over an hour.

`make faults` does it with 200 payments.
"""

import os
import random
from datetime import timedelta

import pytest
from django.utils.timezone import now

from invoices.models import Credit
from payments.gateways.registry import get_gateway
from payments.gateways.stripe import payment_intents
from payments.models import GatewayDifference, Payment
from payments.operations.comparison import compare_gateway
from payments.operations.integrity import check_books
from payments.operations.reconciliation import reconcile
from payments.operations.webhooks import process_deliveries, receive
from payments.states import OPEN
from tests.factories import issued
from tests.payments.acts import press_pay
from tests.payments.stripe.bench import SECRET, TRIES
from tests.payments.stripe.test_paying import press

PAYMENTS = int(os.environ.get("FAULTY_PAYMENTS", "25"))
CHARGE, LIST, ONE = "POST payment_intents", "GET payment_intents", "GET payment_intents/{id}"
CANCEL, SEARCH = "POST payment_intents/{id}/cancel", "GET payment_intents/search"
CHARGE_FAULTS = [
    *("", "drop_before", "drop_after", "hold", "garbage", "cut", "error_500", "error_500_after"),
    *("rate_limit", "lock_timeout", "unavailable"),
]
CLOCKS = [timedelta(), timedelta(days=-2), timedelta(minutes=30)]
PASSES = (1, 2, 4, 9, 14, 20, 27, 36, 47, 61)  # minutes after the press


@pytest.mark.long
def test_whatever_goes_wrong_the_providers_list_is_the_books(profile, payer, shop, settings, monkeypatch):
    settings.CARD_TRIES_PER_HOUR = settings.NEW_CARDS_PER_HOUR = 100_000
    settings.CARD_TRIES_PER_HOUR_OF_PROFILE = settings.NEW_CARDS_PER_HOUR_OF_PROFILE = 100_000
    chance = random.Random(20261130)
    invoices = [issued(profile) for _number in range(PAYMENTS)]
    for number, invoice in enumerate(invoices):
        fault, clock = CHARGE_FAULTS[number % len(CHARGE_FAULTS)], CLOCKS[number % len(CLOCKS)]
        _press_with(fault, clock, payer, invoice, shop, monkeypatch)
        _break_lookups(chance, shop)
        if number % 5 == 4:
            _hear(chance, shop)
        if number == PAYMENTS // 2:
            shop("ahead", seconds=25 * 3600)  # every key so far is forgotten

    began = now()
    for minutes in PASSES:
        reconcile(at=began + timedelta(minutes=minutes), limit=1000)
        _hear(chance, shop)
        shop("release")
        process_deliveries(at=began + timedelta(minutes=minutes))
    shop("clear")
    stuck = Payment.objects.filter(status__in=OPEN)
    assert list(stuck.values_list("status", "gateway_message")) == []

    for minutes in (70, 200, 600):
        reconcile(at=began + timedelta(minutes=minutes), limit=1000)
    for invoice in invoices:
        invoice.refresh_from_db()
        if invoice.amount_due_minor:
            press(payer, invoice, shop)
    for _time in range(2):
        compare_gateway(gateway_slug="stripe", since=began - timedelta(days=3), at=began + timedelta(hours=11))

    charges = {record.id: record.amount for record in get_gateway("stripe").records(began - timedelta(hours=1))}
    booked = {payment.gateway_id: payment.amount for payment in Payment.objects.filter(status="succeeded")}
    assert booked == {id_: amount for id_, amount in charges.items() if id_ in booked}
    foreign = set(charges) - set(booked) - _of_other_tests(shop)
    assert foreign == set()
    assert not GatewayDifference.objects.filter(ended_at=None, gateway_id__in=booked).exists()
    assert {invoice.status for invoice in invoices if not invoice.refresh_from_db()} == {"paid"}
    surplus = sum(Credit.objects.values_list("remaining_minor", flat=True))
    assert sum(amount.minor for amount in booked.values()) == 12000 * len(invoices) + surplus
    assert check_books() == []


def _press_with(fault, clock, payer, invoice, shop, monkeypatch):
    """One press by a clock of the portal that is wrong, with the fault on the way."""
    shop("clear")
    if fault:
        times = 1 if fault in {"error_500", "error_500_after", "rate_limit", "lock_timeout"} else TRIES
        shop("arm", name=fault, route=CHARGE, times=times)
    with monkeypatch.context() as patch:
        patch.setattr(payment_intents, "now", lambda: now() + clock)
        press_pay(payer, invoice, token=shop.card("4242424242424242"), at=now() + clock)
    shop("clear")


def _break_lookups(chance, shop):
    """Some of what the worker asks next gets no answer either; the search is as slow as Stripe says it may be."""
    shop("search_lag", seconds=chance.choice([0, 60]))
    for route in (LIST, ONE, CANCEL, SEARCH, CHARGE):
        if chance.random() < 0.3:
            faults = ["drop_before", "drop_after", "garbage", "unavailable"]
            shop("arm", name=chance.choice(faults), route=route, times=chance.randint(1, 3))


def _hear(chance, shop):
    """Messages arrive in any order; a third is lost, some come twice."""
    told = shop("messages", secret=SECRET)
    chance.shuffle(told)
    for message in told:
        for _time in range(chance.choice([0, 1, 1, 2])):
            receive(gateway_slug="stripe", body=message["body"].encode(), headers=message["headers"], at=now())
    process_deliveries(at=now())


def _of_other_tests(shop):
    """The stand-in is one for all tests of a process: what carries none of our references is theirs."""
    references = set(Payment.objects.values_list("reference", flat=True))
    since = now() - timedelta(hours=2)
    return {record.id for record in get_gateway("stripe").records(since) if record.reference not in references}
