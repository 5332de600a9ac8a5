"""The frame around a page: which layout, which menu, and what it costs."""

import pytest
from django.urls import reverse

from tests.factories import BillingProfileFactory, UserFactory, member

pytestmark = pytest.mark.django_db


def menu_of(client, profile):
    page = client.get(reverse("accounts:properties", args=[profile.code]))
    return {str(entry["label"]) for group in page.context["menu"] for entry in group["entries"]}


def test_the_left_menu_holds_the_pages_of_the_profile(client, profile, payer):
    client.force_login(payer)
    assert menu_of(client, profile) == {
        "Access control",
        "Credits",
        "Invoices",
        "Payment history",
        "Payment methods",
        "Properties",
        "Statement of account",
    }


def test_the_page_that_is_open_is_marked(client, profile, payer):
    client.force_login(payer)
    page = client.get(reverse("accounts:properties", args=[profile.code]))
    (current,) = [entry for group in page.context["menu"] for entry in group["entries"] if entry["current"]]
    assert current["label"] == "Properties"
    assert page.text.count('aria-current="page"') == 1


def test_pages_outside_a_profile_show_no_left_menu(client, payer):
    client.force_login(payer)
    page = client.get(reverse("search"))
    assert 'id="sidebar"' not in page.text


def test_the_same_template_is_a_page_or_the_content_of_the_blade(client, profile, payer):
    client.force_login(payer)
    address = reverse("accounts:properties", args=[profile.code])
    page = client.get(address)
    blade = client.get(address, headers={"HX-Request": "true", "HX-Target": "blade"})
    assert "<html" in page.text
    assert "<html" not in blade.text
    assert 'id="blade-title"' in blade.text
    assert "<title>Properties" in blade.text


def test_the_scope_switcher_is_asked_for_only_when_it_is_opened(client, profile, payer):
    other = BillingProfileFactory(account=profile.account, name="Operations UK")
    payer.assignments.create(role="profile_reader", profile=other)
    client.force_login(payer)
    page = client.get(reverse("accounts:properties", args=[profile.code]))
    assert "Operations UK" not in page.text
    switcher = client.get(reverse("scope-menu", args=[profile.code]))
    assert "Operations UK" in switcher.text
    assert reverse("accounts:scopes") in switcher.text


def test_the_scope_switcher_shows_ten_scopes_at_the_same_cost_as_two(client, profile, django_assert_num_queries):
    owner = member(profile.account, "account_owner")
    BillingProfileFactory(account=profile.account, name="Operations UK")
    client.force_login(owner)
    address = reverse("scope-menu", args=[profile.code])
    with django_assert_num_queries(4):  # session, user, roles, profiles
        client.get(address)
    for _ in range(12):
        BillingProfileFactory(account=profile.account)
    with django_assert_num_queries(4):
        page = client.get(address)
    assert len(page.context["scopes"]) == 10


def test_the_scope_switcher_shows_no_strangers_profile(client, profile):
    stranger = member(BillingProfileFactory(name="Elsewhere"), "profile_owner")
    client.force_login(stranger)
    assert "Operations NL" not in client.get(reverse("scope-menu", args=[profile.code])).text


def test_home_leads_straight_into_the_only_profile(client, profile, payer):
    client.force_login(payer)
    assert client.get("/").headers["Location"] == reverse("invoices:list", args=[profile.code])


def test_home_leads_staff_without_a_role_to_the_staff_pages(client):
    client.force_login(UserFactory(is_staff=True))
    assert client.get("/").headers["Location"] == reverse("admin:index")


def test_a_monitor_needs_no_sign_in(client):
    assert client.get("/healthz").status_code == 200


def test_the_demo_is_offered_only_where_it_is_on(client, settings):
    assert "manager@example.com" not in client.get(reverse("account_login")).text
    settings.DEMO = True
    assert "manager@example.com" in client.get(reverse("account_login")).text


def test_nobody_can_open_an_account_alone(client):
    page = client.post(
        reverse("account_signup"), {"email": "new@example.com", "password1": "x" * 20, "password2": "x" * 20}
    )
    assert "_auth_user_id" not in client.session
    assert page.status_code == 200
