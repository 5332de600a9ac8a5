"""Payments that are not begun: nothing is written, nothing is charged, and the person is told why."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied

from accounts.access import system_access
from accounts.models import BillingAccount, RoleAssignment
from billing_portal.core.models import OutgoingMail
from invoices.models import Invoice
from invoices.money import Money
from invoices.operations.voiding import CannotVoid, void
from payments.models import Payment
from payments.operations.attempts import CannotPay, pay
from tests.factories import NOW, BillingProfileFactory, access_for, issued, member
from tests.payments.acts import card, charges, press_pay, sandbox, state


def nothing_was_written(invoice):
    return not Payment.objects.exists() and charges(invoice) == [] and state(invoice)[0] == "open"


def pay_together(person, invoices, method):
    """One payment for several invoices, asked for by a changed form."""
    return pay(
        access=access_for(person),
        invoice_ids=[invoice.pk for invoice in invoices],
        shown=Money(12000 * max(1, len(invoices)), "EUR"),
        attempt_key=uuid4(),
        method_id=method.pk,
        at=NOW,
        return_url=lambda payment: f"http://testserver/back/{payment.reference}",
    )


def test_the_amount_that_was_shown_must_still_be_due(profile, payer):
    invoice = issued(profile, "120.00")
    with pytest.raises(CannotPay) as problem:
        press_pay(payer, invoice, card(profile), shown=Money(11999, "EUR"))
    assert problem.value.code == "amount_changed"
    assert "€120.00" in str(problem.value)
    assert nothing_was_written(invoice)


def test_a_shown_amount_in_another_currency_is_a_difference(profile, payer):
    invoice = issued(profile, "120.00")
    with pytest.raises(CannotPay) as problem:
        press_pay(payer, invoice, card(profile), shown=Money(12000, "USD"))
    assert problem.value.code == "amount_changed"
    assert nothing_was_written(invoice)


def test_a_card_of_another_profile_is_refused(profile, payer):
    invoice = issued(profile)
    foreign = card(BillingProfileFactory(account=profile.account))
    with pytest.raises(CannotPay) as problem:
        press_pay(payer, invoice, foreign)
    assert problem.value.code == "method_gone"
    assert nothing_was_written(invoice)


def test_a_removed_and_an_expired_card_are_refused(profile, payer):
    invoice = issued(profile)
    removed = card(profile, status="removed")
    expired = card(profile, expiry_month=9, expiry_year=2026)
    for method, code in ((removed, "method_gone"), (expired, "method_expired")):
        with pytest.raises(CannotPay) as problem:
            press_pay(payer, invoice, method)
        assert problem.value.code == code
    assert nothing_was_written(invoice)


@pytest.mark.parametrize("role", ["profile_reader", "account_contributor", "account_reader"])
def test_who_may_only_look_cannot_pay(profile, role):
    invoice = issued(profile)
    person = member(profile.account if role.startswith("account") else profile, role)
    with pytest.raises((PermissionDenied, CannotPay)):
        press_pay(person, invoice, card(profile))
    assert nothing_was_written(invoice)


def test_a_stranger_does_not_even_see_the_invoice(profile):
    invoice = issued(profile)
    other = BillingProfileFactory()
    stranger = member(other, "profile_owner")
    with pytest.raises(Invoice.DoesNotExist):
        press_pay(stranger, invoice, card(profile), access=access_for(stranger, other))
    assert nothing_was_written(invoice)


def test_invoices_of_two_profiles_are_not_paid_together_even_by_who_may_pay_both(profile):
    mine, other = issued(profile), issued(BillingProfileFactory(account=profile.account))
    owner = member(profile.account, "account_owner")
    with pytest.raises(CannotPay) as problem:
        pay_together(owner, [mine, other], card(profile))
    assert problem.value.code == "mixed"
    assert nothing_was_written(mine)


def test_one_invoice_that_is_not_ours_stops_the_payment_of_all(profile, payer):
    mine, foreign = issued(profile), issued(BillingProfileFactory())
    with pytest.raises(Invoice.DoesNotExist):
        pay_together(payer, [mine, foreign], card(profile))
    with pytest.raises(Invoice.DoesNotExist):
        pay_together(payer, [], card(profile))
    assert nothing_was_written(mine)


def test_one_invoice_that_was_voided_meanwhile_stops_the_payment_of_all(profile, payer):
    """Scenario 27: the page showed the sum of three."""
    first, second, third = (issued(profile) for _number in range(3))
    void(access=system_access(), invoice_id=second.pk, reason="Sent twice", at=NOW)
    with pytest.raises(CannotPay):
        pay_together(payer, [first, second, third], card(profile))
    assert nothing_was_written(first)
    assert charges(first) == charges(second) == charges(third) == []


def test_the_key_of_a_page_of_another_profile_is_stale(profile, payer):
    """The same person, but another profile's page: that payment is not shown here, and nothing is charged."""
    other = BillingProfileFactory()
    RoleAssignment.objects.create(user=payer, role="invoice_manager", profile=other)
    key = uuid4()
    press_pay(payer, issued(other), card(other), attempt_key=key)
    invoice = issued(profile)
    with pytest.raises(CannotPay) as problem:
        press_pay(payer, invoice, card(profile), attempt_key=key)
    assert problem.value.code == "stale"
    assert charges(invoice) == []


def test_a_role_taken_away_after_the_page_was_drawn_counts(profile, payer):
    invoice = issued(profile)
    at_page = access_for(payer, profile)
    RoleAssignment.objects.filter(user=payer).delete()
    with pytest.raises(PermissionDenied):
        press_pay(payer, invoice, card(profile), access=at_page)
    assert nothing_was_written(invoice)


def test_a_person_who_was_shut_out_after_the_page_was_drawn_cannot_pay(profile, payer):
    invoice = issued(profile)
    at_page = access_for(payer, profile)
    payer.is_active = False
    payer.save()
    with pytest.raises(PermissionDenied):
        press_pay(payer, invoice, card(profile), access=at_page)
    assert nothing_was_written(invoice)


def test_paid_void_and_foreign_agreement_say_why(profile, payer):
    paid = issued(profile)
    press_pay(payer, paid, card(profile))
    voided = issued(profile)
    void(access=system_access(), invoice_id=voided.pk, reason="Sent twice", at=NOW)
    for invoice, code in ((paid, "paid"), (voided, "void")):
        with pytest.raises(CannotPay) as problem:
            press_pay(payer, invoice, card(profile), shown=Money(12000, "EUR"))
        assert problem.value.code == code
    BillingAccount.objects.update(agreement_type="enterprise")
    with pytest.raises(CannotPay) as problem:
        press_pay(payer, issued(profile), card(profile))
    assert problem.value.code == "agreement"


def test_below_the_gateways_minimum_the_invoice_stays_due_and_says_so(profile, payer, monkeypatch):
    from dataclasses import replace

    gateway = sandbox()
    monkeypatch.setattr(gateway, "capabilities", replace(gateway.capabilities, minimum_minor={"EUR": 50}))
    invoice = issued(profile, "0.49")
    with pytest.raises(CannotPay, match=r"€0\.50"):
        press_pay(payer, invoice, card(profile))
    assert nothing_was_written(invoice)


def test_above_the_gateways_maximum_nothing_is_sent_and_the_wire_is_named(profile, payer, monkeypatch):
    from dataclasses import replace

    gateway = sandbox()
    monkeypatch.setattr(gateway, "capabilities", replace(gateway.capabilities, maximum_minor={"EUR": 99_999_999}))
    invoice = issued(profile, "1000000.00")
    with pytest.raises(CannotPay, match=r"€999,999\.99\. Pay by wire transfer") as problem:
        press_pay(payer, invoice, card(profile))
    assert problem.value.code == "too_large"
    assert nothing_was_written(invoice)
    assert press_pay(payer, issued(profile, "999999.99"), card(profile)).status == "succeeded"


@pytest.mark.parametrize("wish", [{"save_method": True}, {"make_default": True}])
def test_an_invoice_manager_cannot_keep_a_card(profile, payer, wish):
    invoice = issued(profile)
    with pytest.raises(PermissionDenied):
        press_pay(payer, invoice, token="tok_4242_abc", **wish)
    assert nothing_was_written(invoice)


def test_ten_declines_in_an_hour_are_enough(profile, payer):
    invoice = issued(profile)
    bad = card(profile, "0002")
    for _time in range(10):
        assert press_pay(payer, invoice, bad).status == "declined"

    with pytest.raises(CannotPay) as problem:
        press_pay(payer, invoice, card(profile))

    assert problem.value.code == "throttled"
    assert Payment.objects.count() == 10
    assert OutgoingMail.objects.filter(template="payment_failed").count() == 1
    assert press_pay(payer, invoice, card(profile), at=NOW + timedelta(hours=2)).status == "succeeded"


def test_who_is_paying_and_since_when_stands_on_the_invoice(profile, payer):
    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "3184"))
    invoice.refresh_from_db()
    assert payment.status == "needs_customer"
    assert (invoice.payment_started_by, invoice.payment_started_at) == (payer, NOW)

    colleague = member(profile, "profile_owner")
    with pytest.raises(CannotPay) as problem:
        press_pay(colleague, invoice, card(profile))
    assert problem.value.code == "in_progress"
    assert payer.email in str(problem.value)


def test_staff_cannot_void_while_a_payment_is_in_progress(profile, payer):
    invoice = issued(profile)
    press_pay(payer, invoice, card(profile, "3184"))
    with pytest.raises(CannotVoid, match="in progress"):
        void(access=system_access(), invoice_id=invoice.pk, reason="Sent twice", at=NOW)
    assert state(invoice)[0] == "open"
