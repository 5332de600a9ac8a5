"""Who gets the mail of a payment, and what it says of money that no invoice needed."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.core import mail

from accounts.models import RoleAssignment
from billing_portal.core.mail import render, send_due
from billing_portal.core.models import OutgoingMail
from invoices.models import Invoice
from invoices.operations.dunning import remind_due, update_profile_statuses
from invoices.operations.voiding import void
from invoices.summaries import summary_of
from payments.gateways.base import Outcome, Result
from payments.models import PaymentEvent
from payments.operations.manual_payments import record_payment
from payments.operations.notifications import announce_due
from payments.operations.settlement import settle
from tests.factories import NOW, granted, issued, member
from tests.payments.acts import card, press_pay, run_reconciler, sandbox, staff
from tests.payments.pages import browser, page_of, text_of

pytestmark = pytest.mark.django_db


def receipts() -> list[str]:
    rows = OutgoingMail.objects.filter(template="payment_succeeded")
    return list(rows.order_by("to").values_list("to", flat=True))


def receipt(language="en") -> str:
    row = OutgoingMail.objects.get(template="payment_succeeded")
    rendered = render(row.template, row.context, language)
    return f"{rendered.subject}\n{rendered.text}"


@pytest.fixture
def lost(profile, payer):
    """A payment whose answer was lost: it succeeds at the first look-up."""
    sandbox().faults.arm("drop_after")
    return press_pay(payer, issued(profile), card(profile))


def test_the_payer_alone_gets_the_receipt_while_they_may_see_the_invoice(lost, payer, profile):
    member(profile, "profile_owner", email="owner@example.com")
    run_reconciler(5)
    assert receipts() == [payer.email]


@pytest.mark.parametrize("how", ["role", "deactivated"])
def test_once_they_may_not_those_who_handle_the_invoices_and_the_owners_get_it(lost, payer, profile, how):
    member(profile, "invoice_manager", email="manager@example.com")
    member(profile.account, "account_owner", email="owner@example.com")
    member(profile, "profile_reader", email="reader@example.com")
    if how == "role":
        RoleAssignment.objects.filter(user=payer).delete()
    else:
        payer.is_active = False
        payer.save()
    run_reconciler(5)
    assert receipts() == ["manager@example.com", "owner@example.com"]
    lost.refresh_from_db()
    reader = member(profile, "profile_owner")
    text = text_of(browser(reader).get(page_of(lost)))
    assert "Receipt sent to manager@example.com owner@example.com" in text
    assert f"Receipt sent to {payer.email}" not in text


def test_money_for_an_invoice_that_was_paid_meanwhile_is_said_to_be_a_credit(lost, payer, profile):
    invoice = lost.allocations.get().invoice
    record_payment(
        access=staff(), invoice_id=invoice.pk, amount=invoice.amount_due, channel="wire", bank_reference="W-1",
        received_on=NOW.date(), attempt_key=uuid4(), at=NOW,
    )  # fmt: skip
    OutgoingMail.objects.all().delete()
    run_reconciler(5)
    assert "€120.00 received and kept as a credit" in receipt()
    assert "The invoice had been paid already. €120.00 became a credit of Operations NL" in receipt()
    lost.refresh_from_db()
    assert "The invoice had been paid already. €120.00 became a credit" in text_of(browser(payer).get(page_of(lost)))


def test_money_for_an_invoice_that_was_voided_meanwhile_is_said_to_be_a_credit(lost, profile):
    end = Outcome(Result.EXPIRED)
    settle(payment_id=lost.pk, outcome=end, source=PaymentEvent.Source.RECONCILER, at=NOW)
    void(access=staff(), invoice_id=lost.allocations.get().invoice_id, reason="Sent twice", at=NOW)
    OutgoingMail.objects.all().delete()
    success = Outcome(Result.SUCCEEDED, amount=lost.amount)
    settle(payment_id=lost.pk, outcome=success, source=PaymentEvent.Source.WEBHOOK, at=NOW + timedelta(hours=2))
    assert "The invoice is void, so nothing was due on it. €120.00 became a credit of Operations NL" in receipt()


def test_money_that_is_more_than_was_due_is_said_to_be_a_credit(payer, profile):
    invoice = issued(profile)
    amount = type(invoice.amount_due)(15000, "EUR")
    record_payment(
        access=staff(), invoice_id=invoice.pk, amount=amount, channel="wire", bank_reference="W-1",
        received_on=NOW.date(), attempt_key=uuid4(), at=NOW,
    )  # fmt: skip
    assert "€150.00 paid" in receipt()
    assert "That is more than was due. €30.00 became a credit of Operations NL" in receipt()


def test_an_ordinary_receipt_speaks_of_no_credit(payer, profile):
    press_pay(payer, issued(profile), card(profile))
    assert "credit" not in receipt()


def announced(**fields) -> str:
    Invoice.objects.update(**fields)
    announce_due(at=NOW, limit=10)
    row = OutgoingMail.objects.filter(template="invoice_ready").latest("pk")
    return render(row.template, row.context, "en").text


def test_credits_are_said_to_cover_an_invoice_only_where_they_did(payer, profile):
    granted(profile, 12000)
    issued(profile)
    assert "Credits cover it. You have nothing to pay." in announced()


def test_an_invoice_that_was_paid_before_its_mail_says_so(payer, profile):
    granted(profile, 2000)
    press_pay(payer, issued(profile), card(profile))
    text = announced()
    assert "It has been paid already. You have nothing to pay." in text
    assert "Credits" not in text


def test_mails_of_one_moment_and_the_pages_name_one_figure_as_past_due(payer, profile):
    """Two invoices are past due; the reminder's day has come for one of them only."""
    profile.charges_automatically = False
    profile.save()
    for amount in ("100.00", "250.50"):
        issued(profile, amount)
    first = Invoice.objects.earliest("pk")
    at = datetime(2026, 12, 25, 11, tzinfo=UTC)  # 30 days late
    Invoice.objects.exclude(pk=first.pk).update(next_reminder_on=None)
    remind_due(at=at, limit=10)
    update_profile_statuses(at=at, limit=10)
    send_due(at=at + timedelta(minutes=1))
    assert summary_of(profile, at.date()).past_due.minor == 35050
    by_subject = {message.subject: message.body for message in mail.outbox}
    assert list(by_subject) == ["€350.50 is past due · Operations NL", "Billing profile disabled · Operations NL"]
    for body in by_subject.values():
        assert "2 invoices are past due, €350.50 in total." in body
