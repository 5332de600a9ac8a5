"""What keeps a document itself from being an e-invoice: amounts, taxes, references, and how it is paid."""

from collections import Counter
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

from django.utils.translation import gettext as _
from stdnum import iban

from billing_portal.core.exact_decimals import plain
from billing_portal.core.iso_codes import is_current_currency
from invoices.documents.einvoice.codes import CATEGORY_OF_EXEMPTION, EXEMPTION_CODES, UNKNOWN_CURRENCIES
from invoices.documents.einvoice.faults import ADDRESSED, PEPPOL, XRECHNUNG, About, Checks, is_dutch, is_german
from invoices.documents.einvoice.terms import Format, Means, Terms
from invoices.money import Money, exponent
from invoices.tax import WITH_REASON, TaxCategory

CHECKS = Checks()
TRANSFERS = {Means.TRANSFER, Means.SEPA_TRANSFER}
DUTCH_MEANS = {"30", "48", "49", "57", "58", "59"}


@CHECKS.add(About.DOCUMENT, "UBL-DT-01", "BR-DEC")
def decimals(terms: Terms, _form: Format) -> Iterator[str]:
    """EN 16931 of 2017 has two decimals, so dinars in thousandths cannot be written."""
    currencies = {terms.currency, terms.seller_tax.currency if terms.seller_tax else terms.currency}
    for currency in sorted(currencies):
        if exponent(currency) > 2:
            text = _("An e-invoice has no third decimal, which amounts in %(currency)s have. Choose PDF.")
            yield text % {"currency": currency}


@CHECKS.add(About.DOCUMENT, "BR-CL-03", "BR-CL-04", "BR-CL-05", "PEPPOL-EN16931-CL007")
def currency(terms: Terms, _form: Format) -> Iterator[str]:
    for code in sorted({terms.currency, terms.seller_tax.currency if terms.seller_tax else terms.currency}):
        if code in UNKNOWN_CURRENCIES or not is_current_currency(code):
            text = _("%(currency)s is not a currency in which e-invoices can be written. Choose PDF.")
            yield text % {"currency": code}


@CHECKS.add(About.BUYER, "PEPPOL-EN16931-R003", formats=PEPPOL)
def reference(terms: Terms, _form: Format) -> Iterator[str]:
    if not (terms.buyer_reference or terms.order_reference):
        yield _("The buyer reference and the PO number are missing. Add one of them under Properties.")


@CHECKS.add(About.BUYER, "BR-DE-15", "DE-R-015", formats=ADDRESSED)
def buyer_reference(terms: Terms, form: Format) -> Iterator[str]:
    if is_german(terms, form) and not terms.buyer_reference:
        yield _("The buyer reference, such as a Leitweg-ID, is missing. Add it under Properties.")


@CHECKS.add(About.DOCUMENT, "BR-16")
def lines(terms: Terms, _form: Format) -> Iterator[str]:
    if not terms.lines:
        yield _("The document has no lines. Choose PDF.")


@CHECKS.add(About.DOCUMENT, "BR-29")
def period(terms: Terms, _form: Format) -> Iterator[str]:
    if terms.period and terms.period.end < terms.period.start:
        yield _("The billing period ends before it starts. Correct it on the draft.")


@CHECKS.add(About.DOCUMENT, "BR-O-11", "BR-O-12", "BR-O-13", "BR-O-14")
def outside_alone(terms: Terms, _form: Format) -> Iterator[str]:
    if TaxCategory.OUTSIDE in terms.categories and len(terms.categories) > 1:
        yield _("What is not subject to tax needs an invoice of its own, without lines of another tax category.")


@CHECKS.add(About.DOCUMENT, "BR-E-10", "BR-AE-10", "BR-IC-10", "BR-G-10", "BR-O-10")
def exemption_reason(terms: Terms, _form: Format) -> Iterator[str]:
    for tax in terms.taxes:
        if tax.category in WITH_REASON and not (tax.exemption_reason or tax.exemption_code):
            text = _("The reason why there is no tax in the category “%(category)s” is missing. Add it to the lines.")
            yield text % {"category": TaxCategory(tax.category).label}


@CHECKS.add(About.DOCUMENT, "BR-CL-22")
def exemption_code(terms: Terms, _form: Format) -> Iterator[str]:
    for tax in terms.taxes:
        if tax.exemption_code and tax.exemption_code not in EXEMPTION_CODES:
            text = _("%(code)s is not in the list of VATEX codes. Correct it on the lines.")
            yield text % {"code": tax.exemption_code}


@CHECKS.add(About.DOCUMENT, *(f"PEPPOL-EN16931-P01{number:02}" for number in range(4, 12)), formats=PEPPOL)
def exemption_category(terms: Terms, _form: Format) -> Iterator[str]:
    for tax in terms.taxes:
        category = CATEGORY_OF_EXEMPTION.get(tax.exemption_code, tax.category)
        if category != tax.category:
            text = _("%(code)s is a code of the tax category “%(category)s”. Correct it on the lines.")
            yield text % {"code": tax.exemption_code, "category": TaxCategory(category).label}


@CHECKS.add(About.DOCUMENT, "BR-CO-17", "BR-S-09")
def tax_of_rate(terms: Terms, _form: Format) -> Iterator[str]:
    """The rules round a rate below a half percent to none. They let a tax be less than one unit off its rate; that of a
    credit note over what others left may be more."""
    for tax in terms.taxes:
        amount = abs(Money(tax.tax_minor, terms.currency).amount)
        taxable = abs(Money(tax.taxable_minor, terms.currency).amount)
        expected = (taxable * tax.rate / 100).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
        is_none = tax.rate < Decimal("0.5")
        if (is_none and amount >= Decimal("0.5")) or (not is_none and abs(amount - expected) >= 1):
            text = _("An e-invoice cannot have a tax of %(tax)s at %(rate)s percent on %(net)s. Choose PDF.")
            yield text % {
                "tax": Money(tax.tax_minor, terms.currency), "rate": plain(tax.rate),
                "net": Money(tax.taxable_minor, terms.currency),
            }  # fmt: skip


@CHECKS.add(
    About.DOCUMENT, "BR-CO-18", "BR-S-01", "BR-S-08", "BR-Z-08", "BR-E-08", "BR-AE-08", "BR-IC-08", "BR-G-08", "BR-O-08"
)
def tax_of_lines(terms: Terms, _form: Format) -> Iterator[str]:
    """A credit note over a rest of tax has no line of its rate."""
    nets = Counter[tuple[str, Decimal]]()
    for line in terms.lines:
        nets[line.category, line.rate] += line.net_minor
    for part in terms.allowances:
        nets[part.category, part.rate] += part.amount_minor if part.is_charge else -part.amount_minor
    taxed = {tax.treatment: tax.taxable_minor for tax in terms.taxes}
    for category, rate in sorted({*nets, *taxed}):
        if (category, rate) not in nets or nets[category, rate] != taxed.get((category, rate)):
            text = _("The tax at %(rate)s percent is not that of the lines: this cannot be an e-invoice. Choose PDF.")
            yield text % {"rate": plain(rate)}


# Paying


@CHECKS.add(About.DOCUMENT, "NL-R-008", formats=PEPPOL)
def means_of_payment(terms: Terms, _form: Format) -> Iterator[str]:
    """Paying in the portal has a code of its own, which the Netherlands do not take."""
    means = terms.payment.means
    if means and is_dutch(terms) and means not in DUTCH_MEANS and not terms.is_credit_note:
        text = _("There is no bank account in %(currency)s to pay to. Add one under remittance accounts.")
        yield text % {"currency": terms.currency}


@CHECKS.add(About.DOCUMENT, "BR-50", "BR-61", "BR-DE-23-a", "DE-R-023-1")
def account(terms: Terms, _form: Format) -> Iterator[str]:
    payment = terms.payment
    if payment.means in TRANSFERS and not (payment.account and payment.account.number):
        yield _("The number of the bank account is missing. Add it under remittance accounts.")


@CHECKS.add(About.DOCUMENT, "BR-DE-19", formats=XRECHNUNG)
def account_number(terms: Terms, _form: Format) -> Iterator[str]:
    payment = terms.payment
    if payment.means == Means.SEPA_TRANSFER and payment.account and not iban.is_valid(payment.account.number):
        yield _("The IBAN of the bank account is wrong. Correct it under remittance accounts.")


@CHECKS.add(About.DOCUMENT, "BR-DE-24-a", "DE-R-024-1", formats=ADDRESSED)
def card(terms: Terms, form: Format) -> Iterator[str]:
    if not is_german(terms, form):
        return
    if terms.payment.means == Means.CARD and not (terms.payment.card and terms.payment.card.last_four):
        yield _("The last digits of the card that is charged are missing.")


@CHECKS.add(About.DOCUMENT, "PEPPOL-EN16931-R061", "BR-DE-30", "BR-DE-31", "BR-DE-25-a", formats=ADDRESSED)
def mandate(terms: Terms, form: Format) -> Iterator[str]:
    if terms.payment.means != Means.SEPA_DEBIT:
        return
    mandate = terms.payment.mandate
    if mandate is None or not mandate.reference or (is_german(terms, form) and not all(mandate)):
        yield _("The mandate of the direct debit, the creditor's identifier or the account to debit is missing.")
