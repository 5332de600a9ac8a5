"""The PDF of an invoice.

Who sold and who bought is printed from the copy made at issue, amounts from the invoice's own columns: the document of
an old invoice does not change when somebody moves. What has happened since (paid so far, void) is printed as it stands
when the document is made. Texts and figures are in the language that is active.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from invoices.documents.charges import charges, tax_summary
from invoices.documents.figures import day
from invoices.documents.payment import how_to_pay
from invoices.documents.typesetting import typeset
from invoices.models import Invoice
from invoices.money import Money
from invoices.states import InvoiceStatus, Label, label_of

TEMPLATE = Path(__file__).with_name("invoice.typ")
TONES = {Label.PAID: "good", Label.PAST_DUE: "bad", Label.VOID: "bad", Label.IN_PROGRESS: "busy"}


def invoice_pdf(invoice: Invoice, *, at: datetime) -> bytes:
    """The document as it stands at a moment. Needs an issued invoice with ``profile.account`` loaded; reads its lines
    in one query. Never call it inside a transaction."""
    return typeset(TEMPLATE, invoice_data(invoice, at=at), at=at)


def invoice_data(invoice: Invoice, *, at: datetime) -> dict[str, Any]:
    """What the template prints."""
    lines = list(invoice.lines.order_by("position", "pk"))
    tax_ids = [_("Tax ID: %(tax_id)s") % {"tax_id": tax_id} for tax_id in invoice.buyer.get("tax_ids", [])]
    label = label_of(
        invoice.status,
        due_on=invoice.due_on,
        is_being_paid=invoice.is_being_paid,
        today=invoice.profile.day_of(at),
    )
    return {
        "language": get_language() or "en",
        "title": _("Invoice %(number)s") % {"number": invoice.number},
        "kind": _("Invoice"),
        "number": invoice.number,
        "status": {"text": str(label.label), "tone": TONES.get(label, "plain")},
        "page": page_text(),
        "mark": _("VOID") if invoice.status == InvoiceStatus.VOID else "",
        "notice": _notice(invoice),
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
        "payments": _payments(invoice),
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


def _notice(invoice: Invoice) -> dict[str, str] | None:
    if invoice.status != InvoiceStatus.VOID:
        return None
    voided = day(timezone.localdate(invoice.voided_at)) if invoice.voided_at else ""
    return {
        "tone": "bad",
        "title": _("This invoice is void since %(day)s. Do not pay it.") % {"day": voided},
        "text": _("Reason: %(reason)s") % {"reason": invoice.void_reason},
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
    ]
    return [row for row in rows if row[1]]


def _billing(invoice: Invoice) -> list[dict[str, Any]]:
    def row(label: str, minor: int, *, strong: bool = False) -> dict[str, Any]:
        return {"label": label, "value": Money(minor, invoice.currency).format(), "strong": strong}

    rows = [row(_("Charges, without tax"), invoice.charges_minor), row(_("Tax"), invoice.tax_minor)]
    rows.append(row(_("Total"), invoice.total_minor, strong=True))
    if invoice.credited_minor:
        rows.append(row(_("Credits applied"), -invoice.credited_minor))
    if invoice.paid_minor or invoice.refunded_minor:
        rows.append(row(_("Paid so far"), -(invoice.paid_minor + invoice.refunded_minor)))
    if invoice.refunded:
        rows.append(row(_("Refunded"), invoice.refunded.minor))
    if invoice.charged_back:
        rows.append(row(_("Taken back by the bank"), invoice.charged_back.minor))
    return [*rows, row(_("Amount due"), invoice.amount_due_minor, strong=True)]


def _payments(invoice: Invoice) -> dict[str, Any] | None:
    """What was received so far; the receipts tell each payment apart."""
    received = Money(invoice.paid_minor + invoice.refunded_minor, invoice.currency)
    if not received:
        return None
    rows = [(_("Received"), received.format())]
    if invoice.paid_at:
        paid_on = day(timezone.localdate(invoice.paid_at))
        rows.append((_("Last payment"), _("%(day)s, %(with)s") % {"day": paid_on, "with": invoice.paid_with_label}))
    if invoice.refunded:
        rows.append((_("Refunded"), invoice.refunded.format()))
    if invoice.charged_back:
        rows.append((_("Taken back by the bank"), invoice.charged_back.format()))
    if invoice.disputed_at:
        rows.append((_("Disputed since"), day(timezone.localdate(invoice.disputed_at))))
    return {"title": _("Payments so far"), "rows": rows}
