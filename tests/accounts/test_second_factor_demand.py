"""A customer's owner demands a second factor of all who pay or manage cards: who may, whom it stops."""

from time import sleep

import pytest
from django.urls import reverse
from django.utils.http import urlencode

from accounts.access import NeedsSecondFactor, NotAllowed, access_of, staff_access
from accounts.models import AuditEntry, BillingAccount, User
from accounts.operations.second_factors import demand_second_factor
from accounts.roles import Permission
from billing_portal.core.mail import render
from billing_portal.core.models import OutgoingMail
from tests.factories import (
    NOW,
    BillingAccountFactory,
    BillingProfileFactory,
    UserFactory,
    access_for,
    member,
    proven,
    with_second_factor,
)
from tests.payments.acts import at_once
from tests.second_factors import accept_codes, code_now

pytestmark = pytest.mark.django_db
MAIL = "second_factor_demand"
ROLES = {
    "account_owner": {"invoice:pay", "methods:manage"},
    "account_contributor": {"methods:manage"},
    "account_reader": set(),
    "profile_owner": {"invoice:pay", "methods:manage"},
    "profile_contributor": {"invoice:pay", "methods:manage"},
    "invoice_manager": {"invoice:pay"},
    "profile_reader": set(),
}


def demand(profile, *, on=True):
    BillingAccount.objects.filter(pk=profile.account_id).update(requires_second_factor=on)
    profile.account.refresh_from_db()


def person(profile, role, **fields):
    return member(profile.account if role.startswith("account") else profile, role, **fields)


def protected(permissions):
    return {str(one) for one in permissions} & {"invoice:pay", "methods:manage"}


# What a person holds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_without_a_demand_every_role_holds_what_its_table_says(profile, role):
    assert protected(access_for(person(profile, role), profile).permissions) == ROLES[role]


@pytest.mark.parametrize("role", ROLES)
def test_with_it_a_role_holds_neither_without_a_second_factor_and_all_else(profile, role):
    user = person(profile, role)
    before = access_for(user, profile).permissions
    demand(profile)
    access = access_for(user, profile)
    assert access.permissions == before - {Permission.INVOICE_PAY, Permission.METHODS_MANAGE}
    assert protected(access_of(user).permissions_at(profile)) == set()
    assert protected(access_of(user).permissions_at(profile.account)) == set()
    assert protected(access_of(user).permissions) == set()


@pytest.mark.parametrize("kind", ["totp", "webauthn"])
@pytest.mark.parametrize("role", ROLES)
def test_with_it_and_a_second_factor_a_role_holds_what_its_table_says(profile, role, kind):
    demand(profile)
    user = with_second_factor(person(profile, role), kind)
    assert protected(access_for(user, profile).permissions) == ROLES[role]


def test_recovery_codes_alone_are_none(profile):
    demand(profile)
    user = with_second_factor(person(profile, "invoice_manager"), "recovery_codes")
    assert protected(access_for(user, profile).permissions) == set()


def test_a_demand_reaches_no_other_account_and_no_other_person(profile):
    other = BillingProfileFactory()
    user = member(profile, "profile_owner")
    other.account.assignments.create(user=user, role="account_owner")
    with_second_factor(member(profile, "profile_owner"))
    demand(profile)
    access = access_of(user)
    assert protected(access.permissions_at(profile)) == set()
    assert protected(access.permissions_at(other)) == {"invoice:pay", "methods:manage"}
    assert "invoice:pay" in access.permissions
    for permission, seen in ((Permission.METHODS_MANAGE, {other}), (Permission.INVOICE_VIEW, {profile, other})):
        assert set(type(profile).objects.filter(access.scope_filter(permission))) == seen


def test_a_role_of_a_section_is_not_touched(profile):
    section = profile.sections.create(name="Marketing")
    user = member(section, "section_owner")
    before = access_of(user).permissions_at(section)
    demand(profile)
    assert access_of(user).permissions_at(section) == before


def test_the_portals_jobs_and_staff_are_not_concerned(profile):
    demand(profile)
    access = staff_access(UserFactory(is_staff=True))
    assert protected(access.permissions_at(profile)) == {"invoice:pay", "methods:manage"}


def test_a_person_is_read_with_one_query_whether_demanded_or_not(profile, django_assert_num_queries):
    user = member(profile, "profile_owner")
    for on in (False, True):
        demand(profile, on=on)
        with django_assert_num_queries(1):
            access = access_of(user)
            access.permissions_at(profile)
            access.inside(profile).can(Permission.INVOICE_PAY)


def test_the_refusal_says_what_helps(profile):
    manager, reader = member(profile, "invoice_manager"), member(profile, "profile_reader")
    demand(profile)
    with pytest.raises(NeedsSecondFactor, match="Your organization requires a second factor for paying"):
        access_for(manager, profile).require(Permission.INVOICE_PAY)
    with pytest.raises(NotAllowed, match="Your role does not include paying") as caught:
        access_for(reader, profile).require(Permission.INVOICE_PAY)
    assert not isinstance(caught.value, NeedsSecondFactor)
    with pytest.raises(NotAllowed, match="Your role does not include") as caught:
        access_for(manager, profile).require(Permission.METHODS_MANAGE, profile)
    assert not isinstance(caught.value, NeedsSecondFactor)


# Who decides ---------------------------------------------------------------------------------------------------------


def page_of(account):
    return reverse("accounts:second_factor", args=[account.code])


@pytest.fixture(autouse=True)
def _codes(settings):
    accept_codes(settings)


@pytest.fixture
def account():
    return BillingAccountFactory(name="Acme Holding")


@pytest.fixture
def owner(account):
    return with_second_factor(member(account, "account_owner", email="director@example.com"))


def confirm(client):
    """Once more who they are, with the second factor."""
    return client.post(reverse("mfa_reauthenticate"), {"code": code_now()})


def told():
    """Who was written to, how it was put, and where."""
    rows = OutgoingMail.objects.order_by("pk").values_list("to", "template", "context")
    return [(to, context["demanded"], context["by"]) for to, template, context in rows if template == MAIL]


def test_the_owner_demands_it_and_no_longer_does(client, account, owner):
    client.force_login(owner)
    confirm(client)
    done = client.post(page_of(account), {"on": "1"}, follow=True)
    assert done.redirect_chain == [(reverse("accounts:account_access", args=[account.code]), 302)]
    assert "Paying and managing cards now take a second factor." in done.text
    account.refresh_from_db()
    assert account.requires_second_factor
    client.post(page_of(account), {"on": "0"})
    account.refresh_from_db()
    assert not account.requires_second_factor
    entries = AuditEntry.objects.filter(account=account).order_by("pk")
    entries = entries.values_list("action", "subject", "account", "actor")
    assert list(entries) == [
        ("account.second_factor_demanded", "Acme Holding", account.pk, owner.pk),
        ("account.second_factor_not_demanded", "Acme Holding", account.pk, owner.pk),
    ]


@pytest.mark.parametrize("is_on", [False, True])
@pytest.mark.parametrize("form", [{}, {"on": ""}, {"on": "2"}, {"on": "off"}, {"on": ["1", "0x"]}])
def test_a_form_that_says_neither_yes_nor_no_changes_nothing(client, account, owner, is_on, form):
    BillingAccount.objects.update(requires_second_factor=is_on)
    client.force_login(owner)
    confirm(client)
    before = AuditEntry.objects.count()
    assert client.post(page_of(account), form).status_code == 400
    account.refresh_from_db()
    assert account.requires_second_factor is is_on
    assert (AuditEntry.objects.count(), told()) == (before, [])


def test_who_stops_demanding_it_confirms_with_the_second_factor_first(client, account, owner):
    BillingAccount.objects.update(requires_second_factor=True)
    owner.set_password("a-long-enough-password")
    owner.save()
    client.force_login(owner)
    client.post(reverse("account_reauthenticate"), {"password": "a-long-enough-password"})
    assert client.get(page_of(account)).status_code == 200
    asked = client.post(page_of(account), {"on": "0"})
    assert asked.url == f"{reverse('mfa_reauthenticate')}?{urlencode({'next': page_of(account)})}"
    account.refresh_from_db()
    assert account.requires_second_factor
    assert told() == []
    assert not AuditEntry.objects.filter(account=account).exists()
    done = client.post(asked.url, {"code": code_now()}, follow=True)
    assert "Paying and managing cards no longer take a second factor." in done.text
    account.refresh_from_db()
    assert not account.requires_second_factor


def test_demanding_it_takes_no_confirming(client, account, owner):
    client.force_login(owner)
    client.post(page_of(account), {"on": "1"})
    account.refresh_from_db()
    assert account.requires_second_factor


def test_the_other_owners_are_told_who_decided_what(account, owner):
    member(account, "account_owner", email="chair@example.com")
    member(account, "account_owner", email="gone@example.com", is_active=False)
    member(account, "account_contributor", email="contributor@example.com")
    member(BillingProfileFactory(account=account), "profile_owner", email="branch@example.com")
    for demanded in (True, True, False):
        demand_second_factor(access=access_of(owner), account_id=account.pk, demanded=demanded, at=NOW)
    assert told() == [
        ("chair@example.com", True, "director@example.com"),
        ("chair@example.com", False, "director@example.com"),
    ]


def test_every_owner_is_told_what_staff_decided(account, owner):
    demand_second_factor(access=staff_access(UserFactory(is_staff=True)), account_id=account.pk, demanded=True, at=NOW)
    assert told() == [("director@example.com", True, "")]


@pytest.mark.parametrize("by", ["chair@example.com", ""])
@pytest.mark.parametrize(
    ("demanded", "subject", "sentence"),
    [
        (True, "A second factor is now required", "decided that anybody who pays or manages cards"),
        (False, "A second factor is no longer required", "decided that a password alone is enough to pay"),
    ],
)
def test_the_mail_says_it(by, demanded, subject, sentence):
    mail = render(MAIL, {"place": "Acme <Holding>", "demanded": demanded, "by": by}, "en")
    assert mail.subject == f"{subject} · Acme <Holding>"
    assert f"{by or 'Our staff'} {sentence}" in mail.text
    assert "on the billing profiles of Acme <Holding>" in mail.text
    assert "tell us at once at billing@example.com" in mail.text
    assert "Acme &lt;Holding&gt;" in mail.html


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_two_owners_who_decide_the_same_at_once_decide_it_once(account, owner, monkeypatch):
    other = with_second_factor(member(account, "account_owner", email="chair@example.com"))
    real = BillingAccount.save

    def slowly(self, **options):
        sleep(0.5)  # opens the gap between looking and writing
        real(self, **options)

    monkeypatch.setattr(BillingAccount, "save", slowly)
    accesses = [access_of(owner), access_of(other)]
    at_once(
        *[
            lambda access=access: demand_second_factor(access=access, account_id=account.pk, demanded=True, at=NOW)
            for access in accesses
        ]
    )
    account.refresh_from_db()
    assert account.requires_second_factor
    assert AuditEntry.objects.count() == len(told()) == 1


def test_demanding_what_is_demanded_already_leaves_no_trace(account, owner):
    for _again in range(2):
        demand_second_factor(access=access_of(owner), account_id=account.pk, demanded=True, at=NOW)
    assert AuditEntry.objects.count() == 1


@pytest.mark.parametrize("is_on", [False, True])
def test_an_owner_without_one_is_told_to_set_one_up_first_and_changes_nothing(client, account, is_on):
    BillingAccount.objects.update(requires_second_factor=is_on)
    client.force_login(proven(member(account, "account_owner"), "a-long-enough-password"))
    client.post(reverse("account_reauthenticate"), {"password": "a-long-enough-password"})
    page = client.get(page_of(account))
    assert "Set up a second factor for yourself first" in page.text
    assert ("lock yourself out of paying" in page.text) != is_on
    assert reverse("mfa_index") in page.text
    assert 'name="on"' not in page.text
    refused = client.post(page_of(account), {"on": "0" if is_on else "1"})
    assert refused.status_code == 403
    assert "Only somebody who has one can require it of others or stop requiring it." in refused.text
    account.refresh_from_db()
    assert account.requires_second_factor is is_on
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("role", ["account_contributor", "account_reader"])
def test_nobody_else_decides(client, account, role):
    user = with_second_factor(member(account, role))
    client.force_login(user)
    assert client.post(page_of(account), {"on": "1"}).status_code == 403
    with pytest.raises(NotAllowed, match="Billing account owner"):
        demand_second_factor(access=access_of(user), account_id=account.pk, demanded=True, at=NOW)
    stranger = with_second_factor(member(BillingAccountFactory(), "account_owner"))
    with pytest.raises(BillingAccount.DoesNotExist):
        demand_second_factor(access=access_of(stranger), account_id=account.pk, demanded=True, at=NOW)
    account.refresh_from_db()
    assert not account.requires_second_factor
    assert not AuditEntry.objects.exists()


def test_an_owner_who_is_none_any_more_decides_nothing(account, owner):
    access = access_of(owner)
    owner.assignments.all().delete()
    with pytest.raises(NotAllowed):
        demand_second_factor(access=access, account_id=account.pk, demanded=True, at=NOW)
    account.refresh_from_db()
    assert not account.requires_second_factor


# The pages -----------------------------------------------------------------------------------------------------------


def test_the_page_says_whom_it_stops_before_it_is_demanded(client, account, owner):
    profile = BillingProfileFactory(account=account)
    member(profile, "invoice_manager", email="payables@example.com", name="Pat Ables")
    member(profile, "profile_reader", email="reader@example.com")
    member(profile, "invoice_manager", email="gone@example.com", is_active=False)
    with_second_factor(member(profile, "profile_owner", email="ready@example.com"))
    member(BillingProfileFactory(), "profile_owner", email="stranger@example.com")
    client.force_login(owner)
    page = client.get(page_of(account)).text
    assert "1 person has none yet and is stopped until it is set up" in page
    assert "payables@example.com · Pat Ables" in page
    for email in ("reader@example.com", "gone@example.com", "ready@example.com", "stranger@example.com"):
        assert email not in page


def without_one(client, address):
    """Of whom the list of members says that they have no second factor, by the name in their address."""
    rows = [row for row in client.get(address).text.split("</tr>") if "@example.com" in row]
    return {row.partition("@")[0].split()[-1] for row in rows if "No second factor yet" in row}


@pytest.fixture
def organization(account):
    """A billing account and a profile of it whose people have no second factor yet, but one."""
    profile = BillingProfileFactory(account=account)
    for role in ("account_owner", "account_contributor", "account_reader"):
        member(account, role, email=f"{role}@example.com")
    for role in ("profile_owner", "profile_contributor", "invoice_manager", "profile_reader"):
        member(profile, role, email=f"{role}@example.com")
    with_second_factor(member(profile, "invoice_manager", email="ready@example.com"))
    return profile


ON_ACCOUNT = {"account_owner", "account_contributor", "account_reader"}
ON_PROFILE = ON_ACCOUNT | {"profile_owner", "profile_contributor", "invoice_manager", "profile_reader"}


@pytest.mark.parametrize("on", [False, True])
@pytest.mark.parametrize(
    ("role", "on_account", "on_profile"),
    [("account_owner", ON_ACCOUNT, ON_PROFILE), ("profile_owner", None, ON_PROFILE)],
)
def test_owners_read_who_has_none(client, organization, on, role, on_account, on_profile):
    demand(organization, on=on)
    client.force_login(User.objects.get(email=f"{role}@example.com"))
    if on_account is not None:
        assert without_one(client, reverse("accounts:account_access", args=[organization.account.code])) == on_account
    assert without_one(client, reverse("accounts:access", args=[organization.code])) == on_profile


@pytest.mark.parametrize(
    ("role", "is_stopped"),
    [
        ("account_contributor", True),
        ("account_reader", False),
        ("profile_contributor", True),
        ("invoice_manager", True),
        ("profile_reader", False),
    ],
)
def test_others_read_it_of_themselves_and_only_where_it_stops_them(client, organization, role, is_stopped):
    addresses = [reverse("accounts:access", args=[organization.code])]
    if role.startswith("account"):
        addresses.append(reverse("accounts:account_access", args=[organization.account.code]))
    client.force_login(User.objects.get(email=f"{role}@example.com"))
    for address in addresses:
        demand(organization, on=False)
        assert without_one(client, address) == set()
        demand(organization)
        assert without_one(client, address) == ({role} if is_stopped else set())


@pytest.mark.parametrize(("role", "may"), [("account_owner", True), ("account_reader", False)])
def test_access_control_says_what_is_demanded_and_offers_the_owner_to_change_it(client, account, role, may):
    client.force_login(member(account, role))
    page = client.get(reverse("accounts:account_access", args=[account.code])).text
    assert "Not required" in page
    assert (page_of(account) in page) is may
    BillingAccount.objects.update(requires_second_factor=True)
    page = client.get(reverse("accounts:account_access", args=[account.code])).text
    assert "Required" in page
    assert "needs an authenticator app or a security key" in page


def test_access_control_of_a_profile_says_it_where_it_is_demanded(client, profile):
    client.force_login(member(profile, "profile_reader"))
    address = reverse("accounts:access", args=[profile.code])
    assert "needs an authenticator app or a security key" not in client.get(address).text
    demand(profile)
    assert "needs an authenticator app or a security key" in client.get(address).text


# Staff ---------------------------------------------------------------------------------------------------------------


def test_staff_change_it_at_the_customers_wish(admin_client, account):
    address = reverse("admin:accounts_billingaccount_change", args=[account.pk])
    form = admin_client.get(address).context["adminform"].form
    data = {name: form[name].value() or "" for name in form.fields}
    for prefix in ("tax_ids", "profiles", "assignments"):
        data |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    response = admin_client.post(address, {**data, "requires_second_factor": "on"})
    assert response.status_code == 302, response.context["errors"]
    account.refresh_from_db()
    assert account.requires_second_factor
    entry = AuditEntry.objects.get(action="account.second_factor_demanded")
    assert (entry.account, entry.actor.is_staff) == (account, True)
