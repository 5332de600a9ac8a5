"""Signing in, the mails that go with it, and what is offered to whom."""

from functools import partial

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from accounts.access import access_of, staff_access
from accounts.models import AuditEntry, User
from accounts.operations.addresses import (
    CONFIRM,
    confirm_email_change,
    email_change_key,
    request_email_change,
    set_password_by_link,
)
from accounts.operations.people import change_activity
from accounts.operations.second_factors import remove_second_factor
from billing_portal.core.mail import send_due
from tests.factories import UserFactory, who_signs_in, with_second_factor
from tests.second_factors import accept_codes, code_now

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-enough-password"


@pytest.fixture
def person():
    return who_signs_in(PASSWORD, email="finance@example.com")


def test_a_person_signs_in_with_email_and_password(client, person):
    response = client.post(reverse("account_login"), {"login": "Finance@Example.com", "password": PASSWORD})
    assert response.status_code == 302
    assert client.session["_auth_user_id"] == str(person.pk)


@pytest.mark.parametrize(("chosen", "kept"), [("", "nl"), ("en", "en")])
def test_the_language_of_the_browser_is_remembered_until_another_is_chosen(client, person, chosen, kept):
    """Mails follow it."""
    User.objects.update(language=chosen)
    signs_in = {"login": person.email, "password": PASSWORD}
    client.post(reverse("account_login"), signs_in, headers={"Accept-Language": "nl-NL,nl;q=0.9"})
    person.refresh_from_db()
    assert person.language == kept


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


# Between the password and the second factor ------------------------------------------------------------------------


@pytest.fixture
def codes(client, person, settings):
    """Recovery codes of the person, in whose name the right password was just typed."""
    accept_codes(settings)
    with_second_factor(person)
    codes = RecoveryCodes.activate(person).get_unused_codes()
    client.post(reverse("account_login"), {"login": person.email, "password": PASSWORD})
    return codes


def reset_the_password(person):
    set_password_by_link(user=person, password="nine orange canoes", at=timezone.now())


def change_the_address(person):
    access, at = access_of(person), timezone.now()
    change = request_email_change(access=access, user_id=person.pk, email="new@example.com", at=at)
    confirm_email_change(access=access, key=email_change_key(change.pk, CONFIRM), at=at)


def remove_a_second_factor(person):
    with_second_factor(person, "webauthn")
    key = Authenticator.objects.get(type="webauthn")
    boss = UserFactory(is_staff=True, is_superuser=True)
    remove_second_factor(access=staff_access(boss), authenticator_id=key.pk, at=timezone.now())


def switch(person, *, is_active):
    clerk = staff_access(UserFactory(is_staff=True))
    change_activity(access=clerk, user=person, is_active=is_active, at=timezone.now())


deactivate = partial(switch, is_active=False)


def test_a_code_after_the_password_signs_in(client, codes):
    assert client.post(reverse("mfa_authenticate"), {"code": code_now()}).status_code == 302
    assert "_auth_user_id" in client.session


@pytest.mark.parametrize("end", [reset_the_password, change_the_address, remove_a_second_factor, deactivate])
def test_what_ends_the_sessions_of_a_person_ends_a_sign_in_that_waits_for_a_code(client, person, codes, end):
    end(User.objects.get())
    leads_to = reverse("account_inactive" if end == deactivate else "account_login")
    response = client.post(reverse("mfa_authenticate"), {"code": codes[0]})
    assert (response.status_code, response.url) == (302, leads_to)
    assert "_auth_user_id" not in client.session
    assert Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes() == codes
    assert not AuditEntry.objects.filter(action__in=["sign_in.succeeded", "recovery_code.used"]).exists()
    assert AuditEntry.objects.filter(action="sign_in.refused").count() == (end == deactivate)
    again = client.get(reverse("mfa_authenticate"))
    assert (again.status_code, again.url) == (302, reverse("account_login"))
    person.refresh_from_db()
    assert person.last_login is None


def test_whoever_is_active_again_begins_anew(client, person, codes):
    deactivate(person)
    client.get(reverse("mfa_authenticate"))
    switch(person, is_active=True)
    client.post(reverse("mfa_authenticate"), {"code": codes[0]})
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("end", [reset_the_password, deactivate])
def test_what_ends_a_sign_in_while_its_code_is_looked_at_ends_it_too(client, codes, end, monkeypatch):
    """Between the page and the last step."""
    from allauth.mfa.base import views

    monkeypatch.setattr(views.AuthenticateView, "form_valid", ended_first(views.AuthenticateView.form_valid, end))
    client.post(reverse("mfa_authenticate"), {"code": code_now()})
    assert "_auth_user_id" not in client.session
    assert not AuditEntry.objects.filter(action="sign_in.succeeded").exists()


def ended_first(form_valid, end):
    def wrapped(view, form):
        end(User.objects.get(email="finance@example.com"))
        return form_valid(view, form)

    return wrapped
