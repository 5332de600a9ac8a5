"""Charges and billing runs for tests. The values that matter stand in the test."""

from datetime import UTC, date, datetime
from decimal import Decimal

from accounts.access import system_access
from accounts.models import BillingProfile, InvoiceSection
from invoices.models import Charge, Invoice, PeriodClosing
from invoices.operations.charges import record_charge
from invoices.operations.closing import Closed, close_periods
from tests.factories import NOW, BillingProfileFactory, tax_rate


def section_of(profile: BillingProfile, name: str = "Web shop") -> InvoiceSection:
    return InvoiceSection.objects.get_or_create(profile=profile, name=name)[0]


def charged(
    profile: BillingProfile,
    unit_price: str = "10",
    *,
    on: date,
    section: str | InvoiceSection = "Web shop",
    at=NOW,
    **facts,
) -> Charge:
    """A charge of 10.00 for one piece, without tax, unless said otherwise."""
    values = {
        "kind": "return" if unit_price.startswith("-") else "usage",
        "description": "Hosting",
        "quantity": Decimal(1),
        "unit": "C62",
        "is_creditable": True,
        "source_reference": "",
    }
    at = facts.pop("at", NOW)
    charge = Charge(
        profile=profile,
        section=section if isinstance(section, InvoiceSection) else section_of(profile, section),
        unit_price=Decimal(unit_price),
        happened_on=on,
        **{"tax_rate": facts.get("tax_rate") or tax_rate(), **values} | facts,
    )
    return record_charge(access=system_access(), charge=charge, at=at)


def billed_profile(*, since: date = date(2026, 10, 5), next_on: date = date(2026, 11, 5), **fields) -> BillingProfile:
    """A profile that was invoiced up to 5 October and is next on 5 November."""
    fields.setdefault("invoice_day", next_on.day)
    return BillingProfileFactory(billed_until_on=since, next_invoice_on=next_on, **fields)


def noon(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 12, tzinfo=UTC)


NOVEMBER = noon(2026, 11, 5)


def run(at: datetime = NOVEMBER, **choices) -> Closed:
    """A whole billing run, and what it did."""
    done = Closed()
    for closed in close_periods(access=system_access(), at=at, **choices):
        done.add(closed)
    return done


def periods(profile: BillingProfile) -> list[tuple[date, date, str]]:
    """The closed periods, oldest first."""
    found = PeriodClosing.objects.filter(profile=profile).order_by("start_on")
    return list(found.values_list("start_on", "end_on", "outcome"))


def totals(profile: BillingProfile) -> list[int]:
    return list(Invoice.objects.filter(profile=profile).order_by("number").values_list("total_minor", flat=True))
