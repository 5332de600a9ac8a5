"""What was used since the last invoice, so that something closes on the next invoice day."""

from datetime import datetime, timedelta
from decimal import Decimal

from accounts.access import system_access
from accounts.models import BillingProfile
from billing_portal.demo.content import Profile
from invoices.models import Charge, TaxRate
from invoices.operations.charges import record_charge

NAMES = {
    ("21", ""): "VAT high",
    ("0", "Reverse charge"): "Reverse charge",
    ("0", "Outside the scope of EU VAT"): "Outside EU VAT",
}


def record_usage(profiles: list[tuple[Profile, BillingProfile]], *, at: datetime) -> None:
    """Half of what the newest invoice of each profile charges for."""
    rates = {key: make_rate(name, *key) for key, name in NAMES.items()}
    for plan, profile in profiles:
        sections = {section.name: section for section in profile.sections.all()}
        if not plan.bills:
            continue
        newest = min(plan.bills, key=lambda bill: bill.age)
        for section, description, quantity, unit, unit_price in newest.lines:
            charge = Charge(
                profile=profile,
                section=sections[section],
                kind="usage" if unit in ("hours", "GB") else "one_off",
                description=description,
                quantity=(Decimal(quantity) / 2).quantize(Decimal("0.0001")),
                unit=unit,
                unit_price=Decimal(unit_price) * newest.price,
                tax_rate=rates[plan.tax_rate, plan.tax_note],
                happened_on=profile.day_of(at - timedelta(days=1)),
            )
            record_charge(access=system_access(profile), charge=charge, at=at)


def make_rate(name: str, percent: str, note: str) -> TaxRate:
    return TaxRate.objects.create(
        name=name, percent=Decimal(percent), note=note, is_reverse_charge=note == "Reverse charge"
    )
