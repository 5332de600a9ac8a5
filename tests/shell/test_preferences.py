"""Language and theme: kept with the person, before signing in in a cookie, and never a way out to another site."""

import pytest
from django.urls import reverse

from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
ADDRESS = reverse("preferences")


def test_a_signed_in_persons_choice_is_kept_with_the_person(client):
    user = UserFactory()
    client.force_login(user)
    client.post(ADDRESS, {"language": "nl", "theme": "dark"})
    user.refresh_from_db()
    assert (user.language, user.theme) == ("nl", "dark")


def test_before_signing_in_the_choice_is_kept_in_a_cookie(client):
    response = client.post(ADDRESS, {"theme": "dark"})
    assert response.cookies["theme"].value == "dark"
    assert response.cookies["theme"]["httponly"]
    page = client.get(reverse("account_login"))
    assert 'data-bs-theme="dark"' in page.text


def test_the_pages_follow_the_chosen_language(client):
    client.post(ADDRESS, {"language": "nl"})
    page = client.get(reverse("account_login"))
    assert page.headers["Content-Language"] == "nl"
    assert '<html lang="nl"' in page.text


def test_as_the_system_leaves_the_attribute_out(client):
    user = UserFactory(theme="dark")
    client.force_login(user)
    client.post(ADDRESS, {"theme": "system"})
    user.refresh_from_db()
    assert user.theme == ""
    page = client.get(reverse("search"))
    assert "data-bs-theme" not in page.text


def test_only_languages_and_themes_that_exist_are_kept(client):
    user = UserFactory()
    client.force_login(user)
    client.post(ADDRESS, {"language": "xx", "theme": "../../etc"})
    user.refresh_from_db()
    assert (user.language, user.theme) == ("", "")


def test_a_forged_theme_cookie_reaches_no_page(client):
    client.cookies["theme"] = '"><script>'
    assert "<script>" not in client.get(reverse("account_login")).text


def test_the_reader_comes_back_to_the_page_the_form_stood_on(client):
    response = client.post(ADDRESS, {"theme": "dark", "next": "/search/?q=invoices"})
    assert response.headers["Location"] == "/search/?q=invoices"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "https://testserver@evil.example/",
        "/\t/evil.example",
        "",
        "foo",  # the name of no page
        "home",
        "search/?q=invoices",
        "?q=invoices",
        "../admin/",
    ],
)
def test_no_other_site_can_be_the_next_page(client, target):
    response = client.post(ADDRESS, {"theme": "dark", "next": target})
    assert response.headers["Location"] == reverse("home")


def test_a_link_cannot_change_preferences(client):
    assert client.get(ADDRESS, {"theme": "dark"}).status_code == 405
