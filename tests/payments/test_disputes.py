"""A payer's bank asks money back: told late, twice, out of order or only at the end, it is booked exactly once."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from billing_portal.core.models import OutgoingMail
from invoices.models import Credit
from invoices.money import Money
from payments.gateways import base
from payments.gateways.sandbox.models import record
from payments.models import Dispute, DisputeAllocation, PaymentEvent, WebhookDelivery
from payments.operations.disputes import book_dispute
from payments.operations.manual_payments import CannotRecord, mark_dispute_handled, record_payment
from payments.operations.reconciliation import reconcile
from payments.operations.refunds import CannotRefund, refund
from tests.factories import NOW, UserFactory, access_for, issued, member
from tests.invoices.bookings import change_credit
from tests.payments.acts import books_are_clean, card, deliver, messages, press_pay, sandbox, staff, state

LATER = NOW + timedelta(days=3)
DUE = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def invoice(profile):
    return issued(profile)


@pytest.fixture
def payment(invoice, profile, payer):
    """An invoice of 120.00 was paid, and the gateway's messages about that have been heard."""
    payment = press_pay(payer, invoice, card(profile))
    messages()
    return payment


def told(payment, status, minor=12000, currency="EUR", dispute_id="dp_1", **facts):
    amount = Money(minor, currency)
    return base.Dispute(dispute_id, payment.gateway_id, amount, base.DisputeStatus(status), "fraudulent", **facts)


def book(payment, *statuses, at=NOW, **facts):
    """Answers of the gateway about one dispute, in the order they are booked."""
    for status in statuses:
        row = book_dispute(
            payment_id=payment.pk, facts=told(payment, status, **facts), source=PaymentEvent.Source.WEBHOOK, at=at
        )
    return row


def give_back(payment, minor):
    fields = {"reason": "Test", "attempt_key": uuid4(), "at": NOW}
    return refund(access=staff(), payment_id=payment.pk, amount=Money(minor, "EUR"), **fields)


def flags(payment, invoice):
    payment.refresh_from_db()
    invoice.refresh_from_db()
    return payment.disputed_at, invoice.disputed_at


def history(payment):
    return [event.result for event in payment.events.order_by("pk") if event.result.startswith("dispute")]


def test_an_open_dispute_marks_payment_and_invoice_and_leaves_the_money(invoice, payment):
    row = book(payment, "open", evidence_due_at=DUE)
    assert (row.status, row.needs_staff, row.evidence_due_at, row.reason) == ("open", True, DUE, "fraudulent")
    assert flags(payment, invoice) == (NOW, NOW)
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_a_lost_dispute_makes_the_invoice_due_again(invoice, payment):
    book(payment, "open")
    row = book(payment, "lost", at=LATER)
    assert (row.status, row.taken_minor, row.missing.minor, row.closed_at) == ("lost", 12000, 0, LATER)
    assert flags(payment, invoice) == (None, None)
    assert state(invoice) == ("open", 0, 12000)
    assert (invoice.charged_back_minor, payment.charged_back_minor) == (12000, 12000)
    assert books_are_clean()


def test_a_dispute_that_was_won_leaves_everything_as_it_was(invoice, payment):
    book(payment, "open")
    row = book(payment, "won", at=LATER)
    assert (row.status, row.needs_staff, row.closed_at) == ("won", False, LATER)
    assert flags(payment, invoice) == (None, None)
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


@pytest.mark.parametrize("end", ["won", "lost"])
@pytest.mark.parametrize("order", sorted(set(permutations(["open", "open", "end", "end"]))))
def test_answers_in_any_order_and_number_have_one_effect(invoice, payment, order, end):
    book(payment, *[end if word == "end" else word for word in order])
    assert state(invoice) == (("open", 0, 12000) if end == "lost" else ("paid", 12000, 0))
    assert flags(payment, invoice) == (None, None)
    assert history(payment) in ([f"dispute_{end}"], ["dispute_open", f"dispute_{end}"])
    assert Dispute.objects.count() == 1
    assert OutgoingMail.objects.filter(template="dispute_lost").count() == (1 if end == "lost" else 0)
    assert books_are_clean()


def test_what_is_told_of_an_open_dispute_again_is_noted(payment):
    book(payment, "open")
    row = book(payment, "open", minor=5000, evidence_due_at=DUE)
    assert (row.amount_minor, row.evidence_due_at) == (5000, DUE)
    assert history(payment) == ["dispute_open"]


def test_a_dispute_over_a_part_takes_that_part(invoice, payment):
    book(payment, "lost", minor=2500)
    assert state(invoice) == ("open", 9500, 2500)
    assert books_are_clean()


def test_after_a_refund_of_a_part_no_more_is_taken_than_is_left_and_the_rest_is_for_staff(invoice, payment):
    give_back(payment, 5000)
    row = book(payment, "lost")
    assert (row.taken_minor, row.missing.minor, row.needs_staff) == (7000, 5000, True)
    assert state(invoice) == ("open", 0, 12000)
    assert (invoice.refunded_minor, invoice.charged_back_minor) == (12000, 7000)
    assert books_are_clean()


def test_after_a_lost_dispute_only_the_rest_can_be_refunded(payment):
    book(payment, "lost", minor=11000)
    with pytest.raises(CannotRefund, match=r"at most €10\.00"):
        give_back(payment, 1001)
    sandbox().operator.decide(sandbox().operator.dispute(payment.gateway_id, 11000), "lost")
    assert give_back(payment, 1000).status == "succeeded"
    assert books_are_clean()


@pytest.mark.parametrize("gone", [0, 4000])
def test_money_that_became_a_credit_is_taken_from_what_is_left_of_it(profile, payer, gone):
    """A wire paid the invoice while the card's answer was on its way, so the card's money became a credit."""
    invoice = issued(profile)
    sandbox().faults.arm("drop_after")
    payment = press_pay(payer, invoice, card(profile))
    record_payment(
        access=staff(), invoice_id=invoice.pk, amount=Money(12000, "EUR"), channel="wire", bank_reference="W-1",
        received_on=NOW.date(), attempt_key=uuid4(), at=NOW,
    )  # fmt: skip
    deliver()
    payment.refresh_from_db()
    if gone:
        change_credit(Credit.objects.get(), Money(-gone, "EUR"), at=NOW)

    row = book(payment, "lost")

    assert (row.taken_minor, row.missing.minor, row.needs_staff) == (12000 - gone, gone, True)
    assert Credit.objects.get().remaining_minor == 0
    assert state(invoice) == ("paid", 12000, 0)
    assert gone or books_are_clean()


def test_a_claim_in_another_currency_takes_nothing_and_is_for_staff(invoice, payment):
    row = book(payment, "lost", currency="USD")
    assert (row.taken_minor, row.missing, row.needs_staff) == (0, Money(12000, "USD"), True)
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_a_bank_that_thinks_again_gives_the_money_back(invoice, payment):
    book(payment, "lost")
    row = book(payment, "won", at=LATER)
    assert (row.status, row.taken_minor) == ("won", 0)
    assert state(invoice) == ("paid", 12000, 0)
    assert (invoice.refunded_minor, invoice.charged_back_minor, DisputeAllocation.objects.count()) == (0, 0, 0)
    assert payment.disputes.get().status == "won"
    assert books_are_clean()
    book(payment, "lost", at=LATER)
    assert state(invoice) == ("open", 0, 12000)
    assert books_are_clean()


def test_money_given_back_for_an_invoice_that_was_paid_again_becomes_a_credit(invoice, payment, profile, payer):
    book(payment, "lost")
    press_pay(payer, invoice, card(profile))
    book(payment, "won")
    assert state(invoice) == ("paid", 12000, 0)
    assert Credit.objects.get().remaining_minor == 12000
    assert books_are_clean()


def test_two_disputes_of_one_payment_are_two(invoice, payment):
    book(payment, "open", minor=2000)
    book(payment, "open", minor=3000, dispute_id="dp_2", at=LATER)
    book(payment, "lost", minor=2000, at=LATER)
    assert flags(payment, invoice) == (LATER, LATER)
    book(payment, "won", minor=3000, dispute_id="dp_2", at=LATER)
    assert flags(payment, invoice) == (None, None)
    assert state(invoice) == ("open", 10000, 2000)
    assert books_are_clean()


def test_while_a_dispute_is_open_the_money_is_not_refunded(invoice, payment):
    book(payment, "open")
    with pytest.raises(CannotRefund, match="is deciding"):
        give_back(payment, 100)
    book(payment, "won")
    assert give_back(payment, 100).status == "succeeded"


def test_a_payment_under_way_meanwhile_is_in_progress_again(invoice, payment, profile, payer):
    book(payment, "lost")
    waiting = press_pay(payer, invoice, card(profile, "3184"))
    book(payment, "won")
    assert state(invoice) == ("paid", 12000, 0)
    book(payment, "lost")
    invoice.refresh_from_db()
    assert (invoice.is_being_paid, waiting.status) == (True, "needs_customer")
    assert books_are_clean()


def test_those_who_handle_the_invoices_hear_of_a_loss_in_their_language_once(payment, payer, profile):
    owner = member(profile, "profile_owner", language="nl")
    member(profile, "profile_reader")
    book(payment, "open", "lost", "lost")
    mails = OutgoingMail.objects.filter(template="dispute_lost")
    assert set(mails.values_list("to", "language")) == {(payer.email, "en"), (owner.email, "nl")}


def test_staff_who_may_act_hear_of_a_new_dispute_once(payment):
    root = UserFactory(is_staff=True, is_superuser=True, language="nl")
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="change_payment"))
    UserFactory(is_staff=True)
    UserFactory(is_staff=True, is_superuser=True, is_active=False)
    UserFactory(is_superuser=True)
    book(payment, "open", "open", evidence_due_at=DUE)
    mails = OutgoingMail.objects.filter(template="dispute_opened")
    assert set(mails.values_list("to", "language")) == {(root.email, "nl"), (clerk.email, "en")}


def test_staff_mark_a_dispute_as_handled_and_a_loss_brings_it_back(payment, payer, profile):
    row = book(payment, "open")
    for access, note, refusal in (
        (access_for(payer, profile), "Done", PermissionDenied),
        (staff(), " ", CannotRecord),
    ):
        with pytest.raises(refusal):
            mark_dispute_handled(access=access, dispute_id=row.pk, note=note, at=NOW)
    assert not mark_dispute_handled(access=staff(), dispute_id=row.pk, note="Evidence sent", at=NOW).needs_staff
    with pytest.raises(CannotRecord):
        mark_dispute_handled(access=staff(), dispute_id=row.pk, note="Again", at=NOW)
    assert book(payment, "lost").needs_staff


def test_an_open_dispute_is_asked_about_every_day_although_no_message_comes(invoice, payment):
    dispute_id = sandbox().operator.dispute(payment.gateway_id)
    deliver()
    sandbox().operator.decide(dispute_id, "lost")
    reconcile(at=NOW + timedelta(hours=23))
    assert state(invoice)[0] == "paid"
    reconcile(at=NOW + timedelta(hours=25))
    assert state(invoice) == ("open", 0, 12000)
    assert Dispute.objects.get().next_lookup_at is None


def test_a_dispute_that_the_gateway_forgot_is_for_staff_and_asked_about_tomorrow(payment):
    row = book(payment, "open")
    Dispute.objects.update(needs_staff=False)
    reconcile(at=NOW + timedelta(hours=25))
    row.refresh_from_db()
    assert (row.status, row.needs_staff, row.next_lookup_at) == ("open", True, NOW + timedelta(hours=49))


def test_a_gateway_that_cannot_be_asked_is_asked_again(invoice, payment):
    sandbox().operator.dispute(payment.gateway_id)
    sandbox().faults.arm("drop_before", on="lookup_dispute")
    deliver()
    assert WebhookDelivery.objects.get().next_try_at is not None
    assert not Dispute.objects.exists()
    deliver(at=NOW + timedelta(minutes=1))
    assert flags(payment, invoice) == (NOW + timedelta(minutes=1),) * 2


def test_a_dispute_of_another_payment_than_the_message_says_changes_nothing(payment, profile, payer):
    other = press_pay(payer, issued(profile), card(profile))
    messages()
    dispute_id = sandbox().operator.dispute(other.gateway_id)
    messages()
    record("dispute.open", dispute_id, payment=payment.gateway_id, at=timezone.now())
    deliver()
    assert WebhookDelivery.objects.get().status == "ignored"
    assert not Dispute.objects.exists()
