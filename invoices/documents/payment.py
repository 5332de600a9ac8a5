"""The block of an invoice that says how to pay it, or that there is nothing to pay."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import BillingProfile
from invoices.documents.figures import day
from invoices.models import Invoice
from invoices.payability import card_limit, in_progress_text
from invoices.states import InvoiceStatus


def how_to_pay(invoice: Invoice) -> dict[str, Any]:
    """Sentences, and for an invoice with something due the ways to pay it: online, and by wire transfer when the
    seller's bank account stood on record at issue."""
    sentences = _nothing_to_pay(invoice)
    if sentences:
        return {"title": _("How to pay"), "sentences": sentences, "online": None, "bank": None}
    sentences = []
    if invoice.is_being_paid:
        sentences = [_("A payment is in progress. Do not pay again."), in_progress_text(invoice)]
    return {"title": _("How to pay"), "sentences": sentences, "online": _online(invoice), "bank": _bank(invoice)}


def _nothing_to_pay(invoice: Invoice) -> list[str]:
    if invoice.status == InvoiceStatus.VOID:
        return [_("This invoice is void: nothing to pay.")]
    if invoice.amount_due:
        return []
    if invoice.paid_at is None:
        return [_("Nothing to pay.")]
    return [_("Paid on %(day)s — nothing to pay.") % {"day": day(timezone.localdate(invoice.paid_at))}]


def _online(invoice: Invoice) -> dict[str, str] | None:
    """The invoice's page in the portal; none where this agreement, profile or amount cannot be paid by card at all."""
    profile = invoice.profile
    limit = card_limit(profile)
    if not profile.account.can_pay_by_card or profile.status != BillingProfile.Status.ACTIVE:
        return None
    if limit is not None and limit < invoice.amount_due:
        return None
    address = reverse("invoices:detail", args=[profile.code, invoice.number])
    return {
        "title": _("Online, by card"),
        "text": _("Sign in, open this invoice and choose Pay now:"),
        "url": f"{settings.PUBLIC_URL}{address}",
    }


def _bank(invoice: Invoice) -> dict[str, Any] | None:
    seller = invoice.seller
    iban = seller.get("iban", "").replace(" ", "")
    if not iban:
        return None
    rows = [
        (_("Account holder"), seller.get("account_holder") or seller.get("name", "")),
        (_("IBAN"), " ".join(iban[start : start + 4] for start in range(0, len(iban), 4))),
        (_("BIC"), seller.get("bic", "")),
        (_("Bank"), seller.get("bank", "")),
        (_("Reference"), invoice.payment_reference),
        (_("Amount"), invoice.amount_due.format()),
        (_("Pay by"), day(invoice.due_on)),
    ]
    return {
        "title": _("By wire transfer"),
        "rows": [row for row in rows if row[1]],
        "note": _("Name the reference and pay the exact amount, one transfer for each invoice."),
    }
