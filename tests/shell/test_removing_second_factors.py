"""Taking a second factor away, and the sessions that end: by the person, and by staff."""

from datetime import timedelta
from functools import partial
from time import sleep

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.access import NotAllowed, staff_access
from accounts.models import AuditEntry
from accounts.operations.second_factors import CannotRemoveSecondFactor, remove_second_factor
from billing_portal.core.models import OutgoingMail
from tests.factories import NOW, UserFactory, access_for, member, with_second_factor
from tests.payments.acts import at_once
from tests.second_factors import INDEX, PASSWORD, accept_codes, browser, code_now, leads_to_set_up, secret_on, staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _demanded(settings):
    accept_codes(settings)
    settings.STAFF_SECOND_FACTOR = True


# Removing ------------------------------------------------------------------------------------------------------------


def confirmed(user):
    """A browser in which the person has just confirmed who they are, by a recovery code."""
    RecoveryCodes.activate(user)
    client = browser(user)
    code = RecoveryCodes(Authenticator.objects.get(user=user, type="recovery_codes")).get_unused_codes()[0]
    assert client.post(reverse("mfa_reauthenticate"), {"code": code}).status_code == 302
    return client


def test_staff_keep_their_last_app():
    user = staff("totp")
    client = confirmed(user)
    page = client.get(reverse("mfa_deactivate_totp"))
    assert "Staff must have a second factor. Add another one before you remove this one." in page.text
    assert client.post(reverse("mfa_deactivate_totp")).status_code == 200
    assert Authenticator.objects.filter(user=user, type="totp").exists()


def test_staff_keep_their_last_key():
    user = staff("webauthn")
    key = Authenticator.objects.get(user=user)
    client = confirmed(user)
    page = client.post(reverse("mfa_remove_webauthn", args=[key.pk]), follow=True)
    assert page.redirect_chain[-1][0] == reverse("mfa_list_webauthn")
    assert "Staff must have a second factor." in page.text
    assert Authenticator.objects.filter(pk=key.pk).exists()


@pytest.mark.parametrize("removed", ["totp", "webauthn"])
def test_one_of_two_may_go(removed):
    user = staff("totp", "webauthn")
    client, key = confirmed(user), Authenticator.objects.get(user=user, type="webauthn")
    name, args = ("mfa_deactivate_totp", []) if removed == "totp" else ("mfa_remove_webauthn", [key.pk])
    assert client.post(reverse(name, args=args)).status_code == 302
    assert not Authenticator.objects.filter(user=user, type=removed).exists()


@pytest.mark.parametrize("kind", ["totp", "webauthn"])
def test_the_last_may_go_where_staff_need_none_and_for_customers(settings, kind):
    customer = with_second_factor(UserFactory(), kind)
    settings.STAFF_SECOND_FACTOR = False
    for user in (staff(kind), customer):
        client, factor = confirmed(user), Authenticator.objects.get(user=user, type=kind)
        name, args = ("mfa_deactivate_totp", []) if kind == "totp" else ("mfa_remove_webauthn", [factor.pk])
        assert client.post(reverse(name, args=args)).status_code == 302
        assert not Authenticator.objects.filter(user=user).exists()


def test_a_password_alone_takes_no_second_factor_away():
    """Nor does it show the recovery codes: who has a second factor confirms with it."""
    user = with_second_factor(UserFactory())
    user.set_password(PASSWORD)
    user.save()
    client = browser(user)
    for name in ("mfa_deactivate_totp", "mfa_generate_recovery_codes", "mfa_add_webauthn"):
        assert client.get(reverse(name)).url.startswith(reverse("mfa_reauthenticate")), name
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    client.post(reverse("mfa_deactivate_totp"))
    assert Authenticator.objects.filter(user=user, type="totp").exists()


def test_somebody_elses_key_is_not_found():
    theirs = Authenticator.objects.get(user=staff("webauthn", email="other@example.com"))
    client = confirmed(staff("totp"))
    assert client.post(reverse("mfa_remove_webauthn", args=[theirs.pk])).status_code == 404


# Sessions ------------------------------------------------------------------------------------------------------------


def is_signed_in(client):
    return client.get(reverse("mfa_index")).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_setting_one_up_ends_the_other_sessions():
    user = staff()
    here, elsewhere = browser(user), browser(user)
    assert is_signed_in(elsewhere)
    here.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    page = here.get(reverse("mfa_activate_totp"))
    here.post(reverse("mfa_activate_totp"), {"code": code_now(secret_on(page))})
    assert here.get(INDEX).status_code == 200
    assert elsewhere.get(INDEX).url.startswith(reverse("admin:login"))
    assert not is_signed_in(elsewhere)


def test_removing_one_ends_the_other_sessions():
    user = with_second_factor(UserFactory())
    elsewhere, here = browser(user), confirmed(user)
    here.post(reverse("mfa_deactivate_totp"))
    assert is_signed_in(here)
    assert not is_signed_in(elsewhere)


@pytest.mark.django_db(transaction=True)
def test_new_recovery_codes_end_the_other_sessions():
    user = with_second_factor(UserFactory())
    elsewhere, here = browser(user), confirmed(user)
    here.post(reverse("mfa_generate_recovery_codes"))
    assert is_signed_in(here)
    assert not is_signed_in(elsewhere)


# Taken away by staff -------------------------------------------------------------------------------------------------


def test_staff_take_a_lost_one_away_with_its_recovery_codes_and_every_session_ends(client):
    lost = with_second_factor(UserFactory(email="finance@example.com"))
    RecoveryCodes.activate(lost)
    theirs, boss = browser(lost), staff("totp")
    client.force_login(boss)
    factor = Authenticator.objects.get(user=lost, type="totp")
    client.post(reverse("admin:mfa_authenticator_delete", args=[factor.pk]), {"post": "yes"})
    assert not Authenticator.objects.filter(user=lost).exists()
    assert not is_signed_in(theirs)
    entry = AuditEntry.objects.get(action="second_factor.removed")
    assert (entry.actor, entry.person, entry.subject, entry.detail) == (
        boss,
        lost,
        "finance@example.com",
        {"methods": ["totp", "recovery_codes"]},
    )


def test_recovery_codes_stay_where_another_factor_does():
    lost = with_second_factor(with_second_factor(UserFactory()), "webauthn")
    RecoveryCodes.activate(lost)
    factor = Authenticator.objects.get(user=lost, type="totp")
    remove_second_factor(access=staff_access(staff("totp")), authenticator_id=factor.pk, at=NOW)
    assert set(Authenticator.objects.filter(user=lost).values_list("type", flat=True)) == {"webauthn", "recovery_codes"}


def test_nobody_takes_their_own_last_one_by_the_staff_pages(client):
    boss = staff("totp")
    client.force_login(boss)
    factor = Authenticator.objects.get(user=boss)
    page = client.post(reverse("admin:mfa_authenticator_delete", args=[factor.pk]), {"post": "yes"}, follow=True)
    assert "Staff must have a second factor." in page.text
    assert Authenticator.objects.filter(pk=factor.pk).exists()
    boss.refresh_from_db()
    assert boss.sessions_version == 0
    with pytest.raises(CannotRemoveSecondFactor):
        remove_second_factor(access=staff_access(boss), authenticator_id=factor.pk, at=NOW)


def removed_at_once(monkeypatch, access, factors):
    """Each is removed by a connection of its own, with a gap between looking at the others and removing it."""
    real = Authenticator.delete

    def slowly(self, *arguments, **more):
        sleep(0.5)
        return real(self, *arguments, **more)

    monkeypatch.setattr(Authenticator, "delete", slowly)
    acts = [partial(remove_second_factor, access=access, authenticator_id=factor.pk, at=NOW) for factor in factors]
    return sorted(type(result).__name__ for result in at_once(*acts))


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_of_ones_own_two_that_are_removed_at_once_one_stays(monkeypatch):
    boss = staff("totp", "webauthn")
    results = removed_at_once(monkeypatch, staff_access(boss), Authenticator.objects.filter(user=boss))
    assert results == ["CannotRemoveSecondFactor", "User"]
    assert Authenticator.objects.filter(user=boss).count() == AuditEntry.objects.count() == 1


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_no_recovery_codes_stay_when_both_that_they_stood_in_for_are_removed_at_once(monkeypatch):
    access, lost = staff_access(staff("totp")), with_second_factor(with_second_factor(UserFactory()), "webauthn")
    RecoveryCodes.activate(lost)
    factors = Authenticator.objects.filter(user=lost).exclude(type="recovery_codes")
    assert removed_at_once(monkeypatch, access, factors) == ["User", "User"]
    assert not Authenticator.objects.filter(user=lost).exists()


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_one_that_is_removed_twice_at_once_is_one_entry_and_one_mail(monkeypatch):
    access, lost = staff_access(staff("totp")), with_second_factor(UserFactory())
    factor = Authenticator.objects.get(user=lost)
    assert removed_at_once(monkeypatch, access, [factor, factor]) == ["DoesNotExist", "User"]
    assert AuditEntry.objects.count() == OutgoingMail.objects.count() == 1


def test_a_superuser_takes_a_colleagues_last_one_and_they_set_up_a_new_one(client):
    colleague = staff("totp", email="colleague@example.com")
    factor = Authenticator.objects.get(user=colleague)
    remove_second_factor(access=staff_access(staff("webauthn")), authenticator_id=factor.pk, at=NOW + timedelta(days=1))
    client.post(reverse("account_login"), {"login": colleague.email, "password": PASSWORD})
    assert leads_to_set_up(client.get(INDEX), INDEX)


def test_the_operation_itself_refuses_a_clerk_and_a_customer(profile):
    clerk = with_second_factor(UserFactory(is_staff=True))
    clerk.user_permissions.add(*Permission.objects.filter(content_type__model="authenticator"))
    factor = Authenticator.objects.get(user=staff("totp"))
    customer = with_second_factor(member(profile, "profile_owner"))
    with pytest.raises(NotAllowed, match="Only a superuser"):
        remove_second_factor(access=staff_access(clerk), authenticator_id=factor.pk, at=NOW)
    with pytest.raises(NotAllowed, match="Only staff"):
        remove_second_factor(access=access_for(customer), authenticator_id=factor.pk, at=NOW)
    assert Authenticator.objects.filter(pk=factor.pk).exists()
    assert not AuditEntry.objects.exists()
