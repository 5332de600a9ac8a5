"""Void and bill again: invoice, credit note and new invoice are a chain."""

from datetime import date
from decimal import Decimal

import pytest

from accounts.access import system_access
from accounts.models import AuditEntry, InvoiceSection
from invoices.models import Charge, CreditNote, Invoice, InvoiceLine
from invoices.operations.invoice_payments import mark_payment_started
from invoices.operations.issuing import issue
from invoices.operations.voiding import CannotVoid, rebill
from tests.factories import NOW, TODAY, draft, granted, issued, tax_rate
from tests.payments.acts import books_are_clean

pytestmark = pytest.mark.django_db


def rebill_now(invoice, reason="Wrong department"):
    return rebill(access=system_access(), invoice_id=invoice.pk, reason=reason, at=NOW)


def test_the_draft_has_the_lines_and_takes_the_place_of_the_void_invoice(profile):
    section = InvoiceSection.objects.create(profile=profile, name="Web shop")
    old = draft(profile, "100.00", tax_rate="21", po_number="PO-7", period_start_on=date(2026, 9, 1))
    old.lines.update(section=section, quantity=Decimal("2.5"), unit="HUR", happened_on=TODAY)
    InvoiceLine.objects.create(
        invoice=old,
        description="Market",
        unit_price=Decimal("3.00"),
        is_creditable=False,
        position=1,
        tax_category="E",
        exemption_reason="Law",
    )
    old = issue(access=system_access(), invoice_id=old.pk, today=TODAY, at=NOW)
    new = rebill_now(old)
    old.refresh_from_db()
    assert (old.status, old.void_reason) == ("void", "Wrong department")
    assert (new.status, new.number, new.replaces, new.po_number) == ("draft", None, old, "PO-7")
    assert (new.total_minor, new.currency, new.period_start_on) == (old.total_minor, "EUR", date(2026, 9, 1))
    columns = ("section", "description", "quantity", "unit", "unit_price", "tax_category", "tax_rate",
               "exemption_reason", "happened_on", "is_creditable", "amount_minor")  # fmt: skip
    assert list(new.lines.order_by("position").values_list(*columns)) == list(
        old.lines.order_by("position").values_list(*columns)
    )
    assert AuditEntry.objects.get(action="invoice.rebilled").subject == old.number
    assert issue(access=system_access(), invoice_id=new.pk, today=TODAY, at=NOW).number == "INV-000002"
    assert books_are_clean()


def test_credits_that_were_given_back_pay_for_the_new_invoice(profile):
    granted(profile, 3000)
    old = issued(profile, "100.00")
    new = issue(access=system_access(), invoice_id=rebill_now(old).pk, today=TODAY, at=NOW)
    assert (new.credited_minor, new.amount_due_minor) == (3000, 7000)
    assert books_are_clean()


def test_charges_stay_with_the_void_invoice(profile):
    old = issued(profile)
    section = InvoiceSection.objects.create(profile=profile, name="Web shop")
    charge = Charge.objects.create(
        profile=profile, section=section, description="Hosting", unit_price=Decimal(120), happened_on=TODAY,
        tax_rate=tax_rate(), invoice=old, created_at=NOW,
    )  # fmt: skip
    rebill_now(old)
    charge.refresh_from_db()
    assert charge.invoice == old


def test_a_second_time_is_refused_until_the_draft_is_gone(profile):
    old = issued(profile)
    new = rebill_now(old)
    with pytest.raises(CannotVoid, match="already replaces it"):
        rebill_now(old)
    assert Invoice.objects.count() == 2
    new.delete()
    assert rebill_now(old).replaces == old
    assert CreditNote.objects.count() == 1


def test_what_cannot_be_voided_gets_no_draft(profile):
    old = issued(profile)
    mark_payment_started(old, by=None, at=NOW)
    with pytest.raises(CannotVoid):
        rebill_now(old)
    with pytest.raises(CannotVoid):
        rebill_now(issued(profile), "  ")
    assert Invoice.objects.filter(status="draft").count() == 0
    assert CreditNote.objects.count() == 0
