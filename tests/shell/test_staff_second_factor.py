"""Staff pages open with a second factor only: which pages, who is led where, and what ends when a factor changes."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse

from accounts.access import NeedsSecondFactor, NotAllowed, fresh, staff_access
from accounts.models import AuditEntry, User
from accounts.operations import CannotRemoveSecondFactor, change_activity, remove_second_factor
from tests.factories import NOW, UserFactory, access_for, member, with_second_factor
from tests.second_factors import accept_codes, code_now, secret_on

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-enough-password"
INDEX = reverse("admin:index")


@pytest.fixture(autouse=True)
def _demanded(settings):
    accept_codes(settings)
    settings.STAFF_SECOND_FACTOR = True


def staff(*factors, **fields):
    user = UserFactory(is_staff=True, is_superuser=True, **fields)
    user.set_password(PASSWORD)
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    for kind in factors:
        with_second_factor(user, kind)
    return user


def browser(user):
    client = Client()
    client.force_login(user)
    return client


def staff_routes(patterns=None, prefix="/admin/"):
    """An address of every route under /admin/, whatever parameters it takes."""
    if patterns is None:
        patterns = next(one for one in get_resolver().url_patterns if str(one.pattern) == "admin/").url_patterns
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from staff_routes(pattern.url_patterns, prefix + str(pattern.pattern))
        elif pattern.name == "app_list":
            yield f"{prefix}accounts/"
        elif pattern.pattern.converters or "(?P" not in str(pattern.pattern):
            address = prefix + str(pattern.pattern)
            for name in pattern.pattern.converters:
                address = address.replace(f"<path:{name}>", "1").replace(f"<int:{name}>", "1")
                address = address.replace(f"<{name}>", "1").replace(f"<str:{name}>", "1")
            yield address
        else:
            yield f"{prefix}no-such-page/"


def leads_to_set_up(response, wanted):
    """Whether a staff page sent somebody on to the page of second factors, and kept the page that was wanted."""
    return (response.status_code, response.url) == (302, f"{reverse('admin:login')}?next={wanted}")


@pytest.mark.parametrize("powers", [{}, {"is_superuser": True}])
def test_no_staff_page_opens_without_a_second_factor(client, powers):
    client.force_login(UserFactory(is_staff=True, **powers))
    routes = sorted(set(staff_routes()))
    assert len(routes) > 100
    assert not [route for route in routes if "<" in route]
    opened = {}
    for route in routes:
        for method in ("get", "post"):
            response = getattr(client, method)(route)
            leads_on = response.status_code == 302 and response.url.startswith(
                (reverse("admin:login"), reverse("mfa_index"), INDEX if route.endswith("/logout/") else "-")
            )
            if not leads_on:
                opened[method, route] = response.status_code
    assert opened == {}


@pytest.mark.parametrize("name", ["autocomplete", "jsi18n", "index", "password_change"])
def test_not_even_what_holds_no_rows_opens(client, name):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    assert leads_to_set_up(client.get(reverse(f"admin:{name}")), reverse(f"admin:{name}"))


@pytest.mark.parametrize("kind", ["totp", "webauthn"])
def test_they_open_with_one(client, kind):
    client.force_login(staff(kind))
    assert client.get(INDEX).status_code == 200
    assert client.get(reverse("admin:accounts_user_changelist")).status_code == 200
    assert client.get(f"{reverse('admin:login')}?next={INDEX}accounts/").url == f"{INDEX}accounts/"


def test_recovery_codes_alone_are_none(client):
    user = staff()
    RecoveryCodes.activate(user)
    client.force_login(user)
    assert leads_to_set_up(client.get(INDEX), INDEX)


def test_switched_off_a_password_is_enough(client, settings):
    settings.STAFF_SECOND_FACTOR = False
    client.force_login(staff())
    assert client.get(INDEX).status_code == 200


def test_a_customer_is_refused_as_ever(client, profile):
    client.force_login(with_second_factor(member(profile, "profile_owner")))
    assert client.get(INDEX, follow=True).status_code == 403


def test_staff_who_are_customers_as_well_still_get_at_their_invoices(client, profile):
    client.force_login(member(profile, "profile_owner", is_staff=True))
    assert client.get(reverse("invoices:list", args=[profile.code])).status_code == 200


def test_the_page_says_why_it_leads_there(client):
    client.force_login(staff())
    page = client.get(INDEX, follow=True)
    assert page.redirect_chain[-1][0] == f"{reverse('mfa_index')}?next=%2Fadmin%2F"
    assert "Staff pages open with a second factor only. Set up an authenticator app or a security key" in page.text
    assert "Continue to the page you wanted" not in page.text


@pytest.mark.django_db(transaction=True)
def test_the_first_superuser_signs_in_sets_up_an_app_and_goes_on(client):
    call_command("createsuperuser", interactive=False, email="admin@example.com", verbosity=0)
    user = User.objects.get(email="admin@example.com")
    user.set_password(PASSWORD)
    user.save()
    EmailAddress.objects.update_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})
    wanted = reverse("admin:accounts_user_changelist")
    signed_in = client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD, "next": wanted})
    assert signed_in.url == wanted
    page = client.get(wanted, follow=True)
    assert reverse("mfa_activate_totp") in page.text
    confirm = client.get(reverse("mfa_activate_totp"))
    assert confirm.url.startswith(reverse("account_reauthenticate"))
    page = client.post(confirm.url, {"password": PASSWORD}, follow=True)
    done = client.post(reverse("mfa_activate_totp"), {"code": code_now(secret_on(page))})
    assert done.url == reverse("mfa_view_recovery_codes")
    codes = client.get(done.url)
    assert reverse("second_factor_back") in codes.text
    assert client.get(reverse("second_factor_back")).url == wanted
    assert client.get(wanted).status_code == 200
    assert client.get(reverse("second_factor_back")).url == reverse("home")


def test_who_has_one_already_may_go_on_at_once(client):
    client.force_login(staff("totp"))
    page = client.get(f"{reverse('mfa_index')}?next={INDEX}")
    assert "A second factor is needed" not in page.text
    assert "Continue to the page you wanted" in page.text
    assert client.get(reverse("second_factor_back")).url == INDEX


def test_the_way_back_leads_to_our_own_pages_only(client):
    client.force_login(staff())
    client.get(f"{reverse('mfa_index')}?next=https://evil.example/")
    assert client.get(reverse("second_factor_back")).url == reverse("home")


def test_signing_in_asks_for_the_code_and_leads_to_the_page_wanted(client):
    user, wanted = staff("totp"), reverse("admin:accounts_user_changelist")
    asked = client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD, "next": wanted})
    assert asked.url == reverse("mfa_authenticate")
    assert client.get(wanted).url.startswith(reverse("account_login"))
    done = client.post(reverse("mfa_authenticate"), {"code": code_now()})
    assert done.url == wanted
    assert client.get(wanted).status_code == 200


def test_djangos_own_form_signs_nobody_in(client):
    """It takes a password alone, and would make one member of staff another without that one's second factor."""
    me, other = staff("totp"), staff("totp", email="other@example.com")
    client.force_login(me)
    form = {"username": other.email, "password": PASSWORD, "next": INDEX}
    assert client.post(reverse("admin:login"), form).url == INDEX
    assert client.session["_auth_user_id"] == str(me.pk)


def test_a_clerk_without_one_cannot_be_let_in_by_djangos_form_either(client):
    client.force_login(staff())
    other = staff("totp", email="other@example.com")
    response = client.post(reverse("admin:login"), {"username": other.email, "password": PASSWORD})
    assert response.url.startswith(reverse("mfa_index"))


# What operations ask, whoever calls them ------------------------------------------------------------------------------


def test_no_access_of_staff_is_made_without_one():
    with pytest.raises(NeedsSecondFactor, match="Staff pages open with a second factor only"):
        staff_access(staff())
    assert staff_access(staff("webauthn", email="key@example.com")).unlimited


def test_an_operation_refuses_staff_whose_factor_was_removed_since_the_page_was_drawn():
    clerk, customer = staff("totp"), UserFactory()
    access = staff_access(clerk)
    Authenticator.objects.all().delete()
    assert not fresh(access).unlimited
    with pytest.raises(NotAllowed):
        change_activity(access=access, user=customer, is_active=False, at=NOW)
    customer.refresh_from_db()
    assert customer.is_active
    assert not AuditEntry.objects.exists()


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
        {"type": "totp"},
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
