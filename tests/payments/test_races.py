"""Several connections at once, on PostgreSQL. Each lock is also shown to matter: without it the test would fail."""

from collections import Counter
from threading import Event, Thread
from time import sleep
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction

from accounts.models import BillingProfile
from billing_portal.core.models import OutgoingMail
from invoices.models import Credit, Invoice
from invoices.money import Money
from invoices.querysets import InvoiceQuerySet
from payments.gateways.base import Outcome, Result
from payments.gateways.sandbox.models import CardPayment
from payments.models import MethodSetup, Payment, PaymentEvent, PaymentMethod, Refund
from payments.operations.attempts import CannotPay
from payments.operations.card_setups import CannotAddCard
from payments.operations.manual_payments import CannotRecord, record_payment
from payments.operations.methods import CannotChangeMethod, remove_method
from payments.operations.refunds import CannotRefund, refund, settle_refund
from payments.operations.webhooks import process_deliveries, receive
from tests.factories import NOW, BillingProfileFactory, access_for, issued, member
from tests.invoices.bookings import change_credit
from tests.payments.acts import (
    at_once,
    books_are_clean,
    card,
    charges,
    press_pay,
    run_reconciler,
    sandbox,
    staff,
    state,
)
from tests.payments.adding import add, cards_at_the_gateway
from tests.waiting import PATIENCE, until_waiting

pytestmark = [pytest.mark.two_connections, pytest.mark.django_db(transaction=True)]


def outcomes(results) -> Counter:
    return Counter(result.code if isinstance(result, CannotPay) else type(result).__name__ for result in results)


@pytest.fixture
def invoice(profile):
    return issued(profile)


def presses(profile, invoice, count=12):
    """Presses on Pay now by three members with three cards, each on a page of its own."""
    people = [member(profile, role) for role in ("profile_owner", "profile_contributor", "invoice_manager")]
    cards = [card(profile) for _person in people]
    due = invoice.amount_due

    def press(index):
        who = people[index % 3]
        return lambda: press_pay(who, Invoice.objects.get(pk=invoice.pk), cards[index % 3], shown=due)

    return [press(index) for index in range(count)]


def test_three_people_pressing_at_once_make_one_charge(profile, invoice):
    results = at_once(*presses(profile, invoice))
    assert outcomes(results)["Payment"] == 1
    assert set(outcomes(results)) <= {"Payment", "in_progress", "paid"}
    assert charges(invoice) == [12000]
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_one_page_sent_many_times_at_once_is_one_payment(profile, invoice, payer):
    visa, key, due = card(profile), uuid4(), invoice.amount_due
    results = at_once(
        *[lambda: press_pay(payer, Invoice.objects.get(pk=invoice.pk), visa, attempt_key=key, shown=due)] * 8
    )
    assert {result.pk for result in results} == {Payment.objects.get().pk}
    assert charges(invoice) == [12000]


def slow_before_insert(monkeypatch):
    """Opens the gap between reading and writing, so that a missing lock shows: everybody has begun before the
    gateway answers the first. Returns what is set when somebody is in the gap."""
    from payments.operations import attempts

    real, in_the_gap = attempts._check_gateway, Event()

    def slowly(*arguments):
        in_the_gap.set()
        sleep(0.2)
        real(*arguments)

    monkeypatch.setattr(attempts, "_check_gateway", slowly)
    sandbox().faults.arm("delay", times=20, value=2000)  # six take turns in counting their tries
    return in_the_gap


def without_row_locks(monkeypatch):
    monkeypatch.setattr(InvoiceQuerySet, "locked", lambda self: self.order_by("pk"))


def test_with_the_row_lock_alone_there_is_one_charge(profile, invoice, monkeypatch):
    slow_before_insert(monkeypatch)
    with index_dropped():
        results = at_once(*presses(profile, invoice, 6))
        assert outcomes(results)["Payment"] == 1
        assert charges(invoice) == [12000]


def test_with_the_index_alone_there_is_one_charge(profile, invoice, monkeypatch):
    slow_before_insert(monkeypatch)
    without_row_locks(monkeypatch)
    results = at_once(*presses(profile, invoice, 6))
    assert outcomes(results) == {"Payment": 1, "in_progress": 5}
    assert charges(invoice) == [12000]


def test_with_neither_the_invoice_is_charged_more_than_once(profile, invoice, monkeypatch):
    """The negative control: this load does find a missing guard."""
    slow_before_insert(monkeypatch)
    without_row_locks(monkeypatch)
    with index_dropped():
        at_once(*presses(profile, invoice, 6))
        assert len(charges(invoice)) > 1
        Payment.objects.filter(status="created").update(status="unknown")


class index_dropped:  # noqa: N801  reads as a statement
    name = "one_open_attempt_per_invoice"

    def __enter__(self):
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX {self.name}")

    def __exit__(self, *_error):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE payments_paymentallocation SET is_open = false")
            cursor.execute(f"CREATE UNIQUE INDEX {self.name} ON payments_paymentallocation (invoice_id) WHERE is_open")


def test_the_lock_is_a_lock_and_comes_before_the_payment(profile, invoice, payer, django_assert_num_queries):
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        press_pay(payer, invoice, card(profile))
    locks = [query["sql"] for query in captured if " UPDATE OF " in query["sql"]]
    assert len(locks) == 3
    assert all("ORDER BY" in lock for lock in (locks[0], locks[2]))  # one card alone is in order
    assert 'FOR UPDATE OF "invoices_invoice"' in locks[0]
    assert 'FOR NO KEY UPDATE OF "payments_paymentmethod"' in locks[1]
    assert 'FOR UPDATE OF "invoices_invoice", "payments_payment"' in locks[2]


def test_a_second_payer_waits_for_the_lock_of_the_first(profile, invoice):
    with transaction.atomic():
        list(Invoice.objects.filter(pk=invoice.pk).locked())

        def other():
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '200ms'")
                list(Invoice.objects.filter(pk=invoice.pk).locked())

        results = []
        thread = Thread(target=lambda: results.extend(at_once(other)))
        thread.start()
        thread.join(PATIENCE)
    assert "lock timeout" in str(results[0])


def test_answer_message_reconciler_and_return_at_once_have_one_effect(profile, invoice, payer):
    from payments.operations.reconciliation import return_from_bank, sync_payment

    sandbox().faults.arm("drop_after")
    payment = press_pay(payer, invoice, card(profile))
    body, headers = sandbox().take_deliveries()[0]

    def message():
        receive(gateway_slug="sandbox", body=body, headers=headers, at=NOW)
        process_deliveries(at=NOW)

    def back():
        return_from_bank(access=access_for(payer, profile), reference=payment.reference, at=NOW)

    def again():
        sync_payment(payment_id=payment.pk, source=PaymentEvent.Source.STAFF, at=NOW)

    results = at_once(message, message, back, back, again, lambda: run_reconciler(1), lambda: run_reconciler(1))

    assert [result for result in results if isinstance(result, Exception)] == []
    assert PaymentEvent.objects.filter(new_status="succeeded").count() == 1
    assert OutgoingMail.objects.count() == 1
    assert charges(invoice) == [12000]
    assert books_are_clean()


def test_two_clerks_cannot_refund_more_than_was_taken(profile, invoice, payer):
    payment = press_pay(payer, invoice, card(profile))
    access = staff()

    def clerk():
        return refund(
            access=access, payment_id=payment.pk, amount=Money(5000, "EUR"), reason="Test", attempt_key=uuid4(), at=NOW
        )

    results = at_once(*[clerk] * 6)

    assert Counter(type(result) for result in results) == {Refund: 2, CannotRefund: 4}
    assert sandbox().operator.totals() == {"EUR": 2000}
    assert books_are_clean()


def test_two_clerks_at_once_record_a_check_once(profile, invoice):
    access = staff()

    def clerk():
        return record_payment(
            access=access, invoice_id=invoice.pk, amount=Money(4000, "EUR"), channel="check",
            bank_reference="000123", received_on=NOW.date(), attempt_key=uuid4(), at=NOW,
        )  # fmt: skip

    results = at_once(clerk, clerk)

    assert Counter(type(result) for result in results) == {Payment: 1, CannotRecord: 1}
    assert state(invoice) == ("open", 4000, 8000)
    assert books_are_clean()


def test_a_wire_and_a_card_at_once_never_lose_money(profile, invoice, payer):
    visa, access = card(profile), staff()

    def clerk():
        return record_payment(
            access=access,
            invoice_id=invoice.pk,
            amount=Money(12000, "EUR"),
            channel="wire",
            bank_reference="BANK-1",
            received_on=NOW.date(),
            attempt_key=uuid4(),
            at=NOW,
        )

    at_once(clerk, lambda: press_pay(payer, Invoice.objects.get(pk=invoice.pk), visa, shown=Money(12000, "EUR")))

    assert state(invoice) == ("paid", 12000, 0)
    left_over = sum(credit.remaining_minor for credit in profile.credits.all())
    assert left_over == sum(charges(invoice))
    assert books_are_clean()


def test_a_card_is_either_removed_or_charged_never_both(profile, invoice, monkeypatch):
    in_the_gap = slow_before_insert(monkeypatch)
    owner = access_for(member(profile, "profile_owner"), profile)
    visa, due = card(profile), invoice.amount_due

    def remove():
        assert in_the_gap.wait(30)
        return remove_method(access=owner, method_id=visa.pk, at=NOW)

    paid, removed = at_once(lambda: press_pay(owner.user, Invoice.objects.get(pk=invoice.pk), visa, shown=due), remove)

    assert isinstance(paid, Payment)
    assert paid.status == "succeeded" or isinstance(removed, CannotChangeMethod)
    assert paid.decline_code != "method_gone"
    assert books_are_clean()


@pytest.fixture
def owner(profile):
    return access_for(member(profile, "profile_owner"), profile)


def test_one_page_sent_many_times_at_once_adds_one_card(owner):
    wish = {"key": uuid4(), "card_token": "tok_4242_once"}
    results = at_once(*[lambda: add(owner, **wish)] * 8)
    assert {result.status for result in results} == {"succeeded"}
    assert MethodSetup.objects.count() == PaymentMethod.objects.count() == cards_at_the_gateway() == 1


def refused_cards_at_once(profile, owner):
    """Five at once, of which the hour still has room for one."""
    for _time in range(9):
        MethodSetup.objects.create(
            profile=profile, gateway="sandbox", status="declined", created_at=NOW, created_by=owner.user
        )
    results = at_once(*[lambda: add(owner, "0002")] * 5)
    return Counter(result.code if isinstance(result, CannotAddCard) else result.status for result in results)


def test_refused_cards_are_counted_one_after_the_other(profile, owner):
    assert refused_cards_at_once(profile, owner) == {"declined": 1, "throttled": 4}


def test_somebody_can_pay_while_the_cards_of_the_profile_are_being_changed(profile, owner):
    """Whoever changes cards locks the profile and then a card; a payer has a card locked and then names the profile."""
    invoice, method = issued(profile), card(profile)
    results = []

    def pay():
        results.append(press_pay(owner.user, invoice, method).status)
        connections.close_all()

    with transaction.atomic():
        BillingProfile.objects.locked().get(pk=profile.pk)
        payer = Thread(target=pay)
        payer.start()
        payer.join(10)
        assert results == ["succeeded"]


@pytest.fixture
def refund_of_a_credit(profile, payer):
    """A card payment came after a wire had paid the invoice, so it became a credit of 120.00; ten of it are on their
    way back."""
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "3184"))
    fields = {"attempt_key": uuid4(), "at": NOW}
    record_payment(
        access=staff(), invoice_id=invoice.pk, amount=Money(12000, "EUR"), channel="wire", bank_reference="W-1",
        received_on=NOW.date(), **fields,
    )  # fmt: skip
    CardPayment.objects.update(state="succeeded")
    run_reconciler(1)
    sandbox().faults.arm("drop_before", on="refund")
    return refund(access=staff(), payment_id=payment.pk, amount=Money(1000, "EUR"), reason="Test", **fields)


def test_a_refund_that_fails_while_its_credit_is_being_used_loses_nothing(refund_of_a_credit):
    is_held = Event()

    def use():
        """Takes five euros of the credit, and commits when the other waits for it."""
        with transaction.atomic():
            credit = Credit.objects.select_for_update().get()
            change_credit(credit, Money(-500, "EUR"), at=NOW)
            is_held.set()
            until_waiting(lambda: 1)
        connections.close_all()

    other = Thread(target=use)
    other.start()
    assert is_held.wait(PATIENCE)
    settle_refund(refund_id=refund_of_a_credit.pk, outcome=Outcome(Result.DECLINED), at=NOW)
    other.join(PATIENCE)
    assert Credit.objects.get().remaining_minor == 12000 - 1000 - 500 + 1000


def test_one_transfer_for_two_customers_at_once_is_asked_about(profile):
    """Neither form has seen the other's row."""
    invoices = [issued(profile), issued(BillingProfileFactory())]

    def record(invoice):
        return record_payment(
            access=access, invoice_id=invoice.pk, amount=Money(4000, "EUR"), channel="wire", bank_reference="WIRE-1",
            received_on=NOW.date(), attempt_key=uuid4(), at=NOW,
        )  # fmt: skip

    access = staff()
    results = at_once(*[lambda invoice=invoice: record(invoice) for invoice in invoices])
    assert sorted(type(result).__name__ for result in results) == ["Payment", "SameReference"]
