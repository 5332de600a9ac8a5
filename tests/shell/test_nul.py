"""A NUL character in an address is never a failure of ours, on any page or database."""

import pytest

from tests.factories import BillingProfileFactory, issued, member

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
    assert "css/tokens.css" in response.text


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
