"""Units by their code: what people read, and what files may write."""

from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils.translation import override

from invoices.documents.figures import counted
from invoices.models import Charge, InvoiceLine
from invoices.units import ALL, UNITS, unit_choices, unit_name, unit_of
from tests.factories import tax_rate
from tests.invoices.billing_runs import billed_profile, run, section_of

INVOICES = "profile,invoice,description,quantity,unit,unit_price,tax_rate\n"
CHARGES = "profile,reference,section,date,description,quantity,unit,unit_price,tax_rate\n"


def bring_in(command: str, path, text: str, errors: StringIO | None = None) -> str:
    path.write_text(text)
    out = StringIO()
    call_command(command, str(path), stdout=out, stderr=errors or StringIO())
    return out.getvalue()


@pytest.mark.parametrize(
    ("quantity", "code", "english", "dutch"),
    [
        ("1", "HUR", "1 hour", "1 uur"),
        ("2.5", "HUR", "2.5 hours", "2,5 uur"),
        ("0", "DAY", "0 days", "0 dagen"),
        ("-1", "MON", "-1 month", "-1 maand"),
        ("1.0000", "H87", "1 piece", "1 stuk"),
        ("0.5", "H87", "0.5 pieces", "0,5 stuks"),
        ("1240.5", "E34", "1,240.5 GB", "1.240,5 GB"),
        ("3", "MTK", "3 m²", "3 m²"),
        ("12", "C62", "12", "12"),
        ("2", "LS", "2 lump sums", "2 vaste bedragen"),
    ],
)
def test_a_quantity_reads_as_people_say_it(quantity, code, english, dutch):
    assert counted(Decimal(quantity), code) == english
    with override("nl"):
        assert counted(Decimal(quantity), code) == dutch


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("HUR", "HUR"), ("hours", "HUR"), ("Hrs.", "HUR"), ("h", "HUR"), ("uur", "HUR"), ("uren", "HUR"),
        ("GB", "E34"), ("gb", "E34"), ("gigabyte", "E34"), ("GiB", "E62"), ("pcs", "H87"), ("stuks", "H87"),
        ("maanden", "MON"), ("month", "MON"), ("labour-hours", "LH"), ("m2", "MTK"), ("M²", "MTK"), ("%", "P1"),
        (" vaste  prijs ", "LS"), ("kwh", "KWH"), ("", "C62"), ("-", "C62"), ("eenheden", "C62"), ("2p", "2P"),
    ],
)  # fmt: skip
def test_a_unit_is_known_however_it_is_written(written, code):
    assert unit_of(written) == code


@pytest.mark.parametrize("written", ["bucket-months", "seats", "Gb", "Mb", "h\\", "hours per day"])
def test_a_text_that_is_no_unit_or_may_be_two_is_none(written):
    assert unit_of(written) is None


def test_one_spelling_alone_names_two_units():
    codes: dict[str, set[str]] = {}
    for unit in ALL:
        names = [unit.code, *unit.spellings.split(",")]
        for language in ("en", "nl"):
            with override(language):
                names += [unit_name(unit.code, Decimal(count)) for count in (1, 2)]
        for name in filter(None, names):
            codes.setdefault(" ".join(name.casefold().replace("-", " ").split()), set()).add(unit.code)
    assert {name for name, of in codes.items() if len(of) > 1} == {"dozen"}  # twelve, or Dutch for boxes
    assert unit_of("dozen") is None


def test_a_code_stands_once_and_every_unit_can_be_chosen():
    assert len(UNITS) == len(ALL) == len(dict(unit_choices()))
    assert len(set(dict(unit_choices()).values())) == len(ALL)


def test_a_code_of_another_version_is_shown_as_it_is():
    assert unit_name("XZZ", Decimal(2)) == "XZZ"


@pytest.mark.django_db
def test_an_imported_line_has_the_code_of_its_unit_and_keeps_a_text_that_is_none(profile, tmp_path):
    code = profile.code
    rows = (
        f"{code},A-1,Hosting,744,uur,1,21\n{code},A-1,Storage,12,bucket-months,1,21\n{code},A-1,Traffic,5,GB,1,21\n"
        f"{code},A-2,Storage,3,bucket-months,1,21\n{code},A-2,Setup,1,,1,21\n"
    )
    said = bring_in("import_invoices", tmp_path / "invoices.csv", INVOICES + rows)
    assert "Not in the list of units, and kept in the description: bucket-months (2).\n" in said
    assert list(InvoiceLine.objects.order_by("pk").values_list("description", "unit")) == [
        ("Hosting", "HUR"), ("Storage (bucket-months)", "C62"), ("Traffic", "E34"),
        ("Storage (bucket-months)", "C62"), ("Setup", "C62"),
    ]  # fmt: skip
    assert "Not in the list" not in bring_in("import_invoices", tmp_path / "invoices.csv", INVOICES + rows)


@pytest.mark.django_db
def test_the_charge_of_a_unit_spelled_otherwise_is_the_same(profile, tmp_path):
    section_of(profile, "Web shop")
    tax_rate("21", name="High")

    def row(reference: str, unit: str) -> str:
        return f"{profile.code},{reference},Web shop,2026-10-06,Hosting,1,{unit},10,High\n"

    rows = CHARGES + row("A-1", "hrs") + row("A-2", "seats")
    assert "description: seats (1)." in bring_in("import_charges", tmp_path / "charges.csv", rows)
    again = CHARGES + row("A-1", "Uur") + row("A-2", "seats")
    said = bring_in("import_charges", tmp_path / "charges.csv", again)
    assert "recorded before: 2" in said
    assert "Not in the list" not in said
    charges = Charge.objects.order_by("pk").values_list("description", "unit", "happened_on")
    assert list(charges) == [
        ("Hosting", "HUR", date(2026, 10, 6)), ("Hosting (seats)", "C62", date(2026, 10, 6))
    ]  # fmt: skip


@pytest.mark.django_db
def test_a_text_that_does_not_fit_behind_the_description_is_refused(profile, tmp_path):
    errors, rows = StringIO(), f"{profile.code},A-1,{'x' * 195},1,seats,1,21\n"
    with pytest.raises(CommandError):
        bring_in("import_invoices", tmp_path / "invoices.csv", INVOICES + rows, errors)
    assert "unit 'seats' is not in the list of units" in errors.getvalue()
    assert not InvoiceLine.objects.exists()


@pytest.mark.django_db
def test_charges_whose_unit_is_spelled_in_three_ways_are_one_line(tmp_path):
    profile = billed_profile()
    section_of(profile)
    tax_rate("21", name="High")
    rows = "".join(
        f"{profile.code},A-{number},Web shop,2026-10-06,Hosting,1.5,{unit},10,High\n"
        for number, unit in enumerate(("h", "Hrs", "uur"))
    )
    bring_in("import_charges", tmp_path / "charges.csv", CHARGES + rows)
    assert run().billed == 1
    assert InvoiceLine.objects.values_list("quantity", "unit").get() == (Decimal("4.5"), "HUR")
