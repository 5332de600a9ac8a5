"""The command of the billing run."""

from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from invoices.models import Charge, Invoice, PeriodClosing
from tests.invoices.billing_runs import billed_profile, charged, totals

pytestmark = pytest.mark.django_db


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def close(*options: str, errors: StringIO | None = None) -> str:
    out = StringIO()
    call_command("close_period", *options, stdout=out, stderr=errors or StringIO())
    return out.getvalue()


@pytest.fixture
def profiles():
    """Two profiles with a charge of 1234.50 each, of periods that ended in January and February 2025."""
    found = [billed_profile(since=date(2025, month, 5), next_on=date(2025, month + 1, 5)) for month in (1, 2)]
    for profile in found:
        charged(profile, "1234.50", on=date(2025, 1, 6))
    return found


def test_it_says_in_one_line_what_it_did(profiles):
    said = close("--until", "2025-03-05")
    assert said == (
        "Closed 3 periods: 2 invoices with 2 lines (EUR 2,469.00); 1 periods with nothing to bill; 0 carried over.\n"
    )
    assert Invoice.objects.count() == 2


def test_again_it_finds_nothing(profiles):
    close("--until", "2025-03-05")
    assert close("--until", "2025-03-05").startswith("Closed 0 periods: 0 invoices with 0 lines; ")
    assert Invoice.objects.count() == 2


def test_a_dry_run_tells_the_totals_and_changes_nothing(profiles):
    said = close("--until", "2025-03-05", "--dry-run")
    assert said.startswith("Would close 3 periods: 2 invoices with 2 lines (EUR 2,469.00)")
    assert said.endswith("This was a dry run: nothing was changed.\n")
    assert not Invoice.objects.exists()
    assert not PeriodClosing.objects.exists()
    assert Charge.objects.filter(invoice=None).count() == 2


def test_one_profile_alone(profiles):
    one, other = profiles
    close("--profile", one.code.lower(), "--until", "2025-03-05")
    assert (totals(one), totals(other)) == ([123450], [])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--profile", "NONE-0000"], "There is no billing profile 'NONE-0000'."),
        (["--until", "5 March"], "--until is '5 March', not a date such as 2026-10-05."),
    ],
)
def test_what_cannot_be_meant_is_refused(profiles, options, words):
    with pytest.raises(CommandError, match=words):
        close(*options)
    assert not PeriodClosing.objects.exists()


def test_a_profile_that_cannot_be_closed_makes_it_fail_after_the_others(profiles):
    for _number in range(2):  # each fits, both together are more than an invoice holds
        charged(profiles[0], "999999999999", on=date(2025, 3, 1), quantity=Decimal(10))
    errors = StringIO()
    with pytest.raises(CommandError, match="Not closed: 1 billing profiles"):
        close("--until", "2025-03-05", errors=errors)
    assert f"Billing profile {profiles[0].code} could not be closed" in errors.getvalue()
    assert totals(profiles[1]) == [123450]


def test_a_terminal_sees_how_far_it_is(profiles):
    errors = Terminal()
    close("--until", "2025-03-05", errors=errors)
    assert "[##############################] 100%  2 profiles" in errors.getvalue()
