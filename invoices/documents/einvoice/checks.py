"""What an e-invoice lacks, before it is issued: in words for staff and customers, each with where to put it right.

Each check answers for the rules it names, those of EN 16931 (BR), Peppol BIS Billing 3 (PEPPOL, NL-R, DE-R) and
XRechnung (BR-DE) that are fatal and that stored data can break. What no data can break is right by how the terms are
made and written; tests hold both against the official rules.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from stdnum import iban

from billing_portal.core.exact_decimals import plain
from billing_portal.core.iso_codes import countries, is_current_currency
from invoices.documents.einvoice.codes import (
    CATEGORY_OF_EXEMPTION,
    ENDPOINT_SCHEMES,
    EXEMPTION_CODES,
    PEPPOL_ENDPOINT_SCHEMES,
    UNKNOWN_CURRENCIES,
)
from invoices.documents.einvoice.identifiers import EMAIL, is_of_scheme
from invoices.documents.einvoice.terms import (
    Address,
    Format,
    Line,
    Means,
    Party,
    Terms,
    buyer_of,
    seller_of,
)
from invoices.money import Money, exponent
from invoices.tax import NEEDS_VAT_NUMBER, WITH_REASON, Tax, TaxCategory
from invoices.units import ONE


class About(models.TextChoices):
    """Whose data a fault is in, and so who can put it right."""

    SELLER = "seller", gettext_lazy("Seller")
    BUYER = "buyer", gettext_lazy("Customer")
    DOCUMENT = "document", gettext_lazy("Document")


class Fault(NamedTuple):
    """Something that a document lacks in its format. The text may be shown to staff, that about the buyer to the
    customer too."""

    check: str
    about: About
    text: str


ALL = frozenset({Format.FACTURX, Format.UBL, Format.XRECHNUNG, Format.EN16931})
PEPPOL, XRECHNUNG = frozenset({Format.UBL}), frozenset({Format.XRECHNUNG})
ADDRESSED = PEPPOL | XRECHNUNG
# Sellers there have rules of Peppol that ask for what is stored nowhere (DK-R, GR-R, IS-R, IT-R, NO-R, SE-R).
NOT_FROM = frozenset({"DK", "EL", "GR", "IS", "IT", "NO", "SE"})
DUTCH_MEANS = {"30", "48", "49", "57", "58", "59"}
# Which the portal takes and the rules do not know: Kosovo, written 1A there.
NO_COUNTRY = {"XK"}
# Of VAT numbers of Greece, of Northern Ireland and of Kosovo.
VAT_PREFIXES = {"EL", "XI", "1A"}


class Check(NamedTuple):
    """``finds`` yields a text for each fault. ``rules`` are those of which it makes sure."""

    name: str
    about: About
    formats: frozenset[Format]
    rules: Sequence[str]
    finds: Callable[[Terms, Format], Iterator[str]]


CHECKS: list[Check] = []
type Finds = Callable[[Terms, Format], Iterator[str]]


def _check(about: About, *rules: str, formats: frozenset[Format] = ALL) -> Callable[[Finds], Finds]:
    def register(finds: Finds) -> Finds:
        CHECKS.append(Check(finds.__name__, about, formats, rules, finds))
        return finds

    return register


def missing(terms: Terms, form: Format, *, checks: Sequence[Check] | None = None) -> list[Fault]:
    """What keeps a document from being an e-invoice of that format, in the language that is active; empty when nothing
    does. A PDF alone lacks nothing."""
    return [
        Fault(check.name, check.about, text)
        for check in (CHECKS if checks is None else checks)
        if form in check.formats
        for text in check.finds(terms, form)
    ]


def missing_of_parties(
    seller: Mapping[str, Any], buyer: Mapping[str, Any], form: Format, *, po_number: str = ""
) -> list[Fault]:
    """What of seller and buyer, each as an invoice would keep it, a taxed invoice of that format lacks; for the pages
    where they are edited."""
    line = Line("1", Decimal(1), ONE, Decimal(1), 100, TaxCategory.STANDARD, Decimal(20))
    tax = Tax(TaxCategory.STANDARD, Decimal(20), 100, 20)
    terms = Terms(
        "1", date(2026, 1, 1), "EUR", seller_of(seller), buyer_of(buyer), [line], [tax],
        buyer_reference=str(buyer.get("reference", "")), order_reference=po_number,
    )  # fmt: skip
    return [fault for fault in missing(terms, form) if fault.about != About.DOCUMENT]


def _is_german(terms: Terms, form: Format) -> bool:
    """Whether the rules of XRechnung hold, which Peppol has for seller and buyer in Germany (DE-R)."""
    return form == Format.XRECHNUNG or terms.seller.address.country == terms.buyer.address.country == "DE"


def _in_the_netherlands(terms: Terms) -> bool:
    return terms.seller.address.country == terms.buyer.address.country == "NL"


def _lacking(address: Address, *names: str) -> str:
    words = {"street": _("street"), "postal_code": _("postal code"), "city": _("city")}
    return ", ".join(words[name] for name in names if not getattr(address, name))


def _seller_lacks(what: str) -> str:
    return _("The seller's %(what)s is missing. Add it to the seller in the staff pages.") % {"what": what}


def _buyer_lacks(what: str) -> str:
    return _("The buyer's %(what)s is missing. Add it under Properties.") % {"what": what}


# The parties


@_check(About.SELLER, "BR-06")
def seller_name(terms: Terms, _form: Format) -> Iterator[str]:
    if not terms.seller.name:
        yield _seller_lacks(_("name"))


@_check(About.BUYER, "BR-07")
def buyer_name(terms: Terms, _form: Format) -> Iterator[str]:
    if not terms.buyer.name:
        yield _buyer_lacks(_("company name"))


@_check(About.SELLER, "BR-09", "BR-CL-14")
def seller_country(terms: Terms, _form: Format) -> Iterator[str]:
    if terms.seller.address.country not in countries() - NO_COUNTRY:
        yield _seller_lacks(_("country"))


@_check(About.BUYER, "BR-11", "BR-57", "BR-CL-14")
def buyer_country(terms: Terms, _form: Format) -> Iterator[str]:
    if terms.buyer.address.country not in countries() - NO_COUNTRY:
        yield _buyer_lacks(_("country"))


@_check(About.SELLER, *(f"{country}-R" for country in sorted(NOT_FROM)), formats=PEPPOL)
def seller_country_supported(terms: Terms, _form: Format) -> Iterator[str]:
    if {terms.seller.address.country, terms.seller.vat[:2]} & NOT_FROM:  # by address or by VAT number
        yield _(
            "Invoices by Peppol from sellers in Denmark, Greece, Iceland, Italy, Norway and Sweden are not supported."
            " Choose another format."
        )


@_check(About.SELLER, "BR-CO-26")
def seller_identified(terms: Terms, _form: Format) -> Iterator[str]:
    if not (terms.seller.vat or terms.seller.company.value):
        yield _seller_lacks(_("company number"))


@_check(
    About.SELLER, "BR-S-02", "BR-S-03", "BR-Z-02", "BR-E-02", "BR-AE-02", "BR-IC-02", "BR-G-02", "BR-DE-16", "DE-R-016"
)
def seller_tax_number(terms: Terms, _form: Format) -> Iterator[str]:
    """What is outside the scope of tax shows no VAT number; export and supply within the Union need that of VAT."""
    seller, categories = terms.seller, terms.categories
    if categories & {TaxCategory.INTRA_COMMUNITY, TaxCategory.EXPORT} and not seller.vat:
        yield _seller_lacks(_("VAT number"))
    elif categories - {TaxCategory.OUTSIDE} and not (seller.vat or seller.tax_registration):
        yield _seller_lacks(_("VAT number or tax number"))


@_check(About.BUYER, "BR-AE-02", "BR-AE-03", "BR-IC-02", "BR-IC-03")
def buyer_tax_number(terms: Terms, _form: Format) -> Iterator[str]:
    """Reverse charge is content with the number of a register, as companies outside Europe have."""
    buyer, categories = terms.buyer, terms.categories
    is_known = buyer.vat or (buyer.company.value and TaxCategory.INTRA_COMMUNITY not in categories)
    if categories & NEEDS_VAT_NUMBER and not is_known:
        yield _(
            "Reverse charge and supply within the European Union need the buyer's VAT number. Add it under Properties."
        )


@_check(About.SELLER, "BR-CO-09", "PEPPOL-COMMON-R056-2")
def seller_vat_number(terms: Terms, _form: Format) -> Iterator[str]:
    if not _is_vat_number(terms.seller.vat):
        text = _(
            "The seller's VAT number %(number)s is not right: it begins with a country, such as NL000000001B64. Correct"
            " it on the seller in the staff pages."
        )
        yield text % {"number": terms.seller.vat}


@_check(About.BUYER, "BR-CO-09", "PEPPOL-COMMON-R056-2")
def buyer_vat_number(terms: Terms, _form: Format) -> Iterator[str]:
    if not _is_vat_number(terms.buyer.vat):
        text = _(
            "The buyer's VAT number %(number)s is not right: it begins with a country, such as NL000000001B64. Correct"
            " it under Properties."
        )
        yield text % {"number": terms.buyer.vat}


def _is_vat_number(number: str) -> bool:
    """Empty for none. A Dutch one has its own form with Peppol."""
    if number.startswith("NL"):
        return re.fullmatch(r"NL[0-9]{9}B[0-9]{2}", number) is not None
    return not number or number[:2] in VAT_PREFIXES | (countries() - NO_COUNTRY)


@_check(About.SELLER, "BR-DE-3", "BR-DE-4", "NL-R-002", "DE-R-003", "DE-R-004", formats=ADDRESSED)
def seller_address(terms: Terms, form: Format) -> Iterator[str]:
    names = ["postal_code", "city"] if _is_german(terms, form) else []
    if form == Format.UBL and terms.seller.address.country == "NL":
        names = ["street", "postal_code", "city"]
    if lacking := _lacking(terms.seller.address, *names):
        yield _seller_lacks(lacking)


@_check(
    About.BUYER, "BR-DE-8", "BR-DE-9", "BR-DE-10", "BR-DE-11", "NL-R-004", "DE-R-008", "DE-R-009", formats=ADDRESSED
)
def buyer_address(terms: Terms, form: Format) -> Iterator[str]:
    """Some countries have no postal codes, so Peppol asks for them in Germany and the Netherlands alone."""
    names = ["postal_code", "city"] if _is_german(terms, form) else []
    if form == Format.UBL and _in_the_netherlands(terms):
        names = ["street", "postal_code", "city"]
    if lacking := _lacking(terms.buyer.address, *names):
        yield _buyer_lacks(lacking)


@_check(
    About.SELLER, "BR-DE-2", "BR-DE-5", "BR-DE-6", "BR-DE-7", "BR-DE-27", "BR-DE-28", "DE-R-002", "DE-R-005",
    "DE-R-006", "DE-R-007", formats=ADDRESSED,
)  # fmt: skip
def seller_contact(terms: Terms, form: Format) -> Iterator[str]:
    if not _is_german(terms, form):
        return
    contact = terms.seller.contact
    if not contact.name:
        yield _seller_lacks(_("contact"))
    if len(re.findall("[0-9]", contact.phone)) < 3:
        yield _seller_lacks(_("phone number"))
    if not EMAIL.fullmatch(contact.email):
        yield _seller_lacks(_("e-mail address"))


# Numbers and endpoints


@_check(About.SELLER, "NL-R-003", "PEPPOL-COMMON", formats=PEPPOL)
def seller_company_number(terms: Terms, _form: Format) -> Iterator[str]:
    if not _is_company_number(terms.seller):
        text = _("The seller's company number %(number)s is not right. Correct it on the seller in the staff pages.")
        yield text % {"number": terms.seller.company.value}


@_check(About.BUYER, "NL-R-005", "PEPPOL-COMMON", formats=PEPPOL)
def buyer_company_number(terms: Terms, _form: Format) -> Iterator[str]:
    if not _is_company_number(terms.buyer):
        text = _("The buyer's company number %(number)s is not right. Correct it under Properties.")
        yield text % {"number": terms.buyer.company.value}


def _is_company_number(party: Party) -> bool:
    number = party.company
    if number.value and party.address.country == "NL" and number.scheme not in {"0106", "0190"}:
        return False
    return is_of_scheme(number.value, number.scheme)


@_check(About.SELLER, "PEPPOL-EN16931-R020", "PEPPOL-EN16931-CL008", "BR-CL-25", formats=ADDRESSED)
def seller_endpoint(terms: Terms, _form: Format) -> Iterator[str]:
    """Peppol does not deliver to an e-mail address, which stands for a seller without an endpoint."""
    if not terms.seller.endpoint.value or terms.seller.endpoint.scheme == "EM":
        yield _seller_lacks(_("endpoint id for e-invoices"))


@_check(About.BUYER, "PEPPOL-EN16931-R010", formats=ADDRESSED)
def buyer_endpoint(terms: Terms, _form: Format) -> Iterator[str]:
    if not terms.buyer.endpoint.value:
        yield _buyer_lacks(_("endpoint id"))


@_check(About.SELLER, "BR-62", "BR-CL-25", "PEPPOL-EN16931-CL008")
def seller_endpoint_scheme(terms: Terms, _form: Format) -> Iterator[str]:
    if terms.seller.endpoint.value and terms.seller.endpoint.scheme not in ENDPOINT_SCHEMES:
        yield _seller_lacks(_("scheme of the endpoint id"))


@_check(About.BUYER, "BR-63", "BR-CL-25")
def buyer_endpoint_scheme(terms: Terms, _form: Format) -> Iterator[str]:
    if terms.buyer.endpoint.value and terms.buyer.endpoint.scheme not in ENDPOINT_SCHEMES:
        yield _buyer_lacks(_("scheme of the endpoint id"))


@_check(About.BUYER, "PEPPOL-EN16931-CL008", formats=PEPPOL)
def buyer_endpoint_in_peppol(terms: Terms, _form: Format) -> Iterator[str]:
    scheme = terms.buyer.endpoint.scheme
    if scheme in ENDPOINT_SCHEMES - PEPPOL_ENDPOINT_SCHEMES:
        text = _("Peppol does not deliver to endpoints of the scheme %(scheme)s. Choose another under Properties.")
        yield text % {"scheme": scheme}


@_check(About.SELLER, "PEPPOL-COMMON", formats=ADDRESSED)
def seller_endpoint_id(terms: Terms, _form: Format) -> Iterator[str]:
    if not is_of_scheme(*terms.seller.endpoint):
        text = _("The seller's endpoint id %(id)s is not one of the scheme %(scheme)s. Correct it in the staff pages.")
        yield text % {"id": terms.seller.endpoint.value, "scheme": terms.seller.endpoint.scheme}


@_check(About.BUYER, "PEPPOL-COMMON", formats=ADDRESSED)
def buyer_endpoint_id(terms: Terms, _form: Format) -> Iterator[str]:
    if not is_of_scheme(*terms.buyer.endpoint):
        text = _("The buyer's endpoint id %(id)s is not one of the scheme %(scheme)s. Correct it under Properties.")
        yield text % {"id": terms.buyer.endpoint.value, "scheme": terms.buyer.endpoint.scheme}


# The document


@_check(About.DOCUMENT, "UBL-DT-01", "BR-DEC")
def decimals(terms: Terms, _form: Format) -> Iterator[str]:
    """EN 16931 of 2017 has two decimals, so dinars in thousandths cannot be written."""
    currencies = {terms.currency, terms.seller_tax.currency if terms.seller_tax else terms.currency}
    for currency in sorted(currencies):
        if exponent(currency) > 2:
            text = _("An e-invoice has no third decimal, which amounts in %(currency)s have. Choose PDF.")
            yield text % {"currency": currency}


@_check(About.DOCUMENT, "BR-CL-03", "BR-CL-04", "BR-CL-05", "PEPPOL-EN16931-CL007")
def currency(terms: Terms, _form: Format) -> Iterator[str]:
    for code in sorted({terms.currency, terms.seller_tax.currency if terms.seller_tax else terms.currency}):
        if code in UNKNOWN_CURRENCIES or not is_current_currency(code):
            text = _("%(currency)s is not a currency in which e-invoices can be written. Choose PDF.")
            yield text % {"currency": code}


@_check(About.BUYER, "PEPPOL-EN16931-R003", formats=PEPPOL)
def reference(terms: Terms, _form: Format) -> Iterator[str]:
    if not (terms.buyer_reference or terms.order_reference):
        yield _("The buyer reference and the PO number are missing. Add one of them under Properties.")


@_check(About.BUYER, "BR-DE-15", "DE-R-015", formats=ADDRESSED)
def buyer_reference(terms: Terms, form: Format) -> Iterator[str]:
    if _is_german(terms, form) and not terms.buyer_reference:
        yield _("The buyer reference, such as a Leitweg-ID, is missing. Add it under Properties.")


@_check(About.DOCUMENT, "BR-16")
def lines(terms: Terms, _form: Format) -> Iterator[str]:
    if not terms.lines:
        yield _("The document has no lines. Choose PDF.")


@_check(About.DOCUMENT, "BR-29")
def period(terms: Terms, _form: Format) -> Iterator[str]:
    if terms.period and terms.period.end < terms.period.start:
        yield _("The billing period ends before it starts. Correct it on the draft.")


@_check(About.DOCUMENT, "BR-O-11", "BR-O-12", "BR-O-13", "BR-O-14")
def outside_alone(terms: Terms, _form: Format) -> Iterator[str]:
    if TaxCategory.OUTSIDE in terms.categories and len(terms.categories) > 1:
        yield _("What is not subject to tax needs an invoice of its own, without lines of another tax category.")


@_check(About.DOCUMENT, "BR-E-10", "BR-AE-10", "BR-IC-10", "BR-G-10", "BR-O-10")
def exemption_reason(terms: Terms, _form: Format) -> Iterator[str]:
    for tax in terms.taxes:
        if tax.category in WITH_REASON and not (tax.exemption_reason or tax.exemption_code):
            text = _("The reason why there is no tax in the category “%(category)s” is missing. Add it to the lines.")
            yield text % {"category": TaxCategory(tax.category).label}


@_check(About.DOCUMENT, "BR-CL-22")
def exemption_code(terms: Terms, _form: Format) -> Iterator[str]:
    for tax in terms.taxes:
        if tax.exemption_code and tax.exemption_code not in EXEMPTION_CODES:
            text = _("%(code)s is not in the list of VATEX codes. Correct it on the lines.")
            yield text % {"code": tax.exemption_code}


@_check(About.DOCUMENT, *(f"PEPPOL-EN16931-P01{number:02}" for number in range(4, 12)), formats=PEPPOL)
def exemption_category(terms: Terms, _form: Format) -> Iterator[str]:
    for tax in terms.taxes:
        category = CATEGORY_OF_EXEMPTION.get(tax.exemption_code, tax.category)
        if category != tax.category:
            text = _("%(code)s is a code of the tax category “%(category)s”. Correct it on the lines.")
            yield text % {"code": tax.exemption_code, "category": TaxCategory(category).label}


@_check(About.DOCUMENT, "BR-CO-17", "BR-S-09")
def tax_of_rate(terms: Terms, _form: Format) -> Iterator[str]:
    """The rules round a rate below a half percent to none. They let a tax be less than one unit off its rate; that of a
    credit note over what others left may be more."""
    for tax in terms.taxes:
        amount = abs(Money(tax.tax_minor, terms.currency).amount)
        taxable = abs(Money(tax.taxable_minor, terms.currency).amount)
        expected = (taxable * tax.rate / 100).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
        is_none = tax.rate < Decimal("0.5")
        if (is_none and amount >= Decimal("0.5")) or (not is_none and abs(amount - expected) >= 1):
            text = _("The tax of %(tax)s at %(rate)s percent on %(net)s cannot be said in an e-invoice. Choose PDF.")
            yield text % {
                "tax": Money(tax.tax_minor, terms.currency), "rate": plain(tax.rate),
                "net": Money(tax.taxable_minor, terms.currency),
            }  # fmt: skip


@_check(
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
            text = _("The tax at %(rate)s percent is not that of the lines, so it cannot be an e-invoice. Choose PDF.")
            yield text % {"rate": plain(rate)}


# Paying


@_check(About.DOCUMENT, "NL-R-008", formats=PEPPOL)
def means_of_payment(terms: Terms, _form: Format) -> Iterator[str]:
    """Paying in the portal has a code of its own, which the Netherlands do not take."""
    means = terms.payment.means
    if means and _in_the_netherlands(terms) and means not in DUTCH_MEANS and not terms.is_credit_note:
        text = _("There is no bank account in %(currency)s to pay to. Add one under remittance accounts.")
        yield text % {"currency": terms.currency}


@_check(About.DOCUMENT, "BR-50", "BR-61", "BR-DE-23-a", "DE-R-023-1")
def account(terms: Terms, _form: Format) -> Iterator[str]:
    payment = terms.payment
    if payment.means in {Means.TRANSFER, Means.SEPA_TRANSFER} and not (payment.account and payment.account.number):
        yield _("The number of the bank account is missing. Add it under remittance accounts.")


@_check(About.DOCUMENT, "BR-DE-19", formats=XRECHNUNG)
def account_number(terms: Terms, _form: Format) -> Iterator[str]:
    payment = terms.payment
    if payment.means == Means.SEPA_TRANSFER and payment.account and not iban.is_valid(payment.account.number):
        yield _("The IBAN of the bank account is wrong. Correct it under remittance accounts.")


@_check(About.DOCUMENT, "BR-DE-24-a", "DE-R-024-1", formats=ADDRESSED)
def card(terms: Terms, form: Format) -> Iterator[str]:
    if not _is_german(terms, form):
        return
    if terms.payment.means == Means.CARD and not (terms.payment.card and terms.payment.card.last_four):
        yield _("The last digits of the card that is charged are missing.")


@_check(About.DOCUMENT, "PEPPOL-EN16931-R061", "BR-DE-30", "BR-DE-31", "BR-DE-25-a", formats=ADDRESSED)
def mandate(terms: Terms, form: Format) -> Iterator[str]:
    if terms.payment.means != Means.SEPA_DEBIT:
        return
    mandate = terms.payment.mandate
    if mandate is None or not mandate.reference or (_is_german(terms, form) and not all(mandate)):
        yield _("The mandate of the direct debit, the creditor's identifier or the account to debit is missing.")
