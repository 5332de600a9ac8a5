"""The staff pages that Django brings: who gets past their doors. Those of signing in stand in the permission matrix."""

from django.contrib.admin import site
from django.urls import reverse

from accounts.models import User
from billing_portal.core.models import OutgoingMail
from tests.factories import UserFactory, member, who_signs_in


def staff_pages():
    names = ["admin:index", "admin:password_change"]
    for model in site._registry:
        base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        names += [f"{base}_changelist", f"{base}_add"]
    return names


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
        if name == "admin:password_change":
            wanted = (302,)  # to the page where everybody changes their own
        assert client.get(reverse(name)).status_code in wanted, name


def test_nobody_opens_an_account_by_themselves(client, db):
    response = client.post(
        reverse("account_signup"),
        {"email": "new@example.com", "password1": "a-long-password-1", "password2": "a-long-password-1"},
    )
    assert response.status_code in (200, 302, 403)
    assert not User.objects.filter(email="new@example.com").exists()


def test_nobody_confirms_with_a_code_by_mail(client, db, mailoutbox):
    person = who_signs_in("a quite different staple")
    client.force_login(person)
    for name in ("account_request_reauthentication_code", "account_confirm_reauthentication_code"):
        for response in (client.get(reverse(name)), client.post(reverse(name), {"recipient": person.email})):
            assert response.status_code == 403, name
    assert mailoutbox == []
    assert not OutgoingMail.objects.exists()
