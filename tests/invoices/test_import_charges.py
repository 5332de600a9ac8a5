"""Recording charges from a file: what becomes of the rows, and what is refused."""

import tracemalloc
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path
from threading import Barrier

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.access import system_access
from accounts.models import AuditEntry
from invoices.importing import charges as importing
from invoices.importing.charges import ChargeImport
from invoices.models import Charge
from invoices.operations.charges import CannotCharge, record_charges
from tests.factories import NOW, BillingProfileFactory, tax_rate
from tests.invoices.billing_runs import charged, noon, run, section_of
from tests.payments.acts import at_once
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db
HEADING = "profile,reference,section,date,kind,description,quantity,unit,unit_price,tax_rate,creditable\n"


@pytest.fixture(autouse=True)
def _rates():
    tax_rate(name="0 Z")
    tax_rate("21", name="High")
    tax_rate("19", name="Old", is_active=False)
    tax_rate(name="Exempt", tax_category="E", exemption_reason="Article 132", exemption_code="VATEX-EU-132-1F")


@pytest.fixture
def shop(profile):
    """A profile with a section."""
    section_of(profile, "Web shop")
    return profile


@pytest.fixture
def file(tmp_path):
    def write(*rows: str, heading: str = HEADING) -> Path:
        path = tmp_path / "charges.csv"
        path.write_text(heading + "".join(f"{row}\n" for row in rows))
        return path

    return write


def bring_in(path: Path, *options: str, errors: StringIO | None = None) -> str:
    out = StringIO()
    call_command("import_charges", str(path), *options, stdout=out, stderr=errors or StringIO())
    return out.getvalue()


def row(profile, reference: str = "A-1", rest: str = "Web shop,2026-10-06,,Hosting,,,10,0 Z,") -> str:
    return f"{profile.code},{reference},{rest}"


def test_a_row_becomes_a_charge(shop, file):
    said = bring_in(
        file(
            row(shop, "A-1", 'Web shop,2026-10-06,,"Hosting, large",744,hours,1.25,High,no'),
            row(shop, "A-2", "Web shop,2026-10-07,return,Hosting,-2,,0.5,0 Z,"),
        )
    )
    assert (
        said
        == "Read as UTF-8, separated by commas, decimal point.\nRecorded 2 charges.\nTotal without tax EUR 929.00.\n"
    )
    one, other = Charge.objects.order_by("pk")
    assert (one.profile, one.section.name, one.source_reference) == (shop, "Web shop", "A-1")
    assert (one.kind, one.description, one.quantity, one.unit) == ("usage", "Hosting, large", Decimal(744), "HUR")
    assert (one.unit_price, one.exact_amount) == (Decimal("1.25"), Decimal(930))
    assert (one.tax_category, one.tax_percent, one.exemption_reason) == ("S", Decimal(21), "")
    assert (one.happened_on, one.is_creditable, one.tax_rate.name) == (date(2026, 10, 6), False, "High")
    assert (other.kind, other.exact_amount, other.is_creditable) == ("return", Decimal(-1), True)
    assert (other.tax_category, other.tax_percent) == ("Z", Decimal(0))
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject) == ("charges.imported", "charges.csv")
    assert entry.detail == {"charges": 2, "totals": {"EUR": 92900}}


def test_all_decimals_are_kept_and_the_reason_for_no_tax_is_copied(shop, file):
    said = bring_in(file(row(shop, "A-1", "Web shop,2026-10-06,,Requests,0.000000000001,,0.0000000001,Exempt,")))
    assert "Total without tax EUR 0.00." in said
    charge = Charge.objects.get()
    assert (charge.quantity, charge.unit_price) == (Decimal("1e-12"), Decimal("1e-10"))
    assert (charge.tax_category, charge.tax_percent) == ("E", Decimal(0))
    assert (charge.exemption_reason, charge.exemption_code) == ("Article 132", "VATEX-EU-132-1F")


def test_the_total_is_rounded_once(shop, file):
    rows = [row(shop, f"A-{number}", "Web shop,2026-10-06,,Requests,,,0.004,0 Z,") for number in range(1000)]
    assert "Total without tax EUR 4.00." in bring_in(file(*rows))


def test_the_same_file_twice_changes_nothing_and_a_longer_one_adds_what_is_new(shop, file):
    bring_in(file(row(shop)))
    assert "recorded before: 1" in bring_in(file(row(shop)))
    bring_in(file(row(shop), row(shop, "A-2")))
    assert list(Charge.objects.order_by("pk").values_list("source_reference", flat=True)) == ["A-1", "A-2"]
    assert AuditEntry.objects.count() == 2


def test_a_charge_whose_reference_is_spelled_otherwise_is_the_same(shop, file):
    bring_in(file(row(shop, "REF 1")))
    assert "recorded before: 1" in bring_in(file(row(shop, "ref1")))
    assert Charge.objects.count() == 1


def test_a_charge_that_was_billed_meanwhile_is_left_alone(shop, file):
    bring_in(file(row(shop)))
    type(shop).objects.filter(pk=shop.pk).update(billed_until_on=date(2026, 10, 5), next_invoice_on=date(2026, 11, 5))
    run(noon(2026, 11, 5))
    assert "recorded before: 1" in bring_in(file(row(shop)))
    assert Charge.objects.get().invoice_id is not None


def test_a_charge_recorded_by_hand_and_then_sent_in_a_file_is_one(shop, file):
    charged(shop, "10", on=date(2026, 10, 6), source_reference="A-1")
    assert "recorded before: 1" in bring_in(file(row(shop)))


def test_a_dry_run_says_what_would_happen_and_changes_nothing(shop, file):
    said = bring_in(file(row(shop)), "--dry-run")
    assert said.partition("\n")[2].startswith("Would record 1 charges.\nTotal without tax EUR 10.00.\n")
    assert not Charge.objects.exists()
    assert not AuditEntry.objects.exists()


def test_amounts_are_those_of_the_currency_of_the_profile(file):
    profile = BillingProfileFactory(currency="KWD", status="disabled")
    section_of(profile)
    bring_in(file(row(profile)))
    assert Charge.objects.get().exact_amount == 10


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("Nowhere,2026-10-06,,Hosting,,,10,0 Z,", "has no invoice section 'Nowhere'. Create it first."),
        ("Web shop,06-10-26,,Hosting,,,10,0 Z,", "date is '06-10-26', not a date such as 2026-10-05"),
        ("Web shop,2026-10-06,gift,Hosting,,,10,0 Z,", "kind is 'gift', not one of usage, one_off, return."),
        ("Web shop,2026-10-06,,Hosting,,,-10,0 Z,", "Only a return may be negative."),
        (
            "Web shop,2026-10-06,return,Hosting,,,10,0 Z,",
            "A return is deducted: its quantity or its unit price",
        ),
        ("Web shop,2026-10-06,,,,,10,0 Z,", "description is empty."),
        ("Web shop,2026-10-06,,Hosting,,,10,Low,", "there is no tax rate 'Low' in use."),
        ("Web shop,2026-10-06,,Hosting,,,10,,", "tax_rate is empty."),
        ("Web shop,2026-10-06,,Hosting,0.0000000000001,,10,0 Z,", "quantity is '0.0000000000001', not a number"),
        ("Web shop,2026-10-06,,Hosting,,,10,Old,", "there is no tax rate 'Old' in use."),
        ("Web shop,2026-10-06,,Hosting,,,10,0 Z,maybe", "creditable is 'maybe', not yes or no."),
        ("Web shop,2026-10-06,,Hosting,9999999,,9999999999999,0 Z,", "An amount is too large."),
        ("Web shop,2026-10-06,,Hosting,x,,y,0 Z,", "quantity is 'x', not a number"),
        ("Web shop,2026-10-06,,Host\x07ing,,,10,0 Z,", "description holds a control character."),
    ],
)
def test_a_bad_row_is_named_with_its_line_and_nothing_is_recorded(shop, file, rest, reason):
    errors = StringIO()
    with pytest.raises(CommandError, match="Bad rows: 1"):
        bring_in(file(row(shop, "A-1"), row(shop, "A-2", rest)), errors=errors)
    assert errors.getvalue().startswith("Line 3: ")
    assert reason in errors.getvalue()
    assert not Charge.objects.exists()


def test_a_closed_profile_is_charged_nothing(file):
    profile = BillingProfileFactory(status="closed")
    section_of(profile)
    errors = StringIO()
    with pytest.raises(CommandError):
        bring_in(file(row(profile)), errors=errors)
    assert errors.getvalue() == f"Line 2: billing profile {profile.code} is closed.\n"


def test_a_profile_that_is_closed_while_charges_are_written_has_the_file_read_again(shop, file, monkeypatch):
    def refused(charges, **_facts):
        monkeypatch.setattr(importing, "record_charges", record_charges)
        raise CannotCharge("The billing profile is closed.")

    monkeypatch.setattr(importing, "record_charges", refused)
    bring_in(file(row(shop)))
    assert Charge.objects.count() == 1


def test_every_bad_row_is_named(shop, file):
    errors = StringIO()
    rows = ["NONE-0000,A-1,Web shop,2026-10-06,,Hosting,,,10,0 Z,", row(shop, ""), row(shop, "A-2"), row(shop, "A-2")]
    with pytest.raises(CommandError, match="Bad rows: 3"):
        bring_in(file(*rows), errors=errors)
    assert sorted(errors.getvalue().splitlines()) == [
        "Line 2: there is no billing profile 'NONE-0000'.",
        "Line 3: reference is empty.",
        "Line 5: reference 'A-2' stands on line 4 already.",
    ]


@pytest.mark.parametrize(
    ("rest", "column"),
    [
        ("Web shop,2026-10-07,,Hosting,,,10,0 Z,", "date"),
        ("Web shop,2026-10-06,,Hosting,,,10.5,0 Z,", "unit_price"),
        ("Web shop,2026-10-06,,Hosting,,,10,High,", "tax_rate"),
        ("Web shop,2026-10-06,,Hosting,,,10,0 Z,no", "creditable"),
        ("Other,2026-10-06,,Hosting,,,10,0 Z,", "section"),
    ],
)
def test_the_same_reference_with_other_content_is_refused(shop, file, rest, column):
    section_of(shop, "Other")
    bring_in(file(row(shop)))
    errors = StringIO()
    with pytest.raises(CommandError):
        bring_in(file(row(shop, "A-1", rest)), errors=errors)
    assert f"reference 'A-1' was recorded before, with other values in {column}." in errors.getvalue()
    assert Charge.objects.get().exact_amount == 10


def test_a_heading_of_something_else_is_refused(shop, file):
    with pytest.raises(CommandError, match="unknown columns: invoice; missing columns: reference, section, date"):
        bring_in(file(heading="profile,invoice,description,unit_price\n"))


def many(path: Path, profile, name: str, count: int) -> Path:
    with path.open("w") as file:
        file.write(HEADING)
        for number in range(count):
            file.write(row(profile, f"{name}-{number}") + "\n")
    return path


def record(path: Path, progress=lambda _deed, _reader: None):
    return ChargeImport(access=system_access(), at=NOW, progress=progress, tell=print).run(path, dry_run=False)


def test_a_file_six_times_as_long_needs_no_more_memory(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "BATCH", 50)
    record(many(tmp_path / "warm.csv", shop, "warm", 100))
    peaks = []
    for name, count in (("short", 300), ("long", 1800)):
        path = many(tmp_path / f"{name}.csv", shop, name, count)
        tracemalloc.start()
        record(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 1_000_000, peaks


def test_queries_follow_batches_not_rows(shop, tmp_path):
    path = many(tmp_path / "rows.csv", shop, "rows", 1000)
    with CaptureQueriesContext(connection) as queries:
        record(path)
    assert Charge.objects.count() == 1000
    assert len(queries) < 20


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_one_file_imported_twice_at_once_is_recorded_once(shop, tmp_path):
    path = many(tmp_path / "rows.csv", shop, "rows", 50)
    both_checked = Barrier(2, timeout=PATIENCE)

    def wait(deed, _reader):
        if deed == "Checking":
            both_checked.wait()

    done = at_once(*[lambda: record(path, wait)] * 2)
    assert sorted((one.count, one.unchanged) for one in done) == [(0, 50), (50, 0)]
    assert Charge.objects.count() == 50
