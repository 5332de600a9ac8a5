"""Guards that stand behind another guard: each is met here on its own."""

from datetime import timedelta
from uuid import uuid4

import pytest

from accounts.access import NotAllowed, fresh
from billing_portal.core.leases import claim
from billing_portal.core.models import OutgoingMail
from invoices.models import Credit
from invoices.money import Money
from payments.gateways.base import Outcome, Result
from payments.gateways.sandbox.models import CardPayment
from payments.models import Payment, PaymentEvent, PaymentMethod, WebhookDelivery
from payments.operations import reconciliation, webhooks
from payments.operations.manual_payments import CannotRecord, record_payment, resolve_mismatch
from payments.operations.reconciliation import cancel_attempt, reconcile, sync_payment
from payments.operations.refunds import CannotRefund, adopt_refund, refund, settle_refund
from payments.operations.webhooks import process_deliveries, receive
from tests.factories import NOW, BillingProfileFactory, access_for, issued, member
from tests.payments.acts import (
    books_are_clean,
    card,
    deliver,
    messages,
    press_pay,
    run_reconciler,
    sandbox,
    staff,
    state,
)


def euros(minor):
    return Money(minor, "EUR")


def give_back(payment, minor=1000):
    fields = {"reason": "Test", "attempt_key": uuid4(), "at": NOW}
    return refund(access=staff(), payment_id=payment.pk, amount=euros(minor), **fields)


def by_wire(invoice, minor, reference="W-1"):
    fields = {"channel": "wire", "received_on": NOW.date(), "attempt_key": uuid4(), "at": NOW}
    who = staff()
    return record_payment(access=who, invoice_id=invoice.pk, amount=euros(minor), bank_reference=reference, **fields)


@pytest.fixture
def payment(profile, payer):
    return press_pay(payer, issued(profile), card(profile))


def test_a_refund_of_another_amount_than_asked_is_for_staff(payment):
    sandbox().faults.arm("drop_before", on="refund")
    lost = give_back(payment)
    for amount in (euros(999), Money(1000, "USD"), None):
        settled = settle_refund(refund_id=lost.pk, outcome=Outcome(Result.SUCCEEDED, amount=amount), at=NOW)
        assert (settled.status, settled.needs_staff) == ("unknown", True)


def test_late_news_of_a_refund_that_was_made_changes_nothing(payment):
    made = give_back(payment)
    for result in (Result.PENDING, Result.UNKNOWN):
        assert settle_refund(refund_id=made.pk, outcome=Outcome(result), at=NOW).status == "succeeded"
    assert books_are_clean()


def test_a_question_about_a_refund_that_was_not_sent_says_nothing_about_the_refund(payment):
    sandbox().faults.arm("drop_after", on="refund")
    lost = give_back(payment)
    sandbox().faults.arm("refuse_connection", on="lookup_refund")
    run_reconciler(2)
    lost.refresh_from_db()
    assert lost.status == "unknown"
    run_reconciler(20)
    lost.refresh_from_db()
    assert lost.status == "succeeded"


def adopt(payment, minor, currency="EUR", gateway_id="re_1"):
    outcome = Outcome(Result.SUCCEEDED, amount=Money(minor, currency))
    return adopt_refund(payment_id=payment.pk, gateway_id=gateway_id, outcome=outcome, at=NOW)


def test_a_refund_from_the_provider_is_adopted_once_and_only_in_the_payments_currency(payment):
    assert adopt(payment, 500, "USD") is None
    assert adopt(payment, 500) is not None
    assert adopt(payment, 500) is None
    payment.refresh_from_db()
    assert payment.refunded_minor == 500


def test_a_refund_from_the_provider_above_what_is_left_is_booked_and_what_is_missing_told_to_staff(payment):
    adopted = adopt(payment, 12001)
    assert adopted is not None
    payment.refresh_from_db()
    assert (adopted.amount_minor, adopted.missing_minor, payment.refunded_minor) == (12001, 1, 12000)
    assert payment.needs_staff
    again = adopt(payment, 1, gateway_id="re_2")
    assert (again.amount_minor, again.missing_minor) == (1, 1)
    assert adopt(payment, 1, gateway_id="re_2") is None
    told = payment.events.filter(result="refund_too_much").order_by("pk").values_list("detail", flat=True)
    assert [(fact["gateway_id"], fact["amount_minor"]) for fact in told] == [("re_1", 1), ("re_2", 1)]
    assert books_are_clean()


def test_a_refund_from_the_provider_in_another_currency_is_for_staff_and_told_once(payment):
    for _again in range(2):
        assert adopt(payment, 500, "USD") is None
    payment.refresh_from_db()
    assert (payment.refunded_minor, payment.needs_staff) == (0, True)
    assert payment.events.get(result="refund_currency").detail["currency"] == "USD"


@pytest.mark.parametrize("ends", ["succeeded", "failed"])
def test_a_refund_from_the_provider_of_a_credit_that_was_used_is_not_lost(profile, payer, ends):
    """A wire paid the invoice, the card's money became a credit, and 90.00 of that has paid for the next invoice."""
    payment = paid_twice(profile, payer)
    later = issued(profile, "90.00")
    adopted = adopt(payment, 12000)
    result = Result.SUCCEEDED if ends == "succeeded" else Result.DECLINED
    settle_refund(refund_id=adopted.pk, outcome=Outcome(result, amount=Money(12000, "EUR")), at=NOW)
    adopted.refresh_from_db()
    payment.refresh_from_db()
    assert adopted.status == ends
    assert payment.needs_staff
    gone = 3000 if ends == "succeeded" else 0
    assert (payment.refunded_minor, Credit.objects.get().remaining_minor) == (gone, 3000 - gone)
    assert adopted.missing_minor == 9000
    later.refresh_from_db()
    assert later.status == "paid"
    assert books_are_clean()


def paid_twice(profile, payer):
    """By card and, while that was under way, by wire: the card's money is a credit."""
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "3184"))
    by_wire(invoice, 12000)
    CardPayment.objects.filter(reference=payment.reference).update(state="succeeded")
    run_reconciler(1)
    payment.refresh_from_db()
    return payment


def test_money_that_became_a_credit_and_was_used_is_not_refunded(profile, payer):
    payment = paid_twice(profile, payer)
    issued(profile, "119.00")
    with pytest.raises(CannotRefund, match="has been used"):
        give_back(payment, 101)
    assert give_back(payment, 100).status == "succeeded"
    assert Credit.objects.get().remaining_minor == 0


def test_only_staff_decide_about_a_mismatch_and_only_about_one(profile, payer, payment):
    sandbox().faults.arm("other_amount", value=11000)
    waiting = press_pay(payer, issued(profile), card(profile))
    owner = access_for(member(profile, "profile_owner"), profile)
    with pytest.raises(NotAllowed):
        resolve_mismatch(access=owner, payment_id=waiting.pk, accept=True, at=NOW)
    with pytest.raises(CannotRecord, match="not waiting"):
        resolve_mismatch(access=staff(), payment_id=payment.pk, accept=False, at=NOW)
    payment.refresh_from_db()
    waiting.refresh_from_db()
    assert (payment.status, waiting.status) == ("succeeded", "mismatch")


@pytest.mark.parametrize("minor", [0, -1])
def test_nothing_and_less_than_nothing_is_not_recorded(profile, minor):
    invoice = issued(profile)
    with pytest.raises(CannotRecord, match="more than zero"):
        by_wire(invoice, minor)
    assert state(invoice) == ("open", 0, 12000)


@pytest.mark.django_db
def test_staff_who_were_shut_out_are_no_staff_any_more():
    access = staff()
    access.user.is_active = False
    access.user.save()
    assert not fresh(access).unlimited


def test_an_attempt_of_another_profile_cannot_be_cancelled(profile, payer):
    waiting = press_pay(payer, issued(profile), card(profile, "3184"))
    other = BillingProfileFactory()
    with pytest.raises(Payment.DoesNotExist):
        cancel_attempt(access=access_for(member(other, "profile_owner"), other), reference=waiting.reference, at=NOW)


def test_an_attempt_whose_call_may_still_be_on_its_way_is_not_closed(profile, payer):
    """The gateway has not seen it yet; only after the longest call there can be is it closed."""
    payment = Payment.objects.get(pk=press_pay(payer, issued(profile), card(profile, "3184")).pk)
    CardPayment.objects.all().delete()
    Payment.objects.update(status="created", gateway_id="")
    for seconds, is_open in ((10, True), (91, False)):
        at = NOW + timedelta(seconds=seconds)
        looked_at = sync_payment(payment_id=payment.pk, source=PaymentEvent.Source.RETURN, at=at)
        assert looked_at.is_open == is_open


def test_a_message_does_not_close_an_attempt_whose_request_may_be_overtaken_by_it(profile, payer):
    sandbox().faults.arm("drop_before")
    lost = press_pay(payer, issued(profile), card(profile))
    soon = NOW + timedelta(seconds=10)
    assert sync_payment(payment_id=lost.pk, source=PaymentEvent.Source.WEBHOOK, at=soon).status == "unknown"
    assert sync_payment(payment_id=lost.pk, source=PaymentEvent.Source.RETURN, at=soon).status == "expired"


def test_a_message_about_what_was_paid_asks_nothing(profile, payer, monkeypatch):
    press_pay(payer, issued(profile), card(profile))
    asked = []
    monkeypatch.setattr(sandbox(), "lookup", asked.append)
    deliver()
    assert asked == []
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"processed"}


def test_a_message_that_another_worker_took_since_it_was_read_is_left_to_it(profile, payer, monkeypatch):
    for _payment in range(2):
        press_pay(payer, issued(profile), card(profile))
    for body, headers in messages():
        receive(gateway_slug="sandbox", body=body, headers=headers, at=NOW)
    worked_on = []

    def act(row, at):
        worked_on.append(row.pk)
        if len(worked_on) == 1:
            process_deliveries(at=at)  # the other worker, which takes all the rest
        return True

    monkeypatch.setattr(webhooks, "act_on", act)
    process_deliveries(at=NOW)
    assert sorted(worked_on) == list(WebhookDelivery.objects.order_by("pk").values_list("pk", flat=True))


def test_a_row_that_breaks_does_not_keep_the_others_from_being_asked_about(profile, payer, monkeypatch):
    sandbox().faults.arm("drop_after", times=2)
    broken, good = (press_pay(payer, issued(profile), card(profile)) for _payment in range(2))
    real = reconciliation.sync_payment

    def look(*, payment_id, **fields):
        if payment_id == broken.pk:
            raise RuntimeError("this row is broken")
        return real(payment_id=payment_id, **fields)

    monkeypatch.setattr(reconciliation, "sync_payment", look)
    assert reconcile(at=NOW + timedelta(minutes=1)) == 2
    good.refresh_from_db()
    broken.refresh_from_db()
    assert (good.status, broken.status) == ("succeeded", "unknown")
    assert broken.next_lookup_at == NOW + timedelta(minutes=3)


def test_a_row_that_another_worker_took_since_it_was_read_is_left_to_it(profile, payer):
    sandbox().faults.arm("drop_after")
    payment = press_pay(payer, issued(profile), card(profile))
    at = NOW + timedelta(minutes=1)
    one, other = Payment.objects.get(pk=payment.pk), Payment.objects.get(pk=payment.pk)
    assert claim(one, "next_lookup_at", until=at)
    assert not claim(other, "next_lookup_at", until=at)


def test_the_same_new_card_twice_is_kept_once(profile):
    owner = member(profile, "profile_owner")
    for token in ("tok_4242_one", "tok_4242_two"):
        press_pay(owner, issued(profile), token=token, save_method=True)
    assert PaymentMethod.objects.filter(status="active").count() == 1


def test_a_person_who_cannot_sign_in_gets_no_mail_about_money(profile):
    member(profile, "profile_owner", email="gone@example.com", is_active=False)
    member(profile, "profile_owner", email="here@example.com")
    by_wire(issued(profile), 12000)
    assert list(OutgoingMail.objects.values_list("to", flat=True)) == ["here@example.com"]
