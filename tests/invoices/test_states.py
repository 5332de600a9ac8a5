"""The states of an invoice: which follow which, what the reader sees, and what the database refuses."""

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from invoices.models import Credit, Invoice
from invoices.states import BADGES, MOVES, InvoiceStatus, Label, WrongState, check_move
from tests.factories import NOW, TODAY, draft, issued

ALLOWED = {("draft", "open"), ("draft", "paid"), ("open", "paid"), ("open", "void"), ("paid", "open")}
PAIRS = [(old, new) for old in InvoiceStatus for new in InvoiceStatus]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_every_pair_of_states_is_allowed_or_refused_as_written_here(old, new):
    if (old.value, new.value) in ALLOWED:
        check_move(old, new)
    else:
        with pytest.raises(WrongState):
            check_move(old, new)


def test_every_state_has_moves_a_label_and_a_badge():
    assert set(MOVES) == set(InvoiceStatus)
    assert set(BADGES) == set(Label)
    for status in InvoiceStatus:
        Invoice(status=status, due_on=TODAY).label_on(TODAY)


@pytest.mark.parametrize(
    ("status", "due_on", "is_being_paid", "label"),
    [
        ("draft", None, False, Label.DRAFT),
        ("open", date(2026, 10, 26), False, Label.DUE),
        ("open", date(2026, 10, 25), False, Label.PAST_DUE),
        ("open", date(2026, 10, 25), True, Label.IN_PROGRESS),
        ("paid", date(2026, 10, 25), False, Label.PAID),
        ("void", date(2026, 10, 25), False, Label.VOID),
    ],
)
def test_labels_on_a_day(status, due_on, is_being_paid, label):
    invoice = Invoice(status=status, due_on=due_on, payment_started_at=NOW if is_being_paid else None)
    assert invoice.label_on(date(2026, 10, 26)) == label


@pytest.mark.django_db
@pytest.mark.parametrize("label", [label for label in Label if label != Label.DRAFT])
def test_the_filter_of_a_label_finds_exactly_the_rows_that_show_it(profile, label):
    issued(profile, due_on=TODAY)
    issued(profile, due_on=date(2026, 10, 25))
    for due_on in (date(2026, 10, 25), TODAY):
        Invoice.objects.filter(pk=issued(profile, due_on=due_on).pk).update(payment_started_at=NOW)
    Invoice.objects.filter(pk=issued(profile).pk).update(status="paid", paid_minor=12000)
    Invoice.objects.filter(pk=issued(profile).pk).update(status="void")
    shown = {row.pk for row in Invoice.objects.all() if row.label_on(TODAY) == label}
    assert shown
    assert set(Invoice.objects.with_label(label, TODAY).values_list("pk", flat=True)) == shown


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"status": "lost"}, "invoice_status_known"),
        ({"number": None}, "invoice_numbered_when_issued"),
        ({"due_on": None}, "invoice_numbered_when_issued"),
        ({"status": "draft"}, "invoice_numbered_when_issued"),
        ({"total_minor": 11999}, "invoice_total_adds_up"),
        ({"charges_minor": -1, "total_minor": -1}, "invoice_amounts_not_negative"),
        ({"refunded_minor": -1}, "invoice_amounts_not_negative"),
        ({"paid_minor": 12001}, "invoice_never_overpaid"),
        ({"paid_minor": 11999, "credited_minor": 2}, "invoice_never_overpaid"),
        ({"status": "paid", "paid_minor": 11999}, "invoice_paid_means_in_full"),
        ({"status": "void", "payment_started_at": NOW}, "invoice_in_progress_is_open"),
        ({"number": "inv-000001"}, "invoice_number_in_capitals"),
    ],
)
def test_the_database_refuses_an_invoice_that_cannot_be(profile, values, constraint):
    invoice = issued(profile)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(**values)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.total_minor, invoice.paid_minor) == ("open", 12000, 0)


@pytest.mark.django_db
def test_a_number_and_a_source_reference_are_used_once(profile):
    first, second = issued(profile, source_reference="A-1"), issued(profile)
    with pytest.raises(IntegrityError), transaction.atomic():
        Invoice.objects.filter(pk=second.pk).update(number=first.number)
    with pytest.raises(IntegrityError), transaction.atomic():
        draft(profile, source_reference="A-1")
    draft(profile, source_reference="")
    draft(profile, source_reference="")


@pytest.mark.django_db
@pytest.mark.parametrize("remaining", [-1, 501])
def test_a_credit_is_never_used_twice_nor_grows(profile, remaining):
    values = {"profile": profile, "currency": "EUR", "amount_minor": 500, "description": "Overpaid", "created_at": NOW}
    with pytest.raises(IntegrityError, match="credit_remaining_within_amount"), transaction.atomic():
        Credit.objects.create(remaining_minor=remaining, **values)


@pytest.mark.django_db
def test_the_amount_due_is_computed_by_the_database(profile):
    invoice = issued(profile)
    Invoice.objects.filter(pk=invoice.pk).update(paid_minor=2000, credited_minor=500)
    invoice.refresh_from_db()
    assert invoice.amount_due_minor == 9500
    Invoice.objects.filter(pk=invoice.pk).update(status="void")
    invoice.refresh_from_db()
    assert invoice.amount_due_minor == 0
