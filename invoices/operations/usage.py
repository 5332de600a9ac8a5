"""The usage detail of an invoice: every charge with its day, as a table. Exact, so it adds up to the lines."""

from collections.abc import Iterator

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from billing_portal.core.paging import Sort, in_pages
from invoices.documents.taxes import tax_text
from invoices.models import Charge, Invoice
from invoices.tables import Cell, csv_lines
from invoices.units import unit_name

# Charges that agree in these are one line: what is added up is their quantity, and nothing was rounded before.
SAME = (
    "section_id", "description", "unit", "unit_price", "tax_category", "tax_percent", "exemption_reason",
    "exemption_code", "is_creditable",
)  # fmt: skip
# An e-invoice carries no more: it is kept, mailed and read as a whole.
MAX_ATTACHED = 5_000


def billed_before(invoice: Invoice) -> Invoice:
    """The invoice that has the charges: charges of a void one stay with it when another takes its place."""
    while invoice.replaces is not None and not hasattr(invoice, "closing"):
        invoice = invoice.replaces
    return invoice


def charges_of(invoice: Invoice) -> QuerySet[Charge]:
    """Empty for an invoice that was not made from charges."""
    return billed_before(invoice).billed_charges.select_related("section")


def usage_head() -> list[str]:
    return [
        _("Line"), _("Invoice section"), _("Description"), _("Date"), _("Type"), _("Quantity"), _("Unit"),
        _("Unit price"), _("Amount, not rounded"), _("Currency"), _("Tax rate"), _("Reference"),
    ]  # fmt: skip


def usage_rows(invoice: Invoice) -> Iterator[list[Cell]]:
    """One row for each charge, in the order in which they were recorded, with the position of its line, which is empty
    where that was changed when the invoice was made again."""
    names = [name.replace("tax_percent", "tax_rate") for name in SAME]
    positions = {tuple(key): position for position, *key in invoice.lines.values_list("position", *names)}
    for charge in in_pages(charges_of(invoice), sort=Sort(descending=False)):
        position = positions.get(tuple(getattr(charge, name) for name in SAME))
        yield [
            str(position or ""), charge.section.name, charge.description, charge.happened_on,
            charge.get_kind_display(), charge.quantity, unit_name(charge.unit, charge.quantity), charge.unit_price,
            charge.exact_amount, invoice.currency, tax_text(charge.tax_category, charge.tax_percent),
            charge.source_reference,
        ]  # fmt: skip


def attached_usage(invoice: Invoice) -> bytes | None:
    """The table as CSV in the language that is active, to go with an e-invoice; None without charges, and for more than
    an e-invoice should carry. Two queries."""
    count = charges_of(invoice).order_by()[: MAX_ATTACHED + 1].count()
    if not 0 < count <= MAX_ATTACHED:
        return None
    return "".join(csv_lines(usage_head(), usage_rows(invoice))).encode()
