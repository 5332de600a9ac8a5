"""The clock on several machines at once, beside people who pay, and killed in the middle. On PostgreSQL."""

import os
import signal
from datetime import timedelta
from threading import Barrier
from time import sleep
from uuid import uuid4

import pytest
from django.db import connection

from invoices.models import Invoice
from invoices.querysets import InvoiceQuerySet
from payments.models import AutomaticCharge, Payment
from payments.operations import attempts, autopay
from payments.operations.autopay import charge_due
from payments.operations.notifications import announce_due, warn_of_expiring_cards
from payments.operations.reconciliation import reconcile
from tests.factories import issued, member
from tests.payments.acts import at_once, books_are_clean, card, charges, press_pay, sandbox, state
from tests.payments.autopaying import CHARGED, mails, planned_on, run, story
from tests.payments.test_crashes import die, in_another_process
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.two_connections, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def visa(profile):
    return card(profile, is_default=True)


def clock():
    return charge_due(at=CHARGED, limit=50)


def test_six_workers_at_once_charge_each_invoice_once(profile, payer, visa):
    invoices = [issued(profile) for _number in range(8)]

    results = at_once(*[clock] * 6)

    assert [result for result in results if isinstance(result, Exception)] == []
    assert [charges(invoice) for invoice in invoices] == [[12000]] * 8
    assert AutomaticCharge.objects.filter(status="done", tries=1).count() == 8
    assert len(mails("payment_succeeded")) == 8
    assert books_are_clean()


def test_four_workers_at_once_tell_of_each_invoice_and_card_once(profile, payer):
    member(profile, "profile_owner")
    card(profile, is_default=True, expiry_month=11, expiry_year=2026)
    for _number in range(4):
        issued(profile)

    def tell():
        announce_due(at=CHARGED, limit=50)
        warn_of_expiring_cards(at=CHARGED, limit=50)

    assert at_once(*[tell] * 4) == [None] * 4
    assert len(mails("invoice_ready")) == 8
    assert len(mails("card_expiring")) == 1


def slow_to_begin(monkeypatch):
    """Every worker is at it before the first commits."""
    real = autopay.begin

    def begin(**wish):
        sleep(0.3)
        return real(**wish)

    monkeypatch.setattr(autopay, "begin", begin)


def together_at_the_begin(monkeypatch, workers: int):
    """None begins before all of them have read what they decide on."""
    real, barrier = autopay.begin, Barrier(workers)

    def begin(**wish):
        barrier.wait(PATIENCE)
        return real(**wish)

    monkeypatch.setattr(autopay, "begin", begin)


def without_row_locks(monkeypatch):
    monkeypatch.setattr(InvoiceQuerySet, "locked", lambda self: self.order_by("pk"))


@pytest.fixture
def no_key(monkeypatch):
    """Each worker's try has a key of its own."""
    monkeypatch.setattr(autopay, "attempt_key_of", lambda *_try: uuid4())


@pytest.fixture
def no_index():
    """Any number of open attempts of an invoice."""
    name, table = "one_open_attempt_per_invoice", "payments_paymentallocation"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {name}")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET is_open = false")
        cursor.execute(f"CREATE UNIQUE INDEX {name} ON {table} (invoice_id) WHERE is_open")


@pytest.fixture
def taken_up(profile, visa):
    """An invoice whose plan is there already, so that the plan's own row is no guard."""
    invoice = issued(profile)
    AutomaticCharge.objects.create(invoice=invoice, profile=profile, created_at=CHARGED, changed_at=CHARGED)
    return invoice


def test_with_the_row_lock_alone_there_is_one_charge(taken_up, no_key, no_index, monkeypatch):
    slow_to_begin(monkeypatch)
    at_once(*[clock] * 4)
    assert charges(taken_up) == [12000]


def test_with_the_key_of_the_try_alone_there_is_one_charge(taken_up, no_index, monkeypatch):
    slow_to_begin(monkeypatch)
    without_row_locks(monkeypatch)
    at_once(*[clock] * 4)
    assert charges(taken_up) == [12000]


def test_with_the_open_attempt_alone_there_is_one_charge(taken_up, no_key, monkeypatch):
    slow_to_begin(monkeypatch)
    without_row_locks(monkeypatch)
    at_once(*[clock] * 4)
    assert charges(taken_up) == [12000]


def test_with_none_of_the_three_there_is_more_than_one(taken_up, no_key, no_index, monkeypatch):
    """The negative control: this load does find a missing guard."""
    together_at_the_begin(monkeypatch, 4)
    without_row_locks(monkeypatch)
    at_once(*[clock] * 4)
    assert len(charges(taken_up)) > 1


def test_a_person_and_the_clock_at_once_are_one_charge(profile, visa):
    invoice = issued(profile)
    people = [member(profile, "profile_owner") for _number in range(3)]

    def press(who):
        return lambda: press_pay(who, Invoice.objects.get(pk=invoice.pk), visa, at=CHARGED)

    at_once(clock, *[press(who) for who in people], clock)
    run(CHARGED + timedelta(minutes=1))

    assert charges(invoice) == [12000]
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


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


def before_planning(_gateway):
    autopay.advance = die


def inside_the_plan(_gateway):
    autopay.record = die


def inside_the_taking_up(_gateway):
    autopay.plan_autopay = die


KILLS = [before_the_call, after_the_charge, before_settling, before_planning, inside_the_plan, inside_the_taking_up]


@pytest.mark.parametrize("arrange", KILLS)
@pytest.mark.parametrize("last_four", ["4242", "9979"])
def test_killed_at_any_line_it_is_charged_once_and_goes_on(profile, payer, arrange, last_four):
    card(profile, last_four, is_default=True)
    invoice = issued(profile)

    def act():
        arrange(sandbox())
        charge_due(at=CHARGED, limit=10)

    child = in_another_process(act)
    _pid, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or arrange is inside_the_plan  # which nothing passes through when the charge succeeds

    for minutes in (5, 10, 15):
        reconcile(at=CHARGED + timedelta(minutes=minutes))
        run(CHARGED + timedelta(minutes=minutes + 1))
    run(CHARGED + timedelta(days=1))

    if last_four == "4242":
        assert charges(invoice) == [12000]
        assert story(invoice)[:2] == ("done", "")
        assert mails() == ["payment_succeeded"]
    else:
        assert charges(invoice) == []
        assert story(invoice)[:2] == ("stopped", "refused")
        assert Payment.objects.filter(status="declined").count() == 1
        assert mails() == ["charge_stopped"]
    assert planned_on(invoice) is None
    assert books_are_clean()
