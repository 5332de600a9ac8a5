"""What seller and buyer of an e-invoice lack, or have wrong: names, addresses, contacts, numbers and endpoints."""

import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

from billing_portal.core.iso_codes import countries
from invoices.documents.einvoice.codes import ENDPOINT_SCHEMES, FRENCH_NOTES, PEPPOL_ENDPOINT_SCHEMES
from invoices.documents.einvoice.faults import (
    ADDRESSED,
    FACTURX,
    PEPPOL,
    About,
    Checks,
    buyer_lacks,
    is_dutch,
    is_german,
    lacking,
    seller_lacks,
)
from invoices.documents.einvoice.identifiers import EMAIL, is_of_scheme
from invoices.documents.einvoice.terms import Format, Party, Terms
from invoices.tax import NEEDS_VAT_NUMBER, TaxCategory

CHECKS = Checks()
# Which the portal takes and the rules do not know: Kosovo, written 1A there.
NO_COUNTRY = {"XK"}
# Of VAT numbers of Greece, of Northern Ireland and of Kosovo.
VAT_PREFIXES = {"EL", "XI", "1A"}


@CHECKS.add(About.SELLER, "BR-06")
def seller_name(terms: Terms, _form: Format) -> Iterator[str]:
    if not terms.seller.name:
        yield seller_lacks(_("name"))


@CHECKS.add(About.BUYER, "BR-07")
def buyer_name(terms: Terms, _form: Format) -> Iterator[str]:
    if not terms.buyer.name:
        yield buyer_lacks(_("company name"))


@CHECKS.add(About.SELLER, "BR-09", "BR-CL-14")
def seller_country(terms: Terms, _form: Format) -> Iterator[str]:
    if terms.seller.address.country not in countries() - NO_COUNTRY:
        yield seller_lacks(_("country"))


@CHECKS.add(About.BUYER, "BR-11", "BR-57", "BR-CL-14")
def buyer_country(terms: Terms, _form: Format) -> Iterator[str]:
    if terms.buyer.address.country not in countries() - NO_COUNTRY:
        yield buyer_lacks(_("country"))


@CHECKS.add(About.SELLER, "BR-CO-26")
def seller_identified(terms: Terms, _form: Format) -> Iterator[str]:
    if not (terms.seller.vat or terms.seller.company.value):
        yield seller_lacks(_("company number"))


@CHECKS.add(
    About.SELLER, "BR-S-02", "BR-S-03", "BR-Z-02", "BR-E-02", "BR-AE-02", "BR-IC-02", "BR-G-02", "BR-DE-16", "DE-R-016"
)
def seller_tax_number(terms: Terms, _form: Format) -> Iterator[str]:
    """What is outside the scope of tax shows no VAT number; export and supply within the Union need that of VAT."""
    seller, categories = terms.seller, terms.categories
    if categories & {TaxCategory.INTRA_COMMUNITY, TaxCategory.EXPORT} and not seller.vat:
        yield seller_lacks(_("VAT number"))
    elif categories - {TaxCategory.OUTSIDE} and not (seller.vat or seller.tax_registration):
        yield seller_lacks(_("VAT number or tax number"))


@CHECKS.add(About.BUYER, "BR-AE-02", "BR-AE-03", "BR-IC-02", "BR-IC-03")
def buyer_tax_number(terms: Terms, _form: Format) -> Iterator[str]:
    """Reverse charge is content with the number of a register, as companies outside Europe have."""
    buyer, categories = terms.buyer, terms.categories
    is_known = buyer.vat or (buyer.company.value and TaxCategory.INTRA_COMMUNITY not in categories)
    if categories & NEEDS_VAT_NUMBER and not is_known:
        yield _(
            "Reverse charge and supply within the European Union need the buyer's VAT number. Add it under Properties."
        )


@CHECKS.add(About.SELLER, "BR-CO-09", "PEPPOL-COMMON-R056-2")
def seller_vat_number(terms: Terms, _form: Format) -> Iterator[str]:
    if not _is_vat_number(terms.seller.vat):
        text = _(
            "The seller's VAT number %(number)s is not right: it begins with a country, such as NL000000001B64. Correct"
            " it on the seller in the staff pages."
        )
        yield text % {"number": terms.seller.vat}


@CHECKS.add(About.BUYER, "BR-CO-09", "PEPPOL-COMMON-R056-2")
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


@CHECKS.add(About.SELLER, "BR-DE-3", "BR-DE-4", "NL-R-002", "DE-R-003", "DE-R-004", formats=ADDRESSED)
def seller_address(terms: Terms, form: Format) -> Iterator[str]:
    names = ["postal_code", "city"] if is_german(terms, form) else []
    if form == Format.UBL and terms.seller.address.country == "NL":
        names = ["street", "postal_code", "city"]
    if missing := lacking(terms.seller.address, *names):
        yield seller_lacks(missing)


@CHECKS.add(
    About.BUYER, "BR-DE-8", "BR-DE-9", "BR-DE-10", "BR-DE-11", "NL-R-004", "DE-R-008", "DE-R-009", formats=ADDRESSED
)
def buyer_address(terms: Terms, form: Format) -> Iterator[str]:
    """Some countries have no postal codes, so Peppol asks for them in Germany and the Netherlands alone."""
    names = ["postal_code", "city"] if is_german(terms, form) else []
    if form == Format.UBL and is_dutch(terms):
        names = ["street", "postal_code", "city"]
    if missing := lacking(terms.buyer.address, *names):
        yield buyer_lacks(missing)


@CHECKS.add(
    About.SELLER, "BR-DE-2", "BR-DE-5", "BR-DE-6", "BR-DE-7", "BR-DE-27", "BR-DE-28", "DE-R-002", "DE-R-005",
    "DE-R-006", "DE-R-007", formats=ADDRESSED,
)  # fmt: skip
def seller_contact(terms: Terms, form: Format) -> Iterator[str]:
    if not is_german(terms, form):
        return
    contact = terms.seller.contact
    if not contact.name:
        yield seller_lacks(_("contact"))
    if len(re.findall("[0-9]", contact.phone)) < 3:
        yield seller_lacks(_("phone number"))
    if not EMAIL.fullmatch(contact.email):
        yield seller_lacks(_("e-mail address"))


# Numbers and endpoints


@CHECKS.add(About.SELLER, "BR-FR-05", formats=FACTURX)
def french_notes(terms: Terms, _form: Format) -> Iterator[str]:
    missing = [word for word in FRENCH_NOTES if word not in terms.note.lower()]
    if terms.is_french and missing:
        text = _("The seller's legal notes in French lack: %(words)s. Add a line for each in the staff pages.")
        yield text % {"words": ", ".join(missing)}


@CHECKS.add(About.SELLER, "NL-R-003", "PEPPOL-COMMON", formats=PEPPOL)
def seller_company_number(terms: Terms, _form: Format) -> Iterator[str]:
    if not _is_company_number(terms.seller):
        text = _("The seller's company number %(number)s is not right. Correct it on the seller in the staff pages.")
        yield text % {"number": terms.seller.company.value}


@CHECKS.add(About.BUYER, "NL-R-005", "PEPPOL-COMMON", formats=PEPPOL)
def buyer_company_number(terms: Terms, _form: Format) -> Iterator[str]:
    if not _is_company_number(terms.buyer):
        text = _("The buyer's company number %(number)s is not right. Correct it under Properties.")
        yield text % {"number": terms.buyer.company.value}


def _is_company_number(party: Party) -> bool:
    number = party.company
    if number.value and party.address.country == "NL" and number.scheme not in {"0106", "0190"}:
        return False
    return is_of_scheme(number.value, number.scheme)


@CHECKS.add(About.SELLER, "PEPPOL-EN16931-R020", "PEPPOL-EN16931-CL008", "BR-CL-25", formats=ADDRESSED)
def seller_endpoint(terms: Terms, _form: Format) -> Iterator[str]:
    """Peppol does not deliver to an e-mail address, which stands for a seller without an endpoint."""
    if not terms.seller.endpoint.value or terms.seller.endpoint.scheme == "EM":
        yield seller_lacks(_("endpoint id for e-invoices"))


@CHECKS.add(About.BUYER, "PEPPOL-EN16931-R010", formats=ADDRESSED)
def buyer_endpoint(terms: Terms, _form: Format) -> Iterator[str]:
    if not terms.buyer.endpoint.value:
        yield buyer_lacks(_("endpoint id"))


@CHECKS.add(About.SELLER, "BR-62", "BR-CL-25", "PEPPOL-EN16931-CL008")
def seller_endpoint_scheme(terms: Terms, _form: Format) -> Iterator[str]:
    if terms.seller.endpoint.value and terms.seller.endpoint.scheme not in ENDPOINT_SCHEMES:
        yield seller_lacks(_("scheme of the endpoint id"))


@CHECKS.add(About.BUYER, "BR-63", "BR-CL-25")
def buyer_endpoint_scheme(terms: Terms, _form: Format) -> Iterator[str]:
    if terms.buyer.endpoint.value and terms.buyer.endpoint.scheme not in ENDPOINT_SCHEMES:
        yield buyer_lacks(_("scheme of the endpoint id"))


@CHECKS.add(About.BUYER, "PEPPOL-EN16931-CL008", formats=PEPPOL)
def buyer_endpoint_in_peppol(terms: Terms, _form: Format) -> Iterator[str]:
    scheme = terms.buyer.endpoint.scheme
    if scheme in ENDPOINT_SCHEMES - PEPPOL_ENDPOINT_SCHEMES:
        text = _("Peppol does not deliver to endpoints of the scheme %(scheme)s. Choose another under Properties.")
        yield text % {"scheme": scheme}


@CHECKS.add(About.SELLER, "PEPPOL-COMMON", formats=ADDRESSED)
def seller_endpoint_id(terms: Terms, _form: Format) -> Iterator[str]:
    if not is_of_scheme(*terms.seller.endpoint):
        text = _("The seller's endpoint id %(id)s is not one of the scheme %(scheme)s. Correct it in the staff pages.")
        yield text % {"id": terms.seller.endpoint.value, "scheme": terms.seller.endpoint.scheme}


@CHECKS.add(About.BUYER, "PEPPOL-COMMON", formats=ADDRESSED)
def buyer_endpoint_id(terms: Terms, _form: Format) -> Iterator[str]:
    if not is_of_scheme(*terms.buyer.endpoint):
        text = _("The buyer's endpoint id %(id)s is not one of the scheme %(scheme)s. Correct it under Properties.")
        yield text % {"id": terms.buyer.endpoint.value, "scheme": terms.buyer.endpoint.scheme}
