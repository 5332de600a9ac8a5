"""The database itself refuses to change history."""

import pytest
from django.db import DatabaseError, connection, transaction

from accounts import audit
from accounts.access import system_access
from accounts.models import AuditEntry
from billing_portal.core.append_only import AppendOnly, FixedColumns
from invoices.models import Credit
from payments.models import Payment, PaymentEvent
from tests.factories import NOW, granted


@pytest.fixture
def entry(db):
    return audit.record(access=system_access(), at=NOW, action="role.granted", subject="finance@example.com")


@pytest.fixture
def event(profile):
    payment = Payment.objects.create(profile=profile, amount_minor=1200, currency="EUR", started_at=NOW)
    return PaymentEvent.objects.create(
        payment=payment, at=NOW, source="customer", result="begun", new_status=payment.status
    )


def test_an_audit_entry_cannot_be_changed(entry):
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        AuditEntry.objects.filter(pk=entry.pk).update(subject="somebody else")
    entry.refresh_from_db()
    assert entry.subject == "finance@example.com"


def test_an_audit_entry_cannot_be_deleted(entry):
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        entry.delete()
    assert AuditEntry.objects.filter(pk=entry.pk).exists()


def test_a_payment_event_cannot_be_changed(event):
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        PaymentEvent.objects.filter(pk=event.pk).update(result="something else")
    event.refresh_from_db()
    assert event.result == "begun"


def test_a_payment_event_cannot_be_deleted(event):
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        PaymentEvent.objects.filter(pk=event.pk).delete()
    assert PaymentEvent.objects.filter(pk=event.pk).exists()


def test_raw_sql_is_refused_as_well(entry):
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        connection.cursor().execute("DELETE FROM accounts_auditentry")


def test_the_trigger_comes_off_when_the_migration_runs_backwards(entry):
    operation = AppendOnly("accounts_auditentry")
    editor = connection.schema_editor()
    operation.database_backwards("accounts", editor, None, None)
    AuditEntry.objects.filter(pk=entry.pk).update(subject="corrected by a migration")
    operation.database_forwards("accounts", editor, None, None)
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEntry.objects.filter(pk=entry.pk).update(subject="changed again")


def test_of_a_credit_only_what_is_left_changes_until_its_trigger_comes_off(profile):
    credit = granted(profile, 500)
    operation = FixedColumns("invoices_credit", ["currency"])
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        Credit.objects.filter(pk=credit.pk).update(currency="USD")
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        Credit.objects.filter(pk=credit.pk)._raw_delete("default")
    Credit.objects.filter(pk=credit.pk).update(remaining_minor=400)
    connection.check_constraints()  # PostgreSQL changes no table while some wait
    editor = connection.schema_editor()
    operation.database_backwards("invoices", editor, None, None)
    Credit.objects.filter(pk=credit.pk).update(currency="USD", expires_on="2026-12-31")
    operation.database_forwards("invoices", editor, None, None)
    Credit.objects.filter(pk=credit.pk).update(expires_on=None)
    with pytest.raises(DatabaseError), transaction.atomic():
        Credit.objects.filter(pk=credit.pk).update(currency="EUR")
