"""The staff pages require a second factor: which pages, who is led where, and what operations ask."""

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.core.management import call_command
from django.urls import URLResolver, get_resolver, reverse

from accounts.access import NeedsSecondFactor, NotAllowed, fresh, staff_access
from accounts.models import AuditEntry, User
from accounts.operations.people import change_activity
from tests.factories import NOW, UserFactory, member, with_second_factor
from tests.second_factors import INDEX, PASSWORD, accept_codes, code_now, leads_to_set_up, secret_on, staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _demanded(settings):
    accept_codes(settings)
    settings.STAFF_SECOND_FACTOR = True


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
    assert "The staff pages require a second factor. Set up an authenticator app or a security key" in page.text
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


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "foo"])
def test_the_way_back_leads_to_our_own_pages_only(client, elsewhere):
    client.force_login(staff())
    client.get(reverse("mfa_index"), {"next": elsewhere})
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
    with pytest.raises(NeedsSecondFactor, match="The staff pages require a second factor"):
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
