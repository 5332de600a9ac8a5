"""Credits go first: what they leave is charged automatically, and where they leave nothing nobody is asked."""

import pytest

from billing_portal.core.models import OutgoingMail
from invoices.money import Money
from invoices.operations.credits import grant_credit
from payments.models import AutomaticCharge, Payment
from payments.operations.notifications import announce_due
from tests.factories import NOW, issued
from tests.payments.acts import books_are_clean, card, charges, staff, state
from tests.payments.autopaying import mails, planned_on, run, story

pytestmark = pytest.mark.django_db


def credit(profile, amount: str):
    return grant_credit(
        access=staff(),
        profile_id=profile.pk,
        source="promotion",
        amount=Money.parse(amount, "EUR"),
        description="Welcome",
        starts_on=None,
        expires_on=None,
        at=NOW,
    )


@pytest.fixture(autouse=True)
def visa(profile):
    return card(profile, is_default=True)


def test_only_what_a_credit_leaves_is_charged(profile, payer):
    lot = credit(profile, "30.00")
    invoice = issued(profile, "100.00")
    run()
    lot.refresh_from_db()
    assert charges(invoice) == [7000]
    assert (state(invoice), lot.remaining_minor) == (("paid", 7000, 0), 0)
    assert story(invoice) == ("done", "", 1)
    assert books_are_clean()


@pytest.mark.parametrize("amount", ["100.00", "250.00"])
def test_an_invoice_that_credits_cover_is_paid_without_a_call_to_the_gateway(profile, payer, amount):
    credit(profile, amount)
    invoice = issued(profile, "100.00")
    announce_due(at=NOW, limit=10)
    run()
    assert (state(invoice), planned_on(invoice)) == (("paid", 0, 0), None)
    assert not Payment.objects.exists()
    assert not AutomaticCharge.objects.exists()
    assert mails() == ["invoice_ready"]
    assert OutgoingMail.objects.get().context["settled_by"] == "credits"
    assert books_are_clean()
