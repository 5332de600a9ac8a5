"""The proof of the books in slices, of what changed since a day, and how far it has come."""

from datetime import date, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from invoices import fingerprints
from invoices.models import Invoice
from payments.models import Payment, PaymentAllocation
from payments.operations import proofs
from payments.operations.integrity import check_books
from tests.factories import NOW, TODAY, issued
from tests.payments.acts import books_are_clean, card, press_pay
from tests.payments.books import fill, fill_everything, is_named, pay_back

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=40)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def in_slices(monkeypatch):
    """Two rows at a time."""
    monkeypatch.setattr(proofs, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(proofs, "KEYS_AT_ONCE", 2)
    monkeypatch.setattr(fingerprints, "AT_ONCE", 2)


def test_slices_find_nothing_in_books_that_add_up(profile, payer, in_slices):
    fill_everything(profile, payer)
    assert books_are_clean()
    assert check_books(since=TODAY - timedelta(days=400)) == []


@pytest.mark.parametrize("model", [Invoice, Payment, PaymentAllocation])
def test_a_wrong_row_is_named_whatever_slice_it_is_in(profile, payer, in_slices, model):
    fill(profile, payer)
    most = F("total_minor" if model is Invoice else "amount_minor")
    rows = list(model.objects.filter(refunded_minor__lt=most).order_by("pk"))
    for row in (rows[0], rows[len(rows) // 2], rows[-1]):
        own = model.objects.filter(pk=row.pk)
        own.update(refunded_minor=row.refunded_minor + 1)
        assert is_named(model._meta.db_table), row
        assert is_named(model._meta.db_table, since=TODAY), row
        own.update(refunded_minor=row.refunded_minor)
    assert books_are_clean()


def test_no_more_than_twenty_of_a_kind_are_named(profile, in_slices):
    for _number in range(23):
        issued(profile)
    Invoice.objects.update(refunded_minor=1)
    assert len([problem for problem in check_books() if "its refunds come to" in problem]) == 20


def test_since_a_day_only_what_happened_since_is_proven(profile, payer):
    old, new = issued(profile), issued(profile, today=LATER.date(), at=LATER)
    Invoice.objects.filter(pk__in=[old.pk, new.pk]).update(refunded_minor=1)
    said = check_books(since=LATER.date())
    assert said == [f"Invoice {new.number}: refunded is 1, its refunds come to 0."]
    assert len(check_books(since=TODAY)) == 2


def test_what_was_paid_or_paid_back_since_is_proven_with_all_that_belongs_to_it(profile, payer):
    payment = press_pay(payer, issued(profile), card(profile))
    assert check_books(since=LATER.date()) == []
    PaymentAllocation.objects.update(refunded_minor=5)
    assert check_books(since=LATER.date()) == []
    PaymentAllocation.objects.update(refunded_minor=0)
    pay_back(payment, 100, at=LATER)
    assert check_books(since=LATER.date()) == []
    PaymentAllocation.objects.update(refunded_minor=5)
    assert len(check_books(since=LATER.date())) > 1


def test_documents_are_proven_from_the_first_one_issued_since(profile):
    first, *_others, last = [issued(profile, today=day, at=NOW) for day in (TODAY, TODAY, LATER.date())]
    Invoice.objects.filter(pk=first.pk).update(po_number="4711")
    assert check_books(since=LATER.date()) == []
    Invoice.objects.filter(pk=last.pk).update(po_number="4711")
    assert check_books(since=LATER.date()) == [f"Invoice {last.number}: it is not what was issued."]


def test_the_command_takes_the_day_as_iso_8601(profile):
    issued(profile)
    Invoice.objects.update(refunded_minor=1)
    with pytest.raises(CommandError, match="do not add up"):
        call_command("check_books", since=date(2020, 1, 1), stderr=StringIO())
    with pytest.raises(CommandError, match="is no day such as"):
        call_command("check_books", "--since", "31-10-2026", stderr=StringIO())
    call_command("check_books", "--since", "2099-01-01", stdout=StringIO(), stderr=StringIO())


def test_a_log_gets_a_line_for_each_step_and_a_terminal_a_bar(profile, payer):
    press_pay(payer, issued(profile), card(profile))
    log, terminal = StringIO(), Terminal()
    call_command("check_books", stdout=StringIO(), stderr=log)
    lines = log.getvalue().splitlines()
    assert lines[0].startswith("1 documents in ")
    assert any(line.startswith("1 payments in ") for line in lines)
    call_command("check_books", stdout=StringIO(), stderr=terminal)
    assert "[##############################] 100%  1 payments" in terminal.getvalue()
