"""The pages that libraries bring: the staff pages and those of signing in. Who gets past their doors."""

import pytest
from django.contrib.admin import site
from django.urls import get_resolver, reverse

from accounts.models import User
from tests.factories import UserFactory, member

# Pages of signing in that need nobody to be signed in; the others lead to the sign-in page.
OPEN_TO_ALL = {
    "account_login",
    "account_signup",
    "account_inactive",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key_done",
    "account_email_verification_sent",
    "mfa_login_webauthn",
}


def staff_pages():
    names = ["admin:index", "admin:password_change"]
    for model in site._registry:
        base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        names += [f"{base}_changelist", f"{base}_add"]
    return names


def sign_in_pages():
    """Names of allauth's addresses that take no parameters."""
    resolver = next(one for one in get_resolver().url_patterns if str(one.pattern) == "account/")
    names = set()
    waiting = [(resolver, False)]
    while waiting:
        one, takes_parameters = waiting.pop()
        takes_parameters = takes_parameters or bool(one.pattern.converters) or "(?P" in str(one.pattern)
        if hasattr(one, "url_patterns"):
            waiting += [(inner, takes_parameters) for inner in one.url_patterns]
        elif one.name and not takes_parameters:
            names.add(one.name)
    return sorted(names)


def test_nobody_reaches_a_staff_page_without_signing_in(client, db):
    for name in staff_pages():
        response = client.get(reverse(name), follow=False)
        assert response.status_code == 302, name
        assert response.url.startswith((reverse("account_login"), reverse("admin:login"))), name
    assert client.get(reverse("admin:login")).url.startswith(reverse("account_login"))


def test_a_customer_is_refused_on_every_staff_page(client, profile):
    client.force_login(member(profile.account, "account_owner"))
    for name in staff_pages():
        response = client.get(reverse(name), follow=True)
        assert response.status_code == 403, name


def test_staff_without_a_permission_see_no_list(client, db):
    client.force_login(UserFactory(is_staff=True))
    assert client.get(reverse("admin:index")).status_code == 200
    lists = [name for name in staff_pages() if name.endswith(("_changelist", "_add"))]
    assert {client.get(reverse(name)).status_code for name in lists} == {403}


def test_every_staff_list_and_form_opens_for_a_superuser(client, db):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    for name in staff_pages():
        wanted = (200, 403) if name.endswith("_add") else (200,)  # 403: what only operations add
        assert client.get(reverse(name)).status_code in wanted, name


@pytest.mark.parametrize("name", sign_in_pages())
def test_the_pages_of_an_account_of_ones_own_need_signing_in(client, db, name):
    response = client.get(reverse(name))
    if name in OPEN_TO_ALL:
        assert response.status_code in (200, 302), name
    else:
        assert response.status_code in (302, 405), name
        if response.status_code == 302:
            assert response.url.startswith((reverse("account_login"), "/")), name


def test_nobody_opens_an_account_by_themselves(client, db):
    response = client.post(
        reverse("account_signup"),
        {"email": "new@example.com", "password1": "a-long-password-1", "password2": "a-long-password-1"},
    )
    assert response.status_code in (200, 302, 403)
    assert not User.objects.filter(email="new@example.com").exists()
