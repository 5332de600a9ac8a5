"""Characters that nobody sees, and letters that documents cannot print, are refused wherever a text comes in."""

from datetime import date

import pytest
from django.db import models
from django.urls import reverse

from accounts.models import (
    BillingAccount,
    BillingContact,
    BillingProfile,
    InvoiceSection,
    Seller,
    TaxId,
    User,
    WireRequest,
)
from billing_portal.core.letters import PrintedField, PrintedTextField, SeenField
from invoices.models import Charge, Credit, ExchangeRate, Invoice, InvoiceLine, RemittanceAccount, TaxRate
from invoices.operations.charges import CannotCharge
from tests.factories import BillingProfileFactory, UserFactory, member
from tests.invoices.billing_runs import charged
from tests.invoices.test_import import HEADING, file
from tests.invoices.test_import_refusals import refusal

__all__ = ["file"]
TURNED = "Example\u202egnp.exe"
NOT_SEEN = "Remove the characters that cannot be seen: U+202E RIGHT-TO-LEFT OVERRIDE."
# Texts that people write and that need neither: each has rules of its own.
OWN_RULES = {
    "accounts.BillingAccount.country",
    "accounts.BillingProfile.country",
    "accounts.BillingProfile.currency",
    "accounts.BillingProfile.endpoint_id",
    "accounts.BillingProfile.time_zone",
    "accounts.Seller.country",
    "accounts.Seller.endpoint_id",
    "accounts.Seller.tax_currency",
    "accounts.User.language",
    "accounts.User.password",
    "invoices.Credit.currency",
    "invoices.ExchangeRate.from_currency",
    "invoices.ExchangeRate.to_currency",
    "invoices.InvoiceLine.exemption_code",
    "invoices.RemittanceAccount.bic",
    "invoices.RemittanceAccount.currency",
    "invoices.RemittanceAccount.iban",
    "invoices.TaxRate.exemption_code",
}
TYPED = (
    BillingAccount, BillingContact, BillingProfile, Charge, Credit, ExchangeRate, Invoice, InvoiceLine, InvoiceSection,
    RemittanceAccount, Seller, TaxId, TaxRate, User, WireRequest,
)  # fmt: skip


def typed_fields():
    for model in TYPED:
        for field in model._meta.local_concrete_fields:
            is_text = isinstance(field, models.CharField | models.TextField) and not field.choices
            if is_text and field.editable and not isinstance(field, models.EmailField | models.SlugField):
                yield f"{model._meta.label}.{field.name}", field


def test_every_text_that_people_write_refuses_them():
    without = {
        name for name, field in typed_fields()
        if not isinstance(field, SeenField | PrintedField | PrintedTextField)
    }  # fmt: skip
    assert without == OWN_RULES


@pytest.fixture
def profile(db):
    return BillingProfileFactory()


@pytest.fixture
def staff(client, db):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


def test_customers_are_told_on_their_pages(client, profile):
    client.force_login(member(profile, "profile_owner"))
    contact = {"name": TURNED, "email": "ap@example.com", "language": "en"}
    assert NOT_SEEN in client.post(reverse("accounts:add_contact", args=[profile.code]), contact).text
    assert not BillingContact.objects.exists()
    wire = {"legal_name": TURNED, "registration_number": "1", "monthly_amount": "1", "contact_name": "A",
            "contact_email": "ap@example.com", "contact_phone": "", "reason": "No card"}  # fmt: skip
    assert NOT_SEEN in client.post(reverse("accounts:wire_request", args=[profile.code]), wire).text
    assert not WireRequest.objects.exists()


def test_staff_are_told_beside_the_field(staff, profile):
    account = profile.account
    form = {
        "name": account.name, "agreement_type": account.agreement_type, "company": TURNED, "country": "NL",
        "seller": account.seller_id,
        **{f"{name}-{count}_FORMS": 0 for name in ("tax_ids", "profiles", "assignments")
           for count in ("TOTAL", "INITIAL")},
    }  # fmt: skip
    page = reverse("admin:accounts_billingaccount_change", args=[account.pk])
    assert NOT_SEEN in staff.post(page, form).text
    glyph = staff.post(page, form | {"company": "Bond 𓀀"}).text
    assert "Our documents cannot print these characters: U+13000 EGYPTIAN HIEROGLYPH A001." in glyph
    assert BillingAccount.objects.get().company == "Example Trading B.V."
    section = InvoiceSection(profile=profile, name=TURNED)
    with pytest.raises(Exception, match="RIGHT-TO-LEFT OVERRIDE"):
        section.full_clean()


def test_a_reason_that_staff_give_is_checked_too(staff, profile):
    address = reverse("admin:accounts_billingprofile_hold", args=[profile.pk])
    assert NOT_SEEN in staff.post(address, {"reason": TURNED}).text
    assert BillingProfile.objects.get().hold_reason == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TURNED, "description holds U+202E RIGHT-TO-LEFT OVERRIDE, which nobody sees."),
        ("Soft\u00adhyphen", "description holds U+00AD SOFT HYPHEN, which nobody sees."),
        ("Bond 𓀀", "description holds U+13000 EGYPTIAN HIEROGLYPH A001, which documents cannot print."),
    ],
)
def test_an_import_names_them_with_the_line(profile, file, text, reason):
    said = refusal(file(f"{HEADING}{profile.code},A-1,,{text},1,1,,,Z\n"))
    assert said.startswith(f"Line 2: {reason}")


def test_a_charge_is_refused(profile):
    with pytest.raises(CannotCharge, match="RIGHT-TO-LEFT OVERRIDE"):
        charged(profile, on=date(2026, 10, 1), description=TURNED)
    assert not Charge.objects.exists()
