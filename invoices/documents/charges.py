"""The lines of an invoice as tables: by section, and the tax by rate."""

from itertools import groupby
from operator import attrgetter
from typing import Any

from django.utils.translation import gettext as _

from invoices.documents.figures import figure, percentage, quantity, unit_price
from invoices.models import CreditNote, Invoice, InvoiceLine
from invoices.money import Money


def charges(invoice: Invoice, lines: list[InvoiceLine]) -> dict[str, Any]:
    """Lines grouped by section, in the order in which the sections first appear. An invoice without sections is one
    group without a name."""
    places: dict[str, int] = {}
    for line in lines:
        places.setdefault(line.section_name, len(places))
    in_order = sorted(lines, key=lambda line: places[line.section_name])
    groups = [
        _group(name, list(members), invoice.currency)
        for name, members in groupby(in_order, key=attrgetter("section_name"))
    ]
    return {
        "title": _("Charges by invoice section") if any(places) else _("Charges"),
        "note": _("Amounts in %(currency)s.") % {"currency": invoice.currency},
        "head": [
            _("Description"), _("Quantity"), _("Unit price"), _("Charges"), _("Tax rate"), _("Tax"), _("Total"),
        ],
        "groups": groups,
        "total": [_("Total"), *_sums(invoice.charges_minor, invoice.tax_minor, invoice.currency)],
    }  # fmt: skip


def _group(name: str, lines: list[InvoiceLine], currency: str) -> dict[str, Any]:
    total = _sums(sum(line.amount_minor for line in lines), sum(line.tax_minor for line in lines), currency)
    return {
        "name": name,
        "rows": [_row(line, currency) for line in lines],
        "label": _("Total of %(section)s") % {"section": name},
        "total": total if name and len(lines) > 1 else None,
    }


def _row(line: InvoiceLine, currency: str) -> list[str]:
    amount, rate, tax, total = (
        figure(Money(line.amount_minor, currency)),
        percentage(line.tax_rate),
        figure(Money(line.tax_minor, currency)),
        figure(Money(line.amount_minor + line.tax_minor, currency)),
    )
    counted = f"{quantity(line.quantity)} {line.unit}".strip()
    return [line.description, counted, unit_price(line.unit_price, currency), amount, rate, tax, total]


def _sums(amount_minor: int, tax_minor: int, currency: str) -> list[str]:
    amounts = [Money(minor, currency) for minor in (amount_minor, tax_minor, amount_minor + tax_minor)]
    return [figure(amounts[0]), "", figure(amounts[1]), figure(amounts[2])]


def tax_summary(document: Invoice | CreditNote, lines: list[InvoiceLine]) -> dict[str, Any] | None:
    """What was charged and taxed at each rate, notes such as a reverse charge beside the rate. None without tax."""
    found = sorted({(line.tax_rate, line.tax_note) for line in lines}, reverse=True)
    if not document.tax_minor and not any(note for _rate, note in found):
        return None
    rows = []
    for rate, note in found:
        members = [line for line in lines if (line.tax_rate, line.tax_note) == (rate, note)]
        label = _("%(rate)s, %(note)s") % {"rate": percentage(rate), "note": note} if note else percentage(rate)
        sums = _sums(
            sum(line.amount_minor for line in members), sum(line.tax_minor for line in members), document.currency
        )
        rows.append([label, sums[0], sums[2], sums[3]])
    return {
        "title": _("Tax by rate"),
        "head": [_("Tax rate"), _("Charges"), _("Tax"), _("Total")],
        "rows": rows,
    }
