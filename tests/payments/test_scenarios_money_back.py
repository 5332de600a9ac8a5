"""Scenarios of money that goes back, as they come from outside: through the door for messages.

Which test shows which scenario stands in `tests.payments.test_scenarios`.
"""

from time import sleep
from uuid import uuid4

import pytest
from django.utils import timezone

from invoices.money import Money
from payments.models import Dispute, DisputeAllocation, Payment, PaymentAllocation, PaymentEvent, Refund
from payments.operations import disputes
from payments.operations.attempts import pay
from payments.operations.refunds import CannotRefund, refund
from payments.operations.webhooks import process_deliveries
from tests.factories import NOW, access_for, issued
from tests.payments.acts import at_once, books_are_clean, card, messages, press_pay, sandbox, staff, state
from tests.payments.test_disputes import told
from tests.payments.test_scenarios_messages import heard, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoices(profile):
    """Three invoices of 120.00."""
    return [issued(profile) for _number in range(3)]


@pytest.fixture
def payment(profile, payer, invoices):
    """One payment of all three; the messages about it have been heard."""
    payment = pay(
        access=access_for(payer, profile),
        invoice_ids=[invoice.pk for invoice in invoices],
        shown=Money(36000, "EUR"),
        attempt_key=uuid4(),
        method_id=card(profile).pk,
        at=NOW,
        return_url=lambda payment: f"http://testserver/back/{payment.reference}",
    )
    messages()
    return payment


def states(invoices):
    return [state(invoice) for invoice in invoices]


def marks(invoices):
    for invoice in invoices:
        invoice.refresh_from_db()
    return [invoice.disputed_at is not None for invoice in invoices]


def give_back(payment, minor):
    fields = {"reason": "Test", "attempt_key": uuid4(), "at": NOW}
    return refund(access=staff(), payment_id=payment.pk, amount=Money(minor, "EUR"), **fields)


PAID, DUE = ("paid", 12000, 0), ("open", 0, 12000)


def test_a_refund_in_the_dashboard_and_its_messages_are_booked_once(payment, invoices):
    sandbox().operator.refund(payment.gateway_id, 2000)
    parcels = messages()
    for _time in range(3):
        assert [post(*parcel) for parcel in parcels] == [200] * len(parcels)
        process_deliveries(at=timezone.now())
    assert Refund.objects.values_list("amount_minor", "status").get() == (2000, "succeeded")
    assert states(invoices) == [PAID, PAID, ("open", 10000, 2000)]
    assert books_are_clean()


def test_a_refund_in_the_dashboard_that_fails_later_is_put_back(profile, payer):
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "5126"))
    messages()
    sandbox().operator.refund(payment.gateway_id, 2000)
    heard()
    assert state(invoice) == ("open", 10000, 2000)
    sandbox().operator.advance_clock(60)
    sandbox().work()
    heard()
    assert Refund.objects.get().status == "failed"
    assert state(invoice) == PAID
    assert books_are_clean()


def test_a_dispute_marks_every_invoice_of_the_payment_and_winning_unmarks_them(payment, invoices):
    dispute_id = sandbox().operator.dispute(payment.gateway_id)
    heard()
    assert marks(invoices) == [True] * 3
    assert states(invoices) == [PAID] * 3
    with pytest.raises(CannotRefund):
        give_back(payment, 100)
    sandbox().operator.decide(dispute_id, "won")
    heard()
    assert marks(invoices) == [False] * 3
    assert states(invoices) == [PAID] * 3
    assert books_are_clean()


@pytest.mark.parametrize(
    ("minor", "after"),
    [(36000, [DUE, DUE, DUE]), (20000, [PAID, ("open", 4000, 8000), DUE]), (500, [PAID, PAID, ("open", 11500, 500)])],
)
def test_a_lost_dispute_makes_the_invoices_due_again_newest_first(payment, invoices, minor, after):
    dispute_id = sandbox().operator.dispute(payment.gateway_id, minor)
    heard()
    sandbox().operator.decide(dispute_id, "lost")
    heard()
    assert marks(invoices) == [False] * 3
    assert states(invoices) == after
    assert books_are_clean()


def test_messages_of_a_dispute_out_of_order_and_twice_have_one_effect(payment, invoices):
    dispute_id = sandbox().operator.dispute(payment.gateway_id)
    sandbox().operator.decide(dispute_id, "lost")
    parcels = messages()
    for parcel in [*reversed(parcels), *parcels]:
        assert post(*parcel) == 200
    process_deliveries(at=timezone.now())
    assert states(invoices) == [DUE] * 3
    assert Dispute.objects.values_list("status", "taken_minor").get() == ("lost", 36000)
    assert PaymentEvent.objects.filter(result__startswith="dispute").count() == 1
    assert books_are_clean()


def test_a_card_that_is_disputed_as_soon_as_it_was_charged(profile, payer):
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "0259"))
    heard()
    assert (state(invoice), marks([invoice])) == (PAID, [True])
    sandbox().operator.advance_clock(8 * 24 * 60 * 60)
    sandbox().lookup_dispute("any")
    heard()
    assert (state(invoice), marks([invoice])) == (DUE, [False])
    assert sandbox().operator.totals() == {"EUR": 0}
    assert Payment.objects.get(pk=payment.pk).charged_back_minor == 12000
    assert books_are_clean()


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_the_messages_of_a_dispute_at_once_have_one_effect(payment, invoices):
    dispute_id = sandbox().operator.dispute(payment.gateway_id, 4000)
    sandbox().operator.decide(dispute_id, "lost")
    parcels = messages()

    def worker():
        return process_deliveries(at=timezone.now())

    assert at_once(*[lambda parcel=parcel: post(*parcel) for parcel in [*parcels, *parcels]]) == [200] * 4
    assert sum(at_once(worker, worker, worker)) == 2
    assert states(invoices) == [PAID, PAID, ("open", 8000, 4000)]
    assert Dispute.objects.get().taken_minor == 4000
    assert books_are_clean()


def lose_at_once(payment):
    """A dispute that is open, and four workers who hear at the same time that it was lost."""

    def hear(status):
        source = PaymentEvent.Source.WEBHOOK
        return disputes.book_dispute(payment_id=payment.pk, facts=told(payment, status, 4000), source=source, at=NOW)

    hear("open")
    return at_once(*[lambda: hear("lost")] * 4)


def slowly(monkeypatch):
    """Opens the gap between reading how a dispute stands and taking its money."""
    real = disputes._copy_facts
    monkeypatch.setattr(disputes, "_copy_facts", lambda *facts: (sleep(0.3), real(*facts))[1])


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_four_workers_take_the_money_of_a_lost_dispute_once(payment, invoices, monkeypatch):
    slowly(monkeypatch)
    assert [row.status for row in lose_at_once(payment)] == ["lost"] * 4
    assert DisputeAllocation.objects.count() == 1
    assert states(invoices) == [PAID, PAID, ("open", 8000, 4000)]
    assert books_are_clean()


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_they_would_take_it_more_than_once(payment, monkeypatch):
    """The negative control: this load does find a missing lock."""

    def unlocked(payment_id):
        rows = PaymentAllocation.objects.filter(payment_id=payment_id).order_by("pk")
        rows = list(rows.select_related("invoice", "payment__profile"))
        for row in rows:
            row.payment = rows[0].payment
        return rows

    slowly(monkeypatch)
    monkeypatch.setattr(disputes, "lock", unlocked)
    lose_at_once(payment)
    assert DisputeAllocation.objects.count() > 1


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_a_refund_and_a_lost_dispute_at_once_never_take_more_than_was_paid(payment):
    lost = told(payment, "lost", 30000)
    source = PaymentEvent.Source.WEBHOOK
    at_once(
        *[lambda: give_back(payment, 20000)] * 2,
        *[lambda: disputes.book_dispute(payment_id=payment.pk, facts=lost, source=source, at=NOW)] * 2,
    )
    row = Dispute.objects.get()
    paid_back = sum(Refund.objects.exclude(status="failed").values_list("amount_minor", flat=True))
    assert (row.taken_minor, paid_back) in {(30000, 0), (16000, 20000)}
    assert row.missing.minor == 30000 - row.taken_minor
    assert books_are_clean()
