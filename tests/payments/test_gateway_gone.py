"""A gateway that is configured no more while payments of it wait: their pages say how they stand, and none breaks."""

import pytest
from django.urls import reverse

from payments.gateways.registry import get_gateway
from tests.factories import issued, member
from tests.payments.acts import press_pay
from tests.payments.pages import browser, page_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("name", "method"), [("return", "get"), ("cancel", "post"), ("challenge", "get")])
def test_the_way_back_and_the_way_out_lead_to_the_payment(profile, settings, name, method):
    owner = member(profile, "profile_owner")
    payment = press_pay(owner, issued(profile), token="tok_3184_x")
    settings.PAYMENT_GATEWAYS = {}
    get_gateway.cache_clear()
    address = reverse(f"payments:{name}", args=[profile.code, payment.reference])
    response = getattr(browser(owner), method)(address)
    assert (response.status_code, response["Location"]) == (303, page_of(payment))
    payment.refresh_from_db()
    assert payment.status == "needs_customer"
