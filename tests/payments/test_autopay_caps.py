"""How often banks may be asked about one card, wherever that card is stored."""

import pytest

from payments.models import Payment
from tests.factories import BillingProfileFactory, issued
from tests.payments.acts import card
from tests.payments.autopaying import CHARGED, run, story

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _one_try(settings):
    settings.AUTOPAY_MAX_TRIES_PER_CARD = 1


def poor(profile, fingerprint):
    return card(profile, "9995", is_default=True, fingerprint=fingerprint)


def test_a_card_that_is_stored_again_has_the_tries_that_it_had(profile):
    """Removed and added again, it is a new row of ours and the same card of its network."""
    first = poor(profile, "same")
    issued(profile)
    run()
    first.status, first.is_default = "removed", False
    first.save()
    poor(profile, "same")
    invoice = issued(profile)
    run()
    assert story(invoice) == ("stopped", "capped", 0)
    assert Payment.objects.count() == 1


@pytest.mark.parametrize(("one", "other"), [("one", "other"), ("", "")])
def test_another_card_and_one_without_a_fingerprint_have_tries_of_their_own(profile, one, other):
    poor(profile, one)
    there = BillingProfileFactory()
    poor(there, other)
    invoices = [issued(profile), issued(there)]
    run(CHARGED)
    assert [story(invoice)[2] for invoice in invoices] == [1, 1]
