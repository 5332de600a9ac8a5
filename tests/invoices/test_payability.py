"""Why an invoice cannot be paid, in the words that the reader sees; and the figures above the list."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation

from accounts.access import access_of
from invoices.models import Invoice
from invoices.money import Money
from invoices.operations.invoice_payments import mark_payment_started
from invoices.payability import NotPayableReason, reason_not_payable
from invoices.summaries import Summary, summary_of
from tests.factories import NOW, TODAY, BillingAccountFactory, BillingProfileFactory, draft, issued, member
from tests.invoices.bookings import apply_payment

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW)


def reason(invoice, role="invoice_manager"):
    access = access_of(member(invoice.profile, role)).inside(invoice.profile)
    found = reason_not_payable(invoice, access)
    return found and (found.code, found.text)


@pytest.mark.parametrize("role", ["profile_owner", "profile_contributor", "invoice_manager"])
def test_who_may_pay_an_open_invoice_has_no_reason_not_to(profile, role):
    assert reason(issued(profile), role) is None


def test_the_owner_of_the_account_may_pay_and_its_contributor_may_not(profile):
    invoice = issued(profile)
    for role, code in (
        ("account_owner", None),
        ("account_contributor", NotPayableReason.ROLE),
        ("account_reader", NotPayableReason.ROLE),
    ):
        found = reason_not_payable(invoice, access_of(member(profile.account, role)).inside(profile))
        assert (found.code if found else None) == code


def test_a_role_that_does_not_pay(profile):
    text = (
        "Your role does not include paying. These roles do: "
        "Billing account owner, Billing profile owner, Billing profile contributor, Invoice manager."
    )
    assert reason(issued(profile), "profile_reader") == (NotPayableReason.ROLE, text)


def test_paid(profile):
    invoice = issued(profile)
    at = datetime(2026, 9, 8, 12, 0, tzinfo=ZoneInfo("Europe/Amsterdam"))
    apply_payment(invoice, invoice.amount_due, at=at, paid_with="Visa •••• 4242", ends_attempt=True)
    assert reason(invoice) == (NotPayableReason.PAID, "Paid 8 Sep · Visa •••• 4242")
    with translation.override("nl"):
        assert reason(invoice)[1].endswith("8 sep · Visa •••• 4242") or "8 sep 2026" in reason(invoice)[1]


def test_paid_last_year_says_the_year_and_on_the_day_of_the_profile():
    invoice = issued(BillingProfileFactory(time_zone="Asia/Tokyo"))
    at = datetime(2025, 9, 8, 23, 0, tzinfo=ZoneInfo("Europe/Amsterdam"))
    apply_payment(invoice, invoice.amount_due, at=at, paid_with="Visa •••• 4242", ends_attempt=True)
    assert reason(invoice) == (NotPayableReason.PAID, "Paid 9 Sep 2025 · Visa •••• 4242")


def test_settled_without_money(profile):
    assert reason(issued(profile, "0.00")) == (NotPayableReason.PAID, "Nothing is left to pay.")


def test_void(profile):
    invoice = issued(profile)
    Invoice.objects.filter(pk=invoice.pk).update(status="void", void_reason="Sent twice")
    invoice.refresh_from_db()
    assert reason(invoice) == (NotPayableReason.VOID, "Void: Sent twice")


def test_draft(profile):
    assert reason(draft(profile)) == (NotPayableReason.DRAFT, "This invoice has not been issued yet.")


def test_in_progress_says_who_and_since_when_on_the_clock_of_the_profile(profile):
    invoice = issued(profile)
    mark_payment_started(invoice, by=member(profile, "profile_owner", name="Ada"), at=NOW)
    assert reason(invoice) == (NotPayableReason.IN_PROGRESS, "Started 09:00 by Ada")
    mark_payment_started(invoice, by=None, at=NOW - timedelta(days=1))
    assert reason(invoice) == (NotPayableReason.IN_PROGRESS, "Started 25 Oct 09:00, automatic charge")


def test_nothing_due(profile):
    invoice = issued(profile)
    Invoice.objects.filter(pk=invoice.pk).update(credited_minor=12000)
    invoice.refresh_from_db()
    assert reason(invoice) == (NotPayableReason.NOTHING_DUE, "Nothing is due on this invoice.")


@pytest.mark.parametrize("kind", ["enterprise", "partner"])
def test_an_agreement_that_does_not_pay_by_card(kind):
    account = BillingAccountFactory(agreement_type=kind)
    text = f"Not payable by card under this agreement type: {kind.capitalize()} agreement."
    assert reason(issued(BillingProfileFactory(account=account))) == (NotPayableReason.AGREEMENT, text)


def test_a_disabled_profile():
    invoice = issued(BillingProfileFactory(status="closed"))
    assert reason(invoice) == (NotPayableReason.PROFILE_CLOSED, "This billing profile is closed. Contact us to pay.")


def test_above_the_card_limit_of_a_profile_that_pays_by_wire(settings):
    settings.CARD_LIMITS_FOR_WIRE = {"EUR": "100.00"}
    profile = BillingProfileFactory(default_method="check_wire")
    assert reason(issued(profile, "100.01")) == (
        NotPayableReason.CARD_LIMIT,
        "Above the card limit of €100.00. Pay by wire transfer.",
    )
    assert reason(issued(profile, "100.00")) is None
    assert reason(issued(BillingProfileFactory(), "100.01")) is None


def test_the_figures_leave_out_what_is_being_paid_where_the_labels_do(profile, django_assert_num_queries):
    issued(profile, "100.00", due_on=TODAY - timedelta(days=12))
    issued(profile, "50.00", due_on=TODAY - timedelta(days=1))
    issued(profile, "30.00", due_on=TODAY)
    issued(profile, "7.00", due_on=TODAY)
    issued(profile, "5.00", due_on=TODAY + timedelta(days=30))
    busy = issued(profile, "2.90", due_on=TODAY - timedelta(days=40))
    mark_payment_started(busy, by=None, at=NOW)
    issued(profile, "0.00")
    issued(BillingProfileFactory(account=profile.account), "999.00")
    with django_assert_num_queries(1):
        summary = summary_of(profile, TODAY)
    assert summary == Summary(
        count=6,
        due=Money(19490, "EUR"),
        being_paid=Money(290, "EUR"),
        past_due_count=2,
        past_due=Money(15000, "EUR"),
        days_late=12,
        next_due_on=date(2026, 10, 26),
        next_due=Money(3700, "EUR"),
    )


def test_the_figures_of_a_profile_without_invoices_are_zero(profile):
    zero = Money(0, "EUR")
    assert summary_of(profile, TODAY) == Summary(0, zero, zero, 0, zero, 0, None, zero)
