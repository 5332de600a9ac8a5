"""The ledger: nothing in it changes, nothing is booked twice, and what accountants read from it adds up."""

import csv
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.access import system_access
from accounts.models import User
from invoices.journal import last_closed_day, receivables_by_age, trial_balance
from invoices.ledger import RECEIVABLE, REVENUE, book, transfer
from invoices.models import Invoice, LedgerAccount, Transfer
from invoices.money import Money
from invoices.operations.credit_notes import credit_note
from invoices.operations.credits import apply_credits, expire_credits, take_back_credit
from invoices.operations.voiding import void
from tests.factories import NOW, BillingProfileFactory, UserFactory, billed_until, granted, issued
from tests.invoices.bookings import apply_payment
from tests.invoices.test_export import cells
from tests.payments.acts import staff

pytestmark = pytest.mark.django_db

Kind = Transfer.Kind


def booked(**about) -> list[tuple[str, str, str, int]]:
    rows = Transfer.objects.filter(**about).order_by("pk")
    return list(rows.values_list("kind", "debit", "credit", "amount_minor"))


def test_an_issue_books_what_is_owed_and_its_tax_by_rate(profile):
    invoice = issued(profile, "100.00", tax_rate="21")
    assert booked(invoice=invoice) == [
        ("invoice", "receivable", "revenue", 10000),
        ("invoice", "receivable", "tax:S:21", 2100),
    ]


def test_a_void_books_it_back(profile):
    invoice = issued(profile, "100.00", tax_rate="21")
    void(access=system_access(), invoice_id=invoice.pk, reason="Sent twice", at=NOW + timedelta(days=1))
    assert booked(invoice=invoice)[2:] == [
        ("credit_note", "revenue", "receivable", 10000),
        ("credit_note", "tax:S:21", "receivable", 2100),
    ]
    assert set(Transfer.objects.filter(kind="credit_note").values_list("booked_on", flat=True)) == {date(2026, 10, 27)}


def test_a_note_of_a_paid_invoice_becomes_a_credit(profile):
    invoice = issued(profile)
    apply_payment(invoice, invoice.amount_due, at=NOW, paid_with="Wire transfer", ends_attempt=False)
    credit_note(access=staff(), invoice_id=invoice.pk, reason="Billed twice", today=NOW.date(), at=NOW)
    assert booked(kind="credit_note") == [
        ("credit_note", "receivable", "customer_credit", 12000),
        ("credit_note", "revenue", "receivable", 12000),
    ]


def test_the_life_of_a_credit(profile):
    invoice = issued(profile, "30.00")
    lot = granted(profile, 5000, expires_on=NOW.date())
    apply_credits(access=staff(), invoice_id=invoice.pk, at=NOW)
    billed_until(profile, NOW.date() + timedelta(days=1))
    expire_credits(at=NOW + timedelta(days=2))
    paid_in = granted(profile, 700, source="prepayment")
    take_back_credit(access=staff(), credit_id=paid_in.pk, reason="Paid back", at=NOW)
    assert booked(lot=lot) == [
        ("credit_granted", "goodwill", "customer_credit", 5000),
        ("credit_applied", "customer_credit", "receivable", 3000),
        ("credit_expired", "customer_credit", "goodwill", 2000),
    ]
    assert booked(lot=paid_in) == [
        ("credit_granted", "bank", "customer_credit", 700),
        ("credit_taken_back", "customer_credit", "bank", 700),
    ]


def a_transfer(invoice, **fields) -> Transfer:
    about = {"debit": RECEIVABLE, "credit": REVENUE, "key": "test", "invoice_id": invoice.pk}
    return transfer(Kind.INVOICE, Money(100, "EUR"), profile_id=invoice.profile_id, at=NOW, **about | fields)


def test_a_fact_is_booked_once(profile):
    invoice = issued(profile)
    book(a_transfer(invoice))
    with pytest.raises(IntegrityError), transaction.atomic():
        book(a_transfer(invoice))


@pytest.mark.parametrize(
    "statement", ["UPDATE invoices_transfer SET amount_minor = 1", "DELETE FROM invoices_transfer"]
)
def test_the_database_refuses_to_change_it(profile, statement):
    issued(profile)
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "fields", [{"invoice_id": None}, {"credit": RECEIVABLE}, {"debit": "customer_credit", "credit": REVENUE}]
)
def test_a_transfer_that_says_too_little_is_refused(profile, fields):
    with pytest.raises(IntegrityError), transaction.atomic():
        book(a_transfer(issued(profile), **fields))


def test_what_goes_the_other_way_and_what_comes_to_nothing(profile):
    invoice = issued(profile)
    row = transfer(
        Kind.INVOICE, Money(-5, "EUR"), debit="a", credit="b", key="k", profile_id=invoice.profile_id, at=NOW
    )
    assert (row.debit, row.credit, row.amount_minor) == ("b", "a", 5)
    book(transfer(Kind.INVOICE, Money(0, "EUR"), debit="a", credit="b", key="k", profile_id=profile.pk, at=NOW))
    assert not Transfer.objects.filter(key="k").exists()


@pytest.fixture
def two_customers():
    """One owes 50.00 of October that is 40 days late at the end of the year, and 80.00 that is not due yet; the other
    owes 10 dinars."""
    first, second = BillingProfileFactory(name="Operations"), BillingProfileFactory(name="Research", currency="KWD")
    late = issued(first, due_on=date(2026, 11, 21))
    apply_payment(late, Money(7000, "EUR"), at=NOW, paid_with="Wire transfer", ends_attempt=False)
    issued(first, "80.00", due_on=date(2027, 1, 15))
    issued(second, "10.000", due_on=date(2026, 12, 31))
    return first, second


LAST_DAY = date(2026, 12, 31)


def test_the_trial_balance_balances_in_each_currency(two_customers):
    rows = trial_balance(LAST_DAY)
    assert [(row.account, row.balance.minor, row.balance.currency) for row in rows] == [
        ("bank", 7000, "EUR"),
        ("receivable", 13000, "EUR"),
        ("revenue", -20000, "EUR"),
        ("receivable", 10000, "KWD"),
        ("revenue", -10000, "KWD"),
    ]
    assert trial_balance(NOW.date() - timedelta(days=1)) == []


def test_receivables_by_age_at_any_day(two_customers):
    ages = {row.name: [part.minor for part in row.parts] for row in receivables_by_age(LAST_DAY)}
    assert ages == {"Operations": [8000, 0, 5000, 0, 0], "Research": [10000, 0, 0, 0, 0]}
    apply_payment(
        Invoice.objects.get(profile__name="Research"), Money(10000, "KWD"), at=datetime(2027, 1, 2, 12, tzinfo=UTC),
        paid_with="Wire transfer", ends_attempt=False,
    )  # fmt: skip
    assert {row.name: [part.minor for part in row.parts] for row in receivables_by_age(LAST_DAY)} == ages
    assert [row.name for row in receivables_by_age(date(2027, 1, 2))] == ["Operations"]


def test_the_last_closed_day_is_over_for_some_hours():
    assert last_closed_day(datetime(2026, 11, 1, 2, tzinfo=UTC)) == date(2026, 10, 30)
    assert last_closed_day(datetime(2026, 11, 1, 6, tzinfo=UTC)) == date(2026, 10, 31)


@pytest.fixture
def accountant(client, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: datetime(2027, 1, 3, 12, tzinfo=UTC))
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_transfer"))
    client.force_login(clerk)
    return client


def report(client, name, **query):
    return client.get(reverse(f"admin:invoices_{name}"), query)


def table(answer) -> list[list[str]]:
    return list(csv.reader(StringIO(b"".join(answer).decode("utf-8-sig"))))


def test_the_journal_of_december_says_the_same_whenever_it_is_made(accountant, two_customers):
    LedgerAccount.objects.create(account="receivable", code="1300")
    days = {"first_on": "2026-10-01", "last_on": "2026-12-31", "as": "csv"}
    first = table(report(accountant, "journal", **days))
    assert first[1][:7] == ["2026-10-26", "receivable", "1300", "revenue", "", "120.00", "EUR"]
    assert len(first) == 5
    issued(two_customers[0], at=datetime(2027, 1, 3, 12, tzinfo=UTC))
    assert table(report(accountant, "journal", **days)) == first


def test_the_files_open_in_a_spreadsheet_with_amounts_as_numbers(accountant, two_customers):
    answer = report(accountant, "trial-balance", last_on="2026-12-31", **{"as": "xlsx"})
    sheet = cells(answer)
    assert sheet[1] == ["bank", None, "EUR", 70, 0, 70]
    assert sheet[4] == ["Total", None, "EUR", 270, 270, 0]
    ages = table(report(accountant, "receivables", last_on="2026-12-31", **{"as": "csv"}))
    assert ages[1][1:] == ["Operations", "EUR", "80.00", "0.00", "50.00", "0.00", "0.00", "130.00"]


@pytest.mark.parametrize("name", ["journal", "trial-balance", "receivables"])
def test_the_pages_show_what_the_files_hold(accountant, two_customers, name):
    answer = report(accountant, name, first_on="2026-10-01", last_on="2026-12-31")
    assert answer.status_code == 200
    assert "€120.00" in answer.content.decode() or "€130.00" in answer.content.decode()


def test_a_day_on_which_something_may_still_be_booked_is_refused(accountant):
    answer = report(accountant, "journal", first_on="2027-01-01", last_on="2027-01-03")
    assert "Something may still be booked on that day." in answer.content.decode()
    answer = report(accountant, "journal", first_on="2026-12-31", last_on="2026-12-01", **{"as": "csv"})
    assert "The last day is before the first." in answer.content.decode()
    assert report(accountant, "trial-balance", last_on="soon").status_code == 200


def test_the_journal_begins_with_the_last_month_that_has_ended_in_every_language(accountant, monkeypatch):
    first = datetime(2027, 1, 1, 12, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: first)
    User.objects.update(language="nl")
    page = report(accountant, "journal").content.decode()
    assert 'value="2026-12-01"' in page
    assert 'value="2026-12-31"' in page
    assert "Op deze dagen is niets geboekt." in page


@pytest.mark.parametrize("account", ["recievable", "tax", "clearing:"])
def test_an_account_that_the_ledger_does_not_have_gets_no_code(account):
    with pytest.raises(ValidationError, match="no such account"):
        LedgerAccount(account=account, code="1300").full_clean()


def test_who_may_not_see_the_ledger_gets_no_report(client):
    client.force_login(UserFactory(is_staff=True))
    assert report(client, "journal").status_code == 403
