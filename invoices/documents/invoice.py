"""The PDF of an invoice as it was issued, whenever it is made, in the language that is active.

What has happened since (payments, credit notes, a void) stands on the invoice's page and in documents of its own.
"""

from copy import copy
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from invoices.documents.figures import counted, day, figure, short_day, unit_price
from invoices.documents.letterhead import carry_words, frame, parties, sum_row
from invoices.documents.payment_ways import how_to_pay
from invoices.documents.taxes import MARK, is_reduced, reduced_rate_note, seller_tax_text, tax_summary, tax_text
from invoices.documents.typesetting import typeset
from invoices.models import CreditNote, Invoice, InvoiceLine, PeriodClosing
from invoices.money import Money
from invoices.states import InvoiceStatus, Label

TEMPLATE = Path(__file__).with_name("invoice.typ")


def invoice_pdf(invoice: Invoice, *, at: datetime) -> bytes:
    """Needs an issued invoice with ``profile.account`` loaded; three queries, one more for a logo. Never call it inside
    a transaction. Raises MissingGlyphs."""
    return typeset(TEMPLATE, invoice_data(invoice), at=at)


def as_issued(invoice: Invoice) -> Invoice:
    """A copy of an invoice as it stood when it was issued; of an imported one, when it came. Not to be saved."""
    first = copy(invoice)
    first.credited_minor, first.paid_minor = invoice.credited_at_issue_minor, invoice.paid_before_minor
    first.amount_due_minor = first.open_minor
    first.status = InvoiceStatus.OPEN if first.amount_due_minor else InvoiceStatus.PAID
    first.refunded_minor = first.charged_back_minor = 0
    first.payment_started_at = first.paid_at = first.voided_at = first.disputed_at = None
    return first


def invoice_data(invoice: Invoice) -> dict[str, Any]:
    """What the template prints."""
    invoice = as_issued(invoice)
    lines = list(invoice.lines.order_by("position", "pk"))
    title, number = _("Invoice %(number)s") % {"number": invoice.number}, str(invoice.number)
    status = {"text": str(Label.PAID.label), "tone": "good"} if invoice.status == InvoiceStatus.PAID else None
    return {
        **frame(title, kind=_("Invoice"), number=number, seller=invoice.seller, buyer=invoice.buyer["bill_to"],
                status=status),
        "parties": parties(invoice.buyer),
        "amount": _amount(invoice),
        "summary": {"title": _("Invoice summary"), "rows": _summary(invoice, lines)},
        "billing": {"title": _("Billing summary"), "rows": _billing(invoice)},
        "charges": charges(invoice, lines),
        "tax": tax_summary(invoice, seller_tax_text(invoice, invoice.seller_tax_minor)),
        "pay": how_to_pay(invoice),
    }  # fmt: skip


def _amount(invoice: Invoice) -> dict[str, str]:
    note = _("Due by %(day)s") % {"day": day(invoice.due_on)} if invoice.amount_due else ""
    return {"label": _("Amount due"), "value": invoice.amount_due.format(), "note": note}


def _summary(invoice: Invoice, lines: list[InvoiceLine]) -> list[tuple[str, str]]:
    terms = invoice.payment_terms_days
    period = supplied_on = ""
    if invoice.period_start_on and invoice.period_end_on:
        period = _("%(start)s to %(end)s") % {"start": day(invoice.period_start_on), "end": day(invoice.period_end_on)}
    elif not any(line.happened_on for line in lines):
        supplied_on = day(invoice.issued_on)
    rows = [
        (_("Invoice number"), invoice.number or ""),
        (_("Invoice date"), day(invoice.issued_on)),
        (_("Due date"), day(invoice.due_on)),
        (_("Payment terms"), _("Net %(days)s days") % {"days": terms} if terms else _("On receipt")),
        (_("Billing period"), period),
        (_("Date of supply"), supplied_on),
        (_("Carried over"), _brought_to(invoice)),
        (_("Your reference"), invoice.buyer["reference"]),
        (_("PO number"), invoice.po_number),
        (_("Billing profile"), invoice.buyer["profile"]),
        (_("Type"), str(invoice.get_kind_display())),
        (_("Our reference"), invoice.source_reference),
        (_("Replaces"), _replaces(invoice)),
    ]
    return [row for row in rows if row[1]]


def _brought_to(invoice: Invoice) -> str:
    """What periods before had carried to it. Its lines hold that already."""
    closing = PeriodClosing.objects.filter(invoice=invoice.pk, brought_from_on__isnull=False).first()
    if closing is None:
        return ""
    return _("%(amount)s from %(start)s to %(end)s, included in the charges") % {
        "amount": closing.brought.format(), "start": day(closing.brought_from_on), "end": day(closing.brought_until_on)
    }  # fmt: skip


def _replaces(invoice: Invoice) -> str:
    """The void invoice whose place it takes, and the credit note that took that back."""
    if invoice.replaces_id is None:
        return ""
    note = CreditNote.objects.filter(invoice=invoice.replaces_id, voids_invoice=True).select_related("invoice").first()
    if note is None:
        return str(invoice.replaces)
    return _("%(invoice)s (credit note %(note)s)") % {"invoice": note.invoice, "note": note}


def _billing(invoice: Invoice) -> list[dict[str, Any]]:
    currency = invoice.currency
    credited = [sum_row(_("Credits applied"), -invoice.credited_minor, currency)] if invoice.credited_minor else []
    if invoice.paid_minor:
        credited.append(sum_row(_("Paid already"), -invoice.paid_minor, currency))
    return [
        sum_row(_("Charges, without tax"), invoice.charges_minor, currency),
        sum_row(_("Tax"), invoice.tax_minor, currency),
        sum_row(_("Total"), invoice.total_minor, currency, strong=True),
        *credited,
        sum_row(_("Amount due"), invoice.amount_due_minor, currency, strong=True),
    ]


def charges(invoice: Invoice, lines: list[InvoiceLine]) -> dict[str, Any]:
    """Lines grouped by section, in the order in which the sections first appear; lines without one have no name.
    Discounts on the whole invoice come last. Each line ends with what all lines up to it come to, for the page breaks
    of a long invoice."""
    table = _Table(invoice, lines)
    places: dict[str, int] = {}
    for line in lines:
        places.setdefault(line.section_name, len(places))
    in_order = sorted(lines, key=lambda line: (line.is_allowance, places[line.section_name]))
    groups = [
        table.group(_("Discounts") if is_allowance else name, list(members))
        for (is_allowance, name), members in groupby(in_order, key=attrgetter("is_allowance", "section_name"))
    ]
    return {
        "title": _("Charges by invoice section") if any(places) else _("Charges"),
        "note": _("Amounts in %(currency)s.") % {"currency": invoice.currency},
        "head": table.head(),
        "groups": groups,
        "total": [_("Total, without tax"), figure(Money(invoice.charges_minor, invoice.currency))],
        "carry": carry_words(len(lines)),
        "marks": table.marks(),
    }


class _Table:
    """The columns of an invoice's lines; one with their days where a line has its own."""

    def __init__(self, invoice: Invoice, lines: list[InvoiceLine]) -> None:
        self.currency, self.country = invoice.currency, invoice.seller["country"]
        self.has_days = any(line.happened_on for line in lines)
        self.has_reduced = any(is_reduced(line.tax_rate, self.country) for line in lines)
        self.running_minor = 0

    def head(self) -> list[str]:
        days = [_("Date")] if self.has_days else []
        return [_("Description"), *days, _("Quantity"), _("Unit price"), _("Tax rate"), _("Amount")]

    def marks(self) -> list[str]:
        return [reduced_rate_note(self.country)] if self.has_reduced else []

    def group(self, name: str, lines: list[InvoiceLine]) -> dict[str, Any]:
        total = figure(Money(sum(line.amount_minor for line in lines), self.currency))
        return {
            "name": name,
            "rows": [self._row(line) for line in lines],
            "label": _("Total of %(section)s") % {"section": name},
            "total": [total] if name and len(lines) > 1 else None,
        }

    def _row(self, line: InvoiceLine) -> list[str]:
        self.running_minor += line.amount_minor
        rate = tax_text(line.tax_category, line.tax_rate)
        return [
            line.description,
            *([short_day(line.happened_on)] if self.has_days else []),
            counted(line.quantity, line.unit),
            unit_price(line.unit_price, self.currency),
            f"{rate} {MARK}" if is_reduced(line.tax_rate, self.country) else rate,
            *(figure(Money(minor, self.currency)) for minor in (line.amount_minor, self.running_minor)),
        ]
