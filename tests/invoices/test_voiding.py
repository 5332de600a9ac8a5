"""Voiding: only with a reason, and only while no money is on its way or there."""

import pytest

from accounts.access import system_access
from accounts.models import AuditEntry
from invoices.money import Money
from invoices.operations import CannotVoid, apply_payment, mark_payment_started, take_back_payment, void
from invoices.states import WrongState
from tests.factories import NOW, draft, issued, member

pytestmark = pytest.mark.django_db


def void_now(invoice, reason="Sent twice"):
    return void(access=system_access(), invoice_id=invoice.pk, reason=reason, at=NOW)


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
    assert AuditEntry.objects.get(action="invoice.voided").detail == {"reason": "Sent twice"}


@pytest.mark.parametrize("reason", ["", "   "])
def test_without_a_reason_it_is_refused(profile, reason):
    invoice = issued(profile)
    with pytest.raises(CannotVoid, match="Say why"):
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
    take_back_payment(invoice, Money(5000, "EUR"))
    assert void_now(invoice).status == "void"


def test_what_is_not_open_is_refused(profile):
    new, paid, gone = draft(profile), issued(profile, "0.00"), issued(profile)
    void_now(gone)
    for invoice in (new, paid, gone):
        with pytest.raises(WrongState):
            void_now(invoice)
