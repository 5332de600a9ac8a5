"""What taking up an invoice looks at again under its lock, whatever the list of those that are due said."""

from datetime import timedelta

import pytest

from accounts.models import AuditEntry
from invoices.operations.invoice_payments import mark_payment_started
from payments.models import AutomaticCharge, Payment
from payments.operations.autopay import begin_charge
from tests.factories import issued
from tests.payments.acts import card
from tests.payments.autopaying import CHARGED, planned_on, run, story

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(profile):
    card(profile, is_default=True)
    return issued(profile)


def test_before_its_day_nothing_is_taken_up(invoice):
    assert begin_charge(invoice_id=invoice.pk, at=CHARGED - timedelta(days=1)) == (False, None)
    assert planned_on(invoice) == CHARGED.date()
    assert not Payment.objects.exists()


def test_a_payment_that_somebody_began_since_leaves_the_plan_as_it_was(invoice, payer):
    mark_payment_started(invoice, by=payer, at=CHARGED)
    assert begin_charge(invoice_id=invoice.pk, at=CHARGED) == (False, None)
    assert planned_on(invoice) == CHARGED.date()
    assert not AutomaticCharge.objects.exists()


def test_what_was_charged_is_not_written_down_as_stopped(invoice):
    run()
    assert story(invoice) == ("done", "", 1)
    assert not AuditEntry.objects.filter(action="autopay.stopped").exists()
