"""Writes terms as Cross Industry Invoice D22B in the profile EN 16931 of Factur-X, an invoice or a credit note.

Elements stand in the order of the schema. The same terms are the same bytes.
"""

from base64 import b64encode
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from lxml import etree
from stdnum import iban

from billing_portal.core.exact_decimals import plain
from invoices.documents.einvoice.codes import FRENCH_NOTES
from invoices.documents.einvoice.terms import (
    Address,
    Allowance,
    Attachment,
    Contact,
    Identifier,
    Line,
    Party,
    Payment,
    Period,
    Terms,
)
from invoices.documents.einvoice.texts import short_name
from invoices.money import Money
from invoices.tax import TaxCategory

CII = "urn:un:unece:uncefact:data:standard"
NAMES = {
    "rsm": f"{CII}:CrossIndustryInvoice:100",
    "ram": f"{CII}:ReusableAggregateBusinessInformationEntity:100",
    "udt": f"{CII}:UnqualifiedDataType:100",
    "qdt": f"{CII}:QualifiedDataType:100",
}
GUIDELINE = "urn:cen.eu:en16931:2017"


def write_cii(terms: Terms, *, attachments: Sequence[Attachment] = ()) -> bytes:
    """The XML, in UTF-8."""
    root = etree.Element(f"{{{NAMES['rsm']}}}CrossIndustryInvoice", nsmap=NAMES)
    context = _group(root, "rsm:ExchangedDocumentContext")
    if terms.is_french:
        _text(_group(context, "BusinessProcessSpecifiedDocumentContextParameter"), "ID", _french_process(terms))
    _text(_group(context, "GuidelineSpecifiedDocumentContextParameter"), "ID", GUIDELINE)
    document = _group(root, "rsm:ExchangedDocument")
    _text(document, "ID", terms.number)
    _text(document, "TypeCode", 381 if terms.is_credit_note else 380)
    _day(document, "IssueDateTime", terms.issued_on)
    for subject, text in _notes(terms):
        note = _group(document, "IncludedNote")
        _text(note, "Content", text)
        _text(note, "SubjectCode", subject)
    transaction = _group(root, "rsm:SupplyChainTradeTransaction")
    for number, line in enumerate(terms.lines, start=1):
        _line(_group(transaction, "IncludedSupplyChainTradeLineItem"), number, line, terms.currency)
    _agreement(_group(transaction, "ApplicableHeaderTradeAgreement"), terms, attachments)
    _delivery(_group(transaction, "ApplicableHeaderTradeDelivery"), terms)
    _settlement(_group(transaction, "ApplicableHeaderTradeSettlement"), terms)
    content: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return content


def _french_process(terms: Terms) -> str:
    """Services that are still to be paid for, or are paid (BR-FR-08)."""
    return "S1" if terms.payable_minor or terms.is_credit_note else "S2"


def _notes(terms: Terms) -> list[tuple[str, str]]:
    """Subject code and text. Between French companies what the law wants is a note of its own (BR-FR-05, BR-FR-06)."""
    if not terms.is_french:
        return [("", terms.note)] if terms.note else []
    texts: dict[str, list[str]] = {}
    for line in terms.note.splitlines():
        codes = [code for word, code in FRENCH_NOTES.items() if word in line.lower()]
        texts.setdefault(codes[0] if codes else "", []).append(line)
    return [(code, "\n".join(lines)) for code, lines in texts.items()]


def _line(element: etree._Element, number: int, line: Line, currency: str) -> None:
    document = _group(element, "AssociatedDocumentLineDocument")
    _text(document, "LineID", number)
    if line.note:
        _text(_group(document, "IncludedNote"), "Content", line.note)
    product, name = _group(element, "SpecifiedTradeProduct"), short_name(line.description)
    _text(product, "Name", name or line.description)
    if name:
        _text(product, "Description", line.description)
    price = _group(_group(element, "SpecifiedLineTradeAgreement"), "NetPriceProductTradePrice")
    _text(price, "ChargeAmount", plain(line.price))
    if line.price_for != 1:
        _text(price, "BasisQuantity", plain(line.price_for), unitCode=line.unit)
    _text(_group(element, "SpecifiedLineTradeDelivery"), "BilledQuantity", plain(line.quantity), unitCode=line.unit)
    settlement = _group(element, "SpecifiedLineTradeSettlement")
    _category(_group(settlement, "ApplicableTradeTax"), line.category, line.rate)
    _period(settlement, line.period)
    summation = _group(settlement, "SpecifiedTradeSettlementLineMonetarySummation")
    _money(summation, "LineTotalAmount", Money(line.net_minor, currency))


def _agreement(element: etree._Element, terms: Terms, attachments: Sequence[Attachment]) -> None:
    _text(element, "BuyerReference", terms.buyer_reference)
    _party(_group(element, "SellerTradeParty"), terms.seller)
    _party(_group(element, "BuyerTradeParty"), terms.buyer)
    if terms.order_reference:
        _text(_group(element, "BuyerOrderReferencedDocument"), "IssuerAssignedID", terms.order_reference)
    for attachment in attachments:
        reference = _group(element, "AdditionalReferencedDocument")
        _text(reference, "IssuerAssignedID", attachment.name)
        _text(reference, "TypeCode", 916)
        _text(reference, "Name", attachment.description)
        _text(
            reference, "AttachmentBinaryObject", b64encode(attachment.content).decode(),
            mimeCode=attachment.mime_type, filename=attachment.name,
        )  # fmt: skip


def _delivery(element: etree._Element, terms: Terms) -> None:
    if terms.delivered_to is not None:
        _address(_group(element, "ShipToTradeParty"), terms.delivered_to)
    if terms.delivered_on is not None:
        _day(_group(element, "ActualDeliverySupplyChainEvent"), "OccurrenceDateTime", terms.delivered_on)


def _settlement(element: etree._Element, terms: Terms) -> None:
    payment = terms.payment
    if payment.mandate is not None:
        _text(element, "CreditorReferenceID", payment.mandate.creditor_id)
    _text(element, "PaymentReference", payment.reference)
    if terms.seller_tax is not None:
        _text(element, "TaxCurrencyCode", terms.seller_tax.currency)
    _text(element, "InvoiceCurrencyCode", terms.currency)
    if payment.means is not None:
        _payment(_group(element, "SpecifiedTradeSettlementPaymentMeans"), payment)
    for tax in terms.taxes:
        row = _group(element, "ApplicableTradeTax")
        _money(row, "CalculatedAmount", Money(tax.tax_minor, terms.currency))
        _text(row, "TypeCode", "VAT")
        _text(row, "ExemptionReason", tax.exemption_reason)
        _money(row, "BasisAmount", Money(tax.taxable_minor, terms.currency))
        _text(row, "CategoryCode", tax.category)
        _text(row, "ExemptionReasonCode", tax.exemption_code)
        _text(row, "RateApplicablePercent", plain(tax.rate))
    _period(element, terms.period)
    for allowance in terms.allowances:
        _allowance(_group(element, "SpecifiedTradeAllowanceCharge"), allowance, terms.currency)
    mandate = payment.mandate.reference if payment.mandate else ""
    if terms.payment_terms or terms.due_on or mandate:
        conditions = _group(element, "SpecifiedTradePaymentTerms")
        _text(conditions, "Description", terms.payment_terms)
        if terms.due_on is not None:
            _day(conditions, "DueDateDateTime", terms.due_on)
        _text(conditions, "DirectDebitMandateID", mandate)
    _totals(_group(element, "SpecifiedTradeSettlementHeaderMonetarySummation"), terms)
    for earlier in terms.preceding:
        reference = _group(element, "InvoiceReferencedDocument")
        _text(reference, "IssuerAssignedID", earlier.number)
        if earlier.issued_on is not None:
            _day(reference, "FormattedIssueDateTime", earlier.issued_on, space="qdt")


def _payment(element: etree._Element, payment: Payment) -> None:
    _text(element, "TypeCode", payment.means)
    if payment.card is not None:
        _text(_group(element, "ApplicableTradeSettlementFinancialCard"), "ID", payment.card.last_four)
    if payment.mandate is not None and payment.mandate.debited_iban:
        _text(_group(element, "PayerPartyDebtorFinancialAccount"), "IBANID", payment.mandate.debited_iban)
    if payment.account is not None:
        account = _group(element, "PayeePartyCreditorFinancialAccount")
        is_iban = iban.is_valid(payment.account.number)
        if is_iban:
            _text(account, "IBANID", payment.account.number)
        _text(account, "AccountName", payment.account.holder)
        if not is_iban:
            _text(account, "ProprietaryID", payment.account.number)
        if payment.account.bic:
            _text(_group(element, "PayeeSpecifiedCreditorFinancialInstitution"), "BICID", payment.account.bic)


def _allowance(element: etree._Element, allowance: Allowance, currency: str) -> None:
    _text(_group(element, "ChargeIndicator"), "udt:Indicator", "true" if allowance.is_charge else "false")
    _money(element, "ActualAmount", Money(allowance.amount_minor, currency))
    _text(element, "Reason", allowance.reason)
    _category(_group(element, "CategoryTradeTax"), allowance.category, allowance.rate)


def _totals(element: etree._Element, terms: Terms) -> None:
    def amount(name: str, minor: int) -> None:
        _money(element, name, Money(minor, terms.currency))

    amount("LineTotalAmount", terms.lines_minor)
    if any(part.is_charge for part in terms.allowances):
        amount("ChargeTotalAmount", terms.charges_minor)
    if any(not part.is_charge for part in terms.allowances):
        amount("AllowanceTotalAmount", terms.allowances_minor)
    amount("TaxBasisTotalAmount", terms.net_minor)
    _money(element, "TaxTotalAmount", Money(terms.tax_minor, terms.currency), with_currency=True)
    if terms.seller_tax is not None:
        _money(element, "TaxTotalAmount", terms.seller_tax, with_currency=True)
    amount("GrandTotalAmount", terms.total_minor)
    if terms.prepaid_minor:
        amount("TotalPrepaidAmount", terms.prepaid_minor)
    amount("DuePayableAmount", terms.payable_minor)


def _category(element: etree._Element, category: str, rate: Decimal) -> None:
    _text(element, "TypeCode", "VAT")
    _text(element, "CategoryCode", category)
    if category != TaxCategory.OUTSIDE:  # which has no rate (BR-O-05)
        _text(element, "RateApplicablePercent", plain(rate))


def _party(element: etree._Element, party: Party) -> None:
    _text(element, "Name", party.name)
    if party.company.value:
        _identifier(_group(element, "SpecifiedLegalOrganization"), "ID", party.company)
    if party.contact != Contact():
        _contact(_group(element, "DefinedTradeContact"), party.contact)
    _address(element, party.address)
    if party.endpoint.value:
        _identifier(_group(element, "URIUniversalCommunication"), "URIID", party.endpoint)
    for number, scheme in ((party.vat, "VA"), (party.tax_registration, "FC")):
        if number:
            _text(_group(element, "SpecifiedTaxRegistration"), "ID", number, schemeID=scheme)


def _contact(element: etree._Element, contact: Contact) -> None:
    _text(element, "PersonName", contact.name)
    if contact.phone:
        _text(_group(element, "TelephoneUniversalCommunication"), "CompleteNumber", contact.phone)
    if contact.email:
        _text(_group(element, "EmailURIUniversalCommunication"), "URIID", contact.email)


def _address(party: etree._Element, address: Address) -> None:
    element = _group(party, "PostalTradeAddress")
    _text(element, "PostcodeCode", address.postal_code)
    _text(element, "LineOne", address.street)
    _text(element, "CityName", address.city)
    _text(element, "CountryID", address.country)
    _text(element, "CountrySubDivisionName", address.region)


def _period(parent: etree._Element, period: Period | None) -> None:
    if period is not None:
        element = _group(parent, "BillingSpecifiedPeriod")
        _day(element, "StartDateTime", period.start)
        _day(element, "EndDateTime", period.end)


def _identifier(parent: etree._Element, name: str, identifier: Identifier) -> None:
    _text(parent, name, identifier.value, **({"schemeID": identifier.scheme} if identifier.scheme else {}))


def _money(parent: etree._Element, name: str, money: Money, *, with_currency: bool = False) -> None:
    _text(parent, name, f"{money.amount:f}", **({"currencyID": money.currency} if with_currency else {}))


def _day(parent: etree._Element, name: str, day: date, *, space: str = "udt") -> None:
    _text(_group(parent, name), f"{space}:DateTimeString", f"{day:%Y%m%d}", format="102")


def _group(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, _tag(name))


def _text(parent: etree._Element, name: str, text: str | int | None, **attributes: str) -> None:
    if text is not None and text != "":
        etree.SubElement(parent, _tag(name), attributes).text = str(text)


def _tag(name: str) -> str:
    """``ram`` is the namespace of a name without one."""
    space, _colon, local = name.rpartition(":")
    return f"{{{NAMES[space or 'ram']}}}{local}"
