"""Importing a long file: memory follows the batch, and the work is done in bulk."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import connection, reset_queries
from django.test.utils import CaptureQueriesContext

from accounts.access import system_access
from invoices.importing import invoices as importing
from invoices.importing.csv_reader import Problems
from invoices.importing.file_format import UnusableFile
from invoices.importing.invoices import InvoiceImport
from invoices.models import Invoice, InvoiceLine
from tests.memory import peak_of

pytestmark = pytest.mark.django_db
AT = datetime(2026, 10, 26, 8, 0, tzinfo=UTC)


def write(path: Path, code: str, name: str, invoices: int, *, price: str = "1.25", numbered: bool = False) -> Path:
    """Two lines an invoice; ``numbered`` ones keep a number of their own."""
    with path.open("w") as file:
        file.write("profile,invoice,number,description,quantity,unit_price,tax_rate\n")
        for invoice in range(invoices):
            number = f"{name}-{invoice}" if numbered else ""
            for line in range(2):
                file.write(f"{code},{name}-{invoice},{number},Hosting {line},744,{price},21\n")
    return path


def bring_in(path: Path, *, progress=lambda _deed, _reader: None, tell=lambda _problem: None):
    return InvoiceImport(access=system_access(), at=AT, progress=progress, tell=tell).run(path, dry_run=False)


def test_a_file_six_times_as_long_needs_no_more_memory(profile, tmp_path, monkeypatch):
    """Kept whole, the rows of the longer file would take some ten megabytes more."""
    monkeypatch.setattr(importing, "BATCH_INVOICES", 50)
    bring_in(write(tmp_path / "warm.csv", profile.code, "warm", 50))
    short_file = write(tmp_path / "short.csv", profile.code, "short", 150)
    long_file = write(tmp_path / "long.csv", profile.code, "long", 900)
    short, long = peak_of(lambda: bring_in(short_file)), peak_of(lambda: bring_in(long_file))
    assert long - short < 1_000_000, f"{short:,} bytes for 300 rows, {long:,} for 1,800"


def test_debug_pages_do_not_make_it_grow(profile, tmp_path, monkeypatch, settings):
    """With DEBUG Django keeps every query; here those of one batch at most."""
    settings.DEBUG = True
    monkeypatch.setattr(importing, "BATCH_INVOICES", 10)
    logged = []
    bring_in(
        write(tmp_path / "rows.csv", profile.code, "rows", 200),
        progress=lambda _deed, _reader: logged.append(len(connection.queries)),
    )
    reset_queries()
    assert len(logged) == 40
    assert 0 < max(logged) < 30


def test_a_long_file_of_bad_rows_needs_no_more_memory(profile, tmp_path):
    path = write(tmp_path / "bad.csv", profile.code, "bad", 5000, price="x")
    refusals = []

    def refused() -> None:
        with pytest.raises(Problems) as refusal:
            bring_in(path)
        refusals.append(refusal.value.count)

    assert peak_of(refused) < 1_000_000
    assert refusals == [10_000]


@pytest.mark.parametrize("numbered", [False, True])
def test_queries_follow_batches_not_rows(profile, tmp_path, numbered):
    path = write(tmp_path / "rows.csv", profile.code, "rows", 1000, numbered=numbered)
    with CaptureQueriesContext(connection) as queries:
        outcome = bring_in(path)
    assert (outcome.count, outcome.lines) == (1000, 2000)
    assert (Invoice.objects.count(), InvoiceLine.objects.count()) == (1000, 2000)
    assert len(queries) < 40


def test_an_interrupted_import_leaves_nothing(profile, tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "BATCH_INVOICES", 10)
    calls = []

    def stop(deed, _reader):
        calls.append(deed)
        if calls.count("Writing") == 3:
            raise KeyboardInterrupt

    path = write(tmp_path / "rows.csv", profile.code, "rows", 50)
    with pytest.raises(KeyboardInterrupt):
        bring_in(path, progress=stop)
    assert not Invoice.objects.exists()


def test_a_file_that_changes_between_the_passes_is_refused(profile, tmp_path):
    path = write(tmp_path / "rows.csv", profile.code, "rows", 5)

    def meddle(deed, _reader):
        if deed == "Checking":
            write(path, profile.code, "rows", 6)

    with pytest.raises(UnusableFile, match="changed while it was read"):
        bring_in(path, progress=meddle)
    assert not Invoice.objects.exists()
