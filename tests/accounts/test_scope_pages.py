"""Finding one's scopes, going straight in, and coming back to where one was."""

import pytest
from django.urls import reverse

from accounts.access import access_of
from accounts.models import BillingAccount, InvoiceSection, RoleAssignment
from accounts.roles import Role
from accounts.scope_list import landing_for
from tests.factories import BillingAccountFactory, BillingProfileFactory, UserFactory, member


def give(user, place, role):
    field = {"BillingAccount": "account", "BillingProfile": "profile", "InvoiceSection": "section"}[
        type(place).__name__
    ]
    RoleAssignment.objects.create(user=user, role=role, **{field: place})
    return user


def landing_of(user):
    user.refresh_from_db()
    return landing_for(access_of(user))


def invoices_of(profile):
    return reverse("invoices:list", args=[profile.code])


def page(client, user, url):
    client.force_login(user)
    response = client.get(url)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_who_has_one_profile_goes_straight_in(profile):
    assert landing_of(member(profile, "profile_reader")) == invoices_of(profile)


def test_an_account_with_one_profile_is_one_scope(profile):
    assert landing_of(member(profile.account, "account_owner")) == invoices_of(profile)


def test_who_has_several_profiles_chooses(profile):
    BillingProfileFactory(account=profile.account)
    assert landing_of(member(profile.account, "account_owner")) == reverse("accounts:scopes")


def test_who_has_another_account_beside_the_profile_chooses(profile):
    user = give(member(profile, "profile_reader"), BillingAccountFactory(name="Second"), Role.ACCOUNT_READER)
    assert landing_of(user) == reverse("accounts:scopes")


def test_an_account_without_profiles_opens_itself(db):
    account = BillingAccountFactory()
    assert landing_of(member(account, "account_reader")) == reverse("accounts:account", args=[account.code])


def test_who_has_only_a_section_goes_to_its_page(profile):
    section = InvoiceSection.objects.create(profile=profile, name="Marketing")
    user = member(section, "section_reader")
    assert landing_of(user) == reverse("accounts:section", args=[section.pk])


def test_who_has_nothing_sees_the_list_that_says_what_to_do(client, db):
    user = UserFactory(email="new@example.com")
    assert landing_of(user) == reverse("accounts:scopes")
    text = page(client, user, reverse("accounts:scopes"))
    assert "You have no access to any billing account yet" in text
    assert "new@example.com" in text


@pytest.mark.parametrize("kind", ["profile", "account", "section"])
def test_the_last_scope_is_remembered(client, profile, kind):
    section = InvoiceSection.objects.create(profile=profile, name="Marketing")
    user = give(member(profile.account, "account_owner"), section, Role.SECTION_OWNER)
    BillingProfileFactory(account=profile.account)
    url, landing = {
        "profile": (reverse("accounts:properties", args=[profile.code]), invoices_of(profile)),
        "account": (reverse("accounts:account", args=[profile.account.code]),) * 2,
        "section": (reverse("accounts:section", args=[section.pk]),) * 2,
    }[kind]
    page(client, user, url)
    assert landing_of(user) == landing


def test_a_remembered_scope_is_forgotten_with_the_role(client, profile):
    user = give(member(profile, "profile_reader"), BillingProfileFactory(), Role.PROFILE_READER)
    give(user, BillingProfileFactory(), Role.PROFILE_READER)
    page(client, user, reverse("accounts:properties", args=[profile.code]))
    RoleAssignment.objects.filter(user=user, profile=profile).delete()
    assert landing_of(user) == reverse("accounts:scopes")


def test_the_scope_is_written_only_when_it_changes(client, profile, django_assert_num_queries):
    user = member(profile, "profile_reader")
    url = reverse("accounts:properties", args=[profile.code])
    page(client, user, url)
    user.refresh_from_db()
    assert user.last_scope == f"profile:{profile.code}"
    with django_assert_num_queries(5):  # session, user, roles, profile, tax ids
        client.get(url)


def test_the_list_groups_scopes_by_account_and_names_the_roles(client, profile):
    user = member(profile, "invoice_manager")
    give(user, BillingAccountFactory(name="Acme Holding", agreement_type="enterprise"), Role.ACCOUNT_READER)
    other = BillingProfileFactory(account=BillingAccountFactory(name="Third Ltd"), currency="GBP", name="Secret")
    give(user, InvoiceSection.objects.create(profile=other, name="Marketing"), Role.SECTION_OWNER)
    text = page(client, user, reverse("accounts:scopes"))
    order = ["Acme Holding", "Enterprise agreement", "Billing account reader"]
    order += [
        "Example Trading B.V.",
        "Operations NL",
        "Billing profile",
        "Customer agreement",
        "EUR",
        "Invoice manager",
    ]
    order += ["Third Ltd", "Marketing", "Invoice section", "GBP", "Invoice section owner"]
    places = [text.index(word, text.index("Acme Holding")) for word in order]
    assert places[0] < places[3] < places[10]
    assert invoices_of(profile) in text
    assert invoices_of(other) not in text


def test_the_list_never_shows_what_others_have(client, profile):
    BillingProfileFactory(name="Of somebody else")
    assert "Of somebody else" not in page(client, member(profile, "profile_owner"), reverse("accounts:scopes"))


def test_a_profile_role_shows_the_account_without_a_link(client, profile):
    text = page(client, member(profile, "profile_owner"), reverse("accounts:scopes"))
    assert profile.account.name in text
    assert reverse("accounts:account", args=[profile.account.code]) not in text


def test_a_long_list_is_cut_off_and_says_so(client, profile, monkeypatch):
    monkeypatch.setattr("accounts.scope_list.MAX_SHOWN", 2)
    for name in ("B", "C"):
        BillingProfileFactory(account=profile.account, name=name)
    text = page(client, member(profile.account, "account_owner"), reverse("accounts:scopes"))
    assert "of each kind are listed" in text


def test_the_list_costs_as_many_queries_for_many_scopes_as_for_one(client, profile, django_assert_num_queries):
    user = member(profile.account, "account_owner")
    give(user, InvoiceSection.objects.create(profile=BillingProfileFactory(), name="M"), Role.SECTION_OWNER)
    client.force_login(user)
    url = reverse("accounts:scopes")
    with django_assert_num_queries(6):  # session, user, roles, accounts, profiles, sections
        client.get(url)
    for index in range(5):
        BillingProfileFactory(account=profile.account, name=f"Profile {index}")
        give(user, InvoiceSection.objects.create(profile=BillingProfileFactory(), name="M"), Role.SECTION_OWNER)
    assert BillingAccount.objects.count() == 7
    with django_assert_num_queries(6):
        client.get(url)
