"""Writing many rows at once: what is stored, and that the database's own rules hold."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from invoices import bulk
from invoices.bulk import bulk_insert, new_row, reserve_ids
from invoices.models import Invoice, InvoiceLine
from tests.factories import draft

pytestmark = pytest.mark.django_db
AT = datetime(2026, 10, 26, 8, 0, 0, 123456, tzinfo=UTC)
AWKWARD = [
    "", " ", "NULL", r"\N", r"\.", "\\", "\\\\", r"C:\new\table\records", "a\tb", "a\nb", "a\rb", "a\r\nb", "\n\\.\n",
    "\t\t", "it's", '"quoted"', '""', "a,b;c|d", "100 %", "%s %(name)s {0} $1", "\x0b\x0c\x08", "\x7f\x85\u2028",
    "non\xa0breaking", "Zoë – 東京 🎉", "\U0010ffff", "e\u0301", "x" * 200,
]  # fmt: skip


def stored(model) -> list[dict]:
    """Rows without their ids as the driver gives them, before any model has touched them."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY id")
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return [{name: value for name, value in row.items() if name != "id"} for row in rows]


def new_draft(profile, **fields) -> Invoice:
    return Invoice(profile=profile, currency="EUR", created_at=AT, **fields)


def full_invoice(profile, **fields) -> Invoice:
    """A value in every column, none of them the default."""
    return Invoice(
        profile=profile, number="INV-000007", kind=Invoice.Kind.SUPPORT, status="open", currency="JPY",
        issued_on=date(2026, 10, 5), due_on=date(2026, 11, 4), period_start_on=date(2026, 9, 1), po_number="P\t\\1",
        source_reference="r\n1", source_digest="d", seller={"address": 'a\nb "c" \\'}, buyer={"lines": [1, None, "ë"]},
        payment_terms_days=14, payment_reference="RF1", pays_by_wire=True, charges_minor=10**15, tax_minor=-1,
        total_minor=10**15 - 1, credited_minor=1, paid_minor=2, refunded_minor=3,
        payment_started_at=AT, paid_with="Visa •••• 4242", **fields,
    )  # fmt: skip


def test_rows_are_those_that_the_orm_would_have_written(profile):
    invoice = full_invoice(profile)
    invoice.save()
    by_orm = stored(Invoice)
    Invoice.objects.all().delete()
    invoice.pk = None
    assert bulk_insert(Invoice, [invoice]) == 1
    assert stored(Invoice) == by_orm
    assert by_orm[0]["amount_due_minor"] == 10**15 - 4


def test_lines_are_those_that_the_orm_would_have_written(profile):
    invoice = draft(profile)
    InvoiceLine.objects.all().delete()
    lines = [
        InvoiceLine(invoice=invoice, description=text, quantity=Decimal(quantity), unit_price=Decimal("-0.000001"))
        for text, quantity in [("a\tb", "744"), ("c", "744.0000"), ("d", "0.0001"), ("e", "999999999999.9999")]
    ]
    InvoiceLine.objects.bulk_create(lines)
    by_orm = stored(InvoiceLine)
    with connection.cursor() as cursor:  # SQLite cannot read the longest of them back, and `delete` would
        cursor.execute("DELETE FROM invoices_invoiceline")
    for line in lines:
        line.pk = None
    bulk_insert(InvoiceLine, lines)
    assert stored(InvoiceLine) == by_orm


@pytest.mark.parametrize("text", AWKWARD)
def test_a_text_is_stored_letter_by_letter(profile, text):
    """The neighbors show that it did not run into them."""
    invoice = draft(profile)
    bulk_insert(
        InvoiceLine,
        [
            InvoiceLine(invoice=invoice, unit_price=1, section_name="before", description=text, unit="aft"),
            InvoiceLine(invoice=invoice, unit_price=2, description="next"),
        ],
    )
    first, second = InvoiceLine.objects.filter(invoice=invoice).order_by("pk")[1:]
    assert (first.section_name, first.description, first.unit) == ("before", text, "aft")
    assert (first.section_id, second.description, second.unit_price) == (None, "next", 2)


def test_a_new_row_is_a_new_object(profile):
    row = new_row(Invoice, currency="EUR", created_at=AT)
    row.profile = profile
    same = Invoice(profile=profile, currency="EUR", created_at=AT)
    fields = [field.attname for field in Invoice._meta.concrete_fields if not field.generated]
    assert {name: getattr(row, name) for name in fields} == {name: getattr(same, name) for name in fields}
    assert row._state.adding
    other = new_row(Invoice, currency="JPY", created_at=AT)
    assert (other.profile_id, row.currency) == (None, "EUR")


@pytest.mark.parametrize("text", AWKWARD)
def test_a_text_inside_json_is_stored_letter_by_letter(profile, text):
    seller = {"name": text}
    bulk_insert(Invoice, [new_draft(profile, seller=seller, buyer={"number": number}) for number in (1, 2)])
    first, second = Invoice.objects.order_by("pk")
    assert (first.seller, second.seller) == (seller, seller)
    assert (first.buyer, second.buyer) == ({"number": 1}, {"number": 2})


def test_columns_that_are_not_set_hold_what_a_new_object_has(profile):
    bulk_insert(Invoice, [new_draft(profile)])
    invoice = Invoice.objects.get()
    assert (invoice.kind, invoice.status, invoice.number, invoice.created_at) == ("service", "draft", None, AT)
    assert (invoice.seller, invoice.payment_terms_days, invoice.amount_due_minor) == ({}, 30, 0)


@pytest.mark.parametrize(
    ("column", "good", "bad"),
    [
        ("total_minor", 0, 1),  # does not add up
        ("status", "draft", "lost"),
        ("number", None, "INV-000001"),  # of a draft
        ("source_reference", "A-2", "A-1"),  # another has it
        ("kind", "other", None),
    ],
)
def test_what_the_database_refuses_is_refused_and_leaves_nothing(profile, column, good, bad):
    draft(profile, source_reference="A-1")
    rows = [new_draft(profile, **{column: value}) for value in (good, bad)]
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk_insert(Invoice, rows)
    assert Invoice.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_line_without_its_invoice_is_refused(profile):
    """As late as the transaction's end, like every foreign key of Django's."""
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk_insert(InvoiceLine, [InvoiceLine(invoice_id=999, description="Hosting", unit_price=Decimal(1))])
    assert not InvoiceLine.objects.exists()


class Broken(Exception):
    pass


@pytest.mark.parametrize("error", [Broken("by hand"), KeyboardInterrupt()])
def test_an_error_of_the_rows_comes_out_as_it_is_and_leaves_nothing(profile, error):
    invoice = draft(profile)

    def rows():
        for number in range(500):
            yield InvoiceLine(invoice=invoice, description=f"Line {number}", unit_price=Decimal(1))
        raise error

    with pytest.raises(type(error)) as raised, transaction.atomic():
        bulk_insert(InvoiceLine, rows())
    assert raised.value is error
    assert InvoiceLine.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_written(profile):
    with pytest.raises(transaction.TransactionManagementError):
        bulk_insert(Invoice, [new_draft(profile)])
    assert not Invoice.objects.exists()


def test_reserved_ids_are_given_to_nobody_else(profile):
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:  # as if the table had never held a row
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = 'invoices_invoice'")
    first = reserve_ids(Invoice, 3)
    made = draft(profile)
    second = reserve_ids(Invoice, 1000)
    assert len({*first, made.pk, *second}) == 1004
    bulk_insert(Invoice, (new_draft(profile, pk=pk) for pk in second + first))
    assert draft(profile).pk not in {*first, made.pk, *second}
    assert Invoice.objects.count() == 1005
    assert reserve_ids(Invoice, 0) == []


def test_a_value_that_copy_has_no_text_for_is_refused():
    with pytest.raises(TypeError, match="timedelta"):
        bulk._text(timedelta(1))
