"""What gateways paid out to our bank, as staff record it, and what is still with them."""

from datetime import date, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.access import NotAllowed
from accounts.models import AuditEntry
from invoices.journal import held_by_providers, trial_balance
from invoices.ledger import transfer
from invoices.models import LedgerAccount, Transfer
from invoices.money import Money
from payments.models import Payout
from payments.operations.integrity import check_books
from payments.operations.manual_payments import CannotRecord
from payments.operations.payouts import record_payout, take_back_payout
from tests.factories import NOW, access_for, issued, member
from tests.payments.acts import at_once, books_are_clean, card, press_pay, staff
from tests.payments.books import pay_back

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=2)


def paid_out(minor: int = 10000, kept: int = 250, *, reference: str = "po_1", at=NOW, **facts) -> Payout:
    usual = {"access": staff(), "gateway": "sandbox", "paid_on": NOW.date()}
    amounts = {"amount": Money(minor, "EUR"), "fees": Money(kept, "EUR")}
    return record_payout(**{**usual, **amounts, **facts}, reference=reference, at=at)


def take_back(payout: Payout, *, reason: str = "Wrong amount", at=LATER) -> Payout:
    return take_back_payout(access=staff(), payout_id=payout.pk, reason=reason, at=at)


def booked() -> list[tuple[str, str, str, int]]:
    rows = Transfer.objects.filter(profile=None).order_by("pk")
    return list(rows.values_list("kind", "debit", "credit", "amount_minor"))


def balance(account: str) -> int:
    return Transfer.objects.all().balance(account)


def test_what_came_and_what_the_provider_kept_leave_its_account(profile, payer):
    press_pay(payer, issued(profile), card(profile))
    paid_out()
    assert booked() == [
        ("payout", "bank", "clearing:sandbox", 10000),
        ("payout", "fees", "clearing:sandbox", 250),
    ]
    assert balance("clearing:sandbox") == 12000 - 10250
    assert AuditEntry.objects.get(action="payout.recorded").detail == {
        "amount_minor": 10000, "fees_minor": 250, "currency": "EUR",
    }  # fmt: skip
    assert books_are_clean()


def test_what_the_provider_took_from_our_bank_is_negative(profile):
    paid_out(-500, 0)
    assert booked() == [("payout", "clearing:sandbox", "bank", 500)]
    assert books_are_clean()


def test_fees_alone_are_a_payout_too():
    paid_out(0, 99)
    assert booked() == [("payout", "fees", "clearing:sandbox", 99)]
    assert books_are_clean()


def test_a_wrong_one_is_taken_back_by_a_row_of_its_own_and_recorded_again():
    wrong = paid_out(1000)
    back = take_back(wrong)
    assert (back.reverses, back.reason) == (wrong, "Wrong amount")
    assert (balance("bank"), balance("fees"), balance("clearing:sandbox")) == (0, 0, 0)
    assert set(Transfer.objects.filter(kind="payout_undone").values_list("booked_on", flat=True)) == {LATER.date()}
    right = paid_out(10000, at=LATER)
    assert (right.version, balance("bank")) == (2, 10000)
    with pytest.raises(CannotRecord, match="recorded already"):
        paid_out(10000, at=LATER)
    assert books_are_clean()


@pytest.mark.parametrize(
    ("facts", "match"),
    [
        ({"gateway": "nobody"}, "Choose the payment provider"),
        ({"amount": Money(100, "USD")}, "one currency"),
        ({"fees": Money(-1, "EUR")}, "zero or more"),
        ({"amount": Money(0, "EUR"), "fees": Money(0, "EUR")}, "what was paid out"),
        ({"amount": Money(10**17, "EUR")}, "too large"),
        ({"paid_on": NOW.date() + timedelta(days=1)}, "between 2000 and today"),
        ({"paid_on": date(1999, 12, 31)}, "between 2000 and today"),
        ({"reference": "  "}, "Give the reference"),
    ],
)
def test_what_cannot_be_recorded(facts, match):
    with pytest.raises(CannotRecord, match=match):
        paid_out(**facts)
    assert booked() == []


def test_the_reference_is_one_whatever_its_spelling():
    paid_out(reference="PO 12-34 ")
    with pytest.raises(CannotRecord, match="recorded already"):
        paid_out(reference="po12-34")


def test_customers_can_neither_record_nor_take_back(profile):
    payout, access = paid_out(), access_for(member(profile, "profile_owner"), profile)
    with pytest.raises(NotAllowed):
        paid_out(reference="po_2", access=access)
    with pytest.raises(NotAllowed):
        take_back_payout(access=access, payout_id=payout.pk, reason="Mine", at=NOW)


def test_it_is_taken_back_once_and_for_a_reason():
    payout = paid_out()
    with pytest.raises(CannotRecord, match="Give the reason"):
        take_back(payout, reason=" ")
    back = take_back(payout)
    for row in (payout, back):
        with pytest.raises(CannotRecord, match="taken back already"):
            take_back(row)
    assert len(booked()) == 4


def test_the_database_refuses_to_change_one():
    payout = paid_out()
    for statement in ("UPDATE payments_payout SET amount_minor = 1", "DELETE FROM payments_payout"):
        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
            connection.cursor().execute(statement)
    assert Payout.objects.get() == payout


def test_nothing_else_is_booked_without_a_billing_profile():
    row = transfer(
        Transfer.Kind.PAYMENT, Money(1, "EUR"), debit="bank", credit="receivable", key="x", profile_id=None, at=NOW
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save()


def test_a_payout_that_is_none_is_named():
    row = transfer(
        Transfer.Kind.PAYOUT, Money(1, "EUR"), debit="bank", credit="clearing:sandbox", key="payout:77/bank",
        profile_id=None, at=NOW,
    )  # fmt: skip
    row.save()
    assert "Transfer payout:77/bank: there is no such payout." in check_books()


def test_one_that_was_not_booked_is_named():
    Payout.objects.create(
        gateway="sandbox", currency="EUR", amount_minor=5, paid_on=NOW.date(), reference="po_9", created_at=NOW
    )
    problems = check_books()
    assert "Payout sandbox po_9: it is not booked as it was recorded." in problems
    assert any(problem.startswith("Account bank in EUR") for problem in problems)


def test_what_is_with_a_provider_at_the_end_of_a_day(profile, payer):
    payment = press_pay(payer, issued(profile), card(profile))
    paid_out(8000, 200)
    pay_back(payment, 1000, at=LATER)
    (then,) = held_by_providers(NOW.date())
    assert (then.booked.minor, then.paid_out.minor, then.fees.minor, then.held.minor) == (12000, 8000, 200, 3800)
    take_back(Payout.objects.get())
    (now,) = held_by_providers(LATER.date())
    assert (now.booked.minor, now.paid_out.minor, now.fees.minor, now.held.minor) == (11000, 0, 0, 11000)
    assert held_by_providers(NOW.date()) == [then]
    balances = {row.account: row.balance.minor for row in trial_balance(LATER.date())}
    assert balances["clearing:sandbox"] == now.held.minor


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_two_at_once_record_it_once():
    results = at_once(paid_out, lambda: paid_out(reference="PO_ 1"))
    assert sorted(type(result).__name__ for result in results) == ["CannotRecord", "Payout"]
    assert len(booked()) == 2


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_two_at_once_take_it_back_once():
    payout = paid_out()
    results = at_once(lambda: take_back(payout), lambda: take_back(payout))
    assert sorted(type(result).__name__ for result in results) == ["CannotRecord", "Payout"]
    assert balance("bank") == 0


def test_staff_record_one_and_take_it_back(client, admin_user):
    client.force_login(admin_user)
    facts = {
        "gateway": "sandbox", "currency": "eur", "amount": "100.00", "fees": "2.50",
        "paid_on": timezone.localdate().isoformat(), "reference": "po_1",
    }  # fmt: skip
    add = reverse("admin:payments_payout_add")
    assert client.get(add).status_code == 200
    client.post(add, facts)
    payout = Payout.objects.get()
    assert (payout.amount_minor, payout.fees_minor, payout.created_by) == (10000, 250, admin_user)
    assert "recorded already" in client.post(add, facts).content.decode()
    assert "no currency in use" in client.post(add, facts | {"currency": "XXX"}).content.decode()
    page, address = (reverse(f"admin:payments_payout_{name}", args=[payout.pk]) for name in ("change", "take_back"))
    assert address in client.get(page).content.decode()
    client.post(address, {"reason": "Wrong amount"})
    assert address not in client.get(page).content.decode()
    assert client.get(reverse("admin:payments_payout_changelist")).status_code == 200
    client.post(add, facts)
    assert Payout.objects.count() == 3
    assert books_are_clean()


@pytest.mark.parametrize("kind", ["", "csv", "xlsx"])
def test_the_report_is_a_page_and_a_file(client, admin_user, profile, payer, kind):
    press_pay(payer, issued(profile), card(profile))
    paid_out(8000, 200)
    client.force_login(admin_user)
    asked = {"last_on": NOW.date().isoformat(), **({"as": kind} if kind else {})}
    answer = client.get(reverse("admin:invoices_providers"), asked)
    assert answer.status_code == 200
    said = b"".join(answer)
    answer.close()
    if kind == "csv":
        assert b"sandbox;EUR;120.00;80.00;2.00;38.00" in said.replace(b",", b";")
    if not kind:
        assert "€38.00" in said.decode()


def test_the_account_of_fees_has_a_code():
    LedgerAccount(account="fees", code="4500").full_clean()
