"""The currency of a profile, or the seller of its account, is changed while the first amount is written: one of the two
finds what the other did."""

from decimal import Decimal

import pytest
from django.urls import reverse

from accounts.access import system_access
from accounts.models import BillingProfile, InvoiceSection
from accounts.operations.profiles import CurrencyChanged
from invoices.importing.charges import ChargeImport
from invoices.importing.csv_reader import Problems
from invoices.importing.invoices import InvoiceImport
from invoices.models import Charge, Credit, Invoice
from invoices.money import Money
from invoices.operations.charges import record_charge
from invoices.operations.credits import CannotCredit, grant_credit
from tests.accounts.test_address_races import meanwhile
from tests.factories import NOW, TODAY, SellerFactory, UserFactory, tax_rate
from tests.payments.acts import staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.two_connections]


@pytest.fixture
def section(profile):
    return InvoiceSection.objects.create(profile=profile, name="Web shop")


@pytest.fixture
def chief(client):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


def charge(section):
    return record_charge(
        access=system_access(),
        at=NOW,
        charge=Charge(
            profile=BillingProfile.objects.get(pk=section.profile_id), section=section, kind="usage",
            description="Hosting", quantity=Decimal(1), unit_price=Decimal("10.00"), happened_on=TODAY,
            tax_rate=tax_rate(),
        ),
    )  # fmt: skip


def run_import(kind, tmp_path, section, **columns):
    fields = {"profile": section.profile.code, "description": "Hosting", "unit_price": "10.00"} | columns
    if kind is ChargeImport:
        fields |= {"reference": "C-1", "section": section.name, "date": TODAY.isoformat(), "tax_rate": tax_rate().name}
    else:
        fields |= {"invoice": "A-1", "tax_category": "Z"}
    path = tmp_path / "rows.csv"
    path.write_text(f"{','.join(fields)}\n{','.join(fields.values())}\n")
    return kind(access=system_access(), at=NOW, progress=lambda *_: None, tell=print).run(path, dry_run=False)


def change_currency(client, profile, currency="JPY"):
    """As staff do, on the form of the profile."""
    form = {
        "name": profile.name, "company": profile.company, "country": profile.country, "currency": currency,
        "invoice_day": 5, "payment_terms_days": 30, "default_method": "card", "time_zone": "Europe/Amsterdam",
        "document_language": "en", "invoice_format": "pdf",
        **{
            f"{name}-{count}_FORMS": 0
            for name in ("sections", "contacts", "assignments")
            for count in ("TOTAL", "INITIAL")
        },
    }  # fmt: skip
    return client.post(reverse("admin:accounts_billingprofile_change", args=[profile.pk]), form)


def change_meanwhile(client, profile, write):
    """What ``write`` came to, begun while the currency is JPY and not committed yet."""
    result = meanwhile(lambda: change_currency(client, profile), write)
    profile.refresh_from_db()
    assert profile.currency == "JPY"
    return result


def test_a_charge_is_not_recorded_in_a_currency_that_is_being_changed(profile, section, chief):
    result = change_meanwhile(chief, profile, lambda: charge(section))
    assert isinstance(result, CurrencyChanged)
    assert not Charge.objects.exists()


@pytest.mark.parametrize("kind", [ChargeImport, InvoiceImport])
def test_an_import_reads_the_new_currency(profile, section, tmp_path, kind, chief):
    change_meanwhile(chief, profile, lambda: run_import(kind, tmp_path, section))
    row = (Charge if kind is ChargeImport else Invoice).objects.get()
    assert row.profile.currency == "JPY"
    assert (row.exact_amount == 10) if kind is ChargeImport else (row.total == Money(10, "JPY"))


@pytest.mark.parametrize("kind", [ChargeImport, InvoiceImport])
def test_an_import_that_names_the_old_currency_is_refused(profile, section, tmp_path, kind, chief):
    result = change_meanwhile(chief, profile, lambda: run_import(kind, tmp_path, section, currency="EUR"))
    assert isinstance(result, Problems)
    assert not Charge.objects.exists()
    assert not Invoice.objects.exists()


def test_a_draft_is_not_made_in_a_currency_that_is_being_changed(profile, chief):
    form = {"profile": profile.pk, "kind": "service"}
    page = change_meanwhile(chief, profile, lambda: chief.post(reverse("admin:invoices_invoice_add"), form))
    assert "The currency of Operations NL was changed a moment ago." in page.text
    assert not Invoice.objects.exists()


def test_a_credit_is_not_granted_in_a_currency_that_is_being_changed(profile, chief):
    facts = {"source": "goodwill", "description": "Sorry", "starts_on": None, "expires_on": None}

    def grant():
        return grant_credit(access=staff(), profile_id=profile.pk, amount=Money(1000, "EUR"), at=NOW, **facts)

    assert isinstance(change_meanwhile(chief, profile, grant), CannotCredit)
    assert not Credit.objects.exists()


@pytest.mark.parametrize("what", ["charge", "charges", "invoices"])
def test_the_currency_is_not_changed_while_a_first_amount_is_written(profile, section, tmp_path, chief, what):
    writes = {
        "charge": lambda: charge(section),
        "charges": lambda: run_import(ChargeImport, tmp_path, section),
        "invoices": lambda: run_import(InvoiceImport, tmp_path, section),
    }
    page = meanwhile(writes[what], lambda: change_currency(chief, profile))
    assert "The currency cannot be changed: there are amounts or cards by now." in page.text
    profile.refresh_from_db()
    assert profile.currency == "EUR"


def test_the_seller_is_not_changed_while_a_first_invoice_is_written(profile, section, tmp_path, chief):
    """The invoice has a number of the seller's series and names its bank account."""
    account, other = profile.account, SellerFactory(code="DE", invoice_prefix="DE-", credit_note_prefix="DEC-")
    form = {
        "name": account.name, "agreement_type": account.agreement_type, "company": account.company, "country": "NL",
        "seller": other.pk,
        **{f"{name}-{count}_FORMS": 0 for name in ("tax_ids", "profiles", "assignments")
           for count in ("TOTAL", "INITIAL")},
    }  # fmt: skip
    address = reverse("admin:accounts_billingaccount_change", args=[account.pk])
    page = meanwhile(
        lambda: run_import(InvoiceImport, tmp_path, section), lambda: chief.post(address, form, follow=True)
    )
    assert "The seller cannot be changed: there are amounts or cards by now." in page.text
    account.refresh_from_db()
    assert account.seller != other
