"""Pages around a person's own account say what was done, in plain words, and lead on."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.access import staff_access
from accounts.operations.people import invite_person
from billing_portal.core.mail import send_due
from tests.factories import UserFactory, member, who_signs_in, with_second_factor
from tests.payments.pages import text_of
from tests.second_factors import PASSWORD, accept_codes, code_now

STRONG = "an entirely new staple 9"


@pytest.fixture
def invited(db, mailoutbox):
    """The page that the link of an invitation leads to."""
    chief = UserFactory(is_staff=True, is_superuser=True)
    at = timezone.now()
    invite_person(access=staff_access(chief), email="new@example.com", name="", language="en", at=at)
    send_due(at=at)
    return re.search(r"https?://[^/]+(/account/password/reset/key/\S+)", mailoutbox[-1].body).group(1)


def test_after_the_first_password_the_page_says_so_once_and_leads_to_signing_in(client, invited):
    form = client.get(invited, follow=True)
    done = client.post(form.redirect_chain[-1][0], {"password1": STRONG, "password2": STRONG}, follow=True)
    words = text_of(done)
    assert "Your password is set" in words
    assert "changed" not in words
    assert re.search(rf'class="btn btn-primary" href="{reverse("account_login")}"', done.text)


def test_a_changed_password_is_said_once(client, db):
    client.force_login(who_signs_in(PASSWORD))
    form = {"oldpassword": PASSWORD, "password1": STRONG, "password2": STRONG}
    done = client.post(reverse("account_change_password"), form, follow=True)
    assert text_of(done).count("Your password was changed.") == 1


def test_staff_reach_their_own_account_from_every_staff_page(admin_client):
    page = admin_client.get(reverse("admin:index"))
    for name in ("account_email", "mfa_index", "security_activity", "own_data"):
        assert f'href="{reverse(name)}"' in page.text, name
    assert "View site" not in text_of(page)


def test_staff_with_a_role_of_their_own_reach_the_portal(client, profile):
    client.force_login(member(profile, "profile_owner", is_staff=True))
    page = client.get(reverse("admin:index"))
    assert f'<a href="{reverse("home")}">View site</a>' in page.text


@pytest.mark.parametrize("has_key", [False, True])
def test_a_security_key_is_offered_at_signing_in_to_who_has_one(client, db, settings, monkeypatch, has_key):
    accept_codes(settings)
    monkeypatch.setattr("allauth.mfa.webauthn.internal.auth.get_credentials", lambda _user: [])  # it has none
    person = with_second_factor(who_signs_in(PASSWORD))
    if has_key:
        with_second_factor(person, "webauthn")
    page = client.post(reverse("account_login"), {"login": person.email, "password": PASSWORD}, follow=True)
    words = text_of(page)
    assert "one of your recovery codes" in words
    assert ("Use a security key" in words) == has_key
    assert "Cancel" in words
    client.post(reverse("mfa_authenticate"), {"code": code_now()})
    assert client.session["_auth_user_id"] == str(person.pk)


@pytest.mark.parametrize(("language", "label"), [("en", "Name"), ("nl", "Naam")])
def test_the_name_of_a_security_key_is_asked_in_the_readers_language(client, db, settings, language, label):
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    client.force_login(who_signs_in(PASSWORD))
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    page = client.get(reverse("mfa_add_webauthn"))
    assert re.search(rf"<label[^>]*>\s*{label}\s*<", page.text)


def test_who_is_asked_once_more_reads_plain_words(client, db):
    client.force_login(who_signs_in(PASSWORD))
    words = text_of(client.get(f"{reverse('account_reauthenticate')}?next=/account/data/"))
    assert "Confirm your identity" in words
    assert "reauthenticate" not in words
