"""One text in two spellings is one text: in memory, in the database, and in each unique text that people type."""

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F, Value
from django.urls import reverse

from accounts.models import InvoiceSection, TaxId
from billing_portal.core.spelling import SPACES, Compact, compact, typed
from invoices.models import TaxRate
from tests.factories import BillingAccountFactory, UserFactory

pytestmark = pytest.mark.django_db
SPELLINGS = (
    "RF18 5390 0754 7034",
    "RF18539007547034",
    "rf18 5390 0754 7034",
    "RF18\u00a05390\u00a00754\u00a07034",
    "\ufeffRF18\u20095390\u202f0754\u200b7034\t",
)


@pytest.mark.parametrize("text", [*SPELLINGS, f"RF18{SPACES}539007547034"])
def test_every_spelling_is_one(text, profile):
    assert compact(text) == "RF18539007547034"
    InvoiceSection.objects.create(profile=profile, name=text)
    assert InvoiceSection.objects.annotate(key=Compact(F("name"))).get(key=Compact(Value(SPELLINGS[0])))


def test_signs_and_digits_still_differ():
    assert len({compact(text) for text in ("TRF 12-1", "TRF 121", "TRF 12-2", "TRF 12")}) == 4


@pytest.mark.parametrize(
    "text",
    [
        "WIRE-1",
        " WIRE\u20111",
        "WIRE\u20131",
        "WIRE\u22121",
        "\u202aWIRE-1\u202c",
        "WIRE\u2066-1\u2069",
        "\uff37IRE\uff0d\uff11",
    ],
)
def test_what_no_keyboard_writes_is_written_as_one_would(text):
    assert typed(text) == "WIRE-1"


def write(kind, text, profile):
    if kind == "section":
        InvoiceSection.objects.create(profile=profile, name=text)
    elif kind == "tax id":
        TaxId.objects.create(account=profile.account, value=text)
    else:
        TaxRate.objects.create(name=text, percent=21)


@pytest.mark.parametrize("kind", ["section", "tax id", "tax rate"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_database_refuses_another_spelling(profile, kind, spelling):
    write(kind, SPELLINGS[0], profile)
    with pytest.raises(IntegrityError), transaction.atomic():
        write(kind, spelling, profile)


@pytest.mark.parametrize("stored", [True, False])
def test_staff_are_told_of_it_beside_the_row(client, stored):
    account = BillingAccountFactory()
    if stored:
        TaxId.objects.create(account=account, kind="exemption", value="NL 8518 34561 B01")
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    new = {"0": "nl851834561b01"} if stored else {"0": "NL 8518 34561 B01", "1": "nl851834561b01"}
    form = {
        "name": account.name, "agreement_type": account.agreement_type, "company": "X", "country": "NL",
        "tax_ids-TOTAL_FORMS": len(new), "tax_ids-INITIAL_FORMS": 0,
        **{f"{name}-{count}_FORMS": 0 for name in ("profiles", "assignments") for count in ("TOTAL", "INITIAL")},
        **{f"tax_ids-{row}-value": value for row, value in new.items()},
        **{f"tax_ids-{row}-kind": "exemption" for row in new},
    }  # fmt: skip
    response = client.post(reverse("admin:accounts_billingaccount_change", args=[account.pk]), form)
    assert "This billing account has that number already." in response.content.decode()
    assert TaxId.objects.count() == stored
