"""Reads an e-invoice of somebody's software, UBL or CII, as terms: for imports, and to compare what was written.

The file is not trusted: no entities, no network, no document type, and a limit on its size.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

from lxml import etree

from invoices.documents.einvoice.cii import NAMES
from invoices.documents.einvoice.terms import (
    Account,
    Address,
    Allowance,
    Card,
    Contact,
    Identifier,
    Line,
    Mandate,
    Means,
    Party,
    Payment,
    Period,
    Preceding,
    Terms,
)
from invoices.documents.einvoice.ubl import CAC, CBC, UBL
from invoices.money import Money, UnknownCurrency, exponent
from invoices.tax import Tax

# As XML has it (xsd:decimal): no exponent.
DECIMAL = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{0,30})?|[+-]?\.[0-9]{1,30}")
LARGEST = 20 * 1024 * 1024
INVOICE_TYPES = {"380", "326", "384", "389", "82", "84", "393", "395", "575", "623", "780"}
CREDIT_NOTE_TYPES = {"381", "396", "81", "83", "532"}
# Where a row of the table of taxes has category, rate, taxable amount, tax, reason and code.
UBL_TAX = (
    "cac:TaxCategory/cbc:ID", "cac:TaxCategory/cbc:Percent", "cbc:TaxableAmount", "cbc:TaxAmount",
    "cac:TaxCategory/cbc:TaxExemptionReason", "cac:TaxCategory/cbc:TaxExemptionReasonCode",
)  # fmt: skip
CII_TAX = (
    "ram:CategoryCode", "ram:RateApplicablePercent", "ram:BasisAmount", "ram:CalculatedAmount", "ram:ExemptionReason",
    "ram:ExemptionReasonCode",
)  # fmt: skip
# The sums of the lines (BT-106), of discounts and of charges on the whole invoice (BT-107, BT-108), without tax
# (BT-109), with tax (BT-112), and what is to be paid (BT-115).
UBL_SUMS = (
    "cbc:LineExtensionAmount", "cbc:AllowanceTotalAmount", "cbc:ChargeTotalAmount", "cbc:TaxExclusiveAmount",
    "cbc:TaxInclusiveAmount", "cbc:PayableAmount",
)  # fmt: skip
CII_SUMS = (
    "ram:LineTotalAmount", "ram:AllowanceTotalAmount", "ram:ChargeTotalAmount", "ram:TaxBasisTotalAmount",
    "ram:GrandTotalAmount", "ram:DuePayableAmount",
)  # fmt: skip
SPACES = {**NAMES, "cac": CAC, "cbc": CBC}


class UnreadableInvoice(ValueError):
    """The file is no e-invoice, or says something in a way that cannot be read. The message may be shown to staff."""


def read_terms(content: bytes) -> Terms:
    """The terms of a UBL or CII document. Raises UnreadableInvoice."""
    root = parse(content)
    kind = etree.QName(root)
    if kind.namespace in {f"{UBL}:Invoice-2", f"{UBL}:CreditNote-2"}:
        return _in_one_currency(root, _of_ubl(root, is_credit_note=kind.localname == "CreditNote"))
    if kind.text == f"{{{NAMES['rsm']}}}CrossIndustryInvoice":
        return _in_one_currency(root, _of_cii(root))
    raise UnreadableInvoice(f"<{kind.localname[:40]}> is no invoice in UBL or CII.")


def _in_one_currency(root: etree._Element, terms: Terms) -> Terms:
    """Raises UnreadableInvoice for an amount in another currency than the invoice; its tax may stand in both."""
    for element in root.iter(etree.Element):
        code, name = element.get("currencyID", terms.currency), etree.QName(element).localname
        if code != terms.currency and name not in {"TaxAmount", "TaxTotalAmount"}:
            raise UnreadableInvoice(f"{name} is in {code[:10]}, and the invoice in {terms.currency}.")
    return terms


def line_numbers(content: bytes) -> list[int]:
    """On which lines of the file the lines of the invoice begin. Of a file that `read_terms` has read."""
    names = ("{*}InvoiceLine", "{*}CreditNoteLine", "{*}IncludedSupplyChainTradeLineItem")
    return [element.sourceline or 1 for element in parse(content).iter(*names)]


def parse(content: bytes) -> etree._Element:
    """The root of an XML file from outside, read without entities and without the network. Raises UnreadableInvoice."""
    if len(content) > LARGEST:
        raise UnreadableInvoice(f"The file is larger than {LARGEST // 1024 // 1024} MB.")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise UnreadableInvoice(f"The XML is broken: {error.msg}.") from None
    if root.getroottree().docinfo.doctype:
        raise UnreadableInvoice("The XML declares a document type, which e-invoices have not.")
    return root


class _Node:
    """An element, or none: what is looked for in none is none as well."""

    def __init__(self, element: etree._Element | None) -> None:
        self.element = element

    def __bool__(self) -> bool:
        return self.element is not None

    def one(self, path: str) -> "_Node":
        return _Node(None if self.element is None else self.element.find(path, SPACES))

    def all(self, path: str) -> "Iterator[_Node]":
        return iter(()) if self.element is None else (_Node(child) for child in self.element.iterfind(path, SPACES))

    def text(self, path: str = "") -> str:
        node = self.one(path) if path else self
        return (node.element.text or "").strip() if node.element is not None else ""

    def attribute(self, name: str) -> str:
        return (self.element.get(name) or "").strip() if self.element is not None else ""

    def identifier(self, path: str) -> Identifier:
        return Identifier(self.text(path), self.one(path).attribute("schemeID"))

    def number(self, path: str, default: str = "") -> Decimal:
        text = self.text(path) or default
        if not DECIMAL.fullmatch(text):
            name = path.rpartition(":")[2]
            raise UnreadableInvoice(f"{name} is {text[:40]!r}, not a number.")
        return Decimal(text)

    def minor(self, path: str, currency: str) -> int:
        value = self.number(path, "0").scaleb(exponent(currency))
        if value != value.to_integral_value():
            name = path.rpartition(":")[2]
            raise UnreadableInvoice(f"{name} is {self.text(path)[:40]!r}, with more decimals than {currency} has.")
        return int(value)

    def day(self, path: str) -> date | None:
        text = self.text(path)
        form = "%Y-%m-%d" if "-" in text else "%Y%m%d"
        try:
            return datetime.strptime(text[:10], form).date() if text else None  # noqa: DTZ007  a day has no zone
        except ValueError:
            raise UnreadableInvoice(f"{text[:40]!r} is not a date.") from None


def _period(node: _Node, start: str, end: str) -> Period | None:
    first, last = node.day(start), node.day(end)
    return Period(first, last) if first and last else None


def _currency(code: str) -> str:
    try:
        exponent(code)
    except UnknownCurrency as error:
        raise UnreadableInvoice(str(error)) from None
    return code


def _head(number: str, issued_on: date | None) -> tuple[str, date]:
    if not number or issued_on is None:
        raise UnreadableInvoice("The number of the invoice or its date is missing.")
    return number, issued_on


def _type(code: str, *, is_credit_note: bool) -> bool:
    """Whether it is a credit note. Raises UnreadableInvoice for what is neither invoice nor credit note."""
    if code not in INVOICE_TYPES | CREDIT_NOTE_TYPES:
        raise UnreadableInvoice(f"A document of type {code[:10] or '(none)'} is no invoice.")
    return is_credit_note or code in CREDIT_NOTE_TYPES


def _means(code: str) -> Means | None:
    """Those that we write; another is of no use here."""
    return Means(code) if code in set(Means) else None


def _description(name: str, longer: str) -> str:
    """One text of name and description: that of which the name is the beginning."""
    return longer if name.endswith("…") and longer.startswith(name[:-1]) else name


def _of_ubl(root: etree._Element, *, is_credit_note: bool) -> Terms:
    document = _Node(root)
    kind = "CreditNote" if is_credit_note else "Invoice"
    currency = _currency(document.text("cbc:DocumentCurrencyCode"))
    number, issued_on = _head(document.text("cbc:ID"), document.day("cbc:IssueDate"))
    totals = document.one("cac:LegalMonetaryTotal")
    delivery = document.one("cac:Delivery")
    delivered_to = delivery.one("cac:DeliveryLocation/cac:Address")
    terms = Terms(
        number=number,
        issued_on=issued_on,
        currency=currency,
        is_credit_note=_type(document.text(f"cbc:{kind}TypeCode"), is_credit_note=is_credit_note),
        due_on=document.day("cbc:DueDate"),
        note="\n".join(note.text() for note in document.all("cbc:Note")),
        buyer_reference=document.text("cbc:BuyerReference"),
        order_reference=document.text("cac:OrderReference/cbc:ID"),
        preceding=[
            Preceding(reference.text("cbc:ID"), reference.day("cbc:IssueDate"))
            for reference in document.all("cac:BillingReference/cac:InvoiceDocumentReference")
        ],
        period=_period(document.one("cac:InvoicePeriod"), "cbc:StartDate", "cbc:EndDate"),
        delivered_on=delivery.day("cbc:ActualDeliveryDate"),
        delivered_to=_ubl_address(delivered_to) if delivered_to else None,
        seller=_ubl_party(document.one("cac:AccountingSupplierParty/cac:Party")),
        buyer=_ubl_party(document.one("cac:AccountingCustomerParty/cac:Party")),
        payment=_ubl_payment(document),
        payment_terms=document.text("cac:PaymentTerms/cbc:Note"),
        taxes=[
            _tax(row, currency, UBL_TAX)
            for row in document.all("cac:TaxTotal/cac:TaxSubtotal")
        ],
        seller_tax=_seller_tax(document, document.text("cbc:TaxCurrencyCode"), "cac:TaxTotal/cbc:TaxAmount"),
        allowances=[
            Allowance(
                part.text("cbc:AllowanceChargeReason"), part.minor("cbc:Amount", currency),
                part.text("cac:TaxCategory/cbc:ID"), part.number("cac:TaxCategory/cbc:Percent", "0"),
                part.text("cbc:ChargeIndicator") in {"true", "1"},
            )
            for part in document.all("cac:AllowanceCharge")
        ],
        lines=[_ubl_line(line, currency) for line in document.all(f"cac:{kind}Line")],
        prepaid_minor=totals.minor("cbc:PrepaidAmount", currency),
    )  # fmt: skip
    return _checked(terms, totals, UBL_SUMS, list(document.all("cac:TaxTotal/cbc:TaxAmount")))


def _ubl_line(line: _Node, currency: str) -> Line:
    name = "cbc:InvoicedQuantity" if line.one("cbc:InvoicedQuantity") else "cbc:CreditedQuantity"
    item, category = line.one("cac:Item"), line.one("cac:Item/cac:ClassifiedTaxCategory")
    return Line(
        description=_description(item.text("cbc:Name"), item.text("cbc:Description")),
        quantity=line.number(name, "1"),
        unit=line.one(name).attribute("unitCode"),
        price=line.number("cac:Price/cbc:PriceAmount", "0"),
        price_for=line.number("cac:Price/cbc:BaseQuantity", "1"),
        net_minor=line.minor("cbc:LineExtensionAmount", currency),
        category=category.text("cbc:ID"),
        rate=category.number("cbc:Percent", "0"),
        period=_period(line.one("cac:InvoicePeriod"), "cbc:StartDate", "cbc:EndDate"),
        note=line.text("cbc:Note"),
    )


def _ubl_party(party: _Node) -> Party:
    numbers = {
        registration.text("cac:TaxScheme/cbc:ID"): registration.text("cbc:CompanyID")
        for registration in party.all("cac:PartyTaxScheme")
    }
    contact = party.one("cac:Contact")
    return Party(
        party.text("cac:PartyLegalEntity/cbc:RegistrationName") or party.text("cac:PartyName/cbc:Name"),
        _ubl_address(party.one("cac:PostalAddress")),
        numbers.pop("VAT", ""),
        next(iter(numbers.values()), ""),
        party.identifier("cac:PartyLegalEntity/cbc:CompanyID"),
        party.identifier("cbc:EndpointID"),
        Contact(contact.text("cbc:Name"), contact.text("cbc:Telephone"), contact.text("cbc:ElectronicMail")),
    )


def _ubl_address(address: _Node) -> Address:
    return Address(
        street=address.text("cbc:StreetName"),
        postal_code=address.text("cbc:PostalZone"),
        city=address.text("cbc:CityName"),
        region=address.text("cbc:CountrySubentity"),
        country=address.text("cac:Country/cbc:IdentificationCode"),
    )


def _ubl_payment(document: _Node) -> Payment:
    means = document.one("cac:PaymentMeans")
    card, account, mandate = (
        means.one(f"cac:{name}") for name in ("CardAccount", "PayeeFinancialAccount", "PaymentMandate")
    )
    creditor = document.one("cac:AccountingSupplierParty/cac:Party/cac:PartyIdentification/cbc:ID[@schemeID='SEPA']")
    return Payment(
        _means(means.text("cbc:PaymentMeansCode")),
        means.text("cbc:PaymentID"),
        Account(
            account.text("cbc:ID"), account.text("cbc:Name"), account.text("cac:FinancialInstitutionBranch/cbc:ID")
        ) if account else None,
        Card(card.text("cbc:PrimaryAccountNumberID"), card.text("cbc:NetworkID")) if card else None,
        Mandate(
            mandate.text("cbc:ID"), creditor.text(), mandate.text("cac:PayerFinancialAccount/cbc:ID")
        ) if mandate else None,
    )  # fmt: skip


def _of_cii(root: etree._Element) -> Terms:
    document = _Node(root).one("rsm:ExchangedDocument")
    transaction = _Node(root).one("rsm:SupplyChainTradeTransaction")
    agreement = transaction.one("ram:ApplicableHeaderTradeAgreement")
    delivery = transaction.one("ram:ApplicableHeaderTradeDelivery")
    settlement = transaction.one("ram:ApplicableHeaderTradeSettlement")
    conditions = settlement.one("ram:SpecifiedTradePaymentTerms")
    totals = settlement.one("ram:SpecifiedTradeSettlementHeaderMonetarySummation")
    ship_to = delivery.one("ram:ShipToTradeParty")
    currency = _currency(settlement.text("ram:InvoiceCurrencyCode"))
    number, issued_on = _head(document.text("ram:ID"), document.day("ram:IssueDateTime/udt:DateTimeString"))
    terms = Terms(
        number=number,
        issued_on=issued_on,
        currency=currency,
        is_credit_note=_type(document.text("ram:TypeCode"), is_credit_note=False),
        due_on=conditions.day("ram:DueDateDateTime/udt:DateTimeString"),
        note="\n".join(note.text("ram:Content") for note in document.all("ram:IncludedNote")),
        buyer_reference=agreement.text("ram:BuyerReference"),
        order_reference=agreement.text("ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID"),
        preceding=[
            Preceding(
                reference.text("ram:IssuerAssignedID"),
                reference.day("ram:FormattedIssueDateTime/qdt:DateTimeString"),
            )
            for reference in settlement.all("ram:InvoiceReferencedDocument")
        ],
        period=_cii_period(settlement),
        delivered_on=delivery.day("ram:ActualDeliverySupplyChainEvent/ram:OccurrenceDateTime/udt:DateTimeString"),
        delivered_to=_cii_address(ship_to) if ship_to else None,
        seller=_cii_party(agreement.one("ram:SellerTradeParty")),
        buyer=_cii_party(agreement.one("ram:BuyerTradeParty")),
        payment=_cii_payment(settlement),
        payment_terms=conditions.text("ram:Description"),
        taxes=[
            _tax(row, currency, CII_TAX)
            for row in settlement.all("ram:ApplicableTradeTax")
        ],
        seller_tax=_seller_tax(
            settlement, settlement.text("ram:TaxCurrencyCode"),
            "ram:SpecifiedTradeSettlementHeaderMonetarySummation/ram:TaxTotalAmount",
        ),
        allowances=[
            Allowance(
                part.text("ram:Reason"), part.minor("ram:ActualAmount", currency),
                part.text("ram:CategoryTradeTax/ram:CategoryCode"),
                part.number("ram:CategoryTradeTax/ram:RateApplicablePercent", "0"),
                part.text("ram:ChargeIndicator/udt:Indicator") in {"true", "1"},
            )
            for part in settlement.all("ram:SpecifiedTradeAllowanceCharge")
        ],
        lines=[_cii_line(line, currency) for line in transaction.all("ram:IncludedSupplyChainTradeLineItem")],
        prepaid_minor=totals.minor("ram:TotalPrepaidAmount", currency),
    )  # fmt: skip
    return _checked(terms, totals, CII_SUMS, list(totals.all("ram:TaxTotalAmount")))


def _cii_line(line: _Node, currency: str) -> Line:
    product = line.one("ram:SpecifiedTradeProduct")
    price = line.one("ram:SpecifiedLineTradeAgreement/ram:NetPriceProductTradePrice")
    quantity = "ram:SpecifiedLineTradeDelivery/ram:BilledQuantity"
    settlement = line.one("ram:SpecifiedLineTradeSettlement")
    tax = settlement.one("ram:ApplicableTradeTax")
    summation = settlement.one("ram:SpecifiedTradeSettlementLineMonetarySummation")
    return Line(
        description=_description(product.text("ram:Name"), product.text("ram:Description")),
        quantity=line.number(quantity, "1"),
        unit=line.one(quantity).attribute("unitCode"),
        price=price.number("ram:ChargeAmount", "0"),
        price_for=price.number("ram:BasisQuantity", "1"),
        net_minor=summation.minor("ram:LineTotalAmount", currency),
        category=tax.text("ram:CategoryCode"),
        rate=tax.number("ram:RateApplicablePercent", "0"),
        period=_cii_period(settlement),
        note=line.text("ram:AssociatedDocumentLineDocument/ram:IncludedNote/ram:Content"),
    )


def _cii_period(node: _Node) -> Period | None:
    day = "udt:DateTimeString"
    return _period(node.one("ram:BillingSpecifiedPeriod"), f"ram:StartDateTime/{day}", f"ram:EndDateTime/{day}")


def _cii_party(party: _Node) -> Party:
    numbers = {
        number.attribute("schemeID"): number.text() for number in party.all("ram:SpecifiedTaxRegistration/ram:ID")
    }
    contact = party.one("ram:DefinedTradeContact")
    return Party(
        party.text("ram:Name"),
        _cii_address(party),
        numbers.get("VA", ""),
        numbers.get("FC", ""),
        party.identifier("ram:SpecifiedLegalOrganization/ram:ID"),
        party.identifier("ram:URIUniversalCommunication/ram:URIID"),
        Contact(
            contact.text("ram:PersonName"),
            contact.text("ram:TelephoneUniversalCommunication/ram:CompleteNumber"),
            contact.text("ram:EmailURIUniversalCommunication/ram:URIID"),
        ),
    )


def _cii_address(party: _Node) -> Address:
    address = party.one("ram:PostalTradeAddress")
    return Address(
        street=address.text("ram:LineOne"),
        postal_code=address.text("ram:PostcodeCode"),
        city=address.text("ram:CityName"),
        region=address.text("ram:CountrySubDivisionName"),
        country=address.text("ram:CountryID"),
    )


def _cii_payment(settlement: _Node) -> Payment:
    means = settlement.one("ram:SpecifiedTradeSettlementPaymentMeans")
    card = means.one("ram:ApplicableTradeSettlementFinancialCard")
    account = means.one("ram:PayeePartyCreditorFinancialAccount")
    mandate = settlement.text("ram:SpecifiedTradePaymentTerms/ram:DirectDebitMandateID")
    return Payment(
        _means(means.text("ram:TypeCode")),
        settlement.text("ram:PaymentReference"),
        Account(
            account.text("ram:IBANID") or account.text("ram:ProprietaryID"), account.text("ram:AccountName"),
            means.text("ram:PayeeSpecifiedCreditorFinancialInstitution/ram:BICID"),
        ) if account else None,
        Card(card.text("ram:ID"), "") if card else None,
        Mandate(
            mandate, settlement.text("ram:CreditorReferenceID"),
            means.text("ram:PayerPartyDebtorFinancialAccount/ram:IBANID"),
        ) if mandate else None,
    )  # fmt: skip


def _tax(row: _Node, currency: str, paths: tuple[str, ...]) -> Tax:
    category, rate, taxable, tax, reason, code = paths
    return Tax(
        row.text(category), row.number(rate, "0"), row.minor(taxable, currency), row.minor(tax, currency),
        row.text(reason), row.text(code),
    )  # fmt: skip


def _seller_tax(document: _Node, currency: str, path: str) -> Money | None:
    """The total of the tax in the currency of the seller's tax office (BT-111)."""
    for amount in document.all(path) if currency else ():
        if amount.attribute("currencyID") == currency:
            return Money(amount.minor("", _currency(currency)), currency)
    return None


def _checked(terms: Terms, totals: _Node, paths: Sequence[str], taxes: Sequence[_Node]) -> Terms:
    """Raises UnreadableInvoice where the sums are not those of the parts: something was not understood, or the file
    contradicts itself. ``taxes`` are the totals of the tax, in the currency of the invoice or of the tax office."""
    ours = (
        terms.lines_minor, terms.allowances_minor, terms.charges_minor, terms.net_minor, terms.total_minor,
        terms.payable_minor,
    )  # fmt: skip
    sums = [(path, totals.one(path), minor) for path, minor in zip(paths, ours, strict=True)]
    in_currency = [tax for tax in taxes if tax.attribute("currencyID") in ("", terms.currency)]
    sums += [("The total of the tax (BT-110)", tax, terms.tax_minor) for tax in in_currency or [_Node(None)]]
    for path, node, minor in sums:
        if node.minor("", terms.currency) != minor:
            raise UnreadableInvoice(
                f"{path.rpartition(':')[2]} is {node.text() or 'missing'}, and the parts come to"
                f" {Money(minor, terms.currency).amount}."
            )
    return terms
