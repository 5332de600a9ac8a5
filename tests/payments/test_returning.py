"""A check that bounced or a wire that was recalled: due again, told, audited, and never twice."""

from uuid import uuid4

import pytest
from django.core import mail

from accounts.access import NotAllowed
from accounts.models import AuditEntry
from billing_portal.core.mail import send_due
from billing_portal.core.models import OutgoingMail
from invoices.models import Credit
from invoices.money import Money
from invoices.operations.credits import change_credit
from invoices.operations.dunning import update_profile_statuses
from payments.models import Dispute
from payments.operations import CannotRecord, record_payment, record_return
from tests.factories import NOW, TODAY, UserFactory, access_for, issued, member
from tests.payments.acts import books_are_clean, card, press_pay, staff, state

pytestmark = pytest.mark.django_db


def recorded(invoice, minor=12000, channel="check", **fields):
    payment = record_payment(
        access=staff(), invoice_id=invoice.pk, amount=Money(minor, "EUR"), channel=channel, bank_reference="000123",
        received_on=TODAY, attempt_key=uuid4(), at=NOW,
    )  # fmt: skip
    OutgoingMail.objects.all().delete()
    return payment


def bounce(payment, *, reason="No funds", access=None):
    return record_return(access=access or staff(), payment_id=payment.pk, reason=reason, at=NOW)


def test_a_check_that_comes_back_leaves_the_invoice_due_and_those_who_handle_it_told(profile):
    """Scenario 46."""
    invoice = issued(profile)
    member(profile, "invoice_manager", email="manager@example.com")
    payment = bounce(recorded(invoice))
    assert state(invoice) == ("open", 0, 12000)
    assert invoice.charged_back_minor == payment.charged_back_minor == 12000
    assert invoice.next_reminder_on is not None
    entry = AuditEntry.objects.get(action="payment.returned")
    assert (entry.detail["amount_minor"], entry.detail["reason"]) == (12000, "No funds")
    send_due(at=NOW)
    (message,) = mail.outbox
    assert message.to == ["manager@example.com"]
    assert "the check bounced, or the wire was recalled" in " ".join(message.body.split())
    assert not Dispute.objects.filter(needs_staff=True).exists()
    assert books_are_clean()


def test_it_comes_back_once(profile):
    payment = recorded(issued(profile))
    bounce(payment)
    with pytest.raises(CannotRecord, match="gone back already"):
        bounce(payment)
    assert Dispute.objects.count() == 1


def test_a_credit_that_was_used_meanwhile_is_for_staff(profile):
    payment = recorded(issued(profile), 15000)
    change_credit(Credit.objects.get(), Money(-3000, "EUR"), at=NOW)
    bounce(payment)
    dispute = Dispute.objects.get()
    assert (dispute.taken_minor, dispute.missing, dispute.needs_staff) == (12000, Money(3000, "EUR"), True)


def test_only_staff_with_a_reason_and_only_for_what_staff_recorded(profile, payer):
    invoice, other = issued(profile), issued(profile)
    payment, by_card = recorded(invoice), press_pay(payer, other, card(profile))
    with pytest.raises(NotAllowed):
        bounce(payment, access=access_for(payer, profile))
    with pytest.raises(CannotRecord, match="why"):
        bounce(payment, reason=" ")
    with pytest.raises(CannotRecord, match="Only a check or wire"):
        bounce(by_card)
    assert state(invoice) == state(other) == ("paid", 12000, 0)
    assert not Dispute.objects.exists()


def test_staff_record_it_in_admin(client, profile):
    invoice = issued(profile)
    payment = recorded(invoice)
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    url = f"/admin/payments/payment/{payment.pk}/returned/"
    assert url in client.get(f"/admin/payments/payment/{payment.pk}/change/").content.decode()
    assert "€120.00" in client.get(url).content.decode()
    client.post(url, {"note": "No funds"})
    assert state(invoice) == ("open", 0, 12000)
    assert url not in client.get(f"/admin/payments/payment/{payment.pk}/change/").content.decode()


def test_what_is_late_again_warns_again(profile, settings):
    settings.WARN_AFTER_DAYS = 1
    invoice = issued(profile, due_on=TODAY.replace(day=1))
    payment = recorded(invoice)
    assert update_profile_statuses(at=NOW, limit=10) == 0
    bounce(payment)
    assert update_profile_statuses(at=NOW, limit=10) == 1
