"""What documents say of tax: rates, the table by category and rate, and the words that the law asks for."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from invoices.documents.figures import day, exchange_rate, figure, percentage
from invoices.exchange import Quote, seller_tax
from invoices.models import CreditNote, Invoice
from invoices.money import Money
from invoices.tax import BETWEEN_REASONS, Tax, TaxCategory

# The words for reverse charge that article 226, 11a of the VAT Directive asks for, in the languages of the seller's
# country (as Directive 2010/45/EU has them; United Kingdom: VAT Regulations 1995, 14.1o).
REVERSE_CHARGE = {
    "AT": "Steuerschuldnerschaft des Leistungsempfängers",
    "BE": "Btw verlegd; Autoliquidation",
    "BG": "Обратно начисляване",
    "CY": "Αντίστροφη επιβάρυνση",
    "CZ": "Daň odvede zákazník",
    "DE": "Steuerschuldnerschaft des Leistungsempfängers",
    "DK": "Omvendt betalingspligt",
    "EE": "Pöördmaksustamine",
    "ES": "Inversión del sujeto pasivo",
    "FI": "Käännetty verovelvollisuus",
    "FR": "Autoliquidation",
    "GB": "Reverse charge",
    "GR": "Αντίστροφη επιβάρυνση",
    "HR": "Prijenos porezne obveze",
    "HU": "Fordított adózás",
    "IE": "Reverse charge",
    "IT": "Inversione contabile",
    "LT": "Atvirkštinis apmokestinimas",
    "LU": "Autoliquidation",
    "LV": "Nodokļa apgrieztā maksāšana",
    "MT": "Inverżjoni tal-ħlas",
    "NL": "Btw verlegd",
    "PL": "Odwrotne obciążenie",
    "PT": "Autoliquidação",
    "RO": "Taxare inversă",
    "SE": "Omvänd betalningsskyldighet",
    "SI": "Obrnjena davčna obveznost",
    "SK": "Prenesenie daňovej povinnosti",
}
REDUCED_RATES = {"JP": Decimal(8)}
MARK = "※"


def tax_text(category: str, rate: Decimal) -> str:
    """How a line is taxed, in a column: ``21%``, and for what is not taxed the code of its category: ``0% (AE)``."""
    return percentage(rate) if category == TaxCategory.STANDARD else f"{percentage(rate)} ({category})"


def is_reduced(rate: Decimal, country: str) -> bool:
    """Whether the law of the seller's country wants the lines of a reduced rate marked."""
    return REDUCED_RATES.get(country) == rate


def reduced_rate_note(country: str) -> str:
    return _("%(mark)s Reduced tax rate of %(rate)s") % {"mark": MARK, "rate": percentage(REDUCED_RATES[country])}


def tax_summary(document: Invoice | CreditNote, note: str) -> dict[str, Any] | None:
    """The taxable amount and the tax of each category and rate, and why there is none. None for a document without
    lines. ``note`` stands below them. One query."""
    taxes = [row.as_tax for row in document.taxes.order_by("pk")]
    if not taxes:
        return None
    country = document.seller.get("country", "")
    rows = [
        [tax_label(tax, country), *figures(tax.taxable_minor, tax.tax_minor, document.currency)] for tax in taxes
    ]  # fmt: skip
    return {
        "title": _("Tax"),
        "head": [_("Tax rate"), _("Taxable amount"), _("Tax"), _("Total")],
        "rows": rows,
        "notes": [note] if note else [],
    }


def figures(amount_minor: int, tax_minor: int, currency: str) -> list[str]:
    return [figure(Money(minor, currency)) for minor in (amount_minor, tax_minor, amount_minor + tax_minor)]


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


def tax_label(tax: Tax, country: str = "") -> str:
    """``21%``, or ``0% (AE), Reverse charge (VATEX-EU-AE)``. With the seller's ``country``, as its documents say it:
    the words of its law, and the mark of a reduced rate."""
    rate = tax_text(tax.category, tax.rate)
    if tax.category == TaxCategory.ZERO:
        return f"{rate}, {TaxCategory.ZERO.label}"
    if is_reduced(tax.rate, country):
        return f"{rate} {MARK}"
    code = f"({tax.exemption_code})" if tax.exemption_code else ""
    reason = " ".join(part for part in (reason_text(tax, country), code) if part)
    return ", ".join(part for part in (rate, reason) if part)


def reason_text(tax: Tax, country: str = "") -> str:
    """Why there is no tax, in the language that is active. Reverse charge is besides said in the words of the law of
    the seller's ``country``, whatever reason a tax rate gives: the law asks for the words."""
    reasons = [_(reason) for reason in tax.exemption_reason.split(BETWEEN_REASONS) if reason]
    if tax.category == TaxCategory.REVERSE_CHARGE and country:
        said = BETWEEN_REASONS.join(reasons).casefold()
        words = (REVERSE_CHARGE.get(country) or _("Reverse charge")).split(BETWEEN_REASONS)
        reasons += [some for some in words if some.casefold() not in said]
    return BETWEEN_REASONS.join(reasons)
