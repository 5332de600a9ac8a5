"""One person presses Pay now."""

from datetime import date
from uuid import uuid4

import pytest

from accounts.models import AuditEntry
from billing_portal.core.models import OutgoingMail
from invoices.models import Credit
from payments.gateways.sandbox.models import CardPayment
from payments.models import Payment, PaymentAllocation, PaymentEvent, PaymentMethod
from payments.operations.attempts import CannotPay
from tests.factories import NOW, access_for, issued, member
from tests.payments.acts import books_are_clean, card, charges, press_pay, state


def test_a_stored_card_pays_the_invoice_once_with_one_mail_and_one_audit_entry(profile, payer):
    invoice = issued(profile, "120.00")

    payment = press_pay(payer, invoice, card(profile))

    assert payment.status == "succeeded"
    assert state(invoice) == ("paid", 12000, 0)
    assert (invoice.paid_with, invoice.paid_at, invoice.is_being_paid) == ("Visa •••• 4242", payment.finished_at, False)
    assert charges(invoice) == [12000]
    assert list(payment.events.values_list("result", flat=True).order_by("pk")) == ["begun", "succeeded"]
    assert list(OutgoingMail.objects.values_list("to", "template")) == [(payer.email, "payment_succeeded")]
    assert AuditEntry.objects.filter(action="payment.succeeded", actor=payer, subject=payment.reference).count() == 1
    assert books_are_clean()


def test_the_same_page_sent_twice_is_one_payment_and_one_charge(profile, payer):
    invoice, visa, key = issued(profile), card(profile), uuid4()
    due = invoice.amount_due

    first = press_pay(payer, invoice, visa, attempt_key=key, shown=due)
    second = press_pay(payer, invoice, visa, attempt_key=key, shown=due)

    assert second.pk == first.pk
    assert charges(invoice) == [12000]
    assert OutgoingMail.objects.count() == 1


def test_a_page_key_that_belongs_to_somebody_else_is_refused(profile, payer):
    first, second, key = issued(profile), issued(profile), uuid4()
    press_pay(payer, first, card(profile), attempt_key=key)
    colleague = member(profile, "profile_owner")

    with pytest.raises(CannotPay) as problem:
        press_pay(colleague, second, card(profile), attempt_key=key)

    assert problem.value.code == "stale"
    assert charges(second) == []


def test_a_new_card_pays_without_staying_on_the_profile(profile, payer):
    invoice = issued(profile)

    payment = press_pay(payer, invoice, token="tok_4444_abc")

    assert payment.status == "succeeded"
    assert (payment.card_brand, payment.card_last_four) == ("mastercard", "4444")
    assert payment.method_label == "Mastercard •••• 4444"
    assert not PaymentMethod.objects.exists()


def test_an_owner_may_keep_the_new_card_and_make_it_the_default(profile):
    owner = member(profile, "profile_owner")
    old = card(profile, is_default=True)

    payment = press_pay(owner, issued(profile), token="tok_4444_abc", save_method=True, make_default=True)

    old.refresh_from_db()
    kept = PaymentMethod.objects.get(last_four="4444")
    assert (kept.is_default, old.is_default, kept.created_by, payment.method) == (True, False, owner, kept)
    assert press_pay(owner, issued(profile), kept).status == "succeeded"


def test_keeping_the_same_card_twice_keeps_it_once(profile):
    owner = member(profile, "profile_owner")
    for _time in range(2):
        press_pay(owner, issued(profile), token=f"tok_4444_{uuid4().hex}", save_method=True)
    assert PaymentMethod.objects.filter(last_four="4444").count() == 1
    assert not PaymentMethod.objects.filter(is_default=True).exists()


def test_a_card_that_is_declined_is_never_kept(profile):
    owner = member(profile, "profile_owner")
    press_pay(owner, issued(profile), token="tok_0002_abc", save_method=True, make_default=True)
    assert not PaymentMethod.objects.exists()


def test_a_declined_card_charges_nothing_and_a_good_one_pays_afterwards(profile, payer):
    invoice = issued(profile)

    declined = press_pay(payer, invoice, card(profile, "9995"))
    assert (declined.status, declined.decline_code) == ("declined", "insufficient_funds")
    assert state(invoice) == ("open", 0, 12000)
    assert not invoice.is_being_paid

    paid = press_pay(payer, invoice, card(profile))

    declined.refresh_from_db()
    assert (paid.status, declined.status) == ("succeeded", "declined")
    assert paid.pk != declined.pk
    assert charges(invoice) == [12000]
    assert set(OutgoingMail.objects.values_list("template", flat=True)) == {"payment_failed", "payment_succeeded"}
    assert books_are_clean()


def test_a_card_is_good_until_the_last_day_of_its_month(profile, payer):
    assert press_pay(payer, issued(profile), card(profile, expiry_month=10, expiry_year=2026)).status == "succeeded"


@pytest.mark.parametrize("role", ["profile_owner", "profile_contributor", "invoice_manager", "account_owner"])
def test_who_may_pay_pays(profile, role):
    person = member(profile.account if role.startswith("account") else profile, role)
    assert press_pay(person, issued(profile), card(profile)).status == "succeeded"


def test_an_invoice_of_zero_is_settled_without_the_gateway(profile):
    invoice = issued(profile, "0.00")
    assert state(invoice) == ("paid", 0, 0)
    assert not CardPayment.objects.exists()


def test_paying_needs_at_most_seventeen_queries_in_two_transactions(profile, payer, django_assert_max_num_queries):
    invoice, visa = issued(profile), card(profile)
    access, due = access_for(payer, profile), invoice.amount_due
    with django_assert_max_num_queries(17 + 4):  # within a test, each of the two transactions adds two savepoints
        from payments.operations.attempts import pay

        pay(
            access=access,
            invoice_ids=[invoice.pk],
            shown=due,
            attempt_key=uuid4(),
            method_id=visa.pk,
            at=NOW,
            return_url=lambda payment: "http://testserver/",
        )
    assert state(invoice)[0] == "paid"


def test_events_cannot_be_changed_and_amounts_cannot_be_negative(profile, payer):
    from django.db import IntegrityError, transaction

    payment = press_pay(payer, issued(profile), card(profile))
    with pytest.raises(Exception, match="never changed"), transaction.atomic():
        PaymentEvent.objects.filter(payment=payment).update(result="forged")
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.filter(pk=payment.pk).update(amount_minor=0)
    assert Credit.objects.count() == 0
    assert PaymentAllocation.objects.get().is_open is False


def test_due_dates_and_amounts_do_not_depend_on_where_the_reader_is(profile, payer):
    from django.utils import timezone, translation

    invoice = issued(profile, due_on=date(2026, 10, 26))
    for zone, language in (("Pacific/Auckland", "nl"), ("America/Los_Angeles", "en")):
        with timezone.override(zone), translation.override(language):
            invoice.refresh_from_db()
            assert (invoice.due_on, invoice.amount_due_minor) == (date(2026, 10, 26), 12000)
            assert profile.day_of(NOW) == date(2026, 10, 26)
