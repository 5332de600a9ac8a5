"""Properties, access control, the account's page and the section's page: what they say, and to whom."""

import pytest
from django.conf import settings
from django.urls import reverse

from accounts.models import BillingProfile, InvoiceSection, RoleAssignment
from accounts.roles import GRANTS, Permission, Scope
from tests.factories import NOW, BillingAccountFactory, BillingProfileFactory, SellerFactory, member


@pytest.fixture
def page(client):
    def get(user, url):
        client.force_login(user)
        response = client.get(url)
        assert response.status_code == 200
        return " ".join(response.content.decode().split())

    return get


def test_properties_say_which_agreement_the_customer_has(page, db):
    account = BillingAccountFactory(name="Acme Holding", agreement_type="online_services")
    account.tax_ids.create(kind="vat", value="NL123456789B01")
    profile = BillingProfileFactory(
        account=account, po_number="PO-778", currency="GBP", invoice_day=7, payment_terms_days=14,
        default_method="check_wire", company="Acme Operations Ltd", city="Leeds", country="GB",
    )  # fmt: skip
    text = page(member(profile, "profile_reader"), reverse("accounts:properties", args=[profile.code]))
    wanted = ["Online services agreement", "Acme Holding", account.code, "NL123456789B01", "Voorbeeldstraat 1"]
    wanted += ["Acme Operations Ltd", "Leeds", "PO-778", "GBP", "Day 7 of each month", "Within 14 days"]
    wanted += ["Check or wire transfer", "Active", profile.code, "Btw-id"]
    assert [word for word in wanted if word not in text] == []


@pytest.mark.parametrize(
    ("day", "wanted"),
    [
        (1, "Day 1 of each month</dd>"),
        (28, "Day 28 of each month</dd>"),
        (29, "Day 29 of each month, or the last day of a shorter one</dd>"),
        (31, "<dd>Last day of the month</dd>"),
    ],
)
def test_properties_say_on_which_day_invoices_come(page, profile, day, wanted):
    BillingProfile.objects.update(invoice_day=day)
    assert wanted in page(member(profile, "profile_reader"), reverse("accounts:properties", args=[profile.code]))


def test_access_control_lists_members_with_where_their_role_comes_from(page, profile):
    member(profile.account, "account_owner", email="director@example.com")
    member(profile, "profile_reader", email="gone@example.com", is_active=False)
    member(BillingProfileFactory(), "profile_owner", email="stranger@example.com")
    reader = member(profile, "invoice_manager", email="payables@example.com", name="Pat Ables")
    RoleAssignment.objects.filter(user=reader).update(created_at=NOW)
    text = page(reader, reverse("accounts:access", args=[profile.code]))
    body = text[text.index('id="members"') :]
    director, payables = body.index("director@example.com"), body.index("payables@example.com")
    assert director < payables
    assert "Billing account owner" in body[director:payables]
    assert "Inherited" in body[director:payables]
    row = body[payables : body.index("</tr>", payables)]
    for word in ("Pat Ables", "Invoice manager", "This profile", "26 Oct 2026"):
        assert word in row
    assert "Not active: cannot sign in" in body[body.index("gone@example.com") :]
    assert "stranger@example.com" not in text


def test_the_role_table_is_drawn_from_the_data(page, profile):
    text = page(member(profile, "profile_reader"), reverse("accounts:access", args=[profile.code]))
    table = text[text.index("What each role may do on this billing profile") :]
    for permission, holders in GRANTS[Scope.PROFILE].items():
        if permission == Permission.ROLES_ASSIGN:  # staff do that
            continue
        start = table.index(f"<td>{permission.label}</td>")
        row = table[start : table.index("</tr>", start)]
        assert row.count(">Yes<") == len(holders)
        assert row.count(">No<") == 7 - len(holders)


@pytest.mark.parametrize("scope", ["account", "profile"])
def test_the_role_table_lists_nothing_that_only_staff_do(page, profile, scope):
    owner = member(profile.account, "account_owner")
    address = {
        "account": ("accounts:account_access", profile.account.code),
        "profile": ("accounts:access", profile.code),
    }
    name, code = address[scope]
    table = page(owner, reverse(name, args=[code])).partition("What each role may do")[2]
    for task in ("Assign roles", "Create", "policies", "subscription", "products"):
        assert task not in table
    assert ("Require a second factor" in table) == (scope == "account")


def test_every_permission_is_asked_for_somewhere():
    """Nothing is listed that does nothing."""
    files = (path for app in ("accounts", "invoices", "payments") for path in (settings.BASE_DIR / app).rglob("*.py"))
    code = "\n".join(path.read_text() for path in files if path.name not in ("roles.py", "members.py"))
    assert [one for one in Permission if f"Permission.{one.name}" not in code] == []


def test_access_control_of_the_account_shows_only_its_own_roles(page, profile):
    owner = member(profile.account, "account_owner", email="director@example.com")
    member(profile, "profile_owner", email="owner@example.com")
    text = page(owner, reverse("accounts:account_access", args=[profile.account.code]))
    assert "What each role may do on this billing account" in text
    assert "director@example.com" in text
    assert "owner@example.com" not in text


def test_access_control_says_to_write_to_the_seller_of_the_customer(page, profile):
    other = SellerFactory(code="DE", email="rechnung@example.com", invoice_prefix="DE-", credit_note_prefix="DEC-")
    theirs = BillingProfileFactory(account=BillingAccountFactory(seller=other))
    for name, place in (("accounts:access", theirs), ("accounts:account_access", theirs.account)):
        owner = member(place, "profile_owner" if place is theirs else "account_owner")
        text = page(owner, reverse(name, args=[place.code]))
        assert "mailto:rechnung@example.com" in text
        assert "mailto:billing@example.com" not in text


def test_access_control_costs_the_same_for_many_members(client, profile, django_assert_num_queries):
    owner = member(profile, "profile_owner", last_scope=f"profile:{profile.code}")
    client.force_login(owner)
    url = reverse("accounts:access", args=[profile.code])
    for _index in range(6):
        member(profile, "profile_reader")
    with django_assert_num_queries(5):  # session, user, roles, profile, members
        client.get(url)


def test_the_account_page_lists_its_profiles(page, profile):
    BillingProfileFactory(account=profile.account, name="Operations UK", currency="GBP", status="disabled")
    BillingProfileFactory(name="Of somebody else")
    text = page(member(profile.account, "account_reader"), reverse("accounts:account", args=[profile.account.code]))
    for word in ("Operations NL", "Operations UK", "GBP", "Disabled", "Customer agreement", profile.account.code):
        assert word in text
    assert "Of somebody else" not in text


def test_an_account_without_profiles_says_so(page, db):
    account = BillingAccountFactory()
    text = page(member(account, "account_owner"), reverse("accounts:account", args=[account.code]))
    assert "No billing profiles yet" in text


def test_a_section_role_is_told_that_it_sees_no_invoices(page, profile):
    section = InvoiceSection.objects.create(profile=profile, name="Marketing")
    text = page(member(section, "section_owner"), reverse("accounts:section", args=[section.pk]))
    assert "Roles on an invoice section do not include invoices" in text
    assert "ask an owner of Operations NL for a role there" in text
    assert "Invoice section owner" in text
    assert reverse("invoices:list", args=[profile.code]) not in text


def test_a_profile_role_is_led_from_a_section_to_the_invoices(page, profile):
    section = InvoiceSection.objects.create(profile=profile, name="Marketing")
    text = page(member(profile, "profile_reader"), reverse("accounts:section", args=[section.pk]))
    assert "do not include invoices" not in text
    assert reverse("invoices:list", args=[profile.code]) in text


def test_names_are_shown_as_text_not_as_markup(page, db):
    account = BillingAccountFactory(name="<b>Bold</b> & Sons")
    profile = BillingProfileFactory(account=account, company="<script>alert(1)</script>")
    text = page(member(profile, "profile_reader"), reverse("accounts:properties", args=[profile.code]))
    assert "<script>alert" not in text
    assert "&lt;b&gt;Bold&lt;/b&gt; &amp; Sons" in text
