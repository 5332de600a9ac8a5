"""Importing invoices: the rows that an import leaves in the database, the same on every database."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from accounts.access import system_access
from accounts.models import AuditEntry, InvoiceSection, TaxId
from invoices.importing import charges
from invoices.importing import invoices as importing
from invoices.importing.invoices import InvoiceImport
from invoices.importing.pipeline import stored_by_reference
from invoices.models import Invoice, InvoiceLine, NumberSeries
from tests.factories import BillingProfileFactory, issued

pytestmark = pytest.mark.django_db
AT = datetime(2026, 10, 26, 23, 30, tzinfo=UTC)  # the next day already where the profile is


def bring_in(path, *, drafts: bool = False, progress=lambda _deed, _reader: None):
    file_import = InvoiceImport(access=system_access(), at=AT, drafts=drafts, progress=progress, tell=print)
    return file_import.run(path, dry_run=False)


def write(path, code: str, invoices: int, *, name: str = "A"):
    """Two lines an invoice."""
    rows = [f"{code},{name}-{index // 2},Line {index},{index}.01,Z\n" for index in range(2 * invoices)]
    path.write_text("profile,invoice,description,unit_price,tax_category\n" + "".join(rows))
    return path


@pytest.fixture
def odd_profile(profile):
    """Texts that a format of rows could stumble over."""
    profile.name, profile.code, profile.po_number = "Tab\tline\nback\\slash \\N", "K7QX-2M9P", "PO\\t1"
    profile.save()
    TaxId.objects.create(account=profile.account, value='NL"1"')
    InvoiceSection.objects.create(profile=profile, name=r"Web\shop, 东京")
    return profile


ODD = (
    "profile,invoice,kind,issue_date,due_date,period_start,period_end,po_number,section,description,quantity,unit,"
    "unit_price,tax_rate,tax_category,exemption_reason,exemption_code\n"
    'K7QX-2M9P,A\\1,support,2026-10-05,2026-10-19,2026-09-01,2026-09-30,P\\O,"Web\\shop, 东京","12"" \\N",1.5,h\\,'
    "0.335,21,,,\n"
    "K7QX-2M9P,A\\1,support,2026-10-05,2026-10-19,2026-09-01,2026-09-30,P\\O,,\\.,100000000,,"
    "-0.0000000001,,E,Zoë 🎉,vatex-eu-132-1f\n"
    "K7QX-2M9P,A-2,,,,,,,,NULL,,,10,,Z,,\n"
)


def test_every_column_of_an_imported_invoice(odd_profile, tmp_path, seller):
    path = tmp_path / "odd.csv"
    path.write_text(ODD)
    bring_in(path)
    first, second = Invoice.objects.order_by("pk").values()
    new = Invoice(id=first["id"], amount_due_minor=60)
    assert first == {name: getattr(new, name) for name in first} | {
        "profile_id": odd_profile.pk, "number": "INV-000001", "kind": "support", "status": "open", "currency": "EUR",
        "issued_on": date(2026, 10, 5), "due_on": date(2026, 10, 19), "period_start_on": date(2026, 9, 1),
        "period_end_on": date(2026, 9, 30), "po_number": "P\\O", "source_reference": "A\\1",
        "source_digest": "2d06b268a71ded6e33686ff233d0a88847cb17609934376fc81adbef06f28a46",  # never another
        "seller": seller,
        "buyer": {
            "agreement_type": "customer", "profile": "Tab\tline\nback\\slash \\N",
            "numbers": [{"kind": "vat", "value": 'NL"1"'}],
            "sold_to": odd_profile.account.address_parts, "bill_to": odd_profile.address_parts, "reference": "",
            "endpoint": {}, "language": "en", "format": "pdf", "is_charged": True,
            "is_payable_online": True, "card_limit_minor": None,
        },
        "payment_terms_days": 14, "payment_reference": "RF69INV000001", "charges_minor": 49, "tax_minor": 11,
        "total_minor": 60, "created_at": AT, "next_reminder_on": date(2026, 11, 2), "digest": first["digest"],
        "dunning_from_on": date(2026, 10, 27),
        "remittance": {
            "holder": "Example Cloud B.V.", "iban": "NL53EXAM0000000000", "bic": "EXAMNL2A", "bank": "",
            "check_address": "", "since": "",
        },
    }  # fmt: skip
    assert re.fullmatch("[0-9a-f]{64}", first["digest"])
    assert (second["number"], second["po_number"], second["period_start_on"]) == ("INV-000002", "PO\\t1", None)
    assert (second["issued_on"], second["due_on"]) == (date(2026, 10, 27), date(2026, 11, 26))


def test_every_column_of_an_imported_line(odd_profile, tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text(ODD)
    bring_in(path)
    invoice, section = Invoice.objects.get(source_reference="A\\1"), InvoiceSection.objects.get()
    first, second = InvoiceLine.objects.filter(invoice=invoice).order_by("pk").values()
    assert first == {
        "id": first["id"], "invoice_id": invoice.pk, "section_id": section.pk, "section_name": r"Web\shop, 东京",
        "position": 1, "description": '12" \\N (h\\)', "quantity": Decimal("1.5"), "unit": "C62",
        "unit_price": Decimal("0.335"), "tax_category": "S", "tax_rate": Decimal(21), "exemption_reason": "",
        "exemption_code": "", "amount_minor": 50, "happened_on": None, "is_creditable": True, "is_allowance": False,
    }  # fmt: skip
    assert second == {
        "id": second["id"], "invoice_id": invoice.pk, "section_id": None, "section_name": "", "position": 2,
        "description": "\\.", "quantity": Decimal(-100_000_000), "unit": "C62", "unit_price": Decimal("0.0000000001"),
        "tax_category": "E", "tax_rate": Decimal(0), "exemption_reason": "Zoë 🎉",
        "exemption_code": "VATEX-EU-132-1F", "amount_minor": -1, "happened_on": None, "is_creditable": True,
        "is_allowance": False,
    }  # fmt: skip


def test_every_column_of_the_table_of_taxes(odd_profile, tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text(ODD)
    bring_in(path)
    invoice = Invoice.objects.get(source_reference="A\\1")
    first, second = invoice.taxes.order_by("pk").values()
    assert first == {
        "id": first["id"], "invoice_id": invoice.pk, "category": "S", "rate": Decimal(21), "taxable_minor": 50,
        "tax_minor": 11, "exemption_reason": "", "exemption_code": "",
    }  # fmt: skip
    assert second == {
        "id": second["id"], "invoice_id": invoice.pk, "category": "E", "rate": Decimal(0), "taxable_minor": -1,
        "tax_minor": 0, "exemption_reason": "Zoë 🎉", "exemption_code": "VATEX-EU-132-1F",
    }  # fmt: skip


def test_every_column_of_the_audit_entry(odd_profile, tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text(ODD)
    bring_in(path)
    always = {"at": AT, "actor": None, "action": "invoice.issued", "profile": odd_profile.pk}
    assert list(AuditEntry.objects.order_by("pk").values(*always, "subject", "detail")) == [
        {
            **always,
            "subject": "INV-000001",
            "detail": {"total": 60, "imported_as": "A\\1", "period": "2026-09-01/2026-09-30"},
        },
        {**always, "subject": "INV-000002", "detail": {"total": 1000, "imported_as": "A-2"}},
    ]


def test_a_draft_is_named_by_its_id_in_the_audit_trail(profile, tmp_path):
    bring_in(write(tmp_path / "rows.csv", profile.code, 1), drafts=True)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject) == ("invoice.drafted", f"Draft {Invoice.objects.get().pk}")


def test_numbers_follow_the_file_without_gaps_over_batches_and_failures(profile, tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "BATCH_INVOICES", 10)

    def fail(deed, reader):
        if deed == "Writing" and reader.rows_read > 40:
            raise KeyboardInterrupt

    path = write(tmp_path / "rows.csv", profile.code, 35)
    with pytest.raises(KeyboardInterrupt):
        bring_in(path, progress=fail)
    issued(profile)
    outcome = bring_in(path)
    assert (outcome.first_number, outcome.last_number) == ("INV-000002", "INV-000036")
    numbered = Invoice.objects.exclude(source_reference="").order_by("number")
    assert [(row.number, row.source_reference) for row in numbered] == [
        (f"INV-{index + 2:06d}", f"A-{index}") for index in range(35)
    ]
    assert all(
        [line.description for line in row.lines.order_by("position")] == [f"Line {2 * index}", f"Line {2 * index + 1}"]
        for index, row in enumerate(numbered)
    )
    assert NumberSeries.objects.get().next_number == 37


def test_what_the_database_refuses_half_way_leaves_nothing(profile, tmp_path, monkeypatch):
    """Somebody gave an invoice a number by hand that the series reaches in its third batch."""
    monkeypatch.setattr(importing, "BATCH_INVOICES", 10)
    taken = issued(profile)
    Invoice.objects.filter(pk=taken.pk).update(number="INV-000025")
    with pytest.raises(IntegrityError), transaction.atomic():
        bring_in(write(tmp_path / "rows.csv", profile.code, 35))
    assert [invoice.pk for invoice in Invoice.objects.all()] == [taken.pk]
    assert (InvoiceLine.objects.count(), AuditEntry.objects.count()) == (1, 1)
    assert NumberSeries.objects.get().next_number == 2


def test_profiles_that_come_and_go_from_batch_to_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "BATCH_INVOICES", 2)
    profiles = [BillingProfileFactory(name=f"Profile {index}") for index in range(3)]
    order = [0, 1, 1, 2, 0, 2, 2, 2, 1]
    rows = [f"{profiles[index].code},A-{place},Hosting,10,Z\n" for place, index in enumerate(order)]
    path = tmp_path / "rows.csv"
    path.write_text("profile,invoice,description,unit_price,tax_category\n" + "".join(rows))
    bring_in(path)
    invoices = Invoice.objects.order_by("pk")
    assert [invoice.profile for invoice in invoices] == [profiles[index] for index in order]
    assert [invoice.buyer["profile"] for invoice in invoices] == [f"Profile {index}" for index in order]


def test_what_was_imported_before_is_found_in_the_index(profile, tmp_path):
    """Found by looking through the invoices of a profile, a file would cost the square of its length."""
    bring_in(write(tmp_path / "rows.csv", profile.code, 200))
    plans = []

    def explain(execute, statement, values, many, context):
        words = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
        execute(f"{words} {statement}", values, many, context)
        plans.append(str(context["cursor"].fetchall()))
        return execute(statement, values, many, context)

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE invoices_invoice")
            cursor.execute("SET LOCAL enable_seqscan = off")  # of a few rows it reads all, which is right
    with connection.execute_wrapper(explain):
        found = stored_by_reference(Invoice, [(profile.pk, f"A-{index}") for index in (1, 2, 777)])
    assert sorted(found) == [(profile.pk, "A-1"), (profile.pk, "A-2")]
    assert "invoice_source_reference_once" in plans[0]
    assert "SCAN stored" not in plans[0]


@pytest.mark.parametrize(
    ("heading", "columns"), [("an invoice file", importing.COLUMNS), ("a charge file", charges.COLUMNS)]
)
def test_the_page_about_imports_has_a_row_for_each_column(heading, columns):
    text = (settings.BASE_DIR / "docs" / "importing.md").read_text()
    section = text.partition(f"## Columns of {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*`) \| (yes|no) \|", section, re.MULTILINE)
    written = {name: needed == "yes" for names, needed in rows for name in re.findall(r"`(\w+)`", names)}
    assert written == {name: column.needed for name, column in columns.columns.items()}
