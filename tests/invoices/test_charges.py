"""Recording a charge, and taking it back."""

from datetime import date
from decimal import Decimal

import pytest

from accounts.access import system_access
from accounts.models import AuditEntry
from invoices.models import Charge, TaxRate
from invoices.operations.charges import CannotCharge, record_charge, remove_charge
from tests.factories import NOW, BillingProfileFactory, tax_rate
from tests.invoices.billing_runs import billed_profile, charged, noon, run, section_of

pytestmark = pytest.mark.django_db
DAY = date(2026, 10, 6)


def test_a_charge_is_kept_as_exactly_as_it_was_recorded(profile):
    rate = tax_rate("21")
    charge = charged(profile, "0.3350000001", on=DAY, quantity=Decimal("3.000000000001"), tax_rate=rate)
    charge.refresh_from_db()
    assert (charge.quantity, charge.unit_price) == (Decimal("3.000000000001"), Decimal("0.3350000001"))
    assert charge.exact_amount == Decimal("1.0050000003003350000001")
    assert (charge.tax_category, charge.tax_percent, charge.created_at) == ("S", Decimal(21), NOW)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.profile) == ("charge.recorded", "Hosting", profile)
    assert entry.detail == {"charge": charge.pk, "amount": 101}


@pytest.mark.parametrize(("currency", "amount"), [("JPY", 1), ("EUR", 125), ("KWD", 1250)])
def test_the_audit_trail_has_the_amount_in_minor_units_of_the_profile(currency, amount):
    charged(BillingProfileFactory(currency=currency), "1.25", on=DAY)
    assert AuditEntry.objects.get().detail["amount"] == amount


def test_a_negative_price_is_a_negative_quantity(profile):
    charge = charged(profile, "-2.5", on=DAY, quantity=Decimal(3))
    assert (charge.quantity, charge.unit_price) == (Decimal(-3), Decimal("2.5"))


def test_a_charge_needs_a_tax_rate(profile):
    charge = Charge(
        profile=profile, section=section_of(profile), description="Hosting", unit_price=Decimal(1), happened_on=DAY
    )
    with pytest.raises(CannotCharge, match="Choose a tax rate"):
        record_charge(access=system_access(), charge=charge, at=NOW)
    assert not Charge.objects.exists()


def test_a_reverse_charge_gives_its_reason_whether_one_was_typed_or_not(profile):
    plain = tax_rate(tax_category="AE")
    noted = tax_rate(name="Noted", tax_category="AE", exemption_reason="Reverse charge, article 196")
    charges = [charged(profile, on=DAY, tax_rate=rate) for rate in (plain, noted)]
    assert [(charge.exemption_reason, charge.exemption_code) for charge in charges] == [
        ("Reverse charge", "VATEX-EU-AE"),
        ("Reverse charge, article 196", "VATEX-EU-AE"),
    ]


def test_a_rate_that_is_renamed_later_leaves_the_charge_as_it_was(profile):
    rate = tax_rate(tax_category="E", exemption_reason="Article 9")
    charge = charged(profile, on=DAY, tax_rate=rate)
    TaxRate.objects.update(exemption_reason="Article 10")
    charge.refresh_from_db()
    assert charge.exemption_reason == "Article 9"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"kind": "usage", "unit_price": "-1"}, "Only a return may be negative."),
        ({"kind": "one_off", "unit_price": "-1"}, "Only a return may be negative."),
        ({"kind": "return", "unit_price": "1"}, "A return is deducted: its quantity or its unit price is negative."),
        ({"kind": "gift"}, "kind: Value 'gift' is not a valid choice."),
        ({"description": "  "}, "description: This field cannot be blank."),
        ({"description": "x" * 201}, "description: Ensure this value has at most 200 characters"),
        ({"description": "Host\x00ing"}, "description: Remove the characters that cannot be seen: U+0000."),
        ({"source_reference": "A\n1"}, "source reference: Remove the characters that cannot be seen: U+000A."),
        ({"unit": "h\nours"}, r"unit: Value 'h\nours' is not a valid choice."),
        ({"quantity": Decimal("0.0000000000001")}, "quantity: Ensure that there are no more than 12 decimal places."),
        ({"unit_price": "0.00000000001"}, "unit price: Ensure that there are no more than 10 decimal places."),
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
        ({"description": "Storage", "unit": "E34"}, "description, unit"),
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
