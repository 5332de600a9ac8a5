"""The usage detail of an invoice: every charge, exact to its last decimal."""

import csv
import io
import zipfile
from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from accounts.access import system_access
from accounts.models import User
from invoices.models import Invoice, InvoiceLine
from invoices.operations.closing import close_periods
from invoices.operations.issuing import issue
from invoices.operations.voiding import rebill
from invoices.views import usage
from tests.factories import BillingProfileFactory, issued, member, tax_rate
from tests.invoices.billing_runs import NOVEMBER, billed_profile, charged

pytestmark = pytest.mark.django_db
DAY = date(2026, 10, 6)


@pytest.fixture
def invoice():
    """Two lines: of three charges at 0.0033, and of one."""
    profile = billed_profile()
    for index, quantity in enumerate(("1.000000000001", "2.5", "-0.5")):
        charged(
            profile, "0.0033", on=date(2026, 10, 6 + index), quantity=Decimal(quantity), unit="E34",
            tax_rate=tax_rate("21"), kind="return" if quantity.startswith("-") else "usage",
        )  # fmt: skip
    charged(profile, "12.5", on=DAY, description="=Support", section="Backups", source_reference="A-1")
    list(close_periods(access=system_access(), at=NOVEMBER))
    return Invoice.objects.select_related("profile").get()


def fetch(client, invoice, kind="csv"):
    return client.get(reverse(f"invoices:usage_{kind}", args=[invoice.profile.code, invoice.number]))


def rows(response, delimiter=","):
    text = b"".join(response.streaming_content).decode().removeprefix("\ufeff")
    return list(csv.reader(io.StringIO(text), delimiter=delimiter))


def test_every_charge_stands_with_its_day_and_adds_up_to_its_line(client, invoice):
    client.force_login(member(invoice.profile, "profile_reader"))
    response = fetch(client, invoice)
    assert response["Content-Disposition"] == 'attachment; filename="usage-INV-000001.csv"'
    head, *found = rows(response)
    assert head[5:9] == ["Quantity", "Unit", "Unit price", "Amount, not rounded"]
    assert found[0] == [
        "2", "Web shop", "Hosting", "2026-10-06", "Usage", "1.000000000001", "GB", "0.0033", "0.0033000000000033",
        "EUR", "21%", "",
    ]  # fmt: skip
    assert found[3][:3] == ["1", "Backups", "'=Support"]
    assert [row[5] for row in found] == ["1.000000000001", "2.5", "-0.5", "1"]
    for line in InvoiceLine.objects.all():
        own = [row for row in found if row[0] == str(line.position)]
        assert sum(Decimal(row[5]) for row in own) == line.quantity
        assert sum(Decimal(row[8]) for row in own) == line.quantity * line.unit_price


def test_a_dutch_reader_gets_semicolons_and_decimal_commas(client, invoice):
    reader = member(invoice.profile, "profile_reader")
    User.objects.filter(pk=reader.pk).update(language="nl")
    client.force_login(reader)
    assert rows(fetch(client, invoice), ";")[1][7:9] == ["0,0033", "0,0033000000000033"]


def test_in_excel_numbers_are_numbers_unless_they_have_more_digits_than_it_keeps(client, invoice):
    client.force_login(member(invoice.profile, "profile_reader"))
    archive = zipfile.ZipFile(io.BytesIO(b"".join(fetch(client, invoice, "xlsx").streaming_content)))
    sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<v>1.000000000001</v>" in sheet
    assert "<is><t>0.0033000000000033</t></is>" in sheet or "<v>0.0033000000000033</v>" in sheet
    assert "=Support" in sheet
    assert "<f>" not in sheet


def test_more_than_an_excel_file_holds_is_refused_before_it_is_made(client, invoice, monkeypatch):
    monkeypatch.setattr(usage, "MAX_XLSX_ROWS", 3)
    client.force_login(member(invoice.profile, "profile_reader"))
    response = client.get(reverse("invoices:usage_xlsx", args=[invoice.profile.code, invoice.number]), follow=True)
    assert "it holds at most 3 charges. Download CSV, which has no limit." in response.text
    assert len(rows(fetch(client, invoice))) == 5


def test_it_is_offered_where_there_is_any(client, invoice):
    client.force_login(member(invoice.profile, "profile_reader"))
    plain = issued(invoice.profile)
    for one, is_offered in ((invoice, True), (plain, False)):
        page = client.get(reverse("invoices:detail", args=[invoice.profile.code, one.number])).text
        assert ("Usage detail" in page) == is_offered
    plain.profile = invoice.profile
    assert fetch(client, plain).status_code == 404


def test_an_invoice_that_was_made_again_has_the_usage_of_the_first(client, invoice):
    client.force_login(member(invoice.profile, "profile_reader"))
    before = rows(fetch(client, invoice))
    again = invoice
    for _twice in range(2):
        draft = rebill(access=system_access(), invoice_id=again.pk, reason="Wrong department", at=NOVEMBER)
        again = issue(access=system_access(), invoice_id=draft.pk, today=NOVEMBER.date(), at=NOVEMBER)
        assert rows(fetch(client, again)) == before
        assert "Usage detail" in client.get(reverse("invoices:detail", args=[invoice.profile.code, again.number])).text


def test_a_stranger_finds_nothing(client, invoice):
    client.force_login(member(BillingProfileFactory(), "profile_owner"))
    assert fetch(client, invoice).status_code == 404


def test_pages_follow_the_rows(client, invoice, django_assert_num_queries):
    client.force_login(member(invoice.profile, "profile_reader"))
    with django_assert_num_queries(11):
        rows(fetch(client, invoice))
