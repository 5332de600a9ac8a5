"""Credits pay for an invoice when it is issued: in a fixed order, for what they may pay, and each of them once."""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from threading import Barrier, BrokenBarrierError

import pytest
from django.db import transaction

from accounts.access import system_access
from accounts.models import AuditEntry
from invoices.models import Credit, CreditEntry, Invoice, InvoiceLine
from invoices.operations import credits as credit_operations
from invoices.operations.credits import apply_at_issue
from invoices.operations.issuing import issue
from invoices.querysets import CreditQuerySet
from tests.factories import NOW, TODAY, BillingProfileFactory, draft, granted, issued, taxed
from tests.payments.acts import at_once

pytestmark = pytest.mark.django_db


def amounts(invoice: Invoice) -> tuple[str, int, int]:
    return invoice.status, invoice.credited_minor, invoice.amount_due_minor


def left() -> list[int]:
    return list(Credit.objects.order_by("pk").values_list("remaining_minor", flat=True))


def test_a_credit_of_30_leaves_70_of_an_invoice_of_100(profile):
    lot = granted(profile, 3000)
    invoice = issued(profile, "100.00")
    assert amounts(invoice) == ("open", 3000, 7000)
    assert invoice.credited_at_issue_minor == 3000
    assert list(lot.entries.order_by("pk").values_list("kind", "amount_minor", "invoice", "at")) == [
        ("granted", 3000, None, NOW),
        ("applied", -3000, invoice.pk, NOW),
    ]
    entry = AuditEntry.objects.get(action="credit.applied")
    assert (entry.subject, entry.detail) == (invoice.number, {"amount_minor": 3000, "currency": "EUR"})


def test_a_credit_that_covers_it_pays_the_invoice_and_no_card_is_charged_for_it(profile):
    granted(profile, 15000)
    invoice = issued(profile, "100.00")
    assert amounts(invoice) == ("paid", 10000, 0)
    assert (invoice.paid_at, invoice.paid_with) == (NOW, "Credits")
    assert (invoice.autopay_on, invoice.next_reminder_on) == (None, None)
    assert left() == [5000]


def test_without_credits_it_is_one_query_and_the_plans_stay(profile, django_assert_num_queries):
    invoice = issued(profile, "100.00")
    assert invoice.next_reminder_on is not None
    with django_assert_num_queries(1):
        applied = apply_at_issue(access=system_access(), invoice_ids=[invoice.pk], at=NOW)
    assert applied == 0


def test_many_invoices_cost_as_many_queries_as_one(profile, django_assert_num_queries):
    profiles = [profile, *(BillingProfileFactory() for _more in range(4))]
    invoices = [issued(one, "100.00").pk for one in profiles for _twice in range(2)]
    for one in profiles:
        granted(one, 15000)
    with django_assert_num_queries(8):
        applied = apply_at_issue(access=system_access(), invoice_ids=invoices, at=NOW)
    assert applied == 10
    assert left() == [0] * 5
    assert sorted(Invoice.objects.values_list("credited_minor", flat=True)) == [5000] * 5 + [10000] * 5


def test_what_expires_first_is_used_first_then_what_is_oldest(profile):
    never_new = granted(profile, 1000, at=NOW)
    never_old = granted(profile, 1000, at=NOW - timedelta(days=9))
    late = granted(profile, 1000, expires_on=TODAY + timedelta(days=60))
    soon = granted(profile, 1000, expires_on=TODAY)
    issued(profile, "35.00")
    order = CreditEntry.objects.filter(kind="applied").order_by("pk").values_list("credit", "amount_minor")
    assert list(order) == [(soon.pk, -1000), (late.pk, -1000), (never_old.pk, -1000), (never_new.pk, -500)]


@pytest.mark.parametrize(
    "fields",
    [
        {"expires_on": TODAY - timedelta(days=1)},
        {"starts_on": TODAY + timedelta(days=1)},
        {"currency": "USD"},
    ],
    ids=["expired", "not yet started", "other currency"],
)
def test_a_credit_that_may_not_be_used_is_left_alone(profile, fields):
    granted(profile, 5000, **fields)
    assert amounts(issued(profile, "100.00")) == ("open", 0, 10000)
    assert left() == [5000]


def test_a_credit_of_another_profile_is_left_alone(profile):
    granted(BillingProfileFactory(account=profile.account), 5000)
    assert amounts(issued(profile, "100.00")) == ("open", 0, 10000)


def test_the_first_and_the_last_day_count(profile):
    granted(profile, 5000, starts_on=TODAY, expires_on=TODAY)
    assert amounts(issued(profile, "100.00")) == ("open", 5000, 5000)


def test_only_lines_that_credits_may_pay_for_are_paid_with_their_tax(profile):
    granted(profile, 50000)
    invoice = draft(profile, "100.00", tax_rate="21")
    InvoiceLine.objects.create(
        invoice=invoice, description="Marketplace", unit_price=Decimal("40.00"), is_creditable=False, **taxed()
    )
    invoice = issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)
    assert amounts(invoice) == ("open", 12100, 4000)
    assert left() == [37900]


@pytest.mark.parametrize(("creditable", "other", "credited"), [("100.00", "-70.00", 3000), ("-30.00", "100.00", 0)])
def test_never_more_than_is_due_and_never_less_than_nothing(profile, creditable, other, credited):
    granted(profile, 50000)
    invoice = draft(profile, creditable)
    InvoiceLine.objects.create(
        invoice=invoice, description="Other", unit_price=Decimal(other), is_creditable=False, **taxed()
    )
    invoice = issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)
    assert invoice.credited_minor == credited
    assert left() == [50000 - credited]


def test_a_rolled_back_issue_uses_no_granted(profile):
    granted(profile, 5000)
    invoice = draft(profile, "100.00")
    with transaction.atomic():
        issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)
        transaction.set_rollback(True)
    assert left() == [5000]
    assert CreditEntry.objects.count() == 1


def apply_two_at_once(profile, monkeypatch):
    """Two invoices of 40, and one credit of 50. Both have read the lots before either writes, unless a lock makes one
    of them wait."""
    invoices = [issued(profile, "40.00"), issued(profile, "40.00")]
    granted(profile, 5000)
    real = credit_operations.move

    both = Barrier(2)

    def together(*arguments, **options):
        with suppress(BrokenBarrierError):  # the other waits for a lock
            both.wait(2)
        real(*arguments, **options)

    monkeypatch.setattr(credit_operations, "move", together)

    def act(invoice):
        def run():
            with transaction.atomic():
                return apply_at_issue(access=system_access(), invoice_ids=[invoice.pk], at=NOW)

        return run

    return at_once(*[act(invoice) for invoice in invoices])


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_two_invoices_at_once_use_one_credit_of_50_once(profile, monkeypatch):
    assert apply_two_at_once(profile, monkeypatch) == [1, 1]
    assert sorted(Invoice.objects.values_list("credited_minor", flat=True)) == [1000, 4000]
    assert left() == [0]


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_the_second_is_refused_by_the_database_only(profile, monkeypatch):
    """The negative control: the lock matters, and behind it stands a constraint."""
    monkeypatch.setattr(CreditQuerySet, "locked", lambda self: self.order_by("pk"))
    results = apply_two_at_once(profile, monkeypatch)
    assert sorted(type(result).__name__ for result in results) == ["IntegrityError", "int"]
    assert sorted(Invoice.objects.values_list("credited_minor", flat=True)) == [0, 4000]


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_two_drafts_issued_at_once_use_one_credit_of_50_once(profile):
    drafts = [draft(profile, "40.00"), draft(profile, "40.00")]
    granted(profile, 5000)

    def act(invoice):
        return lambda: issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW).credited_minor

    assert sorted(at_once(*[act(invoice) for invoice in drafts])) == [1000, 4000]
    assert left() == [0]
