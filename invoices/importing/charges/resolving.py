"""From a batch of rows to charges, not stored yet: profiles, sections, tax rates, sums, and what came before."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from accounts.models import BillingProfile
from invoices.importing.charges.values import ChargeRow
from invoices.importing.known import sections
from invoices.importing.problems import BadRow, Problems
from invoices.models import Charge, TaxRate
from invoices.money import UnknownCurrency
from invoices.operations import CannotCharge
from invoices.operations.charging import charge_sums

# Pairs, as `invoices.importing.known` looks up invoices; the last condition is the index's own.
RECORDED_BEFORE = """
WITH wanted (profile_id, reference) AS (VALUES {pairs})
SELECT charge.* FROM wanted JOIN invoices_charge AS charge
ON charge.profile_id = wanted.profile_id AND charge.source_reference = wanted.reference
AND NOT (charge.source_reference = '')
"""
Numbered = tuple[int, ChargeRow]


class Customer(NamedTuple):
    profile_id: int
    currency: str
    status: str


class MadeCharge(NamedTuple):
    """A charge that is ready to be written, and the currency of its amounts."""

    row: ChargeRow
    profile_id: int
    section_id: int
    rate: TaxRate | None
    amount_minor: int
    tax_minor: int
    currency: str


class Resolver:
    """Five queries a batch, whatever it holds. Tax rates are few: they are read once for a pass."""

    def __init__(self) -> None:
        self.rates = {rate.name: rate for rate in TaxRate.objects.all()}

    def resolve(self, batch: list[Numbered], problems: Problems) -> tuple[list[MadeCharge], int]:
        """The new charges of a batch, and how many were recorded before."""
        codes = {row.profile for _line, row in batch}
        found = BillingProfile.objects.filter(code__in=codes).values_list("code", "pk", "currency", "status")
        customers = {code: Customer._make(values) for code, *values in found}
        profiles = [customer.profile_id for customer in customers.values()]
        known = sections({row.section for _line, row in batch}, profiles)
        before = recorded_before(
            (customers[row.profile].profile_id, row.reference) for _, row in batch if row.profile in customers
        )
        made, unchanged = [], 0
        for line, row in batch:
            try:
                charge = self._make(row, customers.get(row.profile), known)
                earlier = before.get((charge.profile_id, row.reference))
                if earlier is None:
                    made.append(charge)
                else:
                    _check_same(charge, earlier)
                    unchanged += 1
            except (BadRow, CannotCharge, UnknownCurrency) as reason:
                problems.add(line, str(reason))
        return made, unchanged

    def _make(self, row: ChargeRow, customer: Customer | None, known: dict[tuple[int, str], int]) -> MadeCharge:
        """Raises BadRow and CannotCharge."""
        if customer is None:
            raise BadRow(f"there is no billing profile {row.profile!r}.")
        if customer.status == BillingProfile.Status.CLOSED:
            raise BadRow(f"billing profile {row.profile} is closed.")
        section_id = known.get((customer.profile_id, row.section))
        if section_id is None:
            raise BadRow(f"profile {row.profile} has no invoice section {row.section!r}. Create it first.")
        rate = self.rates.get(row.tax_rate) if row.tax_rate else None
        if row.tax_rate and (rate is None or not rate.is_active):
            raise BadRow(f"there is no tax rate {row.tax_rate!r} in use.")
        percent = rate.percent if rate else Decimal(0)
        sums = charge_sums(row.kind, row.quantity, row.unit_price, percent, customer.currency)
        return MadeCharge(row, customer.profile_id, section_id, rate, *sums, customer.currency)


def facts_of(charge: MadeCharge) -> dict[str, Any]:
    """What a charge says, by column of the table and as a file names it."""
    row = charge.row
    return {
        "section_id": charge.section_id,
        "kind": row.kind,
        "description": row.description,
        "quantity": row.quantity,
        "unit": row.unit,
        "unit_price": row.unit_price,
        "tax_rate_id": charge.rate.pk if charge.rate else None,
        "happened_on": row.date,
        "is_creditable": row.creditable,
    }


COLUMN_OF = {"section_id": "section", "tax_rate_id": "tax_rate", "happened_on": "date", "is_creditable": "creditable"}


def _check_same(charge: MadeCharge, earlier: Charge) -> None:
    """Raises BadRow."""
    differing = [
        COLUMN_OF.get(name, name) for name, value in facts_of(charge).items() if getattr(earlier, name) != value
    ]
    if differing:
        raise BadRow(
            f"reference {charge.row.reference!r} was recorded before, with something else in {', '.join(differing)}."
        )


def recorded_before(references: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Charge]:
    """The charges that have these references, by profile and reference."""
    wanted = list(references)
    if not wanted:
        return {}
    statement = RECORDED_BEFORE.format(pairs=", ".join(["(%s, %s)"] * len(wanted)))
    found = Charge.objects.raw(statement, [value for pair in wanted for value in pair])
    return {(charge.profile_id, charge.source_reference): charge for charge in found}
