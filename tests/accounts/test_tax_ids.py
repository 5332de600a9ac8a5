"""A VAT number is checked wherever staff type one: by the rule of the European Union, or of the customer's country."""

import pytest
from django.core.exceptions import ValidationError
from django.utils import translation

from accounts.company_numbers import canonical_company_number, canonical_vat_number, number_label
from accounts.models import BillingAccount, TaxId
from invoices.documents.einvoice.identifiers import is_of_scheme
from tests.factories import BillingAccountFactory, UserFactory
from tests.staff_forms import as_shown, page, save

OF_THE_UNION = "This is not a valid VAT number. Begin with the letters of the country, such as NL; check the digits."
ELSEWHERE = "This is not a valid VAT number of {}. Check its digits."


@pytest.mark.parametrize(
    ("country", "typed", "stored"),
    [
        ("NL", "NL999999990B01", "NL999999990B01"),
        ("NL", " nl 9999.99990 b01 ", "NL999999990B01"),
        ("NL", "DE999999995", "DE999999995"),
        ("GR", "EL094259216", "EL094259216"),
        ("GB", "XI432525179", "XI432525179"),
        ("GB", "GB 980 7806 84", "GB 980 7806 84"),
        ("CH", "CHE-107.787.577 IVA", "CHE-107.787.577 IVA"),
        ("US", "98-0000000", "98-0000000"),  # no rule is known
    ],
)
def test_a_right_number_is_stored(country, typed, stored):
    assert canonical_vat_number(typed, country) == stored


@pytest.mark.parametrize(
    ("country", "typed", "message"),
    [
        ("NL", "NL999999991B01", OF_THE_UNION),
        ("NL", "999999990B01", OF_THE_UNION),
        ("NL", "GB 980 7806 84", OF_THE_UNION),
        ("DE", "DE999999999", OF_THE_UNION),
        ("GB", "GB 980 7806 85", ELSEWHERE.format("United Kingdom")),
        ("CH", "CHE-107.787.578 IVA", ELSEWHERE.format("Switzerland")),
    ],
)
def test_a_wrong_number_is_refused_in_words(country, typed, message):
    with pytest.raises(ValidationError) as refusal:
        canonical_vat_number(typed, country)
    assert refusal.value.messages == [message]


@pytest.mark.parametrize(
    ("country", "message"),
    [
        (
            "NL",
            "Dit is geen geldig btw-nummer. Begin met de letters van het land, zoals NL, en controleer de cijfers.",
        ),
        ("CH", "Dit is geen geldig btw-nummer van Zwitserland. Controleer de cijfers."),
    ],
)
def test_in_dutch(country, message):
    with translation.override("nl"):
        with pytest.raises(ValidationError) as refusal:
            canonical_vat_number("CHE-107.787.578", country)
        assert refusal.value.messages == [message]


@pytest.fixture
def account(client, db):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    account = BillingAccountFactory(country="NL")
    TaxId.objects.create(account=account, value="NL999999990B01")
    return account


def test_staff_see_the_reason_at_the_field_and_nothing_is_stored(client, account):
    url = page(BillingAccount, "change", account.pk)
    answer = client.post(url, as_shown(client.get(url)) | {"tax_ids-0-value": "NL999999991B01", "name": "Another"})
    assert answer.status_code == 200
    assert OF_THE_UNION in answer.text
    assert TaxId.objects.get().value == "NL999999990B01"
    assert BillingAccount.objects.get().name == account.name


def test_a_number_of_staff_is_stored_as_it_is_written_in_the_union(client, account):
    save(client, page(BillingAccount, "change", account.pk), **{"tax_ids-0-value": "de 999 999 995"})
    assert TaxId.objects.get().value == "DE999999995"


def test_other_kinds_of_numbers_are_taken_as_they_are(client, account):
    values = {"tax_ids-0-value": "no number", "tax_ids-0-kind": "exemption"}
    save(client, page(BillingAccount, "change", account.pk), **values)
    assert TaxId.objects.get().value == "no number"


def test_the_number_of_an_icelandic_company_is_its_kennitala():
    assert canonical_company_number("450401-3150", "IS") == "4504013150"
    assert number_label("company", "IS") == "Kennitala"
    with pytest.raises(ValidationError, match="company number of Iceland"):
        canonical_company_number("450401-3151", "IS")
    assert is_of_scheme("4504013150", "0196")
    assert not is_of_scheme("4504013151", "0196")


@pytest.mark.parametrize(
    ("value", "scheme", "is_one"),
    [
        ("DE136695976", "9930", True), ("136695976", "9930", True), ("DE136695977", "9930", False),
        ("xx", "9930", False), ("NL123456782B90", "9930", False), ("EL094259216", "9933", True),
        ("anything", "9918", True),
    ],
)  # fmt: skip
def test_an_endpoint_by_vat_number_is_one_of_its_country(value, scheme, is_one):
    """As the lists of EAS have them; a buyer may register it without the letters of the country."""
    assert is_of_scheme(value, scheme) is is_one
