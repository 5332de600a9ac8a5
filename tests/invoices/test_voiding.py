"""Voiding: only with a reason, and only while no money is on its way or there."""

from datetime import timedelta

import pytest

from accounts.access import system_access
from accounts.models import AuditEntry
from invoices.models import Credit, CreditNote
from invoices.money import Money
from invoices.operations.credit_notes import credit_note
from invoices.operations.credits import expire_credits
from invoices.operations.invoice_payments import mark_payment_started
from invoices.operations.voiding import CannotVoid, void
from invoices.states import WrongState
from tests.factories import NOW, TODAY, billed_until, draft, granted, issued, member
from tests.invoices.bookings import apply_payment, take_back_payment
from tests.payments.acts import books_are_clean

pytestmark = pytest.mark.django_db


def void_now(invoice, reason="Sent twice"):
    return void(access=system_access(), invoice_id=invoice.pk, reason=reason, at=NOW)


def take_back_some(invoice, minor):
    line = invoice.lines.get().pk
    return credit_note(
        access=system_access(), invoice_id=invoice.pk, amounts={line: minor}, reason="Test", today=TODAY, at=NOW
    )


def unchanged(invoice, status="open"):
    invoice.refresh_from_db()
    return (invoice.status, invoice.void_reason, invoice.voided_at) == (status, "", None) and not (
        AuditEntry.objects.filter(action="invoice.voided").exists()
    )


def test_a_void_invoice_keeps_its_number_and_owes_nothing(profile):
    invoice = issued(profile)
    void_now(invoice, "  Sent twice  ")
    invoice.refresh_from_db()
    assert (invoice.status, invoice.number, invoice.amount_due_minor) == ("void", "INV-000001", 0)
    assert (invoice.void_reason, invoice.voided_at) == ("Sent twice", NOW)
    assert AuditEntry.objects.get(action="invoice.voided").detail == {
        "reason": "Sent twice",
        "credit_note": "CN-000001",
    }


@pytest.mark.parametrize("reason", ["", "   "])
def test_without_a_reason_it_is_refused(profile, reason):
    invoice = issued(profile)
    with pytest.raises(CannotVoid, match="Give the reason"):
        void_now(invoice, reason)
    assert unchanged(invoice)


def test_while_a_payment_is_in_progress_it_is_refused_and_says_who_is_paying(profile):
    invoice = issued(profile)
    mark_payment_started(invoice, by=member(profile, "profile_owner", name="Ada"), at=NOW)
    with pytest.raises(CannotVoid, match=r"A payment is in progress .*Ada"):
        void_now(invoice)
    assert unchanged(invoice)


def test_after_money_came_it_is_refused_until_it_was_refunded(profile):
    invoice = issued(profile)
    apply_payment(invoice, Money(5000, "EUR"), at=NOW, paid_with="bank transfer", ends_attempt=True)
    with pytest.raises(CannotVoid, match="Refund it first"):
        void_now(invoice)
    assert unchanged(invoice)
    take_back_payment(invoice, Money(5000, "EUR"), at=NOW)
    assert void_now(invoice).status == "void"


def test_a_credit_note_takes_all_of_it_back(profile):
    invoice = issued(profile, "100.00", tax_rate="21")
    void_now(invoice)
    note = CreditNote.objects.get()
    assert (note.number, note.issued_on, note.reason, note.voids_invoice) == ("CN-000001", TODAY, "Sent twice", True)
    assert (note.charges_minor, note.tax_minor, note.total_minor, note.applied_minor) == (10000, 2100, 12100, 12100)
    assert (note.credit, note.seller, note.buyer) == (None, invoice.seller, invoice.buyer)
    assert note.lines.values_list("line", "amount_minor").get() == (invoice.lines.get().pk, 10000)
    assert note.taxes.values_list("category", "rate", "taxable_minor", "tax_minor").get() == ("S", 21, 10000, 2100)
    assert books_are_clean()


def test_what_earlier_credit_notes_left_is_taken_back(profile):
    invoice = issued(profile, "100.00")
    take_back_some(invoice, 4000)
    void_now(invoice)
    assert list(CreditNote.objects.order_by("pk").values_list("total_minor", "applied_minor", "voids_invoice")) == [
        (4000, 4000, False),
        (6000, 6000, True),
    ]
    assert books_are_clean()


@pytest.mark.parametrize(("credited", "status"), [(3000, "open"), (10000, "paid")])
def test_credits_go_back_to_the_lots_they_came_from(profile, credited, status):
    lots = [granted(profile, 1000), granted(profile, credited - 1000)]
    invoice = issued(profile, "100.00")
    assert (invoice.status, invoice.credited_minor) == (status, credited)
    invoice = void_now(invoice)
    for lot, minor in zip(lots, (1000, credited - 1000), strict=True):
        lot.refresh_from_db()
        assert lot.remaining_minor == minor
        assert lot.entries.filter(kind="given_back").values_list("amount_minor", "invoice", "note").get() == (
            minor,
            invoice.pk,
            "Sent twice",
        )
    assert (invoice.status, invoice.paid_at, Credit.objects.count()) == ("void", None, 2)
    assert books_are_clean()


def test_a_lot_that_expired_meanwhile_gets_it_back_and_expires_again(profile):
    lot = granted(profile, 5000, expires_on=TODAY)
    invoice = issued(profile, "30.00")
    later = NOW + timedelta(days=2)
    billed_until(profile, TODAY + timedelta(days=1))
    assert expire_credits(at=later) == 1
    void(access=system_access(), invoice_id=invoice.pk, reason="Sent twice", at=later)
    lot.refresh_from_db()
    assert lot.remaining_minor == 3000
    assert expire_credits(at=later) == 1
    assert expire_credits(at=later) == 0
    kinds = ["granted", "applied", "expired", "given_back", "expired"]
    assert list(lot.entries.order_by("pk").values_list("kind", flat=True)) == kinds
    assert books_are_clean()


def test_after_a_credit_note_became_a_credit_voiding_would_pay_it_twice(profile):
    """100 was paid by card; 20 of it came back as a credit, then all 100 by a refund."""
    invoice = issued(profile, "100.00")
    apply_payment(invoice, Money(10000, "EUR"), at=NOW, paid_with="bank transfer", ends_attempt=True)
    take_back_some(invoice, 2000)
    invoice.refresh_from_db()
    take_back_payment(invoice, Money(10000, "EUR"), at=NOW)
    with pytest.raises(CannotVoid, match="became a credit"):
        void_now(invoice)
    assert unchanged(invoice)
    credit_note(access=system_access(), invoice_id=invoice.pk, reason="Sent twice", today=TODAY, at=NOW)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.amount_due_minor) == ("open", 2000)


def test_what_credit_notes_took_back_already_is_not_voided(profile):
    granted(profile, 1000)
    invoice = issued(profile, "100.00")
    credit_note(access=system_access(), invoice_id=invoice.pk, reason="Sent twice", today=TODAY, at=NOW)
    with pytest.raises(CannotVoid):
        void_now(invoice)
    assert unchanged(invoice, "paid")


def test_two_clerks_void_it_once(profile):
    invoice = issued(profile)
    void_now(invoice)
    with pytest.raises(WrongState):
        void_now(invoice)
    assert CreditNote.objects.count() == 1


def test_what_is_not_open_is_refused(profile):
    new, paid, gone = draft(profile), issued(profile, "0.00"), issued(profile)
    void_now(gone)
    for invoice in (new, paid, gone):
        with pytest.raises(WrongState):
            void_now(invoice)
