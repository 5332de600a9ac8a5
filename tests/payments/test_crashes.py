"""Processes that are killed in the middle of a payment, really killed, at every place that matters."""

import os
import random
import signal
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import pytest

from invoices.models import Invoice
from payments.models import Payment
from payments.operations import attempts
from payments.operations.reconciliation import reconcile
from tests.factories import NOW, access_for, issued
from tests.payments.acts import books_are_clean, card, charges, press_pay, sandbox, state
from tests.payments.processes import in_another_process, kill_after

pytestmark = [pytest.mark.two_connections, pytest.mark.django_db(transaction=True)]


def die(*_arguments, **_named):
    os.kill(os.getpid(), signal.SIGKILL)


def before_the_call(gateway):
    gateway.charge = die


def after_the_charge(gateway):
    real = gateway.charge

    def charge(attempt):
        real(attempt)
        die()

    gateway.charge = charge


def before_settling(_gateway):
    attempts.settle = die


def inside_the_last_commit(_gateway):
    from payments.operations import notifications

    notifications.queue = die


@pytest.mark.parametrize("arrange", [before_the_call, after_the_charge, before_settling, inside_the_last_commit])
def test_killed_at_any_line_the_invoice_is_charged_at_most_once_and_the_books_know(profile, payer, arrange):
    invoice, visa = issued(profile), card(profile)
    key = uuid4()

    def act():
        arrange(sandbox())
        press_pay(payer, Invoice.objects.get(pk=invoice.pk), visa, attempt_key=key)

    child = in_another_process(act)
    _pid, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert state(invoice) == ("open", 0, 12000)
    assert Payment.objects.get().status == "created"

    again = press_pay(payer, invoice, visa, attempt_key=key)
    assert again.status == "created"

    reconcile(at=NOW + timedelta(minutes=5))

    taken = charges(invoice)
    assert taken == ([] if arrange is before_the_call else [12000])
    assert state(invoice) == (("open", 0, 12000) if not taken else ("paid", 12000, 0))
    assert books_are_clean()


def pays_them_all(invoices, payer, access, visa):
    """A payer who presses Pay now on one invoice after the other, whatever happens."""

    def act():
        for invoice in invoices:
            with suppress(Exception):  # refused: somebody else is paying it
                press_pay(payer, Invoice.objects.get(pk=invoice.pk), visa, access=access)

    return act


def one_stormy_round(randomness, invoices, payer, access, visa):
    """Four payers at once, a gateway that loses three of its answers, and every process killed at a random moment."""
    for _fault in range(3):
        sandbox().faults.arm(randomness.choice(["drop_after", "drop_before", "garbage", "refuse_connection"]))
    children = [
        in_another_process(pays_them_all(randomness.sample(invoices, len(invoices)), payer, access, visa))
        for _process in range(4)
    ]
    for child in children:
        kill_after(child, randomness.uniform(0.01, 0.15))


def test_random_kills_with_a_gateway_that_loses_answers_charge_no_invoice_twice(profile, payer, settings):
    # On a slow machine the kills leave more failed tries than one person may have within an hour.
    settings.CARD_TRIES_PER_HOUR = settings.CARD_TRIES_PER_HOUR_OF_PROFILE = 1000
    randomness = random.Random(20261026)
    invoices = [issued(profile) for _number in range(24)]
    visa, access = card(profile), access_for(payer, profile)

    for number in range(6):
        one_stormy_round(randomness, invoices, payer, access, visa)
        reconcile(at=NOW + timedelta(minutes=10 * (number + 1)))
    for days in range(1, 4):
        reconcile(at=NOW + timedelta(days=days))
    sandbox().faults.clear()
    for invoice in invoices:
        if state(invoice)[0] == "open" and not invoice.is_being_paid:
            press_pay(payer, invoice, visa)

    assert [charges(invoice) for invoice in invoices] == [[12000]] * len(invoices)
    assert {state(invoice) for invoice in invoices} == {("paid", 12000, 0)}
    assert books_are_clean()
