"""How a billing profile wants its invoices: who may choose, what is asked for, and what staff are told."""

import pytest

from accounts.models import AuditEntry, BillingProfile
from tests.factories import BillingProfileFactory, SellerFactory, UserFactory, member
from tests.staff_forms import as_shown

pytestmark = pytest.mark.django_db

CHOICE = {
    "invoice_format": "ubl", "document_language": "nl", "buyer_reference": "DEPT-42", "endpoint_scheme": "0106",
    "endpoint_id": "00000001",
}  # fmt: skip


def url(profile):
    return f"/profiles/{profile.code}/properties/invoices/"


@pytest.fixture
def owner(client, profile):
    client.force_login(member(profile, "profile_owner"))
    return client


@pytest.fixture
def complete(profile):
    place = {"street": "Voorbeeldstraat 1", "postal_code": "1011 AA", "city": "Amsterdam"}
    BillingProfile.objects.update(**place)
    profile.account.tax_ids.create(kind="company", value="00000001")
    return profile


def test_an_owner_chooses_and_the_next_invoice_follows(owner, complete):
    assert owner.post(f"{url(complete)}choose", CHOICE).status_code == 302
    complete.refresh_from_db()
    assert {name: getattr(complete, name) for name in CHOICE} == CHOICE
    entry = AuditEntry.objects.get(action="sending.chosen")
    assert entry.detail["invoice_format"] == ["pdf", "ubl"]
    properties = owner.get(f"/profiles/{complete.code}/properties/").text
    assert "Electronic invoice (Peppol BIS Billing 3)" in properties
    assert "0106:00000001" in properties
    owner.post(f"{url(complete)}choose", CHOICE)
    assert AuditEntry.objects.filter(action="sending.chosen").count() == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"endpoint_scheme": "", "endpoint_id": ""}, "endpoint"),
        ({"endpoint_scheme": ""}, "Choose the scheme of this number."),
        ({"endpoint_id": ""}, "Give the number of this scheme."),
        ({"endpoint_id": "12"}, "endpoint"),
        ({"buyer_reference": ""}, "reference"),
        ({"invoice_format": "xrechnung", "buyer_reference": "", "endpoint_id": "00000001"}, "reference"),
        ({"invoice_format": "banana"}, "Select a valid choice."),
        ({"document_language": "tlh"}, "Select a valid choice."),
    ],
)
def test_what_a_format_needs_is_asked_for_and_nothing_is_saved(owner, complete, changes, sentence):
    answer = owner.post(f"{url(complete)}choose", CHOICE | changes)
    assert answer.status_code == 422
    assert sentence in answer.text
    complete.refresh_from_db()
    assert complete.invoice_format == "pdf"


@pytest.mark.parametrize("role", ["profile_reader", "invoice_manager"])
def test_who_may_only_read_sees_it_and_cannot_change_it(client, complete, role):
    client.force_login(member(complete, role))
    page = client.get(url(complete)).text
    assert 'fieldset class="methods" disabled' in page
    assert client.post(f"{url(complete)}choose", CHOICE).status_code == 403
    complete.refresh_from_db()
    assert complete.invoice_format == "pdf"


def test_a_stranger_finds_nothing(client, complete):
    client.force_login(member(BillingProfileFactory(), "profile_owner"))
    assert client.get(url(complete)).status_code == 404
    assert client.post(f"{url(complete)}choose", CHOICE).status_code == 404


def test_staff_are_told_what_lacks_of_customer_and_seller(client, profile):
    SellerFactory()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    address = f"/admin/accounts/billingprofile/{profile.pk}/change/"
    answer = client.post(address, as_shown(client.get(address)) | {"invoice_format": "ubl"}, follow=True)
    assert "endpoint" in answer.text
    profile.refresh_from_db()
    assert profile.invoice_format == "ubl"
