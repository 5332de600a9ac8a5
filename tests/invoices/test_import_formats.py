"""Importing files as spreadsheets write them: read where they are clear, refused where they can mean two things."""

from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from invoices.models import Charge, Invoice
from tests.factories import BillingProfileFactory, tax_rate
from tests.invoices.billing_runs import section_of
from tests.invoices.test_import import file, run
from tests.invoices.test_import_refusals import refusal

pytestmark = pytest.mark.django_db
__all__ = ["file"]
HEADING = "profile;invoice;description;unit_price;tax_category"
DATED = "profile;invoice;issue_date;description;unit_price;tax_category\n"


def test_a_dutch_spreadsheet_is_read_as_it_is(profile, file):
    text = (
        "profile;invoice;issue_date;description;quantity;unit_price;tax_rate;tax_category;;\r\n"
        f"{profile.code};A-1;13-10-2026;Café;1.234,5;0,25;21;;;\r\n"
        f"{profile.code};A-1;13-10-2026;Opslag;1;15.000;;Z;;\r\n"
        ";;;;;;;;;\r\n"
        f"{profile.code};A-2;5-10-2026;Überweisung;;10,00;;Z\r\n"
        ";;;;;;;;;\r\n;;\r\n"
    )
    said = run(file(text.encode("cp1252")))
    assert said.startswith(
        "Read as Windows-1252, separated by semicolons, decimal comma, dates with the day before month.\n"
    )
    first, second = Invoice.objects.order_by("pk")
    assert (first.issued_on, second.issued_on) == (date(2026, 10, 13), date(2026, 10, 5))
    assert [line.description for line in first.lines.order_by("position")] == ["Café", "Opslag"]
    assert [line.amount_minor for line in first.lines.order_by("position")] == [30863, 1500000]
    assert second.lines.get().description == "Überweisung"
    assert second.total_minor == 1000


@pytest.mark.parametrize(
    ("separator", "price", "behind", "read_as"),
    [
        ("\t", "1234.50", "", "tabs, decimal point"),
        (";", "1234,50", "", "semicolons, decimal comma"),
        (";", "1,234.50", "", "semicolons, decimal point"),
        (";", "1.234,50", "", "semicolons, decimal comma"),
        (";", "1 234,50", "", "semicolons, decimal comma"),
        (",", '"1234,50"', "", "commas, decimal comma"),
        (",", "1234.50", ",,", "commas, decimal point"),
    ],
)
def test_one_amount_in_seven_formats(profile, file, separator, price, behind, read_as):
    heading, row = HEADING.replace(";", separator), separator.join([profile.code, "A-1", "Hosting", price, "Z"])
    assert f"separated by {read_as}.\n" in run(file(f"{heading}{behind}\n{row}\n"))
    assert Invoice.objects.get().total_minor == 123450


def test_the_same_content_in_another_format_is_the_same_invoice(profile, file):
    run(file(f"{DATED.replace(';', ',')}{profile.code},A-1,2026-10-13,Hosting,1234.5,Z\n"))
    assert "imported before: 1" in run(file(f"{DATED}{profile.code};A-1;13-10-2026;Hosting;1.234,5;Z\n"))


def test_fifteen_or_fifteen_thousand_is_refused_until_somebody_says_which(file):
    """It became 15 yen."""
    profile = BillingProfileFactory(currency="JPY")
    path = file(f"{HEADING}\n{profile.code};A-1;Hosting;15.000;Z\n")
    said = refusal(path)
    assert said.startswith("Numbers can be read in two ways: '15.000' on line 2. Say which with --decimal.")
    assert "decimal comma" in run(path, "--decimal", "comma")
    assert Invoice.objects.get().total_minor == 15000


def test_another_number_of_the_file_tells_which(profile, file):
    run(file(f"{HEADING}\n{profile.code};A-1;Hosting;15.000;Z\n{profile.code};A-2;Hosting;2,5;Z\n"))
    assert list(Invoice.objects.order_by("pk").values_list("total_minor", flat=True)) == [1500000, 250]


def test_numbers_in_two_formats_are_refused(profile, file):
    said = refusal(file(f"{HEADING}\n{profile.code};A-1;Hosting;1,5;Z\n{profile.code};A-2;Hosting;1.5;Z\n"))
    assert said.startswith("Numbers are written in two ways: '1,5' on line 2 and '1.5' on line 3.")


def test_a_number_in_another_format_than_was_said_is_a_bad_row(profile, file):
    said = refusal(file(f"{HEADING}\n{profile.code};A-1;Hosting;1.5;Z\n"), "--decimal", "comma")
    assert said.startswith("Line 2: unit_price is '1.5', in a file with a decimal comma.")


def test_dates_that_can_be_read_in_two_ways_are_refused_until_somebody_says_which(profile, file):
    path = file(f"{DATED}{profile.code};A-1;5/10/2026;Hosting;1;Z\n")
    assert refusal(path).startswith("Dates can be read in two ways: '5/10/2026' on line 2. Say which with --dates.")
    run(path, "--dates", "month-first")
    assert Invoice.objects.get().issued_on == date(2026, 5, 10)


@pytest.mark.parametrize(("other", "expected"), [("13/10/2026", date(2026, 10, 5)), ("10/13/2026", date(2026, 5, 10))])
def test_another_date_of_the_file_tells_which(profile, file, other, expected):
    rows = [f"{profile.code};A-{index};{text};Hosting;1;Z" for index, text in enumerate(["5/10/2026", other])]
    run(file(DATED + "\n".join(rows)))
    assert Invoice.objects.order_by("pk")[0].issued_on == expected


def test_dates_in_two_orders_are_refused(profile, file):
    rows = [f"{profile.code};A-{index};{text};Hosting;1;Z" for index, text in enumerate(["13/10/2026", "10/13/2026"])]
    said = refusal(file(DATED + "\n".join(rows)))
    assert said.startswith("Dates are written in two ways: '13/10/2026' on line 2 and '10/13/2026' on line 3.")


def test_dates_with_dots_have_the_day_first(profile, file):
    run(file(f"{DATED}{profile.code};A-1;5.10.2026;Hosting;1;Z\n"))
    assert Invoice.objects.get().issued_on == date(2026, 10, 5)


@pytest.mark.parametrize("column", ["invoice", "po_number"])
def test_a_number_that_a_spreadsheet_rounded_is_refused(profile, file, column):
    """Twice 2.02611E+11 became one invoice."""
    row = {"profile": profile.code, "invoice": "A-1", "description": "Hosting", "unit_price": "1", "po_number": "P"}
    row[column] = "2.02611E+11"
    said = refusal(file(f"{','.join(row)}\n{','.join(row.values())}\n"))
    assert said.startswith(f"Line 2: {column} is '2.02611E+11': a spreadsheet rounded it.")


def test_a_file_in_utf_16_is_refused_in_words(profile, file):
    assert "The file is UTF-16. Save it as CSV UTF-8." in refusal(file(HEADING.encode("utf-16")))


def test_a_file_that_is_half_utf_8_and_half_windows_1252_is_refused(profile, file):
    lines = [f"{profile.code};A-{number};Café;10;Z\n" for number in (1, 2)]
    content = f"{HEADING}\n".encode() + lines[0].encode() + lines[1].encode("cp1252")
    assert "Line 2 is UTF-8 and line 3 is not. Save the file as CSV UTF-8." in refusal(file(content))


def test_a_control_total_must_be_met(profile, file):
    path = file(f"{HEADING}\n{profile.code};A-1;Hosting;12,50;Z\n")
    said = refusal(path, "--total", "EUR 1250.00")
    assert said.startswith("It comes to EUR 12.50, and the control total is EUR 1,250.00.")
    assert "Imported 1 invoices" in run(path, "--total", "EUR 12.50")
    with pytest.raises(CommandError, match="not a currency and an amount"):
        run(path, "--total", "EUR")


def test_a_currency_that_the_file_names_must_be_that_of_the_profile(profile, file):
    rows = f"profile;invoice;currency;description;unit_price;tax_category\n{profile.code};A-1;{{}};Hosting;1;Z\n"
    said = refusal(file(rows.format("JPY")))
    assert said.startswith(f"Line 2: currency is JPY, and billing profile {profile.code} is in EUR.")
    run(file(rows.format("eur")))
    assert Invoice.objects.get().currency == "EUR"


def test_charges_are_read_in_the_same_way(profile, file):
    section_of(profile)
    tax_rate(name="0 Z")
    heading = "profile;reference;section;date;currency;description;unit_price;tax_rate;;\n"
    path = file(f"{heading}{profile.code};A-1;Web shop;13-10-2026;EUR;Café;1.234,50;0 Z;;\n;;;;;;;\n".encode("cp1252"))
    out = StringIO()
    call_command("import_charges", str(path), "--total", "EUR 1234.50", stdout=out)
    assert out.getvalue().startswith("Read as Windows-1252, separated by semicolons, decimal comma")
    charge = Charge.objects.get()
    assert (charge.exact_amount, charge.happened_on) == (Decimal("1234.5"), date(2026, 10, 13))
    assert charge.description == "Café"
