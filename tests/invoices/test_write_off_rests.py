"""Small rests of invoices that staff write off."""

from datetime import date, timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.urls import reverse

from accounts.access import NotAllowed
from accounts.models import AuditEntry
from invoices.models import Credit, CreditNote, Invoice, Transfer
from invoices.money import Money
from invoices.operations.credit_notes import credit_note
from invoices.operations.voiding import void
from invoices.operations.write_offs import CannotWriteOff, write_off_limit, write_off_rest
from payments.models import Payment
from payments.operations.integrity import check_books
from payments.operations.manual_payments import record_payment
from payments.statements import statement_of
from tests.factories import NOW, access_for, granted, issued, member
from tests.payments.acts import at_once, books_are_clean, card, press_pay, staff, state
from tests.payments.books import pay_back

pytestmark = pytest.mark.django_db


def wired(invoice, minor: int, *, reference: str = "WIRE-1"):
    return record_payment(
        access=staff(), invoice_id=invoice.pk, amount=Money(minor, "EUR"), channel="wire", bank_reference=reference,
        received_on=NOW.date(), attempt_key=uuid4(), at=NOW,
    )  # fmt: skip


def forgive(invoice, minor: int = 300, *, reason: str = "Bank costs", at=NOW, access=None):
    return write_off_rest(
        access=access or staff(), invoice_id=invoice.pk, shown=Money(minor, "EUR"), reason=reason, at=at
    )


def booked(invoice) -> list[tuple[str, str, int]]:
    rows = Transfer.objects.filter(invoice=invoice, kind="write_off").order_by("pk")
    return list(rows.values_list("debit", "credit", "amount_minor"))


@pytest.fixture
def short(profile):
    """An invoice of 120.00 of which 117.00 came."""
    invoice = issued(profile)
    wired(invoice, 11700)
    return invoice


def test_the_rest_is_a_loss_and_the_invoice_paid(short):
    assert forgive(short) == Money(300, "EUR")
    assert state(short) == ("paid", 11700, 0)
    assert (short.credited_minor, short.written_off_minor, short.paid_at) == (300, 300, NOW)
    assert booked(short) == [("write_off", "receivable", 300)]
    assert AuditEntry.objects.get(action="invoice.written_off").detail == {
        "amount_minor": 300, "currency": "EUR", "reason": "Bank costs",
    }  # fmt: skip
    assert books_are_clean()


def test_the_statement_shows_it(short, profile):
    forgive(short)
    statement = statement_of(profile, NOW.date(), NOW.date())
    assert [(line.kind, line.amount.minor) for line in statement.lines][-1] == ("write_off", -300)
    assert statement.closing == Money(0, "EUR")


def test_the_page_says_how_it_was_paid(client, short, profile):
    forgive(short)
    client.force_login(member(profile, "invoice_manager"))
    page = client.get(reverse("invoices:detail", args=[profile.code, short.number])).content.decode()
    assert "Rest written off" in page
    assert "<dt>Written off</dt>" in page
    assert "Credits applied" not in page


def test_it_stops_reminders_and_automatic_charges(short):
    Invoice.objects.filter(pk=short.pk).update(autopay_on=date(2026, 12, 1), next_reminder_on=date(2026, 12, 1))
    forgive(short)
    short.refresh_from_db()
    assert (short.autopay_on, short.next_reminder_on) == (None, None)


def refused(invoice, match: str, **how) -> None:
    before = state(invoice)
    with pytest.raises(CannotWriteOff, match=match):
        forgive(invoice, **how)
    assert state(invoice) == before
    assert booked(invoice) == []


def test_without_a_reason_nothing_is_written_off(short):
    refused(short, "Give the reason", reason=" ")


def test_an_amount_that_is_another_by_now(short):
    wired(short, 100, reference="WIRE-2")
    refused(short, "Another amount is due now")


def test_more_than_the_limit(profile, settings):
    invoice = issued(profile)
    wired(invoice, 12000 - 501)
    refused(invoice, "At most .*5.00", minor=501)
    settings.WRITE_OFF_LIMITS = {"EUR": "5.01"}
    forgive(invoice, 501)
    assert state(invoice)[0] == "paid"


def test_what_was_written_off_before_counts_towards_the_limit(profile, payer):
    invoice = issued(profile)
    payment = wired(invoice, 11700)
    forgive(invoice)
    pay_back(payment, 250, bank_reference="BANK-1", paid_on=NOW.date())
    assert state(invoice) == ("open", 11450, 250)
    with pytest.raises(CannotWriteOff, match="At most"):
        forgive(invoice, 250)
    assert books_are_clean()


def test_an_invoice_that_owes_nothing(profile, payer):
    invoice = issued(profile)
    press_pay(payer, invoice, card(profile))
    refused(invoice, "nothing to write off", minor=0)


def test_a_draft_and_a_void_invoice(profile):
    invoice = issued(profile, "3.00")
    void(access=staff(), invoice_id=invoice.pk, reason="Sent twice", at=NOW)
    refused(invoice, "nothing to write off")


def test_while_a_payment_is_in_progress(profile, payer):
    invoice = issued(profile, "3.00")
    press_pay(payer, invoice, card(profile, "3184"))
    refused(invoice, "payment")


def test_while_a_payment_is_disputed(short):
    Invoice.objects.filter(pk=short.pk).update(disputed_at=NOW)
    refused(short, "is disputed")


def test_customers_cannot(short, profile):
    with pytest.raises(NotAllowed):
        forgive(short, access=access_for(member(profile, "profile_owner"), profile))


def test_other_currencies_have_the_floor_of_dunning(settings):
    settings.DUNNING_FLOORS = {"USD": "2.00"}
    assert write_off_limit("USD") == Money(200, "USD")
    assert write_off_limit("EUR") == Money(500, "EUR")
    settings.WRITE_OFF_LIMITS = {"EUR": "0"}
    assert write_off_limit("EUR") == Money(0, "EUR")


def test_a_wrong_limit_is_told_at_the_start(settings):
    settings.WRITE_OFF_LIMITS = {"EUR": "five"}
    with pytest.raises(SystemCheckError, match="PORTAL_WRITE_OFF_LIMITS, EUR"):
        call_command("check", stdout=StringIO(), stderr=StringIO())


def test_money_that_comes_later_becomes_a_credit(short):
    forgive(short)
    wired(short, 300, reference="WIRE-2")
    assert state(short) == ("paid", 11700, 0)
    assert Credit.objects.get().remaining_minor == 300
    assert booked(short) == [("write_off", "receivable", 300)]
    assert books_are_clean()


def test_a_credit_note_takes_off_first_what_was_written_off(short):
    forgive(short)
    note = credit_note(
        access=staff(), invoice_id=short.pk, amounts={short.lines.get().pk: 1000}, reason="Billed too much",
        today=NOW.date(), at=NOW + timedelta(hours=1),
    )  # fmt: skip
    assert (note.applied_minor, note.kept.minor) == (300, 700)
    assert state(short) == ("paid", 11700, 0)
    assert (short.credited_minor, short.written_off_minor) == (300, 0)
    assert booked(short) == [("write_off", "receivable", 300), ("receivable", "write_off", 300)]
    assert books_are_clean()


def test_a_small_credit_note_leaves_the_rest_of_it_written_off(short):
    forgive(short)
    credit_note(
        access=staff(), invoice_id=short.pk, amounts={short.lines.get().pk: 100}, reason="Billed too much",
        today=NOW.date(), at=NOW,
    )  # fmt: skip
    assert state(short) == ("paid", 11700, 0)
    assert (short.credited_minor, short.written_off_minor) == (300, 200)
    assert not Credit.objects.exists()
    assert books_are_clean()


def test_a_void_undoes_it(profile):
    granted(profile, 200)
    invoice = issued(profile, "5.00")
    forgive(invoice)
    assert state(invoice) == ("paid", 0, 0)
    void(access=staff(), invoice_id=invoice.pk, reason="Sent twice", at=NOW)
    assert state(invoice) == ("void", 0, 0)
    assert (invoice.written_off_minor, CreditNote.objects.get().total_minor) == (0, 500)
    assert Credit.objects.get().remaining_minor == 200
    assert Transfer.objects.filter(profile=profile).balance("write_off") == 0
    assert books_are_clean()


@pytest.mark.parametrize("minor", [0, 100])
def test_the_proof_names_an_amount_that_was_changed_by_hand(short, minor):
    forgive(short)
    Invoice.objects.filter(pk=short.pk).update(written_off_minor=minor)
    problems = check_books()
    assert f"Invoice {short.number}: {minor} of it is written off, in the ledger 300." in problems
    assert any(problem.startswith("Account write_off in EUR") for problem in problems)


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_two_at_once_write_it_off_once(profile):
    invoice = issued(profile, "3.00")
    results = at_once(lambda: forgive(invoice), lambda: forgive(invoice))
    assert sorted(type(result).__name__ for result in results) == ["CannotWriteOff", "Money"]
    assert booked(invoice) == [("write_off", "receivable", 300)]
    assert books_are_clean()


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_a_wire_that_is_recorded_at_the_same_time(profile):
    invoice = issued(profile, "3.00")
    results = at_once(lambda: forgive(invoice), lambda: wired(invoice, 300))
    (payment,) = [result for result in results if isinstance(result, Payment)]
    paid = invoice.__class__.objects.get(pk=invoice.pk)
    kept = sum(Credit.objects.values_list("remaining_minor", flat=True))
    assert payment.amount_minor == 300
    assert paid.status == "paid"
    assert (paid.written_off_minor, kept) in {(300, 300), (0, 0)}
    assert books_are_clean()


def test_staff_do_it_on_a_page_that_asks_first(client, short, admin_user):
    client.force_login(admin_user)
    page = reverse("admin:invoices_invoice_change", args=[short.pk])
    address = reverse("admin:invoices_invoice_write_off", args=[short.pk])
    assert address in client.get(page).content.decode()
    asked = client.get(address).content.decode()
    assert "€3.00" in asked
    assert "€5.00" in asked
    done = client.post(address, {"shown": 300, "reason": "Bank costs"}, follow=True).content.decode()
    assert "€3.00 was written off." in done
    assert state(short)[0] == "paid"
    assert address not in client.get(page).content.decode()
    again = client.post(address, {"shown": 300, "reason": "Bank costs"}).content.decode()
    assert "There is nothing to write off." in again


def test_the_page_is_not_offered_above_the_limit(client, profile, admin_user):
    invoice = issued(profile)
    client.force_login(admin_user)
    address = reverse("admin:invoices_invoice_write_off", args=[invoice.pk])
    assert address not in client.get(reverse("admin:invoices_invoice_change", args=[invoice.pk])).content.decode()
