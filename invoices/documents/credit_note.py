"""The PDF of a credit note, in the language that is active."""

from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from invoices.documents.figures import day, figure
from invoices.documents.letterhead import carry_words, frame, parties, sum_row
from invoices.documents.taxes import seller_tax_text, tax_summary, tax_text
from invoices.documents.typesetting import typeset
from invoices.models import CreditNote
from invoices.money import Money

TEMPLATE = Path(__file__).with_name("credit_note.typ")


def credit_note_pdf(note: CreditNote, *, at: datetime) -> bytes:
    """Needs ``invoice`` loaded; reads the lines in one query. Never call it inside a transaction. Raises
    MissingGlyphs."""
    return typeset(TEMPLATE, credit_note_data(note), at=at)


def credit_note_data(note: CreditNote) -> dict[str, Any]:
    """What the template prints."""
    title = _("Credit note %(number)s") % {"number": note.number}
    return {
        **frame(
            title, kind=_("Credit note"), number=note.number, seller=note.seller, buyer=note.buyer["bill_to"],
        ),
        "parties": parties(note.buyer),
        "amount": {
            "label": _("Amount credited"),
            "value": note.total.format(),
            "note": _("of invoice %(number)s") % {"number": note.invoice},
        },
        "summary": {"title": _("Credit note summary"), "rows": _summary(note)},
        "billing": {"title": _("Amounts credited"), "rows": _sums(note)},
        "lines": _lines(note),
        "tax": tax_summary(note, seller_tax_text(note.invoice, note.seller_tax_minor)),
        "follows": {"title": _("What follows from it"), "sentences": _follows(note)},
    }  # fmt: skip


def _summary(note: CreditNote) -> list[tuple[str, str]]:
    invoice = note.invoice
    rows = [
        (_("Credit note number"), note.number),
        (_("Date"), day(note.issued_on)),
        (_("Corrects invoice"), _("%(number)s of %(day)s") % {"number": invoice, "day": day(invoice.issued_on)}),
        (_("Reason"), note.reason),
        (_("Your reference"), note.buyer["reference"]),
        (_("PO number"), invoice.po_number),
        (_("Billing profile"), note.buyer["profile"]),
    ]
    return [row for row in rows if row[1]]


def _sums(note: CreditNote) -> list[dict[str, Any]]:
    return [
        sum_row(_("Charges, without tax"), note.charges_minor, note.currency),
        sum_row(_("Tax"), note.tax_minor, note.currency),
        sum_row(_("Total credited"), note.total_minor, note.currency, strong=True),
    ]


def _lines(note: CreditNote) -> dict[str, Any]:
    rows, running_minor = [], 0
    for part in note.lines.select_related("line").order_by("position", "pk"):
        running_minor += part.amount_minor
        rate = tax_text(part.line.tax_category, part.line.tax_rate)
        amounts = (figure(Money(minor, note.currency)) for minor in (part.amount_minor, running_minor))
        rows.append([part.line.description, rate, *amounts])
    return {
        "title": _("Credited lines"),
        "note": _("Amounts in %(currency)s.") % {"currency": note.currency},
        "head": [_("Description"), _("Tax rate"), _("Amount")],
        "groups": [{"name": "", "rows": rows, "label": "", "total": None}] if rows else [],
        "total": [_("Total, without tax"), figure(Money(note.charges_minor, note.currency))],
        "carry": carry_words(len(rows)),
    }


def _follows(note: CreditNote) -> list[str]:
    sentences = []
    due = Money(note.applied_minor, note.currency) - note.given_back
    if note.voids_invoice:
        text = _("Invoice %(number)s is void. Nothing has to be paid for it; do not pay it.")
        sentences.append(text % {"number": note.invoice})
    elif due:
        text = _("%(amount)s was taken off what was still due on invoice %(number)s.")
        sentences.append(text % {"amount": due, "number": note.invoice})
    if note.given_back:
        text = _("%(amount)s was given back to the credits that had paid for it.")
        sentences.append(text % {"amount": note.given_back})
    if note.kept and not note.voids_invoice:
        sentences.append(_("%(amount)s is kept as a credit and pays for later invoices.") % {"amount": note.kept})
    return sentences
