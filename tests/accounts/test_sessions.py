"""What a request was about to do to its person's own account, when their session ends while it waits for the lock."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.access import NotAllowed, access_of, staff_access
from accounts.models import AuditEntry, EmailChange, User
from accounts.operations.addresses import (
    CONFIRM,
    confirm_email_change,
    email_change_key,
    request_email_change,
    set_password_by_link,
)
from accounts.operations.people import change_activity
from accounts.operations.second_factors import end_sessions
from billing_portal.personal_data.erasure import erase_person
from tests.accounts.test_address_races import meanwhile
from tests.factories import UserFactory, who_signs_in
from tests.second_factors import accept_codes, code_now, secret_on

PASSWORD, NEW, OF_THE_OWNER = "seven purple bicycles", "nine orange canoes", "eleven silent harbors"


@pytest.fixture
def person(settings):
    accept_codes(settings)
    return who_signs_in(PASSWORD, email="old@example.com", name="Finance")


@pytest.fixture
def signed_in(person):
    """One in which the person has just typed their password twice."""
    client = Client()
    client.post(reverse("account_login"), {"login": person.email, "password": PASSWORD})
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    return client


def waiting_change(person, email="new@example.com"):
    return request_email_change(access=access_of(person), user_id=person.pk, email=email, at=timezone.now())


# What somebody does in the browser: a function that prepares it, and returns the request.


def password_changed(client, _person):
    fields = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    return lambda: client.post(reverse("account_change_password"), fields)


def app_added(client, _person):
    secret = secret_on(client.get(reverse("mfa_activate_totp")))
    return lambda: client.post(reverse("mfa_activate_totp"), {"code": code_now(secret)})


def address_confirmed(client, person):
    page = reverse("account_confirm_email", args=[email_change_key(waiting_change(person).pk, CONFIRM)])
    return lambda: client.post(page)


def address_asked_for(client, _person):
    return lambda: client.post(reverse("account_email"), {"email": "new@example.com"})


def address_withdrawn(client, person):
    waiting_change(person)
    return lambda: client.post(reverse("account_withdraw_email"))


ACTS = [password_changed, app_added, address_confirmed, address_asked_for, address_withdrawn]


# What ends the session meanwhile.


def deactivated(person):
    clerk = UserFactory(is_staff=True)
    change_activity(access=staff_access(clerk), user=person, is_active=False, at=timezone.now())


def password_reset(person):
    set_password_by_link(user=User.objects.get(pk=person.pk), password=OF_THE_OWNER, at=timezone.now())


def sessions_ended(person):
    end_sessions(User.objects.get(pk=person.pk))


def signed_out(person):
    User.objects.select_for_update().get(pk=person.pk)  # so that the other one waits
    Session.objects.all().delete()


def state(person):
    """All that the acts above would change."""
    return (
        User.objects.values("email", "password", "is_active", "sessions_version").get(pk=person.pk),
        list(EmailChange.objects.values_list("email", flat=True)),
        list(Authenticator.objects.values_list("type", flat=True)),
    )


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("act", "end"),
    [(act, password_reset) for act in ACTS]
    + [(password_changed, end) for end in (deactivated, sessions_ended, signed_out)],
)
def test_an_act_is_not_done_in_a_session_that_ends_meanwhile_and_does_not_revive_it(person, signed_in, act, end):
    request, ended = act(signed_in, person), []

    def end_it():
        end(person)
        ended.append(state(person))

    response = meanwhile(end_it, request)
    assert (response.status_code, response.url) == (302, reverse("account_login"))
    assert [state(person)] == ended
    assert signed_in.get(reverse("security_activity")).status_code == 302
    page = signed_in.get(reverse("account_login"))
    assert "Your session has ended, and nothing was changed. Sign in again." in page.text


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", ACTS)
def test_whatever_else_becomes_of_the_person_meanwhile_stays(person, signed_in, act):
    """They lose their staff powers and get another name while the request waits, which goes on."""
    User.objects.update(is_staff=True, is_superuser=True)
    request = act(signed_in, person)

    def change():
        User.objects.filter(pk=person.pk).update(is_staff=False, is_superuser=False, name="Treasury")

    assert meanwhile(change, request).status_code == 302
    person.refresh_from_db()
    assert (person.is_staff, person.is_superuser, person.name) == (False, False, "Treasury")
    assert signed_in.get(reverse("account_login")).status_code == (200 if act == password_changed else 302)
    assert person.check_password(NEW if act == password_changed else PASSWORD)


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_a_person_who_is_erased_while_they_change_their_password_stays_erased(person, signed_in):
    boss = UserFactory(is_staff=True, is_superuser=True)

    def erase():
        erase_person(access=staff_access(boss), user_id=person.pk, reason="By letter", at=timezone.now())

    meanwhile(erase, password_changed(signed_in, person))
    person.refresh_from_db()
    assert (person.is_erased, person.is_active, person.name, person.has_usable_password()) == (True, False, "", False)


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_an_address_that_changes_while_the_password_does_stays_changed(person, signed_in):
    change = waiting_change(person)

    def confirm():
        confirm_email_change(access=access_of(person), key=email_change_key(change.pk, CONFIRM), at=timezone.now())

    meanwhile(confirm, password_changed(signed_in, person))
    person.refresh_from_db()
    assert person.email == "new@example.com"
    assert person.check_password(PASSWORD)


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_of_two_who_use_one_link_at_the_same_moment_the_first_sets_the_password(person):
    link_of = User.objects.get(pk=person.pk)

    def use(password):
        return set_password_by_link(user=link_of, password=password, at=timezone.now())

    assert isinstance(meanwhile(lambda: use(OF_THE_OWNER), lambda: use(NEW)), NotAllowed)
    person.refresh_from_db()
    assert person.check_password(OF_THE_OWNER)
    assert AuditEntry.objects.filter(action="password.reset").count() == 1


# A hash of yesterday's strength ------------------------------------------------------------------------------------


@pytest.fixture
def with_weak_hash(person, settings):
    """Their password was hashed in fewer rounds than are usual now."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    person.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt" * 6, iterations=1)
    person.save(update_fields=["password"])
    return person


@pytest.mark.django_db
def test_a_weak_hash_is_made_anew_when_the_password_is_typed(with_weak_hash):
    before = with_weak_hash.password
    assert not with_weak_hash.check_password(NEW)
    assert User.objects.get().password == before
    assert with_weak_hash.check_password(PASSWORD)
    assert User.objects.get().password == with_weak_hash.password != before
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.django_db
def test_a_weak_hash_that_was_replaced_meanwhile_is_not_written_back(with_weak_hash):
    read_before = User.objects.get()
    set_password_by_link(user=with_weak_hash, password=OF_THE_OWNER, at=timezone.now())
    assert read_before.check_password(PASSWORD)
    assert User.objects.get().check_password(OF_THE_OWNER)
