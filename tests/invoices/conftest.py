"""Fixtures for e-invoices that are sent."""

import threading
from http.server import ThreadingHTTPServer

import pytest
from django.test import override_settings
from mockeinvoice.buyer import Buyer

from accounts.models import BillingProfile
from tests.factories import NOW, SellerFactory
from tests.invoices.access_point import INBOUND, TOKEN, AccessPoint

ENDPOINTS = {"endpoint_scheme": "0106", "endpoint_id": "00000001"}


@pytest.fixture
def access_point():
    server = ThreadingHTTPServer(("127.0.0.1", 0), AccessPoint)
    server.buyer, server.states, server.posted, server.held, server.failing = Buyer(now=lambda: NOW), {}, [], [], []
    server.loses_answers = False
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    with override_settings(
        ACCESS_POINT_URL=url, ACCESS_POINT_TOKEN=TOKEN, ACCESS_POINT_INBOUND_TOKEN=INBOUND
    ):  # fmt: skip
        yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def buyer(profile):
    """A profile that wants e-invoices, and a seller that can make them."""
    SellerFactory()
    seller = profile.account.seller
    seller.endpoint_scheme, seller.endpoint_id = "0106", "00000000"
    seller.save()
    place = {"street": "Voorbeeldstraat 1", "postal_code": "1011 AA", "city": "Amsterdam"}
    BillingProfile.objects.update(invoice_format="ubl", buyer_reference="DEPT-42", **ENDPOINTS, **place)
    profile.account.tax_ids.create(kind="company", value="00000001")
    return BillingProfile.objects.select_related("account__seller").get()
