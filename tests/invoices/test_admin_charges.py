"""The staff pages of charges, tax rates and closed periods."""

from datetime import date
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.models import AuditEntry
from invoices.models import Charge, Invoice, TaxRate
from tests.factories import BillingProfileFactory, UserFactory, tax_rate
from tests.invoices.billing_runs import billed_profile, charged, noon, run, section_of

pytestmark = pytest.mark.django_db
LIST, RATES, PERIODS = (f"/admin/invoices/{name}/" for name in ("charge", "taxrate", "periodclosing"))
DAY = date(2026, 10, 6)


@pytest.fixture
def boss(client):
    user = UserFactory(is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


def add(client, profile, **fields):
    data = {
        "section": section_of(profile).pk, "kind": "usage", "description": "Hosting", "quantity": "744",
        "unit": "HUR", "unit_price": "0.125", "tax_rate": tax_rate().pk, "happened_on": "2026-10-06",
        "is_creditable": "on", "source_reference": "",
    }  # fmt: skip
    return client.post(f"{LIST}add/", data | fields)


def test_a_charge_is_recorded_by_the_operation(client, boss):
    profile = BillingProfileFactory(currency="KWD")
    rate = TaxRate.objects.create(name="High", percent=21)
    assert add(client, profile, tax_rate=rate.pk, source_reference="A-1").status_code == 302
    charge = Charge.objects.get()
    assert (charge.profile, charge.exact_amount) == (profile, 93)
    assert (charge.created_by, charge.tax_percent, charge.source_reference) == (boss, Decimal(21), "A-1")
    assert AuditEntry.objects.get(action="charge.recorded").actor == boss


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"unit_price": "-1"}, "Only a return may be negative."),
        ({"kind": "return"}, "A return is deducted: its quantity or its unit price is negative."),
        ({"source_reference": "A-1"}, "The reference A-1 was recorded before, with other values in: quantity, unit"),
        ({"unit_price": "9999999999999", "quantity": "999999"}, "An amount is too large."),
    ],
)
def test_what_is_no_charge_is_told_on_the_page(client, boss, profile, fields, words):
    charged(profile, "0.125", on=DAY, source_reference="A-1")
    page = add(client, profile, **fields)
    assert page.status_code == 200
    assert words in page.content.decode()
    assert Charge.objects.count() == 1
    assert AuditEntry.objects.count() == 1


def test_a_charge_is_shown_as_people_write_it(client, boss, profile):
    rate = TaxRate.objects.create(name="High", percent=21)
    charge = charged(profile, "0.125", on=DAY, quantity=Decimal(744), unit="HUR", tax_rate=rate)
    page = client.get(reverse("admin:invoices_charge_change", args=[charge.pk])).content.decode()
    for words in ("744 hours", "EUR 0.125<", "21%", "EUR 93.00"):
        assert words in page


def test_a_rate_that_is_out_of_use_is_not_offered(client, boss):
    TaxRate.objects.create(name="Old rate", percent=19, is_active=False)
    TaxRate.objects.create(name="High rate", percent=21)
    page = client.get(f"{LIST}add/").content.decode()
    assert "High rate" in page
    assert "Old rate" not in page


def test_an_unbilled_charge_may_be_removed(client, boss, profile):
    charge = charged(profile, on=DAY)
    page = client.get(reverse("admin:invoices_charge_change", args=[charge.pk])).content.decode()
    assert reverse("admin:invoices_charge_delete", args=[charge.pk]) in page
    assert client.post(reverse("admin:invoices_charge_delete", args=[charge.pk]), {"post": "yes"}).status_code == 302
    assert not Charge.objects.exists()
    assert AuditEntry.objects.get(action="charge.removed").actor == boss


def billed_charge() -> Charge:
    profile = billed_profile()
    charge = charged(profile, on=DAY)
    run(noon(2026, 11, 5))
    return charge


def test_a_billed_charge_stays_and_leads_to_its_invoice(client, boss):
    charge = billed_charge()
    page = client.get(reverse("admin:invoices_charge_change", args=[charge.pk])).content.decode()
    assert reverse("admin:invoices_invoice_change", args=[Invoice.objects.get().pk]) in page
    assert reverse("admin:invoices_charge_delete", args=[charge.pk]) not in page
    assert client.post(reverse("admin:invoices_charge_delete", args=[charge.pk]), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [charge.pk], "post": "yes"}
    assert client.post(LIST, chosen).status_code == 403
    assert Charge.objects.count() == 1


def test_several_are_removed_together(client, boss, profile):
    pks = [charged(profile, on=DAY).pk for _number in range(3)]
    client.post(LIST, {"action": "delete_selected", "_selected_action": pks[:2], "post": "yes"})
    assert [charge.pk for charge in Charge.objects.all()] == pks[2:]
    assert AuditEntry.objects.filter(action="charge.removed").count() == 2


def test_one_that_is_billed_just_before_it_is_removed_is_told(client, boss, profile, monkeypatch):
    """The page was drawn, and allowed to delete, while the charge was on no invoice."""
    from invoices.admin.charges import ChargeAdmin

    charge = billed_charge()
    monkeypatch.setattr(ChargeAdmin, "has_delete_permission", lambda *_arguments: True)
    address = reverse("admin:invoices_charge_delete", args=[charge.pk])
    page = client.post(address, {"post": "yes"}, follow=True)
    assert "The charge is on an invoice and stays." in page.content.decode()
    assert Charge.objects.count() == 1


def test_no_charge_is_ever_changed(client, boss, profile):
    charge = charged(profile, on=DAY)
    address = reverse("admin:invoices_charge_change", args=[charge.pk])
    assert client.post(address, {"description": "Storage"}).status_code == 403
    charge.refresh_from_db()
    assert charge.description == "Hosting"


def test_the_list_tells_amounts_as_money_and_is_narrowed_to_what_waits(client, boss):
    billed_charge()
    charged(BillingProfileFactory(currency="JPY", name="Tokyo"), "1234", on=DAY, description="Waiting")
    page = client.get(LIST).content.decode()
    assert "EUR 10.00" in page
    assert "JPY 1,234" in page
    page = client.get(f"{LIST}?billed=no").content.decode()
    assert ("Waiting" in page, "EUR 10.00" in page) == (True, False)
    page = client.get(f"{LIST}?billed=yes").content.decode()
    assert ("Waiting" in page, "EUR 10.00" in page) == (False, True)
    assert "Waiting" in client.get(f"{LIST}?q=Tokyo").content.decode()


def test_a_clerk_who_may_only_look_adds_and_removes_nothing(client, profile):
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_charge"))
    client.force_login(clerk)
    charge = charged(profile, on=DAY)
    assert add(client, profile).status_code == 403
    assert client.post(reverse("admin:invoices_charge_delete", args=[charge.pk]), {"post": "yes"}).status_code == 403
    assert Charge.objects.count() == 1


def test_the_percentage_of_a_rate_stays_once_it_was_used(client, boss, profile):
    rate = TaxRate.objects.create(name="High", percent=21)
    address = reverse("admin:invoices_taxrate_change", args=[rate.pk])
    data = {"name": "High", "percent": "22", "tax_category": "S", "is_active": "on"}
    client.post(address, data)
    rate.refresh_from_db()
    assert rate.percent == 22
    charged(profile, on=DAY, tax_rate=rate)
    client.post(address, data | {"percent": "23", "name": "Higher", "tax_category": "AE"})
    rate.refresh_from_db()
    assert (rate.percent, rate.name, rate.tax_category) == (22, "Higher", "S")
    assert AuditEntry.objects.filter(action="tax_rate.changed").count() == 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"percent": "21", "tax_category": "AE"}, "every other category has none"),
        ({"percent": "0", "tax_category": "S"}, "every other category has none"),
        ({"percent": "0", "tax_category": "E"}, "Give the reason of the exemption, or its VATEX code."),
        ({"percent": "0", "tax_category": "E", "exemption_code": "132"}, "A VATEX code begins with VATEX-"),
        (
            {"percent": "0", "tax_category": "Z", "exemption_reason": "Law"},
            "zero-rated supply has no reason for no tax",
        ),
        ({"percent": "101", "tax_category": "S"}, "Ensure this value is less than or equal to 100."),
        ({"percent": "-1", "tax_category": "Z"}, "Ensure this value is greater than or equal to 0."),
    ],
)
def test_a_rate_that_does_not_fit_its_category_is_refused_on_the_page(client, boss, fields, words):
    page = client.post(f"{RATES}add/", {"name": "Odd", "is_active": "on", **fields})
    assert page.status_code == 200
    assert words in page.content.decode()
    assert not TaxRate.objects.exists()


def test_the_name_of_a_rate_stands_once_however_it_is_written(client, boss):
    tax_rate("21", name="High rate")
    page = client.post(f"{RATES}add/", {"name": "HIGH  rate", "is_active": "on", "percent": "9", "tax_category": "S"})
    assert "There is a tax rate of that name already." in page.content.decode()
    assert TaxRate.objects.count() == 1


def test_a_category_brings_its_reason_and_code(client, boss):
    client.post(f"{RATES}add/", {"name": "Reverse", "is_active": "on", "percent": "0", "tax_category": "AE"})
    rate = TaxRate.objects.get()
    assert (rate.exemption_reason, rate.exemption_code) == ("Reverse charge", "VATEX-EU-AE")


def test_closed_periods_are_looked_at_only(client, boss):
    billed_charge()
    page = client.get(PERIODS).content.decode()
    assert "Invoice issued" in page
    assert "4 Nov 2026" in page
    assert client.get(f"{PERIODS}add/").status_code == 403


def test_the_currency_of_a_profile_stays_once_it_has_charges(client, boss, profile):
    address = reverse("admin:accounts_billingprofile_change", args=[profile.pk])
    assert 'name="currency"' in client.get(address).content.decode()
    charged(profile, on=DAY)
    assert 'name="currency"' not in client.get(address).content.decode()
