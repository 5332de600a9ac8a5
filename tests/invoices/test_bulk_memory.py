"""Writing many rows at once: rows pass through, whatever their number."""

from collections.abc import Iterator

import pytest
from django.db import connection, reset_queries
from django.test.utils import CaptureQueriesContext

from invoices.bulk import bulk_insert
from invoices.models import InvoiceLine
from tests.factories import draft
from tests.memory import peak_of

pytestmark = pytest.mark.django_db


def lines(invoice_id: int, count: int) -> Iterator[InvoiceLine]:
    for number in range(count):
        yield InvoiceLine(invoice_id=invoice_id, description=f"Hosting of machine {number}", unit_price=number)


def peak(invoice_id: int, count: int) -> int:
    def write() -> None:
        assert bulk_insert(InvoiceLine, lines(invoice_id, count)) == count

    return peak_of(write)


@pytest.mark.parametrize("debug", [False, True])
def test_ten_times_the_rows_need_no_more_memory(profile, settings, debug):
    """Kept, the rows would take some two megabytes more."""
    settings.DEBUG = debug
    invoice = draft(profile)
    peak(invoice.pk, 2000)  # fills what is remembered
    few, many = peak(invoice.pk, 1000), peak(invoice.pk, 10_000)
    assert many - few < 200_000, f"{few:,} bytes for 1,000 rows, {many:,} for 10,000"
    reset_queries()


def test_what_was_sent_is_among_the_queries_of_django(profile):
    """So that tests which count queries count these too."""
    invoice = draft(profile)
    with CaptureQueriesContext(connection) as queries:
        bulk_insert(InvoiceLine, lines(invoice.pk, 150))
    assert len(queries) == 1
    assert '"invoices_invoiceline" ("invoice_id", "section_id", "section_name"' in queries[0]["sql"]
    assert "Hosting" not in queries[0]["sql"]
