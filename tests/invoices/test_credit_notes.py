"""Credit notes: what they take back of an invoice, what becomes of it, and what is refused."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.access import NotAllowed, system_access
from accounts.models import AuditEntry
from invoices.models import Credit, CreditEntry, CreditNote, CreditNoteTax, Invoice, InvoiceLine, NumberSeries
from invoices.money import Money
from invoices.operations.credit_notes import CannotCorrect, credit_note, take_off
from invoices.operations.invoice_payments import mark_payment_started
from invoices.operations.issuing import issue
from invoices.operations.voiding import void
from payments.operations.integrity import check_books
from tests.factories import NOW, TODAY, access_for, draft, granted, issued, member, taxed
from tests.invoices.bookings import apply_payment
from tests.payments.acts import at_once, books_are_clean, card, press_pay, staff

pytestmark = pytest.mark.django_db


def note_of(invoice, amounts=None, *, reason="Billed too much", access=None):
    access = access or staff()
    return credit_note(access=access, invoice_id=invoice.pk, amounts=amounts, reason=reason, today=TODAY, at=NOW)


def two_lines(profile) -> Invoice:
    """100.00 with 21% and 50.00 with 9%: 175.50."""
    invoice = draft(profile, "100.00", tax_rate="21")
    InvoiceLine.objects.create(
        invoice=invoice, description="Books", unit_price=Decimal("50.00"), position=1, **taxed("9")
    )
    return issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)


def stands(invoice):
    invoice.refresh_from_db()
    return invoice.status, invoice.credited_minor, invoice.amount_due_minor


def remaining(lot) -> int:
    return Credit.objects.get(pk=lot.pk).remaining_minor


@pytest.mark.parametrize(
    ("minor", "taken", "taxes"),
    [
        (17550, [10000, 5000], [(10000, 2100), (5000, 450)]),
        (8775, [5000, 2500], [(5000, 1050), (2500, 225)]),
        (1, [1], [(1, 0)]),
        (17549, [9999, 5000], [(9999, 2100), (5000, 450)]),
    ],
)
def test_an_amount_is_taken_off_the_lines_by_what_is_left_of_each(profile, minor, taken, taxes):
    invoice = two_lines(profile)
    note = take_off(access=staff(), invoice_id=invoice.pk, minor=minor, reason="Paid back", at=NOW)
    assert list(note.lines.order_by("pk").values_list("amount_minor", flat=True)) == taken
    assert list(note.taxes.order_by("pk").values_list("taxable_minor", "tax_minor")) == taxes
    assert stands(invoice)[2] == 17550 - minor
    assert books_are_clean()


def test_of_an_invoice_with_a_discount_no_more_is_taken_than_is_left(profile):
    invoice = draft(profile, "100.00")
    InvoiceLine.objects.create(
        invoice=invoice, description="Discount", quantity=-1, unit_price=Decimal("40.00"), position=1, **taxed()
    )
    invoice = issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)
    facts = {"access": staff(), "invoice_id": invoice.pk, "reason": "Paid back", "at": NOW}
    assert take_off(minor=2500, **facts).total_minor == 2500
    assert take_off(minor=9000, **facts).total_minor == 3500
    assert take_off(minor=1, **facts) is None
    assert stands(invoice)[2] == 0
    assert books_are_clean()


def test_all_of_an_open_invoice_leaves_nothing_due(profile):
    invoice = two_lines(profile)
    note = note_of(invoice)
    assert (note.number, note.currency, note.issued_on) == ("CN-000001", "EUR", TODAY)
    assert (note.charges_minor, note.tax_minor, note.total_minor) == (15000, 2550, 17550)
    assert (note.applied_minor, note.credit, note.voids_invoice) == (17550, None, False)
    assert stands(invoice) == ("paid", 17550, 0)
    assert (invoice.paid_with, invoice.autopay_on, invoice.next_reminder_on) == ("Credit note", None, None)
    entry = AuditEntry.objects.get(action="credit_note.issued")
    assert (entry.subject, entry.detail["invoice"]) == ("CN-000001", invoice.number)
    assert books_are_clean()
    with pytest.raises(CannotCorrect, match="nothing to credit"):
        note_of(invoice)


def test_part_of_a_line_takes_its_tax_with_it_and_the_rest_stays_due(profile):
    invoice = two_lines(profile)
    first = invoice.lines.get(description="Hosting")
    note = note_of(invoice, {first.pk: 1000})
    assert note.lines.values_list("amount_minor", flat=True).get() == 1000
    assert note.taxes.values_list("category", "rate", "taxable_minor", "tax_minor").get() == ("S", 21, 1000, 210)
    assert stands(invoice) == ("open", 1210, 16340)
    assert invoice.next_reminder_on is not None
    assert books_are_clean()


@pytest.mark.parametrize("steps", [[1, 1, 9998], [2] * 5 + [9990], [333, 333, 9334], [9999, 1], [3333, 3333, 3334]])
def test_parts_of_a_line_come_to_the_line_however_they_are_cut(profile, steps):
    invoice = two_lines(profile)
    line = invoice.lines.get(description="Hosting")
    for minor in steps:
        note_of(invoice, {line.pk: minor})
    sums = CreditNoteTax.objects.values_list("taxable_minor", "tax_minor")
    assert [sum(column) for column in zip(*sums, strict=True)] == [10000, 2100]
    for net, tax in sums:
        assert abs(tax - net * Decimal("0.21")) < 1
    with pytest.raises(CannotCorrect, match=r"€0\.00 is left"):
        note_of(invoice, {line.pk: 1})
    assert books_are_clean()


def test_never_more_than_a_line_has_left(profile):
    invoice = two_lines(profile)
    line = invoice.lines.get(description="Books")
    note_of(invoice, {line.pk: 4550})
    for minor in (451, -1):
        with pytest.raises(CannotCorrect, match=r"€4\.50 is left"):
            note_of(invoice, {line.pk: minor})
    assert CreditNote.objects.count() == 1
    assert NumberSeries.objects.get(prefix="CN-").next_number == 2


def test_never_more_than_the_invoice_has_left(profile):
    """A discount is a line too: without it, its line alone would come to more than the invoice."""
    invoice = draft(profile, "100.00")
    InvoiceLine.objects.create(
        invoice=invoice, description="Discount", unit_price=Decimal("-30.00"), position=1, **taxed()
    )
    invoice = issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)
    hosting, discount = invoice.lines.order_by("position")
    with pytest.raises(CannotCorrect, match=r"Only €70\.00 is left of the lines at 0% together"):
        note_of(invoice, {hosting.pk: 10000})
    note = note_of(invoice, {hosting.pk: 10000, discount.pk: -3000})
    assert (note.total_minor, stands(invoice)) == (7000, ("paid", 7000, 0))
    assert books_are_clean()


def with_discount(profile, *lines: tuple[str, str]) -> Invoice:
    """Lines at prices and rates; a negative price is a discount on the whole invoice."""
    invoice = draft(profile, lines[0][0], tax_rate=lines[0][1])
    for position, (price, rate) in enumerate(lines[1:], start=1):
        InvoiceLine.objects.create(
            invoice=invoice, description=f"Line {position}", unit_price=Decimal(price), position=position,
            is_allowance=price.startswith("-"), **taxed(rate),
        )  # fmt: skip
    return issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)


def test_a_line_is_not_taken_without_the_discount_that_lowers_its_tax(profile):
    """Its tax would be that on what the discount leaves, 10.50 on 100.00 at 21%."""
    invoice = with_discount(profile, ("100.00", "21"), ("-50.00", "21"), ("100.00", "9"))
    hosting, discount, books = invoice.lines.order_by("position")
    for amounts in ({hosting.pk: 10000}, {hosting.pk: 5001}, {discount.pk: -5000, books.pk: 10000}):
        with pytest.raises(CannotCorrect, match=r"Only €50\.00 is left of the lines at 21% together"):
            note_of(invoice, amounts)
    note = note_of(invoice, {hosting.pk: 10000, discount.pk: -5000})
    assert list(note.taxes.values_list("rate", "taxable_minor", "tax_minor")) == [(21, 5000, 1050)]
    assert note_of(invoice, {books.pk: 10000}).total_minor == 10900
    assert books_are_clean()


def test_the_tax_that_is_left_of_lines_that_were_taken_is_taken_too(profile):
    """Notes of 0.01, by what is left of each rate: after the first, one rate has nothing left but its tax."""
    invoice = with_discount(profile, ("0.02", "5.5"), ("0.01", "100"), ("0.00", "9"))
    for _cent in range(4):
        assert take_off(access=staff(), invoice_id=invoice.pk, minor=1, reason="Paid back", at=NOW).total_minor == 1
    assert stands(invoice) == ("paid", 4, 0)
    assert books_are_clean()


def test_what_was_paid_already_becomes_a_credit(profile, payer):
    invoice = issued(profile, "100.00")
    press_pay(payer, invoice, card(profile))
    note = note_of(invoice, {invoice.lines.get().pk: 2500})
    lot = Credit.objects.get()
    assert (note.applied_minor, note.credit) == (0, lot)
    assert (lot.source, lot.amount_minor, lot.description) == ("credit_note", 2500, "CN-000001: INV-000001")
    assert stands(invoice) == ("paid", 0, 0)
    assert books_are_clean()
    assert issued(profile, "100.00").credited_minor == 2500


def test_due_is_lowered_first_and_the_rest_goes_back_to_the_credits_that_paid(profile):
    lot = granted(profile, 6000, expires_on=TODAY + timedelta(days=9))
    invoice = issued(profile, "100.00")
    note = note_of(invoice, {invoice.lines.get().pk: 7000})
    assert (note.applied_minor, note.given_back_minor, note.credit) == (7000, 3000, None)
    assert stands(invoice) == ("paid", 10000, 0)
    assert remaining(lot) == 3000
    entry = CreditEntry.objects.get(kind="given_back")
    assert (entry.credit, entry.invoice, entry.amount_minor, entry.note) == (lot, invoice, 3000, "Billed too much")
    assert books_are_clean()


def test_credits_get_back_their_own_and_only_money_becomes_a_new_credit(profile, payer):
    """40 by a credit that ends, 10 by one that does not, 50 by card: the money first, then what was used last."""
    ends = granted(profile, 4000, expires_on=TODAY + timedelta(days=9))
    lasts = granted(profile, 1000)
    invoice = issued(profile, "100.00")
    press_pay(payer, invoice, card(profile))
    paid_at = Invoice.objects.get(pk=invoice.pk).paid_at
    line = invoice.lines.get().pk
    first = note_of(invoice, {line: 2000})
    assert (first.applied_minor, first.given_back_minor, first.kept.minor) == (0, 0, 2000)
    second = note_of(invoice, {line: 5500})
    assert (second.applied_minor, second.given_back_minor, second.kept.minor) == (2500, 2500, 3000)
    assert (remaining(ends), remaining(lasts)) == (1500, 1000)
    third = note_of(invoice)
    assert (third.applied_minor, third.given_back_minor, third.kept.minor) == (2500, 2500, 0)
    assert (remaining(ends), remaining(lasts)) == (4000, 1000)
    assert stands(invoice) == ("paid", 5000, 0)
    invoice.refresh_from_db()
    assert (invoice.paid_at, invoice.paid_with) == (paid_at, "Visa •••• 4242")
    assert list(Credit.objects.filter(source="credit_note").values_list("amount_minor", flat=True)) == [2000, 3000]
    assert books_are_clean()


def test_the_books_miss_what_a_note_says_it_gave_back(profile):
    granted(profile, 12000)
    invoice = issued(profile, "100.00")
    note_of(invoice)
    lot = Credit.objects.get()
    CreditEntry.objects.create(credit=lot, kind="given_back", amount_minor=1, invoice=invoice, at=NOW)
    assert any("10001 went back to credits, its credit notes say 10000" in problem for problem in check_books())


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda invoice: mark_payment_started(invoice, by=None, at=NOW), "payment is in progress"),
        (lambda invoice: Invoice.objects.filter(pk=invoice.pk).update(disputed_at=NOW), "is disputed"),
        (lambda invoice: void(access=system_access(), invoice_id=invoice.pk, reason="x", at=NOW), "not void"),
    ],
    ids=["in progress", "disputed", "void"],
)
def test_it_is_refused_while_money_is_on_its_way_and_for_a_void_invoice(profile, spoil, said):
    invoice = issued(profile)
    spoil(invoice)
    before = CreditNote.objects.count()
    with pytest.raises(CannotCorrect, match=said):
        note_of(invoice)
    assert CreditNote.objects.count() == before


def test_it_is_refused_for_a_draft_without_a_reason_and_for_lines_of_another(profile):
    invoice, other = issued(profile), issued(profile)
    for about, amounts, reason in [
        (draft(profile), None, "Test"),
        (invoice, None, "  "),
        (invoice, {other.lines.get().pk: 1}, "Test"),
        (invoice, {}, "Test"),
    ]:
        with pytest.raises(CannotCorrect):
            note_of(about, amounts, reason=reason)
    assert CreditNote.objects.count() == 0
    assert stands(invoice) == ("open", 0, 12000)


def test_only_staff_make_one(profile):
    invoice = issued(profile)
    with pytest.raises(NotAllowed):
        note_of(invoice, access=access_for(member(profile, "profile_owner"), profile))
    assert CreditNote.objects.count() == 0


def test_a_rolled_back_note_leaves_no_gap(profile):
    invoice = issued(profile)
    with transaction.atomic():
        note_of(invoice)
        transaction.set_rollback(True)
    assert note_of(invoice).number == "CN-000001"


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("creditnote", "tax_minor"), ("creditnoteline", "amount_minor"), ("creditnotetax", "tax_minor"),
        ("invoicetax", "tax_minor"),
    ],
)  # fmt: skip
def test_the_database_changes_no_note_and_no_tax(profile, table, column):
    note_of(issued(profile))
    for statement in (f"UPDATE invoices_{table} SET {column} = 1", f"DELETE FROM invoices_{table}"):
        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_money_that_came_back_after_a_note_does_not_make_the_invoice_overpaid(profile):
    invoice = issued(profile, "100.00")
    note_of(invoice, {invoice.lines.get().pk: 4000})
    invoice.refresh_from_db()
    left = apply_payment(invoice, Money(10000, "EUR"), at=NOW, paid_with="bank transfer", ends_attempt=False)
    assert (left.minor, stands(invoice)) == (4000, ("paid", 4000, 0))


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_two_clerks_take_back_no_more_than_there_is(profile):
    invoice, access = issued(profile, "100.00"), staff()
    line = invoice.lines.get().pk
    results = at_once(*[lambda: note_of(invoice, {line: 6000}, access=access)] * 4)
    assert sorted(type(result).__name__ for result in results) == ["CannotCorrect"] * 3 + ["CreditNote"]
    assert books_are_clean()


def test_what_comes_to_all_that_is_left_takes_every_line(profile):
    """Or lines at two rates would stay that cancel out, and their tax with them."""
    invoice = draft(profile, "10.00")
    lines = [("Books", "60.50", 1, "0"), ("Hours", "100.00", 1, "21"), ("Returned", "150.00", -1, "21")]
    for position, (name, price, quantity, percent) in enumerate(lines, start=1):
        InvoiceLine.objects.create(
            invoice=invoice, description=name, unit_price=Decimal(price), quantity=quantity, position=position,
            **taxed(percent),
        )  # fmt: skip
    invoice = issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)
    assert invoice.total_minor == 1000
    with pytest.raises(CannotCorrect, match="Credit what is left of every line"):
        note_of(invoice, {invoice.lines.get(description="Hosting").pk: 1000})
    note = note_of(invoice)
    assert (note.total_minor, note.lines.count(), stands(invoice)) == (1000, 4, ("paid", 1000, 0))
    assert books_are_clean()
