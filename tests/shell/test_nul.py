"""A NUL character in an address is never a failure of ours, on any page or database."""

import pytest
from django.urls import reverse

from accounts.models import AuditEntry
from tests.factories import BillingProfileFactory, UserFactory, issued, member

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def profile():
    return BillingProfileFactory()


@pytest.mark.parametrize(
    "address",
    [
        "/profiles/%00/invoices/",
        "/profiles/{profile}/invoices/INV%001/",
        "/profiles/{profile}/invoices/INV%001/pdf",
        "/profiles/{profile}/invoices/INV%001/pay/",
        "/profiles/{profile}/payments/%00/",
        "/profiles/{profile}/payments/%00/receipt",
        "/profiles/{profile}/payments/%00/return",
        "/scopes/menu/%00",
    ],
)
def test_in_a_path_it_is_refused_with_a_page_in_our_look(client, profile, address):
    client.raise_request_exception = False
    client.force_login(member(profile, "profile_owner"))
    response = client.get(address.format(profile=profile.code))
    assert response.status_code == 400
    assert "css/base.css" in response.text


@pytest.mark.parametrize("word", ["%00", "a%00b", "%0%000"])
def test_in_a_query_it_counts_for_nothing(client, profile, word):
    client.force_login(member(profile, "profile_owner"))
    address = f"/profiles/{profile.code}/invoices/{issued(profile).number}/pay/?after={word}"
    assert client.get(address).status_code == 200


@pytest.mark.parametrize(
    "address",
    ["/admin/payments/payment/?status__exact=a%00b", "/admin/accounts/billingprofile/?status__exact=a%00b"],
)
def test_staff_pages_do_not_fail_on_it(admin_client, address):
    assert admin_client.get(address).status_code == 200


def test_in_an_address_at_the_door_it_is_nobodys_and_the_lock_out_is_recorded_all_the_same(client, settings):
    settings.ACCOUNT_RATE_LIMITS = {"login": "1/m/ip"}
    UserFactory(email="ab@example.com")
    for _try in range(2):
        response = client.post(reverse("account_login"), {"email": "a\0b@example.com"})
    entry = AuditEntry.objects.get(action="sign_in.blocked")
    assert (response.status_code, entry.person, entry.subject) == (429, None, "ab@example.com")


def test_in_the_name_of_a_browser_it_is_left_out(client):
    client.post(
        reverse("account_login"),
        {"login": "a@example.com", "password": "guess me"},
        headers={"user-agent": "Fire\0fox"},
    )
    assert AuditEntry.objects.get(action="sign_in.failed").browser == "Firefox"


def test_in_the_cookie_of_a_session_it_is_no_session(client, settings):
    client.cookies[settings.SESSION_COOKIE_NAME] = "abcdefgh\0"
    assert client.cookies[settings.SESSION_COOKIE_NAME].coded_value == r'"abcdefgh\000"'
    assert client.get(reverse("account_login")).status_code == 200
