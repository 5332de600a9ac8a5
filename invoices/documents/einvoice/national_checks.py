"""What Peppol asks of sellers in Denmark, Greece, Iceland, Italy, Norway and Sweden besides (DK-R, GR-R, IS-R, IT-R,
NO-R, SE-R). Its rules do not agree on where a seller is: by its address, or first by its VAT number."""

import re
from collections.abc import Iterator

from django.utils.translation import gettext as _
from stdnum.no import mva as norwegian
from stdnum.se import orgnr as swedish

from invoices.documents.einvoice.codes import SWEDISH_RATES
from invoices.documents.einvoice.faults import PEPPOL, About, Checks, buyer_lacks, lacking, seller_lacks
from invoices.documents.einvoice.terms import Format, Means, Terms
from invoices.tax import TaxCategory

CHECKS = Checks()
GREECE = {"GR", "EL"}
# What a Swedish seller gives for a tax number: that it is approved for F-tax.
F_TAX = "GODKÄND FÖR F-SKATT"


def country_of_seller(terms: Terms) -> str:
    """Where its VAT number says, else its address: as the rules of Norway and Italy have it."""
    return terms.seller.vat[:2] or terms.seller.address.country


def are_both_in(terms: Terms, country: str) -> bool:
    return terms.seller.address.country == terms.buyer.address.country == country


@CHECKS.add(About.SELLER, "GR-R", formats=PEPPOL)
def seller_country_supported(terms: Terms, _form: Format) -> Iterator[str]:
    """The number of a Greek invoice has six parts, and it names the mark that the tax office gave it (MARK, URL)."""
    if {terms.seller.address.country, terms.seller.vat[:2]} & GREECE:
        yield _(
            "Invoices by Peppol from sellers in Greece are not supported: each needs the mark of the Greek tax office"
            " (myDATA). Choose another format."
        )


@CHECKS.add(About.SELLER, "NO-R-001", formats=PEPPOL)
def norwegian_seller(terms: Terms, _form: Format) -> Iterator[str]:
    vat = terms.seller.vat
    if vat.startswith("NO") and not (re.fullmatch("NO[0-9]{9}MVA", vat) and norwegian.is_valid(vat)):
        yield _(
            "A Norwegian seller's VAT number is NO, nine digits and MVA. Correct it on the seller in the staff pages."
        )


@CHECKS.add(About.SELLER, "IT-R-001", "IT-R-002", "IT-R-003", "IT-R-004", formats=PEPPOL)
def italian_seller(terms: Terms, _form: Format) -> Iterator[str]:
    seller = terms.seller
    if country_of_seller(terms) != "IT":
        return
    if seller.tax_registration and not re.fullmatch("[A-Z0-9]{11,16}", seller.tax_registration):
        yield _(
            "An Italian seller's tax number (codice fiscale) has 11 to 16 capitals and digits. Correct it on the seller"
            " in the staff pages."
        )
    if missing := lacking(seller.address, "street", "postal_code", "city"):
        yield seller_lacks(missing)


@CHECKS.add(
    About.SELLER, "SE-R-001", "SE-R-002", "SE-R-003", "SE-R-004", "SE-R-005", "SE-R-013", formats=PEPPOL
)  # fmt: skip
def swedish_seller(terms: Terms, _form: Format) -> Iterator[str]:
    seller, number = terms.seller, terms.seller.company.value
    if seller.address.country != "SE":
        return
    if seller.vat.startswith("SE") and not re.fullmatch("SE[0-9]{12}", seller.vat):
        yield _("A Swedish seller's VAT number is SE and 12 digits. Correct it on the seller in the staff pages.")
    if number and not (re.fullmatch("[0-9]{10}", number) and swedish.is_valid(number)):
        yield _("A Swedish seller's company number has ten digits. Correct it on the seller in the staff pages.")
    if number and seller.tax_registration and seller.tax_registration.upper() != F_TAX:
        yield _(
            "A Swedish seller's tax number is the text “Godkänd för F-skatt”, or empty. Correct it on the seller in the"
            " staff pages."
        )


@CHECKS.add(About.DOCUMENT, "SE-R-006", formats=PEPPOL)
def swedish_rates(terms: Terms, _form: Format) -> Iterator[str]:
    if terms.seller.address.country != "SE" or not terms.seller.vat.startswith("SE"):
        return
    rated = {(tax.category, tax.rate) for tax in terms.taxes} | {(line.category, line.rate) for line in terms.lines}
    if any(category == TaxCategory.STANDARD and rate not in SWEDISH_RATES for category, rate in rated):
        yield _("By Peppol a Swedish seller's rates of VAT are 25, 12 and 6 percent. Choose another format.")


@CHECKS.add(About.SELLER, "DK-R-002", "DK-R-014", formats=PEPPOL)
def danish_seller(terms: Terms, _form: Format) -> Iterator[str]:
    if terms.seller.address.country == "DK" and terms.seller.company.scheme != "0184":
        yield seller_lacks(_("company number (CVR)"))


@CHECKS.add(About.BUYER, "DK-R-017", formats=PEPPOL)
def danish_buyer(terms: Terms, _form: Format) -> Iterator[str]:
    company = terms.buyer.company
    if are_both_in(terms, "DK") and company.value and company.scheme != "0184":
        yield _("The buyer's company number %(number)s is not right. Correct it under Properties.") % {
            "number": company.value
        }


@CHECKS.add(About.DOCUMENT, "DK-R-006", formats=PEPPOL)
def danish_account(terms: Terms, _form: Format) -> Iterator[str]:
    account = terms.payment.account
    if terms.payment.means == Means.DANISH_TRANSFER and not (account and account.number and account.bic):
        yield _("The BIC of the bank account is missing. Add it under remittance accounts.")


@CHECKS.add(About.SELLER, "IS-R-002", "IS-R-003", formats=PEPPOL)
def icelandic_seller(terms: Terms, _form: Format) -> Iterator[str]:
    seller = terms.seller
    if seller.address.country != "IS":
        return
    if seller.company.scheme != "0196":
        yield seller_lacks(_("company number (kennitala)"))
    if missing := lacking(seller.address, "street", "postal_code"):
        yield seller_lacks(missing)


@CHECKS.add(About.BUYER, "IS-R-004", "IS-R-005", formats=PEPPOL)
def icelandic_buyer(terms: Terms, _form: Format) -> Iterator[str]:
    if not are_both_in(terms, "IS"):
        return
    if terms.buyer.company.scheme != "0196":
        yield buyer_lacks(_("company number (kennitala)"))
    if missing := lacking(terms.buyer.address, "street", "postal_code"):
        yield buyer_lacks(missing)
