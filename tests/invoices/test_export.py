"""The list as a CSV file."""

import csv
import io

import pytest

from invoices.models import Invoice
from invoices.operations.invoice_payments import mark_payment_started
from invoices.views.downloads import plain
from tests.factories import NOW, BillingProfileFactory, issued, member
from tests.invoices.pages import list_url

pytestmark = pytest.mark.django_db


def rows(response) -> list[list[str]]:
    text = b"".join(response.streaming_content).decode("utf-8")
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


def fetch(client, profile, query=""):
    return client.get(f"{list_url(profile)}csv{query}")


def test_every_row_of_the_filter_in_its_order_with_plain_amounts(client, payer, profile):
    issued(profile, "1250.00", po_number="PO-7")
    busy = issued(profile, "3.50")
    mark_payment_started(busy, by=None, at=NOW)
    Invoice.objects.update(due_on="2999-12-31")
    client.force_login(payer)
    response = fetch(client, profile)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith(f'attachment; filename="invoices-{profile.code}-')
    head, second, first = rows(response)
    assert head[:4] == ["Invoice number", "Type", "Invoice date", "Due date"]
    due = ["INV-000001", "Service charges", "2026-10-26", "2999-12-31", "EUR", "1250.00", "1250.00", "Due"]
    assert first == [*due, "RF73INV000001", "PO-7"] or first[:8] == due
    assert second[7] == "Payment in progress"
    assert [row[0] for row in rows(fetch(client, profile, "?sort=issued"))[1:]] == ["INV-000001", "INV-000002"]
    assert [row[0] for row in rows(fetch(client, profile, "?status=in_progress"))[1:]] == ["INV-000002"]


def test_more_rows_than_a_page_and_the_decimals_of_the_currency(client, db):
    profile = BillingProfileFactory(currency="KWD")
    for _index in range(60):
        issued(profile, "1.234")
    client.force_login(member(profile, "profile_reader"))
    found = rows(fetch(client, profile))
    assert len(found) == 61
    assert {row[5] for row in found[1:]} == {"1.234"}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1"])
def test_a_text_that_looks_like_a_formula_is_kept_from_being_one(client, payer, profile, text):
    assert plain(text) == f"'{text}"
    assert plain("PO-7") == "PO-7"


def test_a_po_number_with_a_formula_is_guarded_in_the_file(client, payer, profile):
    issued(profile, po_number='=HYPERLINK("x")')
    client.force_login(payer)
    assert rows(fetch(client, profile))[1][9] == '\'=HYPERLINK("x")'


def test_an_empty_list_has_its_head_alone(client, payer, profile):
    client.force_login(payer)
    assert len(rows(fetch(client, profile))) == 1
