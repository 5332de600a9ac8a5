"""The receipt of a payment, in the language of its billing profile's documents: what was received, how, for what, and
what was paid back."""

from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override, pgettext

from billing_portal.core.postal_addresses import address_lines
from invoices.documents.figures import day, figure
from invoices.documents.letterhead import frame, language
from invoices.documents.typesetting import typeset
from invoices.operations.document_archive import File
from payments.models import Payment, PaymentAllocation
from payments.states import DisputeStatus, RefundStatus

TEMPLATE = Path(__file__).with_name("receipt.typ")


def receipt_file(payment: Payment, *, at: datetime) -> File:
    """Needs a payment that succeeded, with ``profile`` loaded. Two or three queries. Never call it in a transaction.
    Raises MissingGlyphs."""
    with override(payment.profile.document_language):
        name = _("receipt-%(reference)s.pdf") % {"reference": payment.reference}
        return File(name, typeset(TEMPLATE, receipt_data(payment), at=at), "application/pdf")


def receipt_data(payment: Payment) -> dict[str, Any]:
    """What the template prints, in the active language. The seller is the one named on the invoice paid, or today's for
    a credit alone."""
    allocations = list(payment.allocations.select_related("invoice", "credit").order_by("pk"))
    invoices = [allocation.invoice for allocation in allocations if allocation.invoice is not None]
    seller = invoices[0].seller if invoices else payment.profile.account.seller.as_printed()
    buyer = invoices[0].buyer["bill_to"] if invoices else payment.profile.address_parts
    title = _("Payment receipt %(reference)s") % {"reference": payment.reference}
    return {
        **frame(
            title, kind=_("Payment receipt"), number=payment.reference, seller=seller, buyer=buyer,
            status=_status(payment),
        ),
        "parties": [{"label": _("Received from"), "lines": address_lines(buyer, language())}],
        "amount": {"label": _("Amount received"), "value": payment.amount.format(), "note": day(_received_on(payment))},
        "summary": {"title": _("Payment"), "rows": _summary(payment)},
        "paid": {
            "title": _("What it paid"),
            "note": _("Amounts in %(currency)s.") % {"currency": payment.currency},
            "head": [_("Invoice"), _("Invoice date"), _("Invoice total"), _("Paid with this payment")],
            "rows": [_paid_row(allocation) for allocation in allocations if allocation.amount_minor],
            "total": [_("Total"), figure(payment.amount)],
        },
        "refunds": _refunds(payment),
    }  # fmt: skip


def _received_on(payment: Payment) -> Any:
    if payment.received_on is not None:
        return payment.received_on
    return timezone.localdate(payment.finished_at or payment.started_at)


def _status(payment: Payment) -> dict[str, str]:
    if payment.disputed_at is not None:
        text = _("Disputed")
    elif payment.charged_back:
        text = _("Taken back by the bank")
    elif payment.refunded_minor:
        text = _("Refunded in part") if payment.rest else _("Refunded")
    else:
        return {"text": pgettext("payment", "Paid"), "tone": "good"}
    return {"text": text, "tone": "plain"}


def _summary(payment: Payment) -> list[tuple[str, str]]:
    rows = [
        (_("Payment reference"), payment.reference),
        (_("Date"), day(_received_on(payment))),
        (_("Payment method"), payment.method_label),
        (_("Bank or check reference"), payment.bank_reference),
        (_("Billing profile"), payment.profile.name),
    ]
    return [row for row in rows if row[1]]


def _paid_row(allocation: PaymentAllocation) -> list[str]:
    invoice = allocation.invoice
    amount = figure(allocation.amount)
    if invoice is None:
        return [_("Kept as credit for later invoices"), "", "", amount]
    return [str(invoice), day(invoice.issued_on), figure(invoice.total), amount]


def _refunds(payment: Payment) -> dict[str, Any] | None:
    """What went back; a refund still on its way is no money yet and is left out."""
    refunds = payment.refunds.filter(status=RefundStatus.SUCCEEDED).order_by("started_at", "pk")
    lost = payment.disputes.filter(status=DisputeStatus.LOST).order_by("closed_at", "pk")
    gone = [(refund.finished_at or refund.started_at, _(refund.reason), refund.amount) for refund in refunds]
    if payment.charged_back:
        text = _("Taken back by the bank")
        gone += [(dispute.closed_at or dispute.opened_at, text, dispute.taken) for dispute in lost]
    if not gone:
        return None
    left = sum((-amount for _at, _reason, amount in gone), payment.amount)
    return {
        "title": _("Refunds"),
        "head": [_("Date"), _("Reason"), _("Amount")],
        "rows": [[day(timezone.localdate(at)), reason, figure(-amount)] for at, reason, amount in gone],
        "total": [_("Received after refunds"), figure(left)],
    }
