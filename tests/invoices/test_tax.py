"""Tax by category and rate: the sums of EN 16931, and what is refused."""

import os
from collections import defaultdict
from datetime import date
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from django.utils.translation import override
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.access import system_access
from accounts.models import TaxId
from invoices.documents.invoice import invoice_data
from invoices.documents.taxes import reason_text, tax_label
from invoices.models import Charge, Invoice, InvoiceLine, InvoiceTax, Transfer
from invoices.money import exponent
from invoices.operations.closing import close_periods
from invoices.operations.issuing import CannotIssue, compute_sums, issue
from invoices.tax import Tax, TaxCategory, taxes_of
from tests.factories import NOW, TODAY, BillingProfileFactory, draft, exchange_rate, tax_rate, taxed
from tests.invoices.billing_runs import NOVEMBER, billed_profile, charged, noon
from tests.payments.acts import books_are_clean

DAY = date(2026, 10, 6)


def half_up(value: Fraction) -> int:
    """To a whole number, halves away from zero, by fractions alone."""
    whole = abs(value) + Fraction(1, 2)
    return (whole.numerator // whole.denominator) * (-1 if value < 0 else 1)


@pytest.mark.parametrize(
    ("currency", "charges", "expected"),
    [
        ("EUR", [(300, "0.004", "21"), (300, "0.02", "21")], [(720, 151)]),
        ("EUR", [(500, "0.02", "21")], [(1000, 210)]),
        ("EUR", [(200, "0.03", "21")], [(600, 126)]),
        ("EUR", [(100, "0.99", "21")], [(9900, 2079)]),
        ("JPY", [(10, "105", "10"), (10, "106", "8")], [(1050, 105), (1060, 85)]),
    ],
)
@pytest.mark.django_db
def test_many_small_charges_are_billed_and_taxed_in_full(currency, charges, expected):
    profile = billed_profile(currency=currency)
    exchange_rate("JPY", on=NOVEMBER.date())
    for count, price, percent in charges:
        for _number in range(count):
            charged(profile, price, on=DAY, tax_rate=tax_rate(percent))
    list(close_periods(access=system_access(), at=NOVEMBER))
    rows = InvoiceTax.objects.order_by("-rate").values_list("taxable_minor", "tax_minor")
    assert list(rows) == expected
    assert Invoice.objects.get().total_minor == sum(net + tax for net, tax in expected)
    assert InvoiceLine.objects.count() == len(charges)
    assert books_are_clean()


@pytest.mark.django_db
def test_three_pieces_at_a_time_are_added_up_before_they_are_rounded():
    profile = billed_profile()
    for _number in range(100):
        charged(profile, "0.33", on=DAY, quantity=Decimal(3), tax_rate=tax_rate("21"))
    list(close_periods(access=system_access(), at=NOVEMBER))
    line = InvoiceLine.objects.get()
    assert (line.quantity, line.amount_minor) == (Decimal(300), 9900)
    assert InvoiceTax.objects.values_list("taxable_minor", "tax_minor").get() == (9900, 2079)


@pytest.mark.parametrize(
    "other",
    [
        {"section": "Backups"}, {"description": "Storage"}, {"unit": "HUR"}, {"unit_price": "11"},
        {"tax_rate": "9"}, {"is_creditable": False},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.django_db
def test_charges_that_differ_in_what_a_line_shows_are_two_lines(other):
    profile = billed_profile()
    charged(profile, "10", on=DAY, tax_rate=tax_rate("21"))
    if "tax_rate" in other:
        other = {"tax_rate": tax_rate(other["tax_rate"])}
    charged(profile, other.pop("unit_price", "10"), on=DAY, **{"tax_rate": tax_rate("21"), **other})
    charged(profile, "10", on=date(2026, 10, 7), tax_rate=tax_rate("21"), source_reference="A-2")
    list(close_periods(access=system_access(), at=NOVEMBER))
    assert sorted(InvoiceLine.objects.values_list("quantity", flat=True)) == [1, 2]
    assert books_are_clean()


LINES = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(["21", "9", "0.001", "27", "0"]), st.decimals(0, 27, places=3).map(str)),
        st.decimals("-1000", "100000", places=12),
        st.decimals("0", "1000", places=10),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=int(os.environ.get("GENERATED_INVOICES", "100")), deadline=None)
@given(LINES, st.sampled_from(["EUR", "JPY", "KWD"]))
def test_sums_are_those_of_exact_arithmetic(rows, currency):
    """BR-CO-10, BR-CO-13 to 15, BR-CO-17, BR-S-08, BR-S-09, in fractions; ``GENERATED_INVOICES=10000`` draws more."""
    lines = [
        InvoiceLine(
            description="Usage", quantity=quantity, unit_price=price, tax_rate=Decimal(percent),
            tax_category="S" if Decimal(percent) else "Z",
        )
        for percent, quantity, price in rows
    ]  # fmt: skip
    unit = 10 ** exponent(currency)
    amounts = [half_up(Fraction(line.quantity) * Fraction(line.unit_price) * unit) for line in lines]
    if any(not amount and line.quantity and line.unit_price for amount, line in zip(amounts, lines, strict=True)):
        with pytest.raises(CannotIssue, match="rounded to zero"):
            compute_sums(Invoice(currency=currency), lines)
        return
    nets = {rate: sum(a for a, line in zip(amounts, lines, strict=True) if line.tax_rate == rate)
            for rate in {line.tax_rate for line in lines}}  # fmt: skip
    taxes = {rate: half_up(Fraction(net) * Fraction(rate) / 100) for rate, net in nets.items()}
    invoice = Invoice(currency=currency)
    total = sum(nets.values()) + sum(taxes.values())
    if total < 0:
        with pytest.raises(CannotIssue, match="negative"):
            compute_sums(invoice, lines)
        return
    found = compute_sums(invoice, lines)
    assert [line.amount_minor for line in lines] == amounts
    assert {tax.rate: (tax.taxable_minor, tax.tax_minor) for tax in found} == {
        rate: (nets[rate], taxes[rate]) for rate in nets
    }
    assert (invoice.charges_minor, invoice.tax_minor) == (sum(amounts), sum(taxes.values()))
    assert invoice.total_minor == total


def test_five_thousand_lines_are_taxed_once():
    rows = [("S", Decimal("21"), "", "", 2)] * 4999 + [("S", Decimal("0.125"), "", "", 400)]
    assert taxes_of(rows) == [Tax("S", Decimal("21"), 9998, 2100), Tax("S", Decimal("0.125"), 400, 1)]


def test_reasons_of_one_category_stand_in_one_row():
    """A document has one row for each category and rate (BR-E-01)."""
    zero = Decimal(0)
    rows = [
        ("E", zero, "Education", "VATEX-EU-132-1I", 100),
        ("E", zero, "Insurance", "VATEX-EU-135-1A", 50),
        ("E", zero, "Education", "VATEX-EU-132-1I", 1),
    ]
    assert taxes_of(rows) == [Tax("E", zero, 151, 0, "Education; Insurance", "")]
    assert taxes_of(rows[:1]) == [Tax("E", zero, 100, 0, "Education", "VATEX-EU-132-1I")]


def with_line(profile, **line) -> Invoice:
    invoice = draft(profile)
    invoice.lines.update(**line)
    return invoice


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"tax_category": "S", "tax_rate": 0}, "A rate of zero needs a tax category that gives the reason"),
        ({"tax_category": "S", "tax_rate": -1}, "A tax rate is not negative"),
        ({"tax_category": "AE", "tax_rate": 21}, "has a rate above zero"),
        ({"tax_category": "E"}, "Give the reason of the exemption, or its VATEX code"),
        ({"tax_category": "AE"}, "need the customer's VAT number"),
        ({"tax_category": "K"}, "need the customer's VAT number"),
        ({"unit_price": Decimal("0.004")}, "Hosting: the amount would be rounded to zero"),
    ],
)
@pytest.mark.django_db
def test_nothing_is_issued_that_the_law_does_not_accept(profile, line, words):
    invoice = with_line(profile, **line)
    with pytest.raises(CannotIssue, match=words):
        issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.number) == ("draft", None)
    assert not InvoiceTax.objects.exists()
    assert not Transfer.objects.exists()


@pytest.mark.django_db
def test_what_is_not_subject_to_tax_stands_alone(profile):
    invoice = draft(profile, tax_rate="21")
    InvoiceLine.objects.create(invoice=invoice, description="Deposit", unit_price=10, tax_category="O")
    with pytest.raises(CannotIssue, match="needs an invoice of its own"):
        issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)


@pytest.mark.parametrize(
    ("category", "reason", "code"),
    [
        ("AE", "Reverse charge", "VATEX-EU-AE"), ("K", "Intra-Community supply", "VATEX-EU-IC"),
        ("G", "Export outside the EU", "VATEX-EU-G"), ("O", "Not subject to VAT", "VATEX-EU-O"), ("Z", "", ""),
    ],
)  # fmt: skip
@pytest.mark.django_db
def test_a_category_brings_its_reason_to_the_table_of_taxes(profile, category, reason, code):
    TaxId.objects.create(account=profile.account, value="NL000000000B00")
    invoice = with_line(profile, tax_category=category)
    invoice = issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)
    row = invoice.taxes.get()
    assert (row.category, row.rate, row.taxable_minor, row.tax_minor) == (category, 0, 12000, 0)
    assert (row.exemption_reason, row.exemption_code) == (reason, code)
    assert books_are_clean()


@pytest.mark.parametrize("kind", [TaxId.Kind.NATIONAL, TaxId.Kind.EXEMPTION])
@pytest.mark.django_db
def test_another_number_is_no_vat_number(profile, kind):
    TaxId.objects.create(account=profile.account, kind=kind, value="12345678")
    with pytest.raises(CannotIssue, match="customer's VAT number"):
        issue(access=system_access(), invoice_id=with_line(profile, tax_category="AE").pk, today=TODAY, at=NOW)


@pytest.mark.django_db
def test_a_billing_run_names_the_profile_whose_vat_number_is_missing():
    bare, other = billed_profile(), billed_profile()
    for profile in (bare, other):
        charged(profile, on=DAY, tax_rate=tax_rate(tax_category="AE"))
    TaxId.objects.create(account=other.account, value="NL000000000B00")
    failed = {}
    for closed in close_periods(access=system_access(), at=NOVEMBER):
        failed |= closed.failed
    assert list(failed) == [bare.code]
    assert "VAT number" in failed[bare.code]
    assert list(Invoice.objects.values_list("profile", flat=True)) == [other.pk]


@pytest.mark.django_db
def test_a_million_millionths_are_billed():
    """Nothing is given away, however small each charge is."""
    profile = billed_profile()
    for _number in range(100):
        charged(profile, "0.0000000001", on=DAY, quantity=Decimal("1234567.000000000001"), tax_rate=tax_rate("21"))
    list(close_periods(access=system_access(), at=NOVEMBER))
    line = InvoiceLine.objects.get()
    assert (line.quantity, line.amount_minor) == (Decimal("123456700.0000000001"), 1)


@pytest.mark.django_db
def test_bytes_are_billed_however_many_they_are():
    """Two charges of the largest quantity come to more than one charge may have."""
    profile, most = billed_profile(), Decimal("999999999999.999999999999")
    for _twice in range(2):
        charged(profile, "0.000000001", on=DAY, quantity=most, unit="AD")
    (closed,) = close_periods(access=system_access(), at=NOVEMBER)
    assert closed.failed == {}
    line = InvoiceLine.objects.get()
    assert (line.quantity, line.amount_minor) == (2 * most, 200_000)


def test_every_reason_of_a_row_is_printed_in_the_language_of_the_document():
    rows = [("E", "", "VATEX-EU-132-1F"), ("E", "School", ""), ("E", "Care", "VATEX-EU-132-1C"), ("E", "School", "")]
    rows += [("AE", "Reverse charge", "VATEX-EU-AE"), ("AE", "Article 12", "VATEX-EU-AE")]
    exempt, reverse = taxes_of((category, Decimal(0), reason, code, 100) for category, reason, code in rows)
    assert exempt.taxable_minor == 400
    assert tax_label(exempt) == "0% (E), VATEX-EU-132-1F; School; Care"
    with override("nl"):
        assert tax_label(reverse) == "0% (AE), Btw verlegd; Article 12 (VATEX-EU-AE)"


def test_reverse_charge_is_said_in_the_words_of_the_sellers_law_too():
    (reverse,) = taxes_of([("AE", Decimal(0), "Reverse charge", "VATEX-EU-AE", 100)])
    with override("nl"):
        assert tax_label(reverse, "GB") == "0% (AE), Btw verlegd; Reverse charge (VATEX-EU-AE)"
        assert tax_label(reverse, "AT") == (
            "0% (AE), Btw verlegd; Steuerschuldnerschaft des Leistungsempfängers (VATEX-EU-AE)"
        )
        assert tax_label(reverse, "BE") == "0% (AE), Btw verlegd; Autoliquidation (VATEX-EU-AE)"
    assert tax_label(reverse, "IE") == "0% (AE), Reverse charge (VATEX-EU-AE)"


@pytest.mark.parametrize(
    ("reason", "country", "expected"),
    [
        ("Article 12", "NL", "Article 12; Btw verlegd"), ("Article 12", "NO", "Article 12; Reverse charge"),
        ("btw verlegd, artikel 12", "NL", "btw verlegd, artikel 12"), ("", "FR", "Autoliquidation"),
    ],
)  # fmt: skip
def test_a_reason_of_its_own_does_not_take_the_place_of_the_words_of_the_law(reason, country, expected):
    """VAT Directive, article 226, 11a."""
    (tax,) = taxes_of([("AE", Decimal(0), reason, "VATEX-EU-AE", 100)])
    assert reason_text(tax, country) == expected


def test_every_category_has_a_place_in_the_table():
    for category in TaxCategory.values:
        rate = Decimal(21) if category == "S" else Decimal(0)
        assert taxes_of([(category, rate, "", "", 100)])[0].category == category


@pytest.mark.django_db
def test_a_foreign_profile_is_taxed_in_its_own_currency():
    exchange_rate("KWD")
    invoice = draft(BillingProfileFactory(currency="KWD"), "1.2345", tax_rate="5")
    invoice = issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)
    assert (invoice.charges_minor, invoice.tax_minor) == (1235, 62)


@pytest.mark.django_db
def test_a_discount_on_the_whole_invoice_lowers_the_tax_of_its_category(profile):
    invoice = draft(profile, "100.00", tax_rate="21")
    InvoiceLine.objects.create(invoice=invoice, description="Books", unit_price=50, position=1, **taxed("9"))
    InvoiceLine.objects.create(
        invoice=invoice, description="Volume", unit_price=10, position=2, is_allowance=True, **taxed("21")
    )
    invoice = issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)
    discount = invoice.lines.get(is_allowance=True)
    assert (discount.quantity, discount.unit_price, discount.amount_minor) == (-1, 10, -1000)
    assert list(invoice.taxes.order_by("pk").values_list("rate", "taxable_minor", "tax_minor")) == [
        (21, 9000, 1890),
        (9, 5000, 450),
    ]
    assert invoice.total_minor == 16340
    groups = invoice_data(invoice)["charges"]["groups"]
    assert [(group["name"], len(group["rows"])) for group in groups] == [("", 2), ("Discounts", 1)]
    assert books_are_clean()


@pytest.mark.parametrize("wants_empty", [False, True])
@pytest.mark.django_db
def test_less_than_half_a_cent_waits_until_it_is_more(wants_empty):
    profile = billed_profile(issues_empty_invoices=wants_empty)
    charged(profile, "0.004", on=DAY, tax_rate=tax_rate("21"))
    list(close_periods(access=system_access(), at=NOVEMBER))
    assert [invoice.lines.count() for invoice in Invoice.objects.all()] == ([0] if wants_empty else [])
    assert Charge.objects.filter(invoice=None).count() == 1
    charged(profile, "0.004", on=date(2026, 11, 6), tax_rate=tax_rate("21"))
    list(close_periods(access=system_access(), at=noon(2026, 12, 5)))
    assert Invoice.objects.latest("pk").charges_minor == 1
    assert books_are_clean()


def test_five_thousand_lines_of_every_category_are_those_of_exact_arithmetic():
    chance = Random(2026)
    treatments = [("S", f"{chance.randint(1, 27_000) / 1000:.3f}") for _number in range(20)]
    treatments += [(category, "0") for category in ("Z", "E", "AE", "K", "G")]
    rows = []
    for _number in range(5000):
        category, percent = chance.choice(treatments)
        rows.append((category, Decimal(percent), "Law" if category == "E" else "", "", chance.randint(-5_000, 90_000)))
    nets = defaultdict(int)
    for category, rate, _reason, _code, net in rows:
        nets[category, rate] += net
    assert {tax.treatment: (tax.taxable_minor, tax.tax_minor) for tax in taxes_of(rows)} == {
        (category, rate): (net, half_up(Fraction(net) * Fraction(rate) / 100)) for (category, rate), net in nets.items()
    }


@pytest.mark.django_db
def test_a_discount_of_a_rate_that_no_line_has_is_refused(profile):
    invoice = draft(profile, "100.00", tax_rate="21")
    InvoiceLine.objects.create(invoice=invoice, description="Volume", unit_price=10, is_allowance=True, **taxed("9"))
    with pytest.raises(CannotIssue, match="Volume: a discount needs the tax rate of lines"):
        issue(access=system_access(), invoice_id=invoice.pk, today=TODAY, at=NOW)
