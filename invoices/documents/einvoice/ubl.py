"""Writes terms as UBL 2.1: Peppol BIS Billing 3, XRechnung 3 or plain EN 16931, an invoice or a credit note.

Elements stand in the order of the schema. The same terms are the same bytes.
"""

from base64 import b64encode
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from lxml import etree

from billing_portal.core.exact_decimals import plain
from invoices.documents.einvoice.terms import (
    Address,
    Allowance,
    Attachment,
    Format,
    Identifier,
    Line,
    Mandate,
    Party,
    Payment,
    Period,
    Terms,
)
from invoices.documents.einvoice.texts import short_name
from invoices.money import Money
from invoices.tax import Tax, TaxCategory

UBL = "urn:oasis:names:specification:ubl:schema:xsd"
CAC, CBC = f"{UBL}:CommonAggregateComponents-2", f"{UBL}:CommonBasicComponents-2"
# Rules have versions by date: EN 16931-1:2026 will be another identifier beside these.
CUSTOMIZATIONS = {
    Format.UBL: "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0",
    Format.XRECHNUNG: "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0",
    Format.EN16931: "urn:cen.eu:en16931:2017",
}
PROCESS = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"


def write_ubl(terms: Terms, form: Format, *, attachments: Sequence[Attachment] = ()) -> bytes:
    """The XML, in UTF-8. ``form`` is ``ubl``, ``xrechnung`` or ``en16931``."""
    return _Writer(terms, form).write(attachments)


class _Writer:
    def __init__(self, terms: Terms, form: Format) -> None:
        self.terms, self.form = terms, form
        self.kind = "CreditNote" if terms.is_credit_note else "Invoice"

    def write(self, attachments: Sequence[Attachment]) -> bytes:
        terms = self.terms
        own = f"{UBL}:{self.kind}-2"
        root = etree.Element(f"{{{own}}}{self.kind}", nsmap={None: own, "cac": CAC, "cbc": CBC})
        _text(root, "CustomizationID", CUSTOMIZATIONS[self.form])
        if self.form != Format.EN16931:
            _text(root, "ProfileID", PROCESS)
        _text(root, "ID", terms.number)
        _text(root, "IssueDate", terms.issued_on)
        if not terms.is_credit_note:
            _text(root, "DueDate", terms.due_on)
        _text(root, f"{self.kind}TypeCode", 381 if terms.is_credit_note else 380)
        _text(root, "Note", terms.note)
        _text(root, "DocumentCurrencyCode", terms.currency)
        if terms.seller_tax is not None:
            _text(root, "TaxCurrencyCode", terms.seller_tax.currency)
        _text(root, "BuyerReference", terms.buyer_reference)
        _period(root, terms.period)
        if terms.order_reference:
            _text(_group(root, "OrderReference"), "ID", terms.order_reference)
        for earlier in terms.preceding:
            reference = _group(_group(root, "BillingReference"), "InvoiceDocumentReference")
            _text(reference, "ID", earlier.number)
            _text(reference, "IssueDate", earlier.issued_on)
        for attachment in attachments:
            _attachment(root, attachment)
        _party(_group(root, "AccountingSupplierParty"), terms.seller, terms.payment.mandate)
        _party(_group(root, "AccountingCustomerParty"), terms.buyer)
        self._delivery(root)
        self._payment(root, terms.payment)
        if terms.payment_terms:
            _text(_group(root, "PaymentTerms"), "Note", terms.payment_terms)
        for allowance in terms.allowances:
            self._allowance(_group(root, "AllowanceCharge"), allowance)
        self._taxes(root)
        self._totals(_group(root, "LegalMonetaryTotal"))
        for number, line in enumerate(terms.lines, start=1):
            self._line(_group(root, f"{self.kind}Line"), number, line)
        content: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
        return content

    def _delivery(self, root: etree._Element) -> None:
        terms = self.terms
        if terms.delivered_on is None and terms.delivered_to is None:
            return
        delivery = _group(root, "Delivery")
        _text(delivery, "ActualDeliveryDate", terms.delivered_on)
        if terms.delivered_to is not None:
            _address(_group(_group(delivery, "DeliveryLocation"), "Address"), terms.delivered_to)

    def _payment(self, root: etree._Element, payment: Payment) -> None:
        if payment.means is None:
            return
        means = _group(root, "PaymentMeans")
        _text(means, "PaymentMeansCode", payment.means)
        _text(means, "PaymentID", payment.reference)
        if payment.card is not None:
            card = _group(means, "CardAccount")
            _text(card, "PrimaryAccountNumberID", payment.card.last_four)
            _text(card, "NetworkID", payment.card.network)
        if payment.account is not None:
            account = _group(means, "PayeeFinancialAccount")
            _text(account, "ID", payment.account.number)
            _text(account, "Name", payment.account.holder)
            if payment.account.bic:
                _text(_group(account, "FinancialInstitutionBranch"), "ID", payment.account.bic)
        if payment.mandate is not None:
            mandate = _group(means, "PaymentMandate")
            _text(mandate, "ID", payment.mandate.reference)
            if payment.mandate.debited_iban:
                _text(_group(mandate, "PayerFinancialAccount"), "ID", payment.mandate.debited_iban)

    def _allowance(self, element: etree._Element, allowance: Allowance) -> None:
        _text(element, "ChargeIndicator", "true" if allowance.is_charge else "false")
        _text(element, "AllowanceChargeReason", allowance.reason)
        self._amount(element, "Amount", allowance.amount_minor)
        _category(_group(element, "TaxCategory"), allowance.category, allowance.rate)

    def _taxes(self, root: etree._Element) -> None:
        total = _group(root, "TaxTotal")
        self._amount(total, "TaxAmount", self.terms.tax_minor)
        for tax in self.terms.taxes:
            part = _group(total, "TaxSubtotal")
            self._amount(part, "TaxableAmount", tax.taxable_minor)
            self._amount(part, "TaxAmount", tax.tax_minor)
            _category(_group(part, "TaxCategory"), tax.category, tax.rate, of=tax)
        if self.terms.seller_tax is not None:
            _money(_group(root, "TaxTotal"), "TaxAmount", self.terms.seller_tax)

    def _totals(self, element: etree._Element) -> None:
        terms = self.terms
        self._amount(element, "LineExtensionAmount", terms.lines_minor)
        self._amount(element, "TaxExclusiveAmount", terms.net_minor)
        self._amount(element, "TaxInclusiveAmount", terms.total_minor)
        if any(not part.is_charge for part in terms.allowances):
            self._amount(element, "AllowanceTotalAmount", terms.allowances_minor)
        if any(part.is_charge for part in terms.allowances):
            self._amount(element, "ChargeTotalAmount", terms.charges_minor)
        if terms.prepaid_minor:
            self._amount(element, "PrepaidAmount", terms.prepaid_minor)
        self._amount(element, "PayableAmount", terms.payable_minor)

    def _line(self, element: etree._Element, number: int, line: Line) -> None:
        _text(element, "ID", number)
        _text(element, "Note", line.note)
        quantity = "CreditedQuantity" if self.terms.is_credit_note else "InvoicedQuantity"
        _text(element, quantity, plain(line.quantity), unitCode=line.unit)
        self._amount(element, "LineExtensionAmount", line.net_minor)
        _period(element, line.period)
        item = _group(element, "Item")
        name = short_name(line.description)
        if name:
            _text(item, "Description", line.description)
        _text(item, "Name", name or line.description)
        _category(_group(item, "ClassifiedTaxCategory"), line.category, line.rate)
        price = _group(element, "Price")
        _text(price, "PriceAmount", plain(line.price), currencyID=self.terms.currency)
        if line.price_for != 1:
            _text(price, "BaseQuantity", plain(line.price_for), unitCode=line.unit)

    def _amount(self, parent: etree._Element, name: str, minor: int) -> None:
        _money(parent, name, Money(minor, self.terms.currency))


def _party(role: etree._Element, party: Party, mandate: Mandate | None = None) -> None:
    element = _group(role, "Party")
    _identifier(element, "EndpointID", party.endpoint)
    if mandate is not None and mandate.creditor_id:
        _text(_group(element, "PartyIdentification"), "ID", mandate.creditor_id, schemeID="SEPA")
    _address(_group(element, "PostalAddress"), party.address)
    for number, scheme in ((party.vat, "VAT"), (party.tax_registration, "TAX")):
        if number:
            registration = _group(element, "PartyTaxScheme")
            _text(registration, "CompanyID", number)
            _text(_group(registration, "TaxScheme"), "ID", scheme)
    legal = _group(element, "PartyLegalEntity")
    _text(legal, "RegistrationName", party.name)
    _identifier(legal, "CompanyID", party.company)
    contact = party.contact
    if any((contact.name, contact.phone, contact.email)):
        group = _group(element, "Contact")
        _text(group, "Name", contact.name)
        _text(group, "Telephone", contact.phone)
        _text(group, "ElectronicMail", contact.email)


def _address(element: etree._Element, address: Address) -> None:
    _text(element, "StreetName", address.street)
    _text(element, "CityName", address.city)
    _text(element, "PostalZone", address.postal_code)
    _text(element, "CountrySubentity", address.region)
    if address.country:
        _text(_group(element, "Country"), "IdentificationCode", address.country)


def _category(element: etree._Element, category: str, rate: Decimal, *, of: Tax | None = None) -> None:
    """What is not subject to tax has no rate (BR-O-05), except in the table of taxes, where Germany wants one."""
    _text(element, "ID", category)
    if category != TaxCategory.OUTSIDE or of is not None:
        _text(element, "Percent", plain(rate))
    if of is not None:
        _text(element, "TaxExemptionReasonCode", of.exemption_code)
        _text(element, "TaxExemptionReason", of.exemption_reason)
    _text(_group(element, "TaxScheme"), "ID", "VAT")


def _attachment(root: etree._Element, attachment: Attachment) -> None:
    reference = _group(root, "AdditionalDocumentReference")
    _text(reference, "ID", attachment.name)
    _text(reference, "DocumentDescription", attachment.description)
    _text(
        _group(reference, "Attachment"), "EmbeddedDocumentBinaryObject", b64encode(attachment.content).decode(),
        mimeCode=attachment.mime_type, filename=attachment.name,
    )  # fmt: skip


def _period(parent: etree._Element, period: Period | None) -> None:
    if period is not None:
        element = _group(parent, "InvoicePeriod")
        _text(element, "StartDate", period.start)
        _text(element, "EndDate", period.end)


def _identifier(parent: etree._Element, name: str, identifier: Identifier) -> None:
    _text(parent, name, identifier.value, **({"schemeID": identifier.scheme} if identifier.scheme else {}))


def _money(parent: etree._Element, name: str, money: Money) -> None:
    _text(parent, name, f"{money.amount:f}", currencyID=money.currency)


def _group(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{CAC}}}{name}")


def _text(parent: etree._Element, name: str, text: str | int | date | None, **attributes: str) -> None:
    """Nothing for an empty text: no element may be empty (PEPPOL-EN16931-R008)."""
    if text is not None and text != "":
        etree.SubElement(parent, f"{{{CBC}}}{name}", attributes).text = str(text)
