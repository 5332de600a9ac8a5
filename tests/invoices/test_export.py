"""The list and the credits as files: CSV as the reader's spreadsheet reads it, and for Excel."""

import csv
import io
import zipfile
from datetime import date, timedelta
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
from django.urls import reverse

from accounts.access import system_access
from accounts.models import User
from invoices.models import Invoice, InvoiceLine
from invoices.money import Money
from invoices.operations.credits import add_credit
from invoices.operations.invoice_payments import mark_payment_started
from invoices.operations.issuing import issue
from invoices.tables import plain
from invoices.views import listing
from tests.factories import NOW, BillingProfileFactory, issued, member, taxed
from tests.invoices.pages import list_url

pytestmark = pytest.mark.django_db
DAY_ZERO = date(1899, 12, 30)  # from which Excel counts


def rows(response, delimiter=",") -> list[list[str]]:
    text = b"".join(response.streaming_content).decode("utf-8")
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=delimiter))


def fetch(client, profile, query="", kind="csv"):
    return client.get(f"{list_url(profile)}{kind}{query}")


def cells(response) -> list[list[str | Decimal | None]]:
    """The sheet of an Excel file: texts, and numbers. A formula would be neither."""
    archive = zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content)))
    sheet = ET.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    space = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    assert sheet.findall(".//x:f", space) == []
    found = []
    for row in sheet.iterfind(".//x:row", space):
        values = {}
        for cell in row.iterfind("x:c", space):
            column = ord(cell.get("r", "")[0]) - ord("A")
            text, number = cell.find("x:is/x:t", space), cell.find("x:v", space)
            values[column] = text.text if text is not None else Decimal(number.text)
        found.append([values.get(column) for column in range(max(values) + 1)])
    return found


def with_rates(profile, **nets):
    """An invoice with a line for each tax rate, named ``at_21``, of so much without tax."""
    invoice = Invoice.objects.create(profile=profile, currency=profile.currency)
    for name, net in nets.items():
        rate = taxed(name.removeprefix("at_"))
        InvoiceLine.objects.create(invoice=invoice, description=name, unit_price=Decimal(net) / 100, **rate)
    return issue(access=system_access(), invoice_id=invoice.pk, today=NOW.date(), at=NOW)


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
    assert first[:8] == due
    assert first[9:12] == ["PO-7", "", "1250.00"]
    assert second[7] == "Payment in progress"
    assert [row[0] for row in rows(fetch(client, profile, "?sort=issued"))[1:]] == ["INV-000001", "INV-000002"]
    assert [row[0] for row in rows(fetch(client, profile, "?status=in_progress"))[1:]] == ["INV-000002"]


def test_net_and_tax_stand_by_rate(client, payer, profile):
    with_rates(profile, at_21=10000, at_9=1000, at_0=500)
    with_rates(profile, at_9=2000)
    client.force_login(payer)
    head, second, first = rows(fetch(client, profile))
    by_rate = ["Net at 21%", "Tax at 21%", "Net at 9%", "Tax at 9%", "Net at 0% (Z)", "Tax at 0% (Z)"]
    assert head[10:] == ["Paid on", "Net", *by_rate, "Of it carried over"]
    assert first[11:] == ["115.00", "100.00", "21.00", "10.00", "0.90", "5.00", "0.00", "0.00"]
    assert second[11:] == ["20.00", "0.00", "0.00", "20.00", "1.80", "0.00", "0.00", "0.00"]


def test_a_rate_that_comes_only_after_the_first_page_shares_a_column(client, payer, profile, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 2)
    with_rates(profile, at_6=1000, at_12=100)
    for _index in range(3):
        with_rates(profile, at_21=100)
    client.force_login(payer)
    head, *found = rows(fetch(client, profile))
    assert head[12:-1] == ["Net at 21%", "Tax at 21%", "Net at other rates", "Tax at other rates"]
    assert [row[12:-1] for row in found] == [["1.00", "0.21", "0.00", "0.00"]] * 3 + [["0.00", "0.00", "11.00", "0.72"]]


def test_the_day_of_payment_is_that_of_the_profile(client, payer, profile):
    invoice = issued(profile)
    Invoice.objects.filter(pk=invoice.pk).update(status="paid", paid_minor=12000, paid_at="2026-10-31T23:30:00Z")
    client.force_login(payer)
    assert rows(fetch(client, profile))[1][10] == "2026-11-01"


def test_a_dutch_reader_gets_semicolons_and_decimal_commas(client, payer, profile):
    with_rates(profile, at_21=125050)
    User.objects.filter(pk=payer.pk).update(language="nl")
    client.force_login(payer)
    head, row = rows(fetch(client, profile), ";")
    assert head[:3] == ["Factuurnummer", "Type", "Factuurdatum"]
    assert head[-3:] == ["Netto tegen 21%", "Btw tegen 21%", "Waarvan van eerder"]
    assert (row[2], row[5], row[-3:]) == ("2026-10-26", "1513,11", ["1250,50", "262,61", "0,00"])


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
    assert len(cells(fetch(client, profile, kind="xlsx"))) == 1


def test_in_excel_amounts_are_numbers_days_are_dates_and_nothing_is_a_formula(client, payer, profile):
    with_rates(profile, at_21=125050)
    Invoice.objects.update(po_number='=HYPERLINK("x")', source_reference="=1")
    client.force_login(payer)
    response = fetch(client, profile, kind="xlsx")
    assert response["Content-Type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert response["Content-Disposition"].endswith('.xlsx"')
    head, row = cells(response)
    assert head[0] == "Invoice number"
    assert row[0] == "INV-000001"
    assert DAY_ZERO + timedelta(days=int(row[2])) == date(2026, 10, 26)
    assert row[5:7] == [Decimal("1513.11"), Decimal("1513.11")]
    assert row[9] == '=HYPERLINK("x")'
    assert row[11:] == [Decimal("1250.5"), Decimal("1250.5"), Decimal("262.61"), Decimal(0)]


@pytest.mark.parametrize(("currency", "form"), [("JPY", "#,##0"), ("EUR", "#,##0.00"), ("KWD", "#,##0.000")])
def test_amounts_in_excel_have_the_decimals_of_their_currency(client, currency, form):
    profile = BillingProfileFactory(currency=currency)
    issued(profile, "1")
    client.force_login(member(profile, "profile_reader"))
    archive = zipfile.ZipFile(io.BytesIO(b"".join(fetch(client, profile, kind="xlsx").streaming_content)))
    styles = archive.read("xl/styles.xml").decode()
    assert f'formatCode="{form}"' in styles


def test_more_than_fits_is_refused_before_it_is_made(client, payer, profile, monkeypatch):
    monkeypatch.setattr(listing, "MAX_XLSX_ROWS", 1)
    issued(profile)
    issued(profile)
    client.force_login(payer)
    response = client.get(f"{list_url(profile)}xlsx?status=past_due", follow=True)
    assert response.redirect_chain == [(f"{list_url(profile)}?status=past_due", 302)]
    assert "it holds at most 1 invoices. Choose a period, or download CSV, which has no limit." in response.text
    assert len(rows(fetch(client, profile))) == 3


@pytest.mark.parametrize(("language", "amount"), [("en", "-50.00"), ("nl", "-50,00")])
def test_credits_are_read_by_the_same_spreadsheets(client, profile, language, amount):
    add_credit(profile=profile, amount=Money(5000, "EUR"), source="goodwill", description="=Sorry", at=NOW)
    issued(profile, "60.00")
    reader = member(profile, "profile_owner")
    User.objects.filter(pk=reader.pk).update(language=language)
    client.force_login(reader)
    found = rows(client.get(reverse("invoices:credits_csv", args=[profile.code])), ";" if language == "nl" else ",")
    assert amount in [row[6] for row in found]
    sheet = cells(client.get(reverse("invoices:credits_xlsx", args=[profile.code])))
    assert Decimal(-50) in [row[6] for row in sheet[1:]]
    assert "=Sorry" in [row[2] for row in sheet[1:]]
