"""The proof of the books, where charges and closed periods are concerned: what was changed by hand is found."""

from datetime import date

import pytest
from django.db import DatabaseError, transaction

from accounts.models import BillingProfile
from invoices.models import Charge, Invoice, PeriodClosing
from payments.operations.integrity import check_books
from tests.factories import NOW, issued
from tests.invoices.billing_runs import billed_profile, charged, noon, run

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
        Charge.objects.filter(invoice=invoice).update(tax_minor=1)
    Invoice.objects.filter(pk=invoice.pk).update(tax_minor=1, total_minor=1001)
    assert f"Invoice {invoice}: its charges come to 1000, its total is 1001." in check_books()


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
    assert check_books() == [f"Invoice {invoice}: charge {other.pk} is of another billing profile."]


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
    days = {"start_on": date(2027, 2, 5), "end_on": date(2027, 3, 5)}
    PeriodClosing.objects.create(profile=profile, outcome="nothing", closed_at=NOW, **days)
    BillingProfile.objects.update(billed_until_on=date(2027, 3, 5), next_invoice_on=date(2027, 4, 5))
    assert check_books() == [f"Billing profile {profile.code}: nothing was closed up to 2027-02-05."]


def test_a_profile_that_was_set_back(profile):
    BillingProfile.objects.filter(pk=profile.pk).update(billed_until_on=date(2026, 12, 5))
    assert check_books() == [
        f"Billing profile {profile.code}: invoiced up to 2026-12-05, the next invoice is on 2027-02-05.",
        f"Billing profile {profile.code}: closed up to 2027-01-05, but invoiced up to 2026-12-05.",
    ]
