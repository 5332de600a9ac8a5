"""How an invoice says that it can be paid: online, by wire transfer, and by check. From the copies that it keeps alone,
so that a document which is made late says what held at issue."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override, pgettext
from stdnum import iban

from invoices.documents.figures import day
from invoices.documents.letterhead import language
from invoices.models import Invoice
from invoices.money import Money
from invoices.payability import card_limit_text
from invoices.payment_codes import SwissBill, belgian_communication, bill_of
from invoices.remittances import Remittance, has_payment_code, in_fours, payment_code_svg


def how_to_pay(invoice: Invoice) -> dict[str, Any]:
    """Sentences, and for an invoice with something due the ways to pay it: online, and by wire transfer."""
    block: dict[str, Any] = {"title": _("How to pay"), "sentences": [], "online": None, "bank": None, "slip": None}
    if not invoice.amount_due:
        return block | {"sentences": [_("Nothing to pay.")]}
    limit_minor, sentences, remittance = invoice.buyer["card_limit_minor"], [], Remittance.printed_on(invoice)
    is_over_limit = limit_minor is not None and limit_minor < invoice.amount_due_minor
    if is_over_limit:
        sentences.append(card_limit_text(Money(limit_minor, invoice.currency)))
    if remittance is None:
        sentences.append(_contact(invoice))
    bill = bill_of(invoice, remittance) if remittance is not None else None
    return block | {
        "sentences": sentences,
        "online": None if is_over_limit else _online(invoice),
        "bank": _bank(invoice, remittance, has_bill=bill is not None) if remittance is not None else None,
        "slip": _slip(bill) if bill is not None else None,
    }


def _online(invoice: Invoice) -> dict[str, str] | None:
    """The invoice's page in the portal; none where at issue it could not be paid by card at all."""
    if not invoice.buyer["is_payable_online"]:
        return None
    address = reverse("invoices:detail", args=[invoice.profile.code, invoice.number])
    return {
        "title": _("Online, by card"),
        "text": _("Sign in, open this invoice and choose Pay now:"),
        "url": f"{settings.PUBLIC_URL}{address}",
    }


def _bank(invoice: Invoice, remittance: Remittance, *, has_bill: bool) -> dict[str, Any]:
    """From the copy that the invoice keeps, so that the document stays what it was."""
    rows = [
        (_("Account holder"), remittance.holder),
        (_("IBAN") if iban.is_valid(remittance.iban) else _("Account number"), remittance.grouped_iban),
        (_("BIC"), remittance.bic),
        (_("Bank"), remittance.bank),
        (_("Reference"), in_fours(invoice.payment_reference)),
        (_("Structured communication"), belgian_communication(remittance, invoice.payment_reference)),
        (_("Amount"), invoice.amount_due.format()),
        (_("Pay by"), day(invoice.due_on)),
    ]
    code = None
    if has_payment_code(remittance, invoice.amount_due) and not has_bill:
        svg = payment_code_svg(remittance, invoice.amount_due, invoice.payment_reference)
        code = {"svg": svg, "text": _("Scan with your banking app")}
    since = _("Our bank details since %(day)s.") % {"day": day(remittance.since)} if remittance.since else ""
    return {
        "title": _("By wire transfer"),
        "rows": [row for row in rows if row[1]],
        "note": " ".join([_("Name the reference and pay the exact amount, one transfer for each invoice."), since]),
        "code": code,
        "check": {
            "title": _("By check"),
            "text": _("Made out to the account holder, sent to:"),
            "lines": remittance.check_address.splitlines(),
        } if remittance.check_address else None,
    }  # fmt: skip


def _slip(bill: SwissBill) -> dict[str, Any]:
    """The payment part with the words of the Swiss guidelines, which are German, French, Italian or English."""
    with override(language() if language() in {"de", "fr"} else "en"):
        words = {
            "receipt": pgettext("QR bill", "Receipt"),
            "part": pgettext("QR bill", "Payment part"),
            "account": pgettext("QR bill", "Account / Payable to"),
            "reference": pgettext("QR bill", "Reference"),
            "debtor": pgettext("QR bill", "Payable by"),
            "open": pgettext("QR bill", "Payable by (name/address)"),
            "currency": pgettext("QR bill", "Currency"),
            "amount": pgettext("QR bill", "Amount"),
            "point": pgettext("QR bill", "Acceptance point"),
            "separate": pgettext("QR bill", "Separate before paying in"),
            "alt": pgettext("QR bill", "Swiss QR code"),
        }
    return bill._asdict() | {"words": words}


def _contact(invoice: Invoice) -> str:
    email = invoice.seller.get("email", "")
    text = _("For a wire transfer in %(currency)s, ask us for our bank details: %(email)s.")
    return text % {"currency": invoice.currency, "email": email or invoice.seller.get("name", "")}
