"""The PDF of an invoice as it was issued, whenever it is made, in the language that is active.

What has happened since (payments, credit notes, a void) stands on the invoice's page and in documents of its own.
"""

from copy import copy
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from stdnum import iban

from accounts.company_numbers import number_label
from billing_portal.core.postal_addresses import address_lines
from invoices.documents.figures import counted, day, exchange_rate, figure, percentage, unit_price
from invoices.documents.typesetting import typeset
from invoices.exchange import Quote, seller_tax
from invoices.models import CreditNote, Invoice, InvoiceLine, PeriodClosing
from invoices.money import Money
from invoices.payability import card_limit, card_limit_text
from invoices.remittances import Remittance, has_payment_code, in_fours, payment_code_svg
from invoices.states import InvoiceStatus, Label
from invoices.tax import BETWEEN_REASONS, Tax, TaxCategory

TEMPLATE = Path(__file__).with_name("invoice.typ")


def invoice_pdf(invoice: Invoice, *, at: datetime) -> bytes:
    """Needs an issued invoice with ``profile.account`` loaded; three queries. Never call it inside a transaction."""
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
    invoice = as_issued(invoice)
    lines = list(invoice.lines.order_by("position", "pk"))
    title, number = _("Invoice %(number)s") % {"number": invoice.number}, str(invoice.number)
    status = {"text": str(Label.PAID.label), "tone": "good"} if invoice.status == InvoiceStatus.PAID else None
    return {
        **frame(title, kind=_("Invoice"), number=number, seller=invoice.seller, status=status),
        "parties": parties(invoice.buyer),
        "amount": _amount(invoice),
        "summary": {"title": _("Invoice summary"), "rows": _summary(invoice)},
        "billing": {"title": _("Billing summary"), "rows": _billing(invoice)},
        "charges": charges(invoice, lines),
        "tax": tax_summary(invoice, seller_tax_text(invoice, invoice.seller_tax_minor)),
        "pay": how_to_pay(invoice),
    }


def frame(title: str, *, kind: str, number: str, seller: dict[str, Any], status: Any = None) -> dict[str, Any]:
    """What every document has: its names, the seller in head and foot, the page number for the template to fill in."""
    address = address_lines(seller, get_language() or "en")
    lines = [line for line in (*address, *numbers_of(seller["numbers"], seller["country"]), seller["email"]) if line]
    return {
        "language": get_language() or "en",
        "title": title,
        "kind": kind,
        "number": number,
        "status": status,
        "page": _("Page %(page)s of %(pages)s") % {"page": "{page}", "pages": "{pages}"},
        "seller": {"name": seller.get("name", ""), "lines": lines},
        "footer": " · ".join(part for part in (seller.get("name", ""), *lines) if part),
    }


def parties(buyer: dict[str, Any]) -> list[dict[str, Any]]:
    """Who bought, from the copy that the document keeps."""
    language = get_language() or "en"
    numbers = numbers_of(buyer["numbers"], buyer["sold_to"]["country"])
    return [
        {"label": _("Sold to"), "lines": [*address_lines(buyer["sold_to"], language), *numbers]},
        {"label": _("Bill to"), "lines": address_lines(buyer["bill_to"], language)},
    ]


def numbers_of(numbers: list[dict[str, str]], country: str) -> list[str]:
    """Numbers of a company, each with what it is called in its country."""
    return [f"{number_label(number['kind'], country)}: {number['value']}" for number in numbers]


def sum_row(label: str, minor: int, currency: str, *, strong: bool = False) -> dict[str, Any]:
    return {"label": label, "value": Money(minor, currency).format(), "strong": strong}


def figures(amount_minor: int, tax_minor: int, currency: str) -> list[str]:
    return [figure(Money(minor, currency)) for minor in (amount_minor, tax_minor, amount_minor + tax_minor)]


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
        (_("Carried over"), _brought_to(invoice)),
        (_("PO number"), invoice.po_number),
        (_("Billing profile"), invoice.buyer.get("profile", "")),
        (_("Type"), str(invoice.get_kind_display())),
        (_("Your reference"), invoice.source_reference),
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
    return [
        sum_row(_("Charges, without tax"), invoice.charges_minor, currency),
        sum_row(_("Tax"), invoice.tax_minor, currency),
        sum_row(_("Total"), invoice.total_minor, currency, strong=True),
        *credited,
        sum_row(_("Amount due"), invoice.amount_due_minor, currency, strong=True),
    ]


def charges(invoice: Invoice, lines: list[InvoiceLine]) -> dict[str, Any]:
    """Lines grouped by section, in the order in which the sections first appear; lines without one have no name.
    Discounts on the whole invoice come last."""
    places: dict[str, int] = {}
    for line in lines:
        places.setdefault(line.section_name, len(places))
    in_order = sorted(lines, key=lambda line: (line.is_allowance, places[line.section_name]))
    groups = [
        _group(_("Discounts") if is_allowance else name, list(members), invoice.currency)
        for (is_allowance, name), members in groupby(in_order, key=attrgetter("is_allowance", "section_name"))
    ]
    return {
        "title": _("Charges by invoice section") if any(places) else _("Charges"),
        "note": _("Amounts in %(currency)s.") % {"currency": invoice.currency},
        "head": [
            _("Description"), _("Quantity"), _("Unit price"), _("Tax rate"), _("Amount"),
        ],
        "groups": groups,
        "total": [_("Total, without tax"), figure(Money(invoice.charges_minor, invoice.currency))],
    }  # fmt: skip


def _group(name: str, lines: list[InvoiceLine], currency: str) -> dict[str, Any]:
    total = figure(Money(sum(line.amount_minor for line in lines), currency))
    return {
        "name": name,
        "rows": [_row(line, currency) for line in lines],
        "label": _("Total of %(section)s") % {"section": name},
        "total": [total] if name and len(lines) > 1 else None,
    }


def _row(line: InvoiceLine, currency: str) -> list[str]:
    amount = figure(Money(line.amount_minor, currency))
    rate = tax_text(line.tax_category, line.tax_rate)
    return [
        line.description, counted(line.quantity, line.unit), unit_price(line.unit_price, currency), rate, amount,
    ]  # fmt: skip


def tax_text(category: str, rate: Decimal) -> str:
    """How a line is taxed, in a column: ``21%``, and for what is not taxed the code of its category: ``0% (AE)``."""
    return percentage(rate) if category == TaxCategory.STANDARD else f"{percentage(rate)} ({category})"


def tax_summary(document: Invoice | CreditNote, note: str) -> dict[str, Any] | None:
    """The taxable amount and the tax of each category and rate, and why there is none. None for a document without
    lines. ``note`` stands below them. One query."""
    taxes = [row.as_tax for row in document.taxes.order_by("pk")]
    if not taxes:
        return None
    rows = [[tax_label(tax), *figures(tax.taxable_minor, tax.tax_minor, document.currency)] for tax in taxes]
    return {"title": _("Tax"), "head": [_("Tax rate"), _("Taxable amount"), _("Tax"), _("Total")], "rows": rows,
            "note": note}  # fmt: skip


def seller_tax_text(invoice: Invoice, minor: int | None) -> str:
    """The tax of an invoice, or of a credit note of it, in the seller's currency: "Tax in EUR: €19.35, at 1 EUR =
    1.0850 USD (ECB, 23 October 2026)." Empty where that is the invoice's own."""
    amount = seller_tax(invoice, minor)
    if amount is None:
        return ""
    quote = Quote.of_json(invoice.exchange)
    published = ", ".join(part for part in (quote.source, day(quote.on)) if part)
    rate = f"1 {quote.base} = {exchange_rate(quote.rate)} {quote.other} ({published})"
    return _("Tax in %(currency)s: %(amount)s, at %(rate)s.") % {
        "currency": amount.currency, "amount": amount.format(), "rate": rate,
    }  # fmt: skip


def tax_label(tax: Tax) -> str:
    """``21%``, or ``0% (AE), Reverse charge (VATEX-EU-AE)``."""
    if tax.category == TaxCategory.ZERO:
        return f"{tax_text(tax.category, tax.rate)}, {TaxCategory.ZERO.label}"
    code = f"({tax.exemption_code})" if tax.exemption_code else ""
    reasons = [_(reason) for reason in tax.exemption_reason.split(BETWEEN_REASONS) if reason]
    reason = " ".join(part for part in (BETWEEN_REASONS.join(reasons), code) if part)
    return ", ".join(part for part in (tax_text(tax.category, tax.rate), reason) if part)


def how_to_pay(invoice: Invoice) -> dict[str, Any]:
    """Sentences, and for an invoice with something due the ways to pay it: online, and by wire transfer."""
    block: dict[str, Any] = {"title": _("How to pay"), "sentences": [], "online": None, "bank": None}
    if not invoice.amount_due:
        return block | {"sentences": [_("Nothing to pay.")]}
    limit, sentences, bank = card_limit(invoice.profile), [], _bank(invoice)
    is_over_limit = limit is not None and limit < invoice.amount_due
    if limit is not None and is_over_limit:
        sentences.append(card_limit_text(limit))
    if bank is None:
        sentences.append(_contact(invoice))
    return block | {"sentences": sentences, "online": None if is_over_limit else _online(invoice), "bank": bank}


def _online(invoice: Invoice) -> dict[str, str] | None:
    """The invoice's page in the portal; none where this agreement or profile cannot pay by card at all."""
    profile = invoice.profile
    if not profile.account.can_pay_by_card or profile.is_closed:
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
        (_("IBAN") if iban.is_valid(remittance.iban) else _("Account number"), remittance.grouped_iban),
        (_("BIC"), remittance.bic),
        (_("Bank"), remittance.bank),
        (_("Reference"), in_fours(invoice.payment_reference)),
        (_("Amount"), invoice.amount_due.format()),
        (_("Pay by"), day(invoice.due_on)),
    ]
    code = None
    if has_payment_code(remittance, invoice.amount_due):
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


def _contact(invoice: Invoice) -> str:
    email = invoice.seller.get("email", "")
    text = _("For a wire transfer in %(currency)s, ask us for our bank details: %(email)s.")
    return text % {"currency": invoice.currency, "email": email or invoice.seller.get("name", "")}
