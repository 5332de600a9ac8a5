"""The PDF of an invoice.

It shows the invoice as it was issued, whenever it is made: who sold and who bought from the copy made at issue, what
was due then, and how to pay that. What has happened since (payments, credit notes, a void) stands on the invoice's page
and in documents of its own. Texts and figures are in the language that is active.
"""

from copy import copy
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from invoices.documents.charges import charges, tax_summary
from invoices.documents.figures import day
from invoices.documents.payment import how_to_pay
from invoices.documents.typesetting import typeset
from invoices.models import CreditNote, Invoice
from invoices.money import Money
from invoices.states import InvoiceStatus, Label

TEMPLATE = Path(__file__).with_name("invoice.typ")


def invoice_pdf(invoice: Invoice, *, at: datetime) -> bytes:
    """Made anew; what is handed out is kept. Needs an issued invoice with ``profile.account`` loaded; reads its lines
    in one query, and what it replaces in another. Never call it inside a transaction."""
    return typeset(TEMPLATE, invoice_data(invoice), at=at)


def as_issued(invoice: Invoice) -> Invoice:
    """A copy of an invoice as it stood when it was issued. Not to be saved."""
    first = copy(invoice)
    first.credited_minor, first.paid_minor = invoice.credited_at_issue_minor, 0
    first.amount_due_minor = invoice.total_minor - invoice.credited_at_issue_minor
    first.status = InvoiceStatus.OPEN if first.amount_due_minor else InvoiceStatus.PAID
    first.refunded_minor = first.charged_back_minor = 0
    first.payment_started_at = first.paid_at = first.voided_at = first.disputed_at = None
    return first


def invoice_data(invoice: Invoice) -> dict[str, Any]:
    """What the template prints."""
    invoice = as_issued(invoice)
    lines = list(invoice.lines.order_by("position", "pk"))
    tax_ids = [_("Tax ID: %(tax_id)s") % {"tax_id": tax_id} for tax_id in invoice.buyer.get("tax_ids", [])]
    is_settled = invoice.status == InvoiceStatus.PAID
    return {
        "language": get_language() or "en",
        "title": _("Invoice %(number)s") % {"number": invoice.number},
        "kind": _("Invoice"),
        "number": invoice.number,
        "status": {"text": str(Label.PAID.label), "tone": "good"} if is_settled else None,
        "page": page_text(),
        "mark": "",
        **seller_data(invoice.seller),
        "parties": [
            {"label": _("Sold to"), "lines": [*invoice.buyer.get("sold_to", []), *tax_ids]},
            {"label": _("Bill to"), "lines": invoice.buyer.get("bill_to", [])},
        ],
        "amount": _amount(invoice),
        "summary": {"title": _("Invoice summary"), "rows": _summary(invoice)},
        "billing": {"title": _("Billing summary"), "rows": _billing(invoice)},
        "charges": charges(invoice, lines),
        "tax": tax_summary(invoice, lines),
        "pay": how_to_pay(invoice),
    }


def page_text() -> str:
    """With places that the template fills in: only it knows how many pages there are."""
    return _("Page %(page)s of %(pages)s") % {"page": "{page}", "pages": "{pages}"}


def seller_data(seller: dict[str, str]) -> dict[str, Any]:
    """The head and the foot of a document, from the seller's details."""
    address = [line for line in seller.get("address", "").splitlines() if line]
    tax_id = _("Tax ID: %(tax_id)s") % {"tax_id": seller["tax_id"]} if seller.get("tax_id") else ""
    lines = [line for line in (*address, tax_id, seller.get("email", "")) if line]
    return {
        "seller": {"name": seller.get("name", ""), "lines": lines},
        "footer": " · ".join(part for part in (seller.get("name", ""), *lines) if part),
    }


def _amount(invoice: Invoice) -> dict[str, str]:
    note = _("Due by %(day)s") % {"day": day(invoice.due_on)} if invoice.amount_due else ""
    return {"label": _("Amount due"), "value": invoice.amount_due.format(), "note": note}


def _summary(invoice: Invoice) -> list[tuple[str, str]]:
    terms = invoice.payment_terms_days
    period = ""
    if invoice.period_start_on and invoice.period_end_on:
        period = _("%(start)s to %(end)s") % {"start": day(invoice.period_start_on), "end": day(invoice.period_end_on)}
    rows = [
        (_("Invoice number"), invoice.number or ""),
        (_("Invoice date"), day(invoice.issued_on)),
        (_("Due date"), day(invoice.due_on)),
        (_("Payment terms"), _("Net %(days)s days") % {"days": terms} if terms else _("On receipt")),
        (_("Billing period"), period),
        (_("PO number"), invoice.po_number),
        (_("Billing profile"), invoice.buyer.get("profile", "")),
        (_("Type"), str(invoice.get_kind_display())),
        (_("Your reference"), invoice.source_reference),
        (_("Replaces"), _replaces(invoice)),
    ]
    return [row for row in rows if row[1]]


def _replaces(invoice: Invoice) -> str:
    """The void invoice whose place it takes, and the credit note that took that back."""
    if invoice.replaces_id is None:
        return ""
    note = CreditNote.objects.filter(invoice=invoice.replaces_id, voids_invoice=True).select_related("invoice").first()
    if note is None:
        return str(invoice.replaces)
    return _("%(invoice)s (credit note %(note)s)") % {"invoice": note.invoice, "note": note}


def _billing(invoice: Invoice) -> list[dict[str, Any]]:
    def row(label: str, minor: int, *, strong: bool = False) -> dict[str, Any]:
        return {"label": label, "value": Money(minor, invoice.currency).format(), "strong": strong}

    rows = [row(_("Charges, without tax"), invoice.charges_minor), row(_("Tax"), invoice.tax_minor)]
    rows.append(row(_("Total"), invoice.total_minor, strong=True))
    if invoice.credited_minor:
        rows.append(row(_("Credits applied"), -invoice.credited_minor))
    return [*rows, row(_("Amount due"), invoice.amount_due_minor, strong=True)]
