"""Importing invoices from a file: what becomes of the rows."""

from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEntry, InvoiceSection
from invoices.models import Credit, Invoice, InvoiceLine, NumberSeries
from invoices.money import Money
from invoices.operations.credits import add_credit
from invoices.states import InvoiceStatus
from tests.factories import NOW, BillingProfileFactory

pytestmark = pytest.mark.django_db

HEADING = "profile,invoice,issue_date,description,quantity,unit_price,tax_rate,section,tax_category\n"


@pytest.fixture
def file(tmp_path):
    """Writes a file and returns its path."""

    def write(text: str | bytes):
        path = tmp_path / "invoices.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def run(path, *options: str, errors: StringIO | None = None) -> str:
    """What the command says; bad rows are written to ``errors``."""
    out = StringIO()
    call_command("import_invoices", str(path), *options, stdout=out, stderr=errors or StringIO())
    return out.getvalue()


def test_rows_with_one_reference_become_one_issued_invoice(profile, file):
    InvoiceSection.objects.create(profile=profile, name="Web shop")
    run(
        file(
            f"{HEADING}{profile.code},A-1,2026-10-05,Hosting,744,1.25,21,Web shop,\n"
            f"{profile.code},A-1,2026-10-05,Storage,1,0.5,21,,\n"
            f"{profile.code},A-2,2026-10-06,Support,,10,,,Z\n"
        )
    )
    first, second = Invoice.objects.order_by("pk")
    assert (first.number, second.number) == ("INV-000001", "INV-000002")
    assert (first.source_reference, first.status) == ("A-1", InvoiceStatus.OPEN)
    assert (first.charges_minor, first.tax_minor, first.total_minor) == (93050, 19541, 112591)
    assert first.amount_due_minor == 112591
    assert (first.issued_on, first.due_on) == (date(2026, 10, 5), date(2026, 11, 4))
    assert first.buyer["sold_to"]["company"] == "Example Trading B.V."
    hosting, storage = first.lines.order_by("position")
    assert (hosting.section_name, hosting.quantity, hosting.amount_minor) == ("Web shop", Decimal(744), 93000)
    assert (storage.section, storage.amount_minor) == (None, 50)
    columns = ("category", "rate", "taxable_minor", "tax_minor")
    assert first.taxes.values_list(*columns).get() == ("S", Decimal(21), 93050, 19541)
    assert second.taxes.values_list(*columns).get() == ("Z", Decimal(0), 1000, 0)
    assert second.total_minor == 1000


def test_every_invoice_leaves_an_audit_entry(profile, file):
    run(file(f"{HEADING}{profile.code},A-1,,Hosting,1,10,,,Z\n{profile.code},A-2,,Hosting,1,20,,,Z\n"))
    entries = AuditEntry.objects.filter(action="invoice.issued").order_by("pk")
    assert [entry.subject for entry in entries] == ["INV-000001", "INV-000002"]
    assert entries[1].detail == {"total": 2000, "imported_as": "A-2"}


def test_the_same_file_twice_changes_nothing(profile, file):
    path = file(f"{HEADING}{profile.code},A-1,,Hosting,1,10,,,Z\n")
    run(path)
    said = run(path)
    assert "Imported 0 invoices" in said
    assert "imported before: 1" in said
    assert Invoice.objects.count() == 1
    assert NumberSeries.objects.get().next_number == 2


def test_a_longer_file_adds_what_is_new(profile, file):
    row = f"{profile.code},A-1,,Hosting,1,10,,,Z\n"
    run(file(HEADING + row))
    run(file(f"{HEADING}{row}{profile.code},A-2,,Hosting,1,20,,,Z\n"))
    assert [invoice.number for invoice in Invoice.objects.order_by("pk")] == ["INV-000001", "INV-000002"]


def test_a_dry_run_says_what_would_happen_and_changes_nothing(profile, file):
    said = run(file(f"{HEADING}{profile.code},A-1,,Hosting,1,1234.50,,,Z\n"), "--dry-run")
    assert "Would import 1 invoices with 1 lines." in said
    assert "Total EUR 1,234.50." in said
    assert not Invoice.objects.exists()
    assert not InvoiceLine.objects.exists()
    assert not NumberSeries.objects.exists()
    assert not AuditEntry.objects.exists()


def test_drafts_wait_for_staff_without_number_or_dates(profile, file):
    run(file(f"{HEADING}{profile.code},A-1,,Hosting,1,10,,,Z\n"), "--drafts")
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.number, invoice.issued_on) == (InvoiceStatus.DRAFT, None, None)
    assert invoice.total_minor == 1000
    assert not NumberSeries.objects.filter(next_number__gt=1).exists()


def test_issue_date_is_for_rows_that_name_none(profile, file):
    path = file(f"{HEADING}{profile.code},A-1,2026-01-05,Hosting,1,10,,,Z\n{profile.code},A-2,,Hosting,1,10,,,Z\n")
    run(path, "--issue-date", "2026-02-01")
    assert [invoice.issued_on for invoice in Invoice.objects.order_by("pk")] == [date(2026, 1, 5), date(2026, 2, 1)]


def test_a_due_date_of_its_own_sets_the_terms(profile, file):
    run(
        file(
            "profile;invoice;issue_date;due_date;period_start;period_end;po_number;description;unit_price;tax_category\n"
            f"{profile.code};A-1;2026-10-05;2026-10-19;2026-09-01;2026-09-30;PO-7;Hosting;10;Z\n"
        )
    )
    invoice = Invoice.objects.get()
    assert (invoice.due_on, invoice.payment_terms_days, invoice.po_number) == (date(2026, 10, 19), 14, "PO-7")
    assert invoice.period_end_on == date(2026, 9, 30)


def test_an_invoice_of_zero_is_settled_at_once(profile, file):
    run(file(f"{HEADING}{profile.code},A-1,,Hosting,1,10,,,Z\n{profile.code},A-1,,Discount,1,-10,,,Z\n"))
    assert Invoice.objects.get().status == InvoiceStatus.PAID


def test_totals_are_told_by_currency(profile, file):
    yen = BillingProfileFactory(currency="JPY")
    said = run(file(f"{HEADING}{profile.code},A-1,,Hosting,1,10,,,Z\n{yen.code},A-1,,Hosting,1,5000,,,Z\n"))
    assert "Total EUR 10.00." in said
    assert "Total JPY 5,000." in said
    assert "Numbers INV-000001 to INV-000002." in said


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_byte_order_mark_semicolons_and_line_ends_of_windows(profile, file, ending):
    rows = [
        "profile;invoice;description;unit_price;tax_category",
        f'{profile.code};A-1;"Storage; cold, ""blue""";10;Z',
        "",
    ]
    run(file(b"\xef\xbb\xbf" + ending.join(rows).encode()))
    assert InvoiceLine.objects.get().description == 'Storage; cold, "blue"'


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        run(tmp_path / "none.csv")


def test_credits_pay_for_what_is_imported(profile, file):
    add_credit(
        profile=profile, amount=Money(1500, "EUR"), source=Credit.Source.GOODWILL, description="Sorry", at=NOW,
        expires_on=date(2026, 10, 5),
    )  # fmt: skip
    run(file(f"{HEADING}{profile.code},D-1,,Hosting,1,10,,,Z\n"), "--drafts")
    assert Credit.objects.get().remaining_minor == 1500
    run(
        file(
            f"{HEADING}{profile.code},A-1,2026-10-05,Hosting,1,10,,,Z\n"
            f"{profile.code},A-2,2026-10-05,Hosting,1,20,,,Z\n"
            f"{profile.code},A-3,2026-10-06,Hosting,1,30,,,Z\n"
        )
    )
    paid = (
        Invoice.objects.exclude(status="draft")
        .order_by("pk")
        .values_list("status", "credited_minor", "amount_due_minor")
    )
    assert list(paid) == [("paid", 1000, 0), ("open", 500, 1500), ("open", 0, 3000)]
    assert Credit.objects.get().remaining_minor == 0
