"""What the database does by itself with the rows of a chunk, in one statement each, the same on every database.

The tables they join with are the values of the chunk: at most a few numbers for each of its profiles.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import chain
from typing import Any, NamedTuple

from django.db import connection

# The charges are marked before they are added up, so that what is added up is what is on the invoice: one that is
# recorded meanwhile is on neither, and one that is being removed is waited for.
MARK_CHARGES = """
WITH closing (profile_id, end_on, invoice_id) AS (VALUES {rows})
UPDATE invoices_charge SET invoice_id = closing.invoice_id FROM closing
WHERE invoices_charge.invoice_id IS NULL
AND invoices_charge.profile_id = closing.profile_id AND invoices_charge.happened_on < closing.end_on
"""
RELEASE_CHARGES = "UPDATE invoices_charge SET invoice_id = NULL WHERE invoice_id IN ({marks})"
SUMS = """
SELECT invoice_id, count(*), sum(amount_minor), sum(tax_minor) FROM invoices_charge
WHERE invoice_id IN ({marks}) GROUP BY invoice_id
"""
# By section, and within it by day.
WRITE_LINES = """
INSERT INTO invoices_invoiceline (
    invoice_id, section_id, section_name, position, description, quantity, unit, unit_price, tax_rate, tax_note,
    happened_on, is_creditable, amount_minor, tax_minor)
SELECT
    charge.invoice_id, charge.section_id, section.name,
    row_number() OVER (
        PARTITION BY charge.invoice_id ORDER BY section.name, section.id, charge.happened_on, charge.id),
    charge.description, charge.quantity, charge.unit, charge.unit_price, charge.tax_percent, charge.tax_note,
    charge.happened_on, charge.is_creditable, charge.amount_minor, charge.tax_minor
FROM invoices_charge AS charge JOIN accounts_invoicesection AS section ON section.id = charge.section_id
WHERE charge.invoice_id IN ({marks})
"""
MOVE_PROFILES = """
WITH moved (id, billed_until_on, next_invoice_on) AS (VALUES {rows})
UPDATE accounts_billingprofile
SET billed_until_on = moved.billed_until_on, next_invoice_on = moved.next_invoice_on
FROM moved WHERE accounts_billingprofile.id = moved.id
"""


class Sums(NamedTuple):
    """What the charges of an invoice come to."""

    lines: int = 0
    charges_minor: int = 0
    tax_minor: int = 0

    @property
    def total_minor(self) -> int:
        return self.charges_minor + self.tax_minor


def mark_charges(closings: Iterable[tuple[int, date, int]]) -> None:
    """Puts the charges of each profile that happened before a day, and are on no invoice, on the invoice named. Rows
    are profile, day, invoice; the invoices may be written later in the transaction."""
    _with_rows(MARK_CHARGES, closings)


def release_charges(invoice_ids: Sequence[int]) -> None:
    """They are on no invoice again."""
    _with_ids(RELEASE_CHARGES, invoice_ids)


def sums_of(invoice_ids: Sequence[int]) -> dict[int, Sums]:
    """By invoice, of those that have charges."""
    with connection.cursor() as cursor:
        cursor.execute(SUMS.format(marks=_marks(invoice_ids)), list(invoice_ids))
        return {invoice_id: Sums(*map(int, sums)) for invoice_id, *sums in cursor.fetchall()}


def write_lines(invoice_ids: Sequence[int]) -> int:
    """Makes a line of every charge of these invoices, with the same sums. Returns how many."""
    return _with_ids(WRITE_LINES, invoice_ids)


def move_profiles(rows: Iterable[tuple[int, date, date]]) -> None:
    """Notes up to when each profile is invoiced, and when it is next. Rows are profile and the two days."""
    _with_rows(MOVE_PROFILES, rows)


def _with_rows(statement: str, rows: Iterable[tuple[int | date, ...]]) -> None:
    values = [tuple(map(_ready, row)) for row in rows]
    if values:
        one = f"({', '.join(['%s'] * len(values[0]))})"
        with connection.cursor() as cursor:
            cursor.execute(statement.format(rows=", ".join([one] * len(values))), [*chain.from_iterable(values)])


def _with_ids(statement: str, ids: Sequence[int]) -> int:
    if not ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(statement.format(marks=_marks(ids)), list(ids))
        return int(cursor.rowcount)


def _marks(ids: Sequence[int]) -> str:
    return ", ".join(["%s"] * len(ids))


def _ready(value: int | date) -> Any:
    return connection.ops.adapt_datefield_value(value) if isinstance(value, date) else value
