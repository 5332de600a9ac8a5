"""The PDF of a credit note: which invoice it corrects, what it takes back of each line, and what becomes of that.

Texts and figures are in the language that is active.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from invoices.documents.figures import day, figure, percentage
from invoices.documents.invoice import page_text, seller_data, tax_summary
from invoices.documents.typesetting import typeset
from invoices.models import CreditNote, InvoiceLine
from invoices.money import Money

TEMPLATE = Path(__file__).with_name("credit_note.typ")


def credit_note_pdf(note: CreditNote, *, at: datetime) -> bytes:
    """Made anew; what is handed out is kept. Needs ``invoice`` loaded and reads the lines in one query. Never call it
    inside a transaction."""
    return typeset(TEMPLATE, credit_note_data(note), at=at)


def credit_note_data(note: CreditNote) -> dict[str, Any]:
    """What the template prints."""
    parts = _parts(note)
    tax_ids = [_("Tax ID: %(tax_id)s") % {"tax_id": tax_id} for tax_id in note.buyer.get("tax_ids", [])]
    return {
        "language": get_language() or "en",
        "title": _("Credit note %(number)s") % {"number": note.number},
        "kind": _("Credit note"),
        "number": note.number,
        "status": None,
        "page": page_text(),
        "mark": "",
        **seller_data(note.seller),
        "parties": [
            {"label": _("Sold to"), "lines": [*note.buyer.get("sold_to", []), *tax_ids]},
            {"label": _("Bill to"), "lines": note.buyer.get("bill_to", [])},
        ],
        "amount": {
            "label": _("Amount credited"),
            "value": note.total.format(),
            "note": _("of invoice %(number)s") % {"number": note.invoice},
        },
        "summary": {"title": _("Credit note summary"), "rows": _summary(note)},
        "billing": {"title": _("Amounts credited"), "rows": _sums(note)},
        "lines": _lines(note, parts),
        "tax": tax_summary(note, parts),
        "follows": {"title": _("What follows from it"), "sentences": _follows(note)},
    }


def _summary(note: CreditNote) -> list[tuple[str, str]]:
    invoice = note.invoice
    rows = [
        (_("Credit note number"), note.number),
        (_("Date"), day(note.issued_on)),
        (_("Corrects invoice"), _("%(number)s of %(day)s") % {"number": invoice, "day": day(invoice.issued_on)}),
        (_("Reason"), note.reason),
        (_("PO number"), invoice.po_number),
        (_("Billing profile"), note.buyer.get("profile", "")),
    ]
    return [row for row in rows if row[1]]


def _sums(note: CreditNote) -> list[dict[str, Any]]:
    def row(label: str, minor: int, *, strong: bool = False) -> dict[str, Any]:
        return {"label": label, "value": Money(minor, note.currency).format(), "strong": strong}

    return [
        row(_("Charges, without tax"), note.charges_minor),
        row(_("Tax"), note.tax_minor),
        row(_("Total credited"), note.total_minor, strong=True),
    ]


def _parts(note: CreditNote) -> list[InvoiceLine]:
    """The lines of the invoice with the amounts that are taken back. Not to be saved."""
    parts = []
    for part in note.lines.select_related("line").order_by("position", "pk"):
        part.line.amount_minor, part.line.tax_minor = part.amount_minor, part.tax_minor
        parts.append(part.line)
    return parts


def _lines(note: CreditNote, parts: list[InvoiceLine]) -> dict[str, Any]:
    rows = []
    for part in parts:
        amounts = _figures(part.amount_minor, part.tax_minor, note.currency)
        rows.append([part.description, amounts[0], percentage(part.tax_rate), *amounts[1:]])
    total = _figures(note.charges_minor, note.tax_minor, note.currency)
    return {
        "title": _("Credited lines"),
        "note": _("Amounts in %(currency)s.") % {"currency": note.currency},
        "head": [_("Description"), _("Charges"), _("Tax rate"), _("Tax"), _("Total")],
        "rows": rows,
        "total": [_("Total"), total[0], "", *total[1:]],
    }


def _figures(amount_minor: int, tax_minor: int, currency: str) -> list[str]:
    return [figure(Money(minor, currency)) for minor in (amount_minor, tax_minor, amount_minor + tax_minor)]


def _given_back(note: CreditNote) -> list[str]:
    if not note.given_back:
        return []
    return [_("%(amount)s was given back to the credits that had paid for it.") % {"amount": note.given_back}]


def _follows(note: CreditNote) -> list[str]:
    if note.voids_invoice:
        text = _("Invoice %(number)s is void. Nothing has to be paid for it; do not pay it.")
        return [text % {"number": note.invoice}, *_given_back(note)]
    sentences = []
    due = Money(note.applied_minor, note.currency) - note.given_back
    if due:
        text = _("%(amount)s was taken off what was still due on invoice %(number)s.")
        sentences.append(text % {"amount": due, "number": note.invoice})
    sentences += _given_back(note)
    if note.kept:
        sentences.append(_("%(amount)s is kept as a credit and pays for later invoices.") % {"amount": note.kept})
    return sentences
