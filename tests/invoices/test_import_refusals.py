"""Importing invoices: what is refused, in which words, and that nothing is left behind."""

from io import StringIO

import pytest
from django.core.management import CommandError

from accounts.models import BillingProfile
from invoices.models import Invoice, NumberSeries
from tests.factories import BillingProfileFactory
from tests.invoices.test_import import HEADING, file, run

pytestmark = pytest.mark.django_db
__all__ = ["file"]


def refusal(path, *options: str) -> str:
    """What the command says, bad rows first; nothing may have been written."""
    before, errors = Invoice.objects.count(), StringIO()
    with pytest.raises(CommandError) as refused:
        run(path, *options, errors=errors)
    assert Invoice.objects.count() == before
    assert "Nothing was imported" in str(refused.value)
    return f"{errors.getvalue()}{refused.value}"


def test_one_bad_row_refuses_all_and_is_named_with_its_line(profile, file):
    good = "".join(f"{profile.code},A-{index},,Hosting,1,10,,,Z\n" for index in range(60))
    said = refusal(file(f"{HEADING}{good}{profile.code},B-1,,Hosting,1,ten,,,Z\n"))
    assert said.startswith("Line 62: unit_price is 'ten', not a number")
    assert not NumberSeries.objects.exists()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{code},A-1,,Hosting,1,1e3,,,Z", "unit_price is '1e3', not a number"),
        ("{code},A-1,,Hosting,1,1.12345678901,,,Z", "unit_price is '1.12345678901', not a number"),
        ("{code},A-1,,Hosting,1,١٢,,,Z", "unit_price is '١٢', not a number"),
        ("{code},A-1,,Hosting,NaN,1,,,Z", "quantity is 'NaN', not a number"),
        ("{code},A-1,,Hosting,1,1,101,,", "tax_rate is more than 100 percent"),
        ("{code},A-1,,Hosting,1,1,-1,,", "tax_rate is '-1', not a number"),
        ("{code},A-1,2026-02-30,Hosting,1,1,,,Z", "issue_date is '2026-02-30', not a date"),
        ("{code},A-1,20261005,Hosting,1,1,,,Z", "issue_date is '20261005', not a date"),
        ("{code},A-1,,,1,1,,,Z", "description is empty"),
        ("{code},,,Hosting,1,1,,,Z", "invoice is empty"),
        ("{code},A-1,,Hos\x00ting,1,1,,,Z", "description holds a control character"),
        ("{code},A-1,,Hos\x85ting,1,1,,,Z", "description holds a control character"),
        ("{code},A-1,," + "x" * 201 + ",1,1,,,Z", "description is longer than 200 characters"),
        ("{code}," + "x" * 65 + ",,Hosting,1,1,,,Z", "invoice is longer than 64 characters"),
        ("{code},A-1,,Hosting,1,1,,Nowhere,Z", "has no invoice section 'Nowhere'. Create it first."),
        ("NONE-CODE,A-1,,Hosting,1,1,,,Z", "there is no billing profile 'NONE-CODE'"),
        ("{code},A-1,,Hosting,1,-1,,,Z", "The total is negative"),
        ("{code},A-1,,Hosting,999999999999,9999999999999,,,Z", "An amount is too large"),
        ("{code},A-1,,Hosting,999999,99999999999,,,Z", "An amount is too large"),
        ("{code},A-1,,Hosting,1,1,,,", "Hosting: A rate of zero needs a tax category"),
        ("{code},A-1,,Hosting,1,1,21,,Z", "Only the category “taxed at a rate” has a rate above zero"),
        ("{code},A-1,,Hosting,1,1,,,X", "tax_category is 'X', not one of S, Z, E, AE, K, G, O."),
        ("{code},A-1,,Hosting,1,1,,,E", "Give the reason of the exemption"),
        ("{code},A-1,,Hosting,1,1,,,AE", "need the customer's VAT number"),
        ("{code},A-1,,Hosting,1,1,,,K", "need the customer's VAT number"),
        ("{code},A-1,,Hosting,1,0.004,,,Z", "Hosting: the amount would be rounded to zero"),
        ("{code},A-1,,Hosting,1,1", "has 6 values where the heading names 9 columns"),
        ('{code},A-1,,"Hosting,1,1,,,Z', "is not one row of values"),
        ('{code},A-1,,"Hos"ting,1,1,,,Z', "is not one row of values"),
    ],
)
def test_a_bad_row_says_why(profile, file, row, reason):
    said = refusal(file(f"{HEADING}{row.format(code=profile.code)}\n"))
    assert said.startswith("Line 2: ")
    assert reason in said


def test_all_reasons_of_a_row_are_given_at_once(profile, file):
    said = refusal(file(f"{HEADING}{profile.code},A-1,yesterday,,1,,,,Z\n"))
    assert "issue_date is 'yesterday'" in said
    assert "description is empty; unit_price is empty" in said


def test_an_open_quote_spoils_its_own_row_only(profile, file):
    said = refusal(file(f'{HEADING}{profile.code},A-1,,"Host,1,10,,,Z\n{profile.code},A-2,,Hosting,1,10,,,Z\n'))
    assert said.endswith("Nothing was imported. Bad rows: 1.")


def test_a_byte_that_is_no_letter_is_named_by_line(profile, file):
    said = refusal(file(f"{HEADING}{profile.code},A-1,,Caf".encode() + b"\x81,1,10,,,Z\n"))
    assert "Line 2: holds a byte that is no letter" in said


def test_a_file_that_is_half_utf_8_is_refused(profile, file):
    rows = [f"{profile.code},A-1,,Café,1,10,,,Z\n".encode(), f"{profile.code},A-2,,Caf".encode() + b"\xe9,1,10,,,Z\n"]
    said = refusal(file(HEADING.encode() + b"".join(rows)))
    assert said.startswith("Line 2 is UTF-8 and line 3 is not. Save the file as CSV UTF-8.")


def test_of_many_bad_rows_every_one_is_named_with_its_line_and_reason(profile, file):
    said = refusal(file(HEADING + f"{profile.code},A-1,,Hosting,1,x,,,Z\n" * 1130)).splitlines()
    assert said[-1] == "Nothing was imported. Bad rows: 1,130."
    reason = "unit_price is 'x', not a number such as 12.5 with at most 13 digits and 10 decimals."
    assert said[:-1] == [f"Line {line}: {reason}" for line in range(2, 1132)]


def test_every_line_that_names_an_unknown_section_is_named(profile, file):
    rows = [f"{profile.code},A-1,,Hosting,1,1,,{section},Z" for section in ("Nowhere", "", "Elsewhere")]
    said = refusal(file(HEADING + "\n".join(rows)))
    assert "Line 2: profile " in said
    assert "Line 4: profile " in said
    assert said.endswith("Bad rows: 2.")


@pytest.mark.parametrize(
    ("heading", "reason"),
    [
        ("profile,invoice,description,unit_price,colour", "unknown columns: colour"),
        ("profile,description", "missing columns: invoice, unit_price"),
        ("profile,invoice,description,unit_price,unit_price", "columns named twice: unit_price"),
        ("", "The file is empty."),
        ("x" * 20000, "is longer than"),
    ],
)
def test_a_heading_that_is_not_ours(db, file, heading, reason):
    assert reason in refusal(file(heading))


def test_rows_of_an_invoice_must_stand_together(profile, file):
    rows = [f"{profile.code},{reference},,Hosting,1,10,,,Z" for reference in ("A-1", "A-2", "A-1")]
    said = refusal(file(HEADING + "\n".join(rows)))
    assert "Line 4: invoice 'A-1' began on line 2; its rows must stand together." in said


def test_rows_of_an_invoice_must_agree(profile, file):
    rows = f"{profile.code},A-1,2026-10-05,Hosting,1,10,,,Z\n{profile.code},A-1,2026-10-06,Hosting,1,10,,,Z\n"
    assert "Line 3: issue_date differs from line 2" in refusal(file(HEADING + rows))


def test_a_known_reference_with_other_content_is_an_error_that_names_it(profile, file):
    run(file(f"{HEADING}{profile.code},A-1,,Hosting,1,10,,,Z\n"))
    said = refusal(file(f"{HEADING}{profile.code},A-1,,Hosting,1,11,,,Z\n"))
    assert "Line 2: invoice 'A-1' was imported before, as INV-000001, with other content." in said


@pytest.mark.parametrize("spelling", ["inv 25", "INV25", "Inv\u00a025"])
def test_a_known_reference_in_another_spelling_is_the_same_invoice(profile, file, spelling):
    run(file(f"{HEADING}{profile.code},INV 25,,Hosting,1,10,,,Z\n"))
    said = refusal(file(f"{HEADING}{profile.code},{spelling},,Hosting,1,10,,,Z\n"))
    assert f"Line 2: invoice {spelling!r} was imported before, as INV-000001, with other content." in said


def test_one_reference_in_two_spellings_of_a_file_is_refused(profile, file):
    rows = "".join(f"{profile.code},{name},,Hosting,1,10,,,Z\n" for name in ("INV 25", "inv25"))
    assert "Line 3: invoice 'inv25' began on line 2; its rows must stand together." in refusal(file(HEADING + rows))


def test_one_reference_may_serve_two_profiles(profile, file):
    other = BillingProfileFactory()
    run(file(f"{HEADING}{profile.code},A-1,,Hosting,1,10,,,Z\n{other.code},A-1,,Hosting,1,10,,,Z\n"))
    assert Invoice.objects.count() == 2


def test_a_disabled_profile_gets_no_invoices(profile, file):
    BillingProfile.objects.update(status=BillingProfile.Status.CLOSED)
    assert "is closed" in refusal(file(f"{HEADING}{profile.code},A-1,,Hosting,1,10,,,Z\n"))


def test_a_currency_without_minor_units_is_refused(profile, file):
    BillingProfile.objects.update(currency="XAU")
    assert "'XAU' is not a currency" in refusal(file(f"{HEADING}{profile.code},A-1,,Hosting,1,10,,,Z\n"))


@pytest.mark.parametrize("code", ["132", "VATEX", "VATEX-EU-132 1F", "VATEX-EU-1234567890123456"])
def test_what_is_no_vatex_code_is_refused(profile, file, code):
    rows = (
        f"profile,invoice,description,unit_price,tax_category,exemption_code\n{profile.code},A-1,Hosting,1,E,{code}\n"
    )
    assert f"Line 2: exemption_code is {code!r}, not a VATEX code" in refusal(file(rows))


def test_what_is_not_subject_to_tax_stands_alone(profile, file):
    rows = f"{profile.code},A-1,,Hosting,1,10,,,O\n{profile.code},A-1,,Hosting,1,10,21,,\n"
    assert "What is not subject to tax needs an invoice of its own" in refusal(file(HEADING + rows))


def test_a_due_date_before_the_invoice_date_is_refused(profile, file):
    rows = (
        "profile,invoice,issue_date,due_date,description,unit_price,tax_category\n"
        f"{profile.code},A-1,2026-10-05,2026-10-04,H,1,Z\n"
    )
    assert "due_date 2026-10-04 is not within a year" in refusal(file(rows))


def test_half_a_billing_period_is_refused(profile, file):
    rows = f"profile,invoice,period_start,description,unit_price,tax_category\n{profile.code},A-1,2026-10-05,H,1,Z\n"
    assert "period_start and period_end go together" in refusal(file(rows))


def test_a_draft_has_no_dates(profile, file):
    assert "a draft has no issue_date" in refusal(
        file(f"{HEADING}{profile.code},A-1,2026-10-05,Hosting,1,10,,,Z\n"), "--drafts"
    )
    with pytest.raises(CommandError, match="not both"):
        run(file(HEADING), "--drafts", "--issue-date", "2026-10-05")


def test_more_lines_than_an_invoice_may_have_is_said_once(profile, file):
    said = refusal(file(HEADING + f"{profile.code},A-1,,Hosting,1,1,,,Z\n" * 5003))
    assert "Line 5002: invoice 'A-1' has more than 5000 lines" in said
    assert "Bad rows: 1." in said
