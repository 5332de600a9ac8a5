"""A change of one's own second factors, its entries in the audit and the end of the other sessions are one commit."""

import json
from time import sleep

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.webauthn.internal import auth as webauthn
from django.db import DatabaseError
from django.urls import reverse

from accounts.models import AuditEntry, User
from billing_portal import sign_in
from billing_portal.core.models import OutgoingMail
from tests.accounts.test_address_races import meanwhile
from tests.factories import who_signs_in, with_second_factor
from tests.payments.acts import at_once
from tests.second_factors import PASSWORD, accept_codes, browser, code_now, secret_on, staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _codes(settings):
    accept_codes(settings)


def person_with(*factors):
    user = who_signs_in(PASSWORD, email="finance@example.com")
    for kind in factors:
        if kind == "recovery_codes":
            RecoveryCodes.activate(user)
        else:
            with_second_factor(user, kind)
    return user


def confirmed(user):
    """A browser in which the person has just confirmed who they are."""
    client = browser(user)
    if Authenticator.objects.filter(user=user, type="totp").exists():
        answer = client.post(reverse("mfa_reauthenticate"), {"code": code_now()})
    elif codes := Authenticator.objects.filter(user=user, type="recovery_codes").first():
        answer = client.post(reverse("mfa_reauthenticate"), {"code": codes.wrap().get_unused_codes()[0]})
    else:
        answer = client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    assert answer.status_code == 302
    return client


def add_app(client, _user):
    page = client.get(reverse("mfa_activate_totp"))
    return client.post(reverse("mfa_activate_totp"), {"code": code_now(secret_on(page))})


def remove_app(client, _user):
    return client.post(reverse("mfa_deactivate_totp"))


def renew_codes(client, _user):
    return client.post(reverse("mfa_generate_recovery_codes"))


def add_key(client, _user):
    return client.post(reverse("mfa_add_webauthn"), {"name": "Key", "credential": json.dumps({"id": "one"})})


def remove_key(client, user):
    key = Authenticator.objects.filter(user=user, type="webauthn").first()
    return client.post(reverse("mfa_remove_webauthn", args=[key.pk]))


ADDED, REMOVED = "second_factor.added", "second_factor.removed"
CHANGES = [
    pytest.param(add_app, (), [(ADDED, "totp"), (ADDED, "recovery_codes")], id="add an app"),
    pytest.param(
        remove_app, ("totp", "recovery_codes"), [(REMOVED, "totp"), (REMOVED, "recovery_codes")], id="remove the app"
    ),
    pytest.param(renew_codes, ("totp", "recovery_codes"), [("recovery_codes.renewed", None)], id="renew the codes"),
    pytest.param(add_key, ("totp", "recovery_codes"), [(ADDED, "webauthn")], id="add a key"),
    pytest.param(remove_key, ("webauthn", "recovery_codes", "webauthn"), [(REMOVED, "webauthn")], id="remove a key"),
]


@pytest.fixture
def _any_key(monkeypatch):
    """The library takes whatever the browser says of a new security key."""
    monkeypatch.setattr(webauthn, "parse_registration_response", lambda _credential: None)
    monkeypatch.setattr(webauthn, "complete_registration", lambda _credential: None)


def factors():
    return list(Authenticator.objects.order_by("pk").values_list("pk", "type"))


@pytest.mark.usefixtures("_any_key")
@pytest.mark.parametrize(("change", "held", "entries"), CHANGES)
def test_a_change_is_in_the_audit_and_ends_the_other_sessions(change, held, entries):
    user = person_with(*held)
    elsewhere, here = browser(user), confirmed(user)
    before = AuditEntry.objects.count()
    assert change(here, user).status_code == 302
    written = AuditEntry.objects.order_by("pk")[before:]
    assert [(entry.action, *entry.detail.get("methods", [None])) for entry in written] == entries
    assert {(entry.person, entry.actor) for entry in written} == {(user, user)}
    assert here.get(reverse("mfa_index")).status_code == 200
    assert elsewhere.get(reverse("mfa_index")).status_code == 302


@pytest.mark.usefixtures("_any_key")
@pytest.mark.parametrize(("change", "held", "entries"), CHANGES)
def test_a_change_whose_entry_cannot_be_written_does_not_happen(monkeypatch, change, held, entries):
    user = person_with(*held)
    elsewhere, here = browser(user), confirmed(user)
    factors_before, entries_before = factors(), AuditEntry.objects.count()
    save = AuditEntry.save

    def fail(entry, **options):
        if entry.action == entries[-1][0]:
            raise DatabaseError("disk full")
        save(entry, **options)

    monkeypatch.setattr(AuditEntry, "save", fail)
    with pytest.raises(DatabaseError):
        change(here, user)
    assert factors() == factors_before
    assert (AuditEntry.objects.count(), OutgoingMail.objects.count()) == (entries_before, 0)
    user.refresh_from_db()
    assert user.sessions_version == 0
    for client in (here, elsewhere):
        assert client.get(reverse("mfa_index")).status_code == 200


def test_a_wrong_code_changes_nothing_and_ends_no_session():
    user = person_with()
    elsewhere, here = browser(user), confirmed(user)
    here.get(reverse("mfa_activate_totp"))
    assert here.post(reverse("mfa_activate_totp"), {"code": "000000"}).status_code == 200
    user.refresh_from_db()
    assert (user.sessions_version, factors()) == (0, [])
    assert elsewhere.get(reverse("mfa_index")).status_code == 200


@pytest.mark.parametrize("method", ["delete", "put"])
def test_a_key_goes_by_the_form_only(method):
    """The view of the library would delete it without a trace or a mail."""
    user = person_with("webauthn", "recovery_codes")
    here = confirmed(user)
    before, key = factors(), Authenticator.objects.get(type="webauthn")
    assert getattr(here, method)(reverse("mfa_remove_webauthn", args=[key.pk])).status_code == 405
    assert factors() == before
    assert not AuditEntry.objects.filter(action=REMOVED).exists()


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_of_two_keys_that_staff_remove_at_once_one_stays(settings, monkeypatch):
    settings.STAFF_SECOND_FACTOR = True
    user = staff("webauthn", "webauthn")
    RecoveryCodes.activate(user)
    clients = [confirmed(user), confirmed(user)]
    real = sign_in.is_needed

    def slowly(authenticator):
        answer = real(authenticator)
        sleep(0.5)  # opens the gap between looking and removing
        return answer

    monkeypatch.setattr(sign_in, "is_needed", slowly)
    keys = Authenticator.objects.filter(type="webauthn").values_list("pk", flat=True)
    pages = [reverse("mfa_remove_webauthn", args=[key]) for key in keys]
    at_once(*[lambda client=client, page=page: client.post(page) for client, page in zip(clients, pages, strict=True)])
    assert Authenticator.objects.filter(user=user, type="webauthn").count() == 1
    assert AuditEntry.objects.filter(action=REMOVED).count() == 1


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_a_key_that_is_removed_while_it_gets_another_name_stays_removed():
    """The library reads the row, gives it the name and saves it, which would put it back."""
    user = person_with("webauthn", "recovery_codes")
    here, key = confirmed(user), Authenticator.objects.filter(type="webauthn").first()

    def remove():
        User.objects.select_for_update().get(pk=user.pk)  # as whoever removes it does
        key.delete()

    page = reverse("mfa_edit_webauthn", args=[key.pk])
    assert meanwhile(remove, lambda: here.post(page, {"name": "Another"})).status_code == 404
    assert Authenticator.objects.filter(user=user).count() == 1


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["mfa_view_recovery_codes", "mfa_download_recovery_codes"])
def test_a_recovery_code_that_is_used_while_the_codes_are_shown_first_stays_used(name):
    user = person_with("totp", "recovery_codes")
    here, codes = confirmed(user), Authenticator.objects.get(type="recovery_codes").wrap()
    used = codes.get_unused_codes()[0]
    shown = meanwhile(lambda: codes.validate_code(used), lambda: here.get(reverse(name)))
    assert shown.status_code == 200
    assert used not in Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
