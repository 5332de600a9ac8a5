"""Recording a charge, and taking it back."""

from datetime import date
from decimal import Decimal

import pytest

from accounts.access import system_access
from accounts.models import AuditEntry
from invoices.models import Charge, TaxRate
from invoices.operations.charges import CannotCharge, remove_charge
from tests.factories import NOW, BillingProfileFactory
from tests.invoices.billing_runs import billed_profile, charged, noon, run, section_of

pytestmark = pytest.mark.django_db
DAY = date(2026, 10, 6)


def test_a_charge_is_rounded_once_half_up_and_its_tax_too(profile):
    rate = TaxRate.objects.create(name="High", percent=21, note="Article 9")
    charge = charged(profile, "0.335", on=DAY, quantity=Decimal(3), tax_rate=rate)
    charge.refresh_from_db()
    assert (charge.amount_minor, charge.tax_minor) == (101, 21)
    assert (charge.tax_percent, charge.tax_note, charge.created_at) == (Decimal(21), "Article 9", NOW)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.profile) == ("charge.recorded", "Hosting", profile)
    assert entry.detail == {"charge": charge.pk, "amount": 101}


@pytest.mark.parametrize(("currency", "amount"), [("JPY", 1), ("EUR", 125), ("KWD", 1250)])
def test_the_amount_is_in_minor_units_of_the_profile(currency, amount):
    assert charged(BillingProfileFactory(currency=currency), "1.25", on=DAY).amount_minor == amount


def test_a_reverse_charge_is_zero_and_says_so_whatever_its_note(profile):
    plain = TaxRate.objects.create(name="Reverse", percent=0, is_reverse_charge=True)
    noted = TaxRate.objects.create(name="Noted", percent=0, is_reverse_charge=True, note="Reverse charge, article 196")
    assert [charged(profile, on=DAY, tax_rate=rate).tax_note for rate in (plain, noted)] == [
        "Reverse charge",
        "Reverse charge, article 196",
    ]


def test_a_rate_that_is_renamed_later_leaves_the_charge_as_it_was(profile):
    rate = TaxRate.objects.create(name="High", percent=21, note="Article 9")
    charge = charged(profile, on=DAY, tax_rate=rate)
    TaxRate.objects.update(note="Article 10")
    charge.refresh_from_db()
    assert charge.tax_note == "Article 9"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"kind": "usage", "unit_price": "-1"}, "Only a return may be negative."),
        ({"kind": "one_off", "unit_price": "-1"}, "Only a return may be negative."),
        ({"kind": "return", "unit_price": "1"}, "A return is deducted: its quantity or its unit price is negative."),
        ({"kind": "gift"}, "kind: Value 'gift' is not a valid choice."),
        ({"description": "  "}, "description: This field cannot be blank."),
        ({"description": "x" * 201}, "description: Ensure this value has at most 200 characters"),
        ({"description": "Host\x00ing"}, "A text holds control characters."),
        ({"unit": "h\nours"}, "A text holds control characters."),
        ({"quantity": Decimal("0.00001")}, "quantity: Ensure that there are no more than 4 decimal places."),
        ({"unit_price": "0.0000001"}, "unit price: Ensure that there are no more than 6 decimal places."),
        ({"unit_price": "9999999999999", "quantity": Decimal(1000)}, "An amount is too large."),
        ({"on": date(1999, 12, 31)}, "The date is not between 2000 and 2099."),
        ({"source_reference": "x" * 65}, "source reference: Ensure this value has at most 64 characters"),
    ],
)
def test_what_is_no_charge_is_refused_in_words(profile, facts, words):
    facts = {"on": DAY, **facts}
    with pytest.raises(CannotCharge) as refused:
        charged(profile, facts.pop("unit_price", "10"), **facts)
    assert words in str(refused.value)
    assert not Charge.objects.exists()
    assert not AuditEntry.objects.exists()


def test_the_section_is_one_of_the_profile(profile):
    foreign = section_of(BillingProfileFactory())
    with pytest.raises(CannotCharge, match="belongs to another billing profile"):
        charged(profile, on=DAY, section=foreign)
    assert not Charge.objects.exists()


def test_a_closed_profile_is_charged_nothing():
    profile = BillingProfileFactory(status="closed")
    with pytest.raises(CannotCharge, match="The billing profile is closed"):
        charged(profile, on=DAY)
    assert not Charge.objects.exists()


def test_a_tax_rate_that_is_no_longer_in_use_is_refused(profile):
    rate = TaxRate.objects.create(name="Old", percent=19, is_active=False)
    with pytest.raises(CannotCharge, match="The tax rate Old is no longer in use"):
        charged(profile, on=DAY, tax_rate=rate)
    assert not Charge.objects.exists()


def test_the_same_reference_with_the_same_facts_is_the_same_charge(profile):
    first = charged(profile, on=DAY, source_reference="A-1")
    assert charged(profile, on=DAY, source_reference=" A-1 ") == first
    assert charged(profile, on=DAY, source_reference="a -1") == first
    assert Charge.objects.count() == 1
    assert AuditEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"unit_price": "11"}, "unit price"),
        ({"quantity": Decimal(2)}, "quantity"),
        ({"section": "Other"}, "invoice section"),
        ({"on": date(2026, 10, 7)}, "date"),
        ({"is_creditable": False}, "credits may pay for it"),
        ({"description": "Storage", "unit": "GB"}, "description, unit"),
    ],
)
def test_the_same_reference_with_other_facts_is_refused(profile, change, named):
    charged(profile, on=DAY, source_reference="A-1")
    facts = {"on": DAY, "source_reference": "A-1", **change}
    with pytest.raises(CannotCharge, match=f"A-1 was recorded before, with other values in: {named}."):
        charged(profile, facts.pop("unit_price", "10"), **facts)
    assert Charge.objects.count() == 1


def test_references_of_two_profiles_have_nothing_to_do_with_each_other(profile):
    charged(profile, "1", on=DAY, source_reference="A-1")
    charged(BillingProfileFactory(), "2", on=DAY, source_reference="A-1")
    assert Charge.objects.count() == 2


def test_a_charge_that_is_on_no_invoice_may_be_removed(profile):
    charge = charged(profile, on=DAY, source_reference="A-1")
    remove_charge(access=system_access(), charge_id=charge.pk, at=NOW)
    assert not Charge.objects.exists()
    entry = AuditEntry.objects.get(action="charge.removed")
    assert (entry.subject, entry.profile) == ("Hosting", profile)
    assert entry.detail == {
        "charge": charge.pk, "amount": 1000, "happened_on": "2026-10-06", "source_reference": "A-1",
    }  # fmt: skip


def test_a_charge_that_was_billed_stays():
    profile = billed_profile()
    charge = charged(profile, on=DAY)
    run(noon(2026, 11, 5))
    with pytest.raises(CannotCharge, match="is on an invoice and stays"):
        remove_charge(access=system_access(), charge_id=charge.pk, at=NOW)
    assert Charge.objects.count() == 1
    assert not AuditEntry.objects.filter(action="charge.removed").exists()


def test_a_charge_that_is_gone_is_told(profile):
    charge = charged(profile, on=DAY)
    remove_charge(access=system_access(), charge_id=charge.pk, at=NOW)
    with pytest.raises(CannotCharge, match="was removed already"):
        remove_charge(access=system_access(), charge_id=charge.pk, at=NOW)
