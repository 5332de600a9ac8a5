"""Signing in, the mails that go with it, and what is offered to whom."""

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from billing_portal.core.mail import send_due
from tests.factories import who_signs_in

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-enough-password"


@pytest.fixture
def person():
    return who_signs_in(PASSWORD, email="finance@example.com")


def test_a_person_signs_in_with_email_and_password(client, person):
    response = client.post(reverse("account_login"), {"login": "Finance@Example.com", "password": PASSWORD})
    assert response.status_code == 302
    assert client.session["_auth_user_id"] == str(person.pk)


def test_after_signing_in_the_page_asked_for_opens_but_never_another_site(client, person):
    asked = client.post(
        reverse("account_login"), {"login": person.email, "password": PASSWORD, "next": "/search/?q=invoices"}
    )
    assert asked.headers["Location"] == "/search/?q=invoices"
    client.logout()
    foreign = client.post(
        reverse("account_login"), {"login": person.email, "password": PASSWORD, "next": "https://evil.example/"}
    )
    assert foreign.headers["Location"] == reverse("home")


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(client, person):
    wrong = client.post(reverse("account_login"), {"login": person.email, "password": "not-the-password"})
    unknown = client.post(reverse("account_login"), {"login": "nobody@example.com", "password": "not-the-password"})
    assert wrong.context["form"].non_field_errors() == unknown.context["form"].non_field_errors()


def test_who_left_the_company_does_not_get_in(client, person):
    person.is_active = False
    person.save()
    client.post(reverse("account_login"), {"login": person.email, "password": PASSWORD})
    assert "_auth_user_id" not in client.session


def test_the_mail_to_reset_a_password_names_the_portal_and_leads_to_the_form(client, person):
    client.post(reverse("account_reset_password"), {"email": person.email})
    send_due(at=timezone.now())
    (message,) = mail.outbox
    assert message.subject == "Billing portal: reset your password"
    (link,) = [word for word in message.body.split() if "/account/password/reset/key/" in word]
    page = client.get(link.partition("testserver")[2], follow=True)
    assert page.status_code == 200
    assert "css/base.css" in page.text


def test_asking_for_an_unknown_address_looks_the_same(client, person):
    known = client.post(reverse("account_reset_password"), {"email": person.email})
    unknown = client.post(reverse("account_reset_password"), {"email": "nobody@example.com"})
    assert (known.status_code, known.headers["Location"]) == (unknown.status_code, unknown.headers["Location"])


def test_the_mail_to_an_unknown_address_offers_no_sign_up(client):
    client.post(reverse("account_reset_password"), {"email": "nobody@example.com"})
    send_due(at=timezone.now())
    (message,) = mail.outbox
    assert "There is no such account here" in message.body
    assert "signup" not in message.body


def test_signing_out_needs_a_press_not_a_link(client, person):
    client.force_login(person)
    client.get(reverse("account_logout"))
    assert "_auth_user_id" in client.session
    client.post(reverse("account_logout"))
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("name", ["account_email", "account_change_password", "mfa_index", "mfa_list_webauthn"])
def test_the_pages_of_the_persons_own_account_are_in_our_look(client, person, name):
    client.force_login(person)
    page = client.get(reverse(name), follow=True)
    assert page.status_code == 200
    assert "css/base.css" in page.text
    assert page.text.count("<h1") == 1
