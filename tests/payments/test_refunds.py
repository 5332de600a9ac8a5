"""Money goes back the way it came, never more of it than came."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from billing_portal.core.mail import send_due
from billing_portal.core.models import OutgoingMail
from invoices.models import Credit
from invoices.money import Money
from invoices.operations.credit_notes import credit_note
from invoices.operations.voiding import void
from payments.gateways.base import RefundRequest
from payments.gateways.sandbox.models import Refund as SandboxRefund
from payments.models import PaymentMethod, Refund
from payments.operations.comparison import compare_gateway
from payments.operations.manual_payments import record_payment
from payments.operations.methods import remove_method
from payments.operations.reconciliation import reconcile
from payments.operations.refunds import CannotRefund, refund, sync_refund
from tests.factories import NOW, TODAY, access_for, issued, member
from tests.payments.acts import books_are_clean, card, deliver, press_pay, run_reconciler, sandbox, staff, state


@pytest.fixture
def paid(profile, payer):
    """An invoice of 120.00 and the payment that paid it."""
    invoice = issued(profile)
    return invoice, press_pay(payer, invoice, card(profile))


def give_back(payment, minor, *, key=None, at=NOW, access=None, reason="Charged in error", **fields):
    return refund(
        access=access or staff(),
        payment_id=payment.pk,
        amount=Money(minor, payment.currency),
        reason=reason,
        attempt_key=key or uuid4(),
        at=at,
        **fields,
    )


def test_a_full_refund_makes_the_invoice_due_again_and_says_so(paid):
    invoice, payment = paid
    assert give_back(payment, 12000).status == "succeeded"
    assert state(invoice) == ("open", 0, 12000)
    assert invoice.refunded_minor == 12000
    assert sandbox().operator.totals() == {"EUR": 0}
    assert OutgoingMail.objects.filter(template="payment_refunded").count() == 1
    assert books_are_clean()


def test_two_parts_and_then_no_more_than_was_taken(paid):
    invoice, payment = paid
    give_back(payment, 5000)
    give_back(payment, 3000)
    assert state(invoice) == ("open", 4000, 8000)
    with pytest.raises(CannotRefund, match=r"at most €40\.00"):
        give_back(payment, 4001)
    give_back(payment, 4000)
    with pytest.raises(CannotRefund):
        give_back(payment, 1)
    assert sandbox().operator.totals() == {"EUR": 0}
    assert books_are_clean()


def test_a_double_click_refunds_once(paid):
    _invoice, payment = paid
    key = uuid4()
    assert give_back(payment, 5000, key=key).pk == give_back(payment, 5000, key=key).pk
    assert Refund.objects.count() == 1
    assert sandbox().operator.totals() == {"EUR": 7000}


@pytest.mark.parametrize("minor", [0, -1])
def test_nothing_and_less_than_nothing_cannot_be_refunded(paid, minor):
    with pytest.raises(CannotRefund):
        give_back(paid[1], minor)
    assert not Refund.objects.exists()


def test_another_currency_no_reason_or_no_success_is_refused(paid, profile, payer):
    _invoice, payment = paid
    with pytest.raises(CannotRefund):
        refund(access=staff(), payment_id=payment.pk, amount=Money(1, "USD"), reason="x", attempt_key=uuid4(), at=NOW)
    with pytest.raises(CannotRefund):
        give_back(payment, 1, reason="  ")
    declined = press_pay(payer, issued(profile), card(profile, "0002"))
    with pytest.raises(CannotRefund):
        give_back(declined, 1)
    assert not Refund.objects.exists()


def test_only_staff_may_refund(paid, profile):
    owner = member(profile, "profile_owner")
    with pytest.raises(PermissionDenied):
        give_back(paid[1], 100, access=access_for(owner, profile))
    assert not Refund.objects.exists()


def test_staff_who_were_shut_out_meanwhile_may_not(paid):
    access = staff()
    access.user.is_staff = False
    access.user.save()
    with pytest.raises(PermissionDenied):
        give_back(paid[1], 100, access=access)
    assert not Refund.objects.exists()


def test_a_refund_that_is_refused_puts_everything_back(paid):
    invoice, payment = paid
    sandbox().faults.arm("decline", on="refund")
    assert give_back(payment, 5000).status == "failed"
    assert state(invoice) == ("paid", 12000, 0)
    assert invoice.refunded_minor == 0
    assert books_are_clean()


def test_a_refund_that_fails_days_later_puts_everything_back_and_tells_staff(profile, payer):
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "5126"))
    waiting = give_back(payment, 12000)
    assert waiting.status == "pending"
    assert state(invoice) == ("open", 0, 12000)

    sandbox().operator.advance_clock(60)
    run_reconciler(10)

    waiting.refresh_from_db()
    payment.refresh_from_db()
    assert (waiting.status, payment.needs_staff, payment.refunded_minor) == ("failed", True, 0)
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_a_refund_that_fails_after_the_invoice_was_paid_again_becomes_a_credit(profile, payer):
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "5126"))
    give_back(payment, 12000)
    press_pay(payer, invoice, card(profile))
    sandbox().operator.advance_clock(60)
    run_reconciler(10)
    assert state(invoice) == ("paid", 12000, 0)
    assert Credit.objects.get().remaining_minor == 12000
    assert books_are_clean()


@pytest.mark.parametrize("fault", ["drop_after", "drop_before", "garbage"])
def test_a_refund_whose_answer_is_lost_is_repeated_under_the_same_key_only(paid, fault):
    invoice, payment = paid
    sandbox().faults.arm(fault, on="refund")
    row = give_back(payment, 5000)
    assert row.status == "unknown"

    run_reconciler(1, 5)

    row.refresh_from_db()
    assert row.status == "succeeded"
    assert [made.amount_minor for made in SandboxRefund.objects.all()] == [5000]
    assert state(invoice) == ("open", 7000, 5000)
    assert books_are_clean()


def test_a_refund_that_was_not_sent_has_failed(paid):
    invoice, payment = paid
    sandbox().faults.arm("refuse_connection", on="refund")
    assert give_back(payment, 5000).status == "failed"
    assert state(invoice) == ("paid", 12000, 0)


def test_a_refund_older_than_the_gateways_memory_is_not_sent_again(paid):
    _invoice, payment = paid
    sandbox().faults.arm("drop_before", on="refund")
    row = give_back(payment, 5000)
    for day in range(1, 12):
        Refund.objects.filter(pk=row.pk, next_lookup_at__isnull=False).update(next_lookup_at=NOW + timedelta(days=day))
        reconcile(at=NOW + timedelta(days=day))
    row.refresh_from_db()
    assert (row.status, row.needs_staff) == ("unknown", True)
    assert not SandboxRefund.objects.exists()


def test_a_refund_made_at_the_provider_is_booked_once(paid):
    invoice, payment = paid
    request = RefundRequest(
        key="dashboard", reference=payment.reference, amount=Money(2000, "EUR"), gateway_id=payment.gateway_id
    )
    sandbox().refund(request)
    parcel = sandbox().take_deliveries()
    for _time in range(3):
        deliver(*parcel)
    assert state(invoice) == ("open", 10000, 2000)
    assert [(row.amount_minor, row.status) for row in Refund.objects.all()] == [(2000, "succeeded")]
    assert books_are_clean()


def test_our_own_refund_and_its_message_are_booked_once(paid):
    invoice, payment = paid
    sandbox().faults.arm("drop_after", on="refund")
    give_back(payment, 2000)
    deliver()
    run_reconciler(1, 5)
    assert Refund.objects.count() == 1
    assert state(invoice) == ("open", 10000, 2000)
    assert books_are_clean()


def test_a_refund_works_after_the_card_was_removed_and_the_profile_disabled(paid, profile):
    invoice, payment = paid
    owner = member(profile, "profile_owner")
    remove_method(access=access_for(owner, profile), method_id=payment.method_id, at=NOW)
    profile.status = "disabled"
    profile.save()
    assert give_back(payment, 12000).status == "succeeded"
    assert PaymentMethod.objects.get().status == "removed"
    assert state(invoice) == ("open", 0, 12000)


def by_wire(invoice, minor=12000, reference="B-1"):
    return record_payment(
        access=staff(), invoice_id=invoice.pk, amount=Money(minor, "EUR"), channel="wire", bank_reference=reference,
        received_on=NOW.date() - timedelta(days=3), attempt_key=uuid4(), at=NOW,
    )  # fmt: skip


def pay_back(payment, minor, *, reference="OUT-1", days_ago=1, access=None, key=None, **fields):
    return refund(
        access=access or staff(), payment_id=payment.pk, amount=Money(minor, "EUR"), reason="Charged in error",
        bank_reference=reference, paid_on=NOW.date() - timedelta(days=days_ago), attempt_key=key or uuid4(), at=NOW,
        **fields,
    )  # fmt: skip


def test_money_by_wire_is_not_refunded_through_a_gateway(profile):
    with pytest.raises(CannotRefund, match="your bank"):
        give_back(by_wire(issued(profile)), 100)
    assert not Refund.objects.exists()


def test_money_by_wire_that_was_paid_back_is_recorded_with_its_reference(profile):
    member(profile, "invoice_manager")
    invoice = issued(profile)
    row = pay_back(by_wire(invoice), 12000, reference=" OUT 25 ")
    assert (row.status, row.bank_reference, row.paid_on) == ("succeeded", "OUT 25", NOW.date() - timedelta(days=1))
    assert (row.next_lookup_at, row.needs_staff) == (None, False)
    assert state(invoice) == ("open", 0, 12000)
    told = OutgoingMail.objects.get(template="payment_refunded")
    assert (told.context["bank_reference"], told.context["amount_minor"]) == ("OUT 25", 12000)
    send_due(at=NOW)
    text = " ".join(mail.outbox[-1].body.split())
    assert "We paid €120.00 back to you by wire transfer on 25 Oct 2026, with reference OUT 25." in text
    assert books_are_clean()
    void(access=staff(), invoice_id=invoice.pk, reason="Sent twice", at=NOW)
    assert state(invoice)[0] == "void"
    assert books_are_clean()


def test_one_transfer_to_the_customer_is_recorded_once(profile):
    payment, key = by_wire(issued(profile)), uuid4()
    first = pay_back(payment, 5000, reference="OUT 25", key=key)
    assert pay_back(payment, 5000, reference="OUT 25", key=key).pk == first.pk
    with pytest.raises(CannotRefund, match="another refund"):
        pay_back(payment, 5000, reference="OUT 26", key=key)
    with pytest.raises(CannotRefund, match="recorded already"):
        pay_back(payment, 5000, reference="out\u00a025")
    other = by_wire(issued(profile), reference="B-2")
    with pytest.raises(CannotRefund, match="recorded already"):
        pay_back(other, 5000, reference="out25")
    assert Refund.objects.count() == 1
    assert pay_back(other, 5000, reference="out25-2").status == "succeeded"
    with pytest.raises(IntegrityError), transaction.atomic():
        Refund.objects.create(
            payment=payment, amount_minor=1, currency="EUR", reason="x", bank_reference="o ut25", started_at=NOW
        )


def test_what_our_bank_sent_is_never_asked_of_the_provider_nor_sent_by_it(profile, payer):
    """The card was closed, so its money went back from our bank. The provider knows nothing of that and, asked to look
    it up, was told to send it once more."""
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile))
    sandbox().faults.arm("refuse_connection", on="refund")
    assert give_back(payment, 12000).status == "failed"
    row = pay_back(payment, 12000, days_ago=0)
    assert sync_refund(refund_id=row.pk, at=NOW + timedelta(minutes=5)).status == "succeeded"
    assert not SandboxRefund.objects.exists()
    assert state(invoice) == ("open", 0, 12000)
    assert books_are_clean()


def test_an_overpayment_is_sent_back_and_the_invoice_stays_paid(profile):
    invoice = issued(profile)
    payment = by_wire(invoice, 15000)
    pay_back(payment, 3000)
    assert state(invoice) == ("paid", 12000, 0)
    assert Credit.objects.get().remaining_minor == 0
    assert books_are_clean()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"reference": "  "}, "reference"),
        ({"days_ago": -1}, "between the day"),
        ({"days_ago": 4}, "between the day"),
    ],
)
def test_a_refund_without_reference_or_on_an_impossible_day_is_refused(profile, wrong, message):
    invoice = issued(profile)
    payment = by_wire(invoice)
    with pytest.raises(CannotRefund, match=message):
        pay_back(payment, 12000, **wrong)
    assert state(invoice) == ("paid", 12000, 0)


def test_card_money_is_not_recorded_as_paid_back_and_customers_record_nothing(paid, profile, payer):
    with pytest.raises(CannotRefund, match="came by card"):
        pay_back(paid[1], 12000)
    with pytest.raises(PermissionDenied):
        pay_back(by_wire(issued(profile)), 12000, access=access_for(payer, profile))
    assert not Refund.objects.exists()


def test_a_refund_that_takes_the_invoice_back_leaves_nothing_due_and_no_reminder(paid):
    invoice, payment = paid
    assert give_back(payment, 12000, takes_back_invoices=True).status == "succeeded"
    assert state(invoice) == ("paid", 0, 0)
    assert (invoice.next_reminder_on, invoice.autopay_on) == (None, None)
    note = invoice.credit_notes.get()
    assert (note.total_minor, note.applied_minor, note.credit, note.reason) == (12000, 12000, None, "Charged in error")
    assert books_are_clean()


def test_a_part_is_taken_off_the_lines_in_proportion(profile, payer):
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile))
    give_back(payment, 2000, takes_back_invoices=True)
    assert state(invoice) == ("paid", 10000, 0)
    give_back(payment, 10000, takes_back_invoices=True)
    assert state(invoice) == ("paid", 0, 0)
    assert [note.total_minor for note in invoice.credit_notes.order_by("pk")] == [2000, 10000]
    assert books_are_clean()


def test_wire_money_that_was_paid_back_takes_the_invoice_back_too(profile):
    invoice = issued(profile)
    pay_back(by_wire(invoice), 12000, takes_back_invoices=True)
    assert state(invoice) == ("paid", 0, 0)
    assert invoice.next_reminder_on is None
    assert books_are_clean()


@pytest.mark.parametrize("noted", [12000, 5000])
def test_what_a_credit_note_took_before_is_not_due_again(paid, noted):
    """The note made a credit of it. That pays what the refund leaves due, or people are reminded of nothing."""
    invoice, payment = paid
    amounts = {invoice.lines.get().pk: noted}
    credit_note(access=staff(), invoice_id=invoice.pk, amounts=amounts, reason="Wrong", today=TODAY, at=NOW)
    assert Credit.objects.get().remaining_minor == noted

    give_back(payment, 12000, takes_back_invoices=True)

    assert state(invoice) == ("paid", 0, 0)
    assert invoice.next_reminder_on is None
    assert Credit.objects.get().remaining_minor == 0
    assert sum(note.total_minor for note in invoice.credit_notes.all()) == 12000
    assert books_are_clean()


def test_what_a_used_credit_of_a_note_cannot_pay_stays_due(paid, profile):
    invoice, payment = paid
    credit_note(access=staff(), invoice_id=invoice.pk, reason="Wrong", today=TODAY, at=NOW)
    assert state(issued(profile, "30.00")) == ("paid", 0, 0)
    give_back(payment, 12000, takes_back_invoices=True)
    assert state(invoice) == ("open", 0, 3000)
    assert books_are_clean()


def test_card_money_whose_refund_was_refused_is_recorded_as_paid_back_by_wire(paid):
    invoice, payment = paid
    sandbox().faults.arm("decline", on="refund")
    assert give_back(payment, 12000).status == "failed"
    with pytest.raises(CannotRefund, match="The day must lie between"):
        pay_back(payment, 12000)  # the day before it was paid
    row = pay_back(payment, 12000, days_ago=0, takes_back_invoices=True)
    assert (row.status, row.bank_reference) == ("succeeded", "OUT-1")
    assert state(invoice) == ("paid", 0, 0)
    assert books_are_clean()
    assert compare_gateway(gateway_slug="sandbox", since=NOW - timedelta(days=7), at=NOW) == []


@pytest.mark.parametrize("fault", ["decline", "refuse_connection"])
def test_a_refund_that_fails_after_its_invoice_was_taken_back_is_a_credit_that_can_be_refunded(paid, fault):
    invoice, payment = paid
    sandbox().faults.arm(fault, on="refund")
    assert give_back(payment, 12000, takes_back_invoices=True).status == "failed"
    payment.refresh_from_db()
    assert (state(invoice), payment.needs_staff) == (("paid", 0, 0), True)
    assert Credit.objects.get().remaining_minor == 12000
    assert books_are_clean()

    assert give_back(payment, 12000).status == "succeeded"

    assert state(invoice) == ("paid", 0, 0)
    assert Credit.objects.get().remaining_minor == 0
    assert invoice.credit_notes.count() == 1
    assert sandbox().operator.totals() == {"EUR": 0}
    assert books_are_clean()
