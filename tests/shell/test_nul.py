"""A NUL character in an address is a bad request on every page and on both databases, never a failure of ours."""

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
        "/profiles/{profile}/invoices/{number}/pay/?after=%00",
        "/scopes/menu/%00",
        "/search/?q=%00",
    ],
)
def test_is_refused_with_a_page_in_our_look(client, profile, address):
    client.raise_request_exception = False
    client.force_login(member(profile, "profile_owner"))
    response = client.get(address.format(profile=profile.code, number=issued(profile).number))
    assert response.status_code == 400
    assert "css/tokens.css" in response.text
