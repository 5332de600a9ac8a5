"""The proof of the books, where lines, taxes, charges and closed periods are concerned: what was changed by hand is
found."""

from datetime import date

import pytest
from django.db import DatabaseError, transaction

from accounts.models import BillingProfile
from invoices.models import Charge, CreditNoteTax, Invoice, InvoiceLine, InvoiceTax, PeriodClosing
from invoices.operations.credit_notes import credit_note
from invoices.operations.issuing import issue
from invoices.operations.voiding import void
from payments.operations.integrity import check_books
from tests.factories import NOW, draft, issued, taxed
from tests.invoices.billing_runs import billed_profile, charged, noon, run
from tests.payments.acts import staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def profile():
    """Three closed periods: a charge of 10.00, nothing, and another charge."""
    profile = billed_profile()
    charged(profile, on=date(2026, 10, 6))
    charged(profile, on=date(2026, 12, 6))
    run(noon(2027, 1, 5))
    assert PeriodClosing.objects.count() == 3
    assert check_books() == []
    return profile


def test_a_charge_that_was_changed_after_it_was_billed(profile):
    invoice = Invoice.objects.earliest("number")
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        Charge.objects.filter(invoice=invoice).update(quantity=2)
    Invoice.objects.filter(pk=invoice.pk).update(tax_minor=1, total_minor=1001)
    sums = "charges are 1000 and tax 1, on its lines 1000, in its table of taxes 1000 and 0."
    assert f"Invoice {invoice}: {sums}" in check_books()


def test_lines_that_are_not_what_the_charges_come_to(profile):
    """Though every sum is right."""
    invoice = Invoice.objects.earliest("number")
    invoice.lines.update(quantity=2, unit_price=5)
    assert check_books() == [
        f"Invoice {invoice}: it is not what was issued.",
        f"Invoice {invoice}: its lines are not what its charges come to.",
    ]


def test_a_charge_that_was_removed_from_an_invoice(profile):
    invoice = Invoice.objects.earliest("number")
    Charge.objects.filter(invoice=invoice).update(invoice=None)
    assert f"Invoice {invoice}: its lines are not what its charges come to." in check_books()


def test_a_note_names_no_tax_of_which_earlier_notes_left_nothing(profile):
    """Voided after one of its two rates was taken back."""
    invoice = draft(profile, tax_rate="21")
    line = InvoiceLine.objects.create(invoice=invoice, description="Book", unit_price=100, position=2, **taxed())
    issue(access=staff(), invoice_id=invoice.pk, today=NOW.date(), at=NOW)
    about = {"access": staff(), "invoice_id": invoice.pk, "reason": "Sent twice", "at": NOW}
    credit_note(amounts={line.pk: 10000}, today=NOW.date(), **about)
    void(**about)
    taxes = CreditNoteTax.objects.order_by("pk").values_list("category", "taxable_minor", "tax_minor")
    assert list(taxes) == [("Z", 10000, 0), ("S", 12000, 2520)]
    assert check_books() == []


def test_a_table_of_taxes_that_is_not_that_of_the_lines(profile):
    invoice = Invoice.objects.earliest("number")
    InvoiceTax.objects.create(invoice=invoice, category="S", rate=6, taxable_minor=0, tax_minor=0)
    other = draft(profile)
    InvoiceTax.objects.create(invoice=other, category="S", rate=6, taxable_minor=0, tax_minor=0)
    note = credit_note(access=staff(), invoice_id=issued(profile).pk, reason="Twice", today=NOW.date(), at=NOW)
    CreditNoteTax.objects.create(note=note, category="S", rate=6, taxable_minor=0, tax_minor=0)
    assert check_books() == [
        f"Draft {other.pk}: it has a table of taxes.",
        f"Invoice {invoice}: its table of taxes is not what its lines come to.",
        f"Credit note {note.number}: its tax at S 6.000 is on 0, its lines come to 0.",
    ]


def test_a_charge_that_was_put_on_an_invoice_by_hand(profile):
    invoice = issued(profile)
    charge = charged(profile, on=date(2027, 1, 6))
    Charge.objects.filter(pk=charge.pk).update(invoice=invoice)
    assert check_books() == [f"Invoice {invoice}: charge {charge.pk} is on it, but it closed no period."]


def test_a_charge_of_another_customer(profile):
    """Of the same amount, so that every sum is right."""
    invoice = Invoice.objects.earliest("number")
    other = charged(billed_profile(), on=date(2026, 10, 7))
    Charge.objects.filter(invoice=invoice).update(invoice=None)
    Charge.objects.filter(pk=other.pk).update(invoice=invoice)
    assert check_books() == [
        f"Invoice {invoice}: its lines are not what its charges come to.",  # they are of another section
        f"Invoice {invoice}: charge {other.pk} is of another billing profile.",
    ]


def test_an_invoice_that_closed_another_period_than_it_says(profile):
    invoice = Invoice.objects.earliest("number")
    Invoice.objects.filter(pk=invoice.pk).update(period_start_on=date(2026, 9, 5))
    assert check_books() == [
        f"Invoice {invoice}: it is not what was issued.",
        f"Invoice {invoice}: it closed a period of another billing profile, or another period.",
    ]


def test_a_period_that_is_missing(profile):
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        PeriodClosing.objects.filter(outcome="nothing").delete()
    days = {"start_on": date(2027, 2, 5), "end_on": date(2027, 3, 5), "booked_on": NOW.date(), "currency": "EUR"}
    PeriodClosing.objects.create(profile=profile, outcome="nothing", closed_at=NOW, **days)
    BillingProfile.objects.update(billed_until_on=date(2027, 3, 5), next_invoice_on=date(2027, 4, 5))
    assert check_books() == [f"Billing profile {profile.code}: nothing was closed up to 2027-02-05."]


def test_a_profile_that_was_set_back(profile):
    BillingProfile.objects.filter(pk=profile.pk).update(billed_until_on=date(2026, 12, 5))
    assert check_books() == [
        f"Billing profile {profile.code}: invoiced up to 2026-12-05, the next invoice is on 2027-02-05.",
        f"Billing profile {profile.code}: closed up to 2027-01-05, but invoiced up to 2026-12-05.",
    ]
