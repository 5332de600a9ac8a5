"""Every change that staff make leaves an entry with the values before and after."""

from decimal import Decimal

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group
from django.test import RequestFactory

from accounts.models import AuditEntry, BillingAccount, BillingProfile, InvoiceSection, RoleAssignment, Seller, User
from invoices.models import Charge, Credit, Delivery, ExchangeRate, Invoice, LedgerAccount, RemittanceAccount, TaxRate
from invoices.operations.issuing import recompute_draft
from payments.models import Payout
from tests.factories import TODAY, BillingAccountFactory, BillingProfileFactory, SellerFactory, UserFactory, draft
from tests.staff_forms import page, save

ADDRESS = {"company": "Example Trading B.V.", "country": "NL"}
IBAN = "NL91ABNA0417164300"


@pytest.fixture
def chief(client, db):
    chief = UserFactory(is_staff=True, is_superuser=True, email="chief@example.com")
    client.force_login(chief)
    return chief


def rate():
    return TaxRate.objects.create(name="Standard", percent=Decimal("21"))


def section():
    return InvoiceSection.objects.create(profile=BillingProfileFactory(), name="Web shop")


def exchange_rate():
    return ExchangeRate.objects.create(
        from_currency="EUR", to_currency="USD", quoted_on=TODAY, rate=Decimal("1.0850"), source="ECB"
    )


def remittance():
    return RemittanceAccount.objects.create(
        seller=SellerFactory(), currency="EUR", account_holder="Us", iban=IBAN, valid_from_on=TODAY
    )


def summed(invoice):
    return recompute_draft(invoice_id=invoice.pk)


# Of each page with which staff change a row: the row, what is written into its form, and what the entry holds.
CHANGED = {
    Seller: (SellerFactory, {"city": "Utrecht"}, "seller.changed", {"city": ["Amsterdam", "Utrecht"]}),
    BillingAccount: (
        BillingAccountFactory, {"name": "New"}, "billing_account.changed", {"name": ["Example Trading B.V.", "New"]}
    ),
    BillingProfile: (
        BillingProfileFactory, {"po_number": "PO-7"}, "billing_profile.changed", {"po_number": ["", "PO-7"]}
    ),
    InvoiceSection: (section, {"is_active": None}, "invoice_section.changed", {"is_active": [True, False]}),
    User: (lambda: UserFactory(name="A"), {"name": "B"}, "user.changed", {"name": ["A", "B"]}),
    Group: (lambda: Group.objects.create(name="A"), {"name": "B"}, "group.changed", {"name": ["A", "B"]}),
    TaxRate: (
        rate,
        {
            "name": "Lessons", "percent": "0", "tax_category": "E", "exemption_reason": "Article 132",
            "exemption_code": "VATEX-EU-132-1F",
        },
        "tax_rate.changed",
        {
            "name": ["Standard", "Lessons"], "percent": ["21.000", "0.000"], "tax_category": ["S", "E"],
            "exemption_reason": ["", "Article 132"], "exemption_code": ["", "VATEX-EU-132-1F"],
        },
    ),
    RemittanceAccount: (
        remittance, {"valid_from_on": "2026-12-01"}, "remittance_account.changed",
        {"valid_from_on": ["2026-10-26", "2026-12-01"]},
    ),
    ExchangeRate: (
        exchange_rate, {"rate": "1.0911"}, "exchange_rate.changed", {"rate": ["1.0850000000", "1.0911000000"]},
    ),
    LedgerAccount: (
        lambda: LedgerAccount.objects.create(account="receivable", code="1300"), {"code": "1301"},
        "ledger_account.changed", {"code": ["1300", "1301"]},
    ),
    Invoice: (
        lambda: summed(draft(BillingProfileFactory())), {"po_number": "PO-7"}, "invoice.changed",
        {"po_number": ["", "PO-7"]},
    ),
}  # fmt: skip
# Of each page with which staff add one: the form, and the action.
ADDED = {
    Seller: (
        lambda: {
            "code": "NEW",
            "email": "new@example.com",
            "tax_currency": "EUR",
            **ADDRESS,
            "street": "New 1",
            "city": "Town",
            "invoice_prefix": "N-",
            "credit_note_prefix": "NC-",
        },
        "seller.added",
    ),
    BillingAccount: (lambda: {"name": "New", "seller": SellerFactory().pk, **ADDRESS}, "billing_account.added"),
    BillingProfile: (
        lambda: {"account": BillingAccountFactory().pk, "name": "New", "currency": "EUR", **ADDRESS},
        "billing_profile.added",
    ),
    InvoiceSection: (lambda: {"profile": BillingProfileFactory().pk, "name": "New"}, "invoice_section.added"),
    User: (lambda: {"email": "new@example.com", "name": "New"}, "user.added"),
    Group: (lambda: {"name": "New"}, "group.added"),
    TaxRate: (lambda: {"name": "New", "percent": "21"}, "tax_rate.added"),
    RemittanceAccount: (
        lambda: {
            "seller": SellerFactory().pk,
            "currency": "EUR",
            "account_holder": "Us",
            "iban": IBAN,
            "valid_from_on": "2026-10-26",
        },
        "remittance_account.added",
    ),
    ExchangeRate: (
        lambda: {
            "from_currency": "EUR",
            "to_currency": "usd",
            "quoted_on": "2026-10-26",
            "rate": "1.0850",
            "source": "New",
        },
        "exchange_rate.added",
    ),
    LedgerAccount: (lambda: {"account": "revenue", "code": "New"}, "ledger_account.added"),
    Invoice: (lambda: {"profile": BillingProfileFactory().pk, "po_number": "New"}, "invoice.added"),
}
# What an operation records itself.
RECORDED_BY_OPERATIONS = {
    RoleAssignment: (
        lambda: {"user": UserFactory().pk, "role": "profile_reader", "profile": BillingProfileFactory().pk},
        "role.granted",
    ),
    Charge: (
        lambda: {
            "section": section().pk, "description": "Disk", "unit_price": "1", "tax_rate": rate().pk,
            "happened_on": "2026-10-26",
        },
        "charge.recorded",
    ),
    Credit: (
        lambda: {
            "profile": BillingProfileFactory().pk, "source": "goodwill", "amount": "5.00", "description": "Delay",
            "starts_on": "2026-10-26",
        },
        "credit.granted",
    ),
    Payout: (
        lambda: {
            "gateway": "sandbox", "currency": "EUR", "amount": "5.00", "fees": "0", "paid_on": "2026-10-26",
            "reference": "po_1",
        },
        "payout.recorded",
    ),
}  # fmt: skip


def test_every_page_with_which_staff_write_is_listed_here(chief):
    request = RequestFactory().get("/")
    request.user = chief
    pages = site._registry.items()
    changed = {model for model, one in pages if one.has_change_permission(request)}
    assert changed - {Delivery} == CHANGED.keys()  # a delivery has a button and no form
    added = {model for model, one in pages if one.has_add_permission(request)}
    assert added == ADDED.keys() | RECORDED_BY_OPERATIONS.keys()


@pytest.mark.parametrize("model", CHANGED, ids=lambda model: model.__name__)
def test_a_changed_row_leaves_its_values_before_and_after(client, chief, model):
    make, values, action, fields = CHANGED[model]
    row = make()
    before = AuditEntry.objects.count()
    save(client, page(model, "change", row.pk), **values)
    entry = AuditEntry.objects.order_by("pk").last()
    assert AuditEntry.objects.count() == before + 1
    assert (entry.action, entry.actor, entry.ip_address) == (action, chief, "127.0.0.1")
    assert entry.detail == {
        "before": {name: old for name, (old, _new) in fields.items()},
        "after": {name: new for name, (_old, new) in fields.items()},
    }


@pytest.mark.parametrize("model", CHANGED, ids=lambda model: model.__name__)
def test_a_row_that_is_saved_as_it_was_leaves_nothing(client, chief, model):
    row = CHANGED[model][0]()
    before = AuditEntry.objects.count()
    save(client, page(model, "change", row.pk))
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("model", ADDED, ids=lambda model: model.__name__)
def test_a_new_row_leaves_what_it_holds(client, chief, model):
    values, action = ADDED[model]
    save(client, page(model, "add"), **values())
    entry = AuditEntry.objects.get(action=action)
    assert entry.actor == chief
    assert list(entry.detail) == ["after"]
    assert {"New", "Us", "new@example.com"} & set(map(str, entry.detail["after"].values()))


@pytest.mark.parametrize("model", RECORDED_BY_OPERATIONS, ids=lambda model: model.__name__)
def test_what_an_operation_records_is_recorded_once(client, chief, model):
    values, action = RECORDED_BY_OPERATIONS[model]
    save(client, page(model, "add"), **values())
    assert [(entry.action, entry.actor) for entry in AuditEntry.objects.all()] == [(action, chief)]
