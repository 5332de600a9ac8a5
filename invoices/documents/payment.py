"""The block of an invoice that says how to pay it, or that there is nothing to pay."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from invoices.documents.figures import day
from invoices.models import Invoice
from invoices.payability import card_limit, card_limit_text, in_progress_text
from invoices.remittances import IBAN, Remittance, in_fours, payment_code, payment_code_svg
from invoices.states import InvoiceStatus


def how_to_pay(invoice: Invoice) -> dict[str, Any]:
    """Sentences, and for an invoice with something due the ways to pay it: online, and by wire transfer when we had an
    account in its currency at issue."""
    sentences = _nothing_to_pay(invoice)
    if sentences:
        return {"title": _("How to pay"), "sentences": sentences, "online": None, "bank": None}
    sentences = []
    if invoice.is_being_paid:
        sentences = [_("A payment is in progress. Do not pay again."), in_progress_text(invoice)]
    online, bank = _online(invoice), _bank(invoice)
    limit = card_limit(invoice.profile)
    if limit is not None and limit < invoice.amount_due:
        sentences.append(card_limit_text(limit))
    if bank is None:
        sentences.append(_contact(invoice))
    return {"title": _("How to pay"), "sentences": sentences, "online": online, "bank": bank}


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
    if not profile.account.can_pay_by_card or profile.is_closed:
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
    """From the copy that the invoice keeps, so that the document stays what it was."""
    remittance = Remittance.printed_on(invoice)
    if remittance is None:
        return None
    rows = [
        (_("Account holder"), remittance.holder),
        (_("IBAN") if IBAN.fullmatch(remittance.iban) else _("Account number"), remittance.grouped_iban),
        (_("BIC"), remittance.bic),
        (_("Bank"), remittance.bank),
        (_("Reference"), in_fours(invoice.payment_reference)),
        (_("Amount"), invoice.amount_due.format()),
        (_("Pay by"), day(invoice.due_on)),
    ]
    code = ""
    if not invoice.is_being_paid:
        code = payment_code(remittance, invoice.amount_due, invoice.payment_reference)
    since = _("Our bank details since %(day)s.") % {"day": day(remittance.since)} if remittance.since else ""
    return {
        "title": _("By wire transfer"),
        "rows": [row for row in rows if row[1]],
        "note": " ".join([_("Name the reference and pay the exact amount, one transfer for each invoice."), since]),
        "code": {"svg": payment_code_svg(code), "text": _("Scan with your banking app")} if code else None,
        "check": _check(remittance),
    }


def _check(remittance: Remittance) -> dict[str, Any] | None:
    if not remittance.check_lines:
        return None
    return {
        "title": _("By check"),
        "text": _("Made out to the account holder, sent to:"),
        "lines": remittance.check_lines,
    }


def _contact(invoice: Invoice) -> str:
    """What stands there instead of an account that we do not have in this currency."""
    email = invoice.seller.get("email", "")
    text = _("For a wire transfer in %(currency)s, ask us for our bank details: %(email)s.")
    return text % {"currency": invoice.currency, "email": email or invoice.seller.get("name", "")}
