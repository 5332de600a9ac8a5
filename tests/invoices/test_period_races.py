"""Two workers, or two people, at the same moment: each mail once, each request once, each change once."""

import pytest

from accounts.models import AuditEntry, BillingContact, WireRequest
from accounts.operations.wire import CannotAskForWire, request_wire
from billing_portal.core.models import OutgoingMail
from invoices.models import Invoice
from invoices.operations.dunning import remind_due, update_profile_statuses
from payments.operations.notifications import send_statements
from tests.accounts.test_wire import FACTS
from tests.factories import NOW, TODAY, BillingProfileFactory, access_for, issued, member
from tests.payments.acts import at_once

pytestmark = [pytest.mark.two_connections, pytest.mark.django_db(transaction=True)]

WORKERS = 4


def test_four_workers_remind_once(profile):
    member(profile, "invoice_manager")
    for _number in range(3):
        issued(profile)
    Invoice.objects.update(next_reminder_on=TODAY, autopay_on=None)
    assert sum(at_once(*[lambda: remind_due(at=NOW, limit=100)] * WORKERS)) == 3
    assert OutgoingMail.objects.count() == 1
    assert set(Invoice.objects.values_list("reminders_sent", flat=True)) == {1}


def test_four_workers_warn_once(profile):
    member(profile, "profile_owner")
    issued(profile, due_on=TODAY.replace(day=1))
    assert sum(at_once(*[lambda: update_profile_statuses(at=NOW, limit=100)] * WORKERS)) == 1
    assert (AuditEntry.objects.filter(action="profile.warned").count(), OutgoingMail.objects.count()) == (1, 1)


def test_four_workers_send_a_statement_once():
    profile = BillingProfileFactory(default_method="check_wire")
    issued(profile, today=TODAY.replace(month=9), at=NOW.replace(month=9))
    BillingContact.objects.create(profile=profile, email="payable@example.com")
    assert sum(at_once(*[lambda: send_statements(at=NOW, limit=100)] * WORKERS)) == 1
    assert OutgoingMail.objects.count() == 1


def test_two_people_who_ask_at_once_ask_once(profile):
    accesses = [access_for(member(profile, "profile_reader"), profile) for _person in range(2)]
    ways = [
        lambda access=access: request_wire(access=access, profile_id=profile.pk, facts=FACTS, at=NOW)
        for access in accesses
    ]
    answers = at_once(*ways)
    assert sorted(type(answer).__name__ for answer in answers) == [CannotAskForWire.__name__, WireRequest.__name__]
    assert WireRequest.objects.count() == 1
