"""What an invoice or a credit note says, as the semantic model of EN 16931:2017 has it: BT and BG are its numbers.

The terms come from stored rows alone, so they are the same whenever they are asked for. How they are written is the
matter of `ubl` and `cii`; what they lack is that of `checks`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from typing import Any, NamedTuple

from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from stdnum import iban

from invoices.documents.einvoice.codes import REGISTER_SCHEMES, SEPA
from invoices.documents.einvoice.texts import clean, one_line, without_spaces
from invoices.documents.taxes import reason_text
from invoices.exchange import seller_tax
from invoices.models import CreditNote, CreditNoteLine, Invoice, InvoiceLine
from invoices.models.invoices import TaxRow
from invoices.money import Money
from invoices.tax import WITH_REASON, Tax, TaxCategory
from invoices.units import ONE


class Format(StrEnum):
    """How a document goes out. ``en16931`` is UBL without the rules of Peppol or XRechnung."""

    PDF = "pdf"
    FACTURX = "facturx"
    UBL = "ubl"
    XRECHNUNG = "xrechnung"
    EN16931 = "en16931"


class Means(StrEnum):
    """Codes of UNTDID 4461 (BT-81)."""

    UNDEFINED = "1"
    TRANSFER = "30"
    DANISH_TRANSFER = "31"
    CARD = "48"
    STANDING_AGREEMENT = "57"
    SEPA_TRANSFER = "58"
    SEPA_DEBIT = "59"
    ONLINE = "68"
    CLEARING = "97"


@dataclass(frozen=True)
class Address:
    """BG-5, BG-8, BG-15."""

    street: str = ""
    postal_code: str = ""
    city: str = ""
    region: str = ""
    country: str = ""


class Identifier(NamedTuple):
    """``scheme`` is a code of ISO 6523 or, of an endpoint, of the EAS list; empty for none."""

    value: str
    scheme: str = ""


NO_IDENTIFIER = Identifier("")


@dataclass(frozen=True)
class Contact:
    """BG-6, BG-9."""

    name: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True)
class Party:
    """Seller (BG-4) or buyer (BG-7)."""

    name: str  # BT-27, BT-44
    address: Address = Address()
    vat: str = ""  # BT-31, BT-48: with the letters of its country
    tax_registration: str = ""  # BT-32, of the seller alone
    company: Identifier = NO_IDENTIFIER  # BT-30, BT-47
    endpoint: Identifier = NO_IDENTIFIER  # BT-34, BT-49
    contact: Contact = Contact()


class Period(NamedTuple):
    """BG-14, BG-26."""

    start: date
    end: date


@dataclass(frozen=True)
class Line:
    """BG-25. ``price`` is that of ``price_for`` units (BT-146, BT-149), never negative: what is deducted has a negative
    quantity. The rate is in percent."""

    description: str  # BT-153, BT-154
    quantity: Decimal
    unit: str  # BT-130, of UN/ECE Recommendation 20
    price: Decimal
    net_minor: int  # BT-131
    category: str  # BT-151
    rate: Decimal  # BT-152
    price_for: Decimal = Decimal(1)
    period: Period | None = None
    note: str = ""  # BT-127


@dataclass(frozen=True)
class Allowance:
    """A discount on the whole document (BG-20), or a charge (BG-21); the amount is positive."""

    reason: str
    amount_minor: int
    category: str
    rate: Decimal
    is_charge: bool = False


class Account(NamedTuple):
    """Where to send the money (BG-17)."""

    number: str  # BT-84
    holder: str = ""
    bic: str = ""


class Card(NamedTuple):
    """The stored card that is charged by itself (BG-18): its last digits alone."""

    last_four: str
    network: str


class Mandate(NamedTuple):
    """The direct debit by which it is collected by itself (BG-19)."""

    reference: str  # BT-89
    creditor_id: str = ""  # BT-90
    debited_iban: str = ""  # BT-91


@dataclass(frozen=True)
class Payment:
    """BG-16."""

    means: Means | None = None
    reference: str = ""  # BT-83
    account: Account | None = None
    card: Card | None = None
    mandate: Mandate | None = None


class Preceding(NamedTuple):
    """An earlier invoice that this corrects or replaces (BG-3)."""

    number: str
    issued_on: date | None = None


@dataclass(frozen=True)
class Terms:
    """One document. Amounts are minor units of ``currency``; those of a credit note are positive."""

    number: str  # BT-1
    issued_on: date  # BT-2
    currency: str  # BT-5
    seller: Party
    buyer: Party
    lines: Sequence[Line]
    taxes: Sequence[Tax]  # BG-23
    is_credit_note: bool = False  # BT-3: 381, else 380
    due_on: date | None = None  # BT-9
    seller_tax: Money | None = None  # BT-6, BT-111: in the seller's currency, where that is another one
    note: str = ""  # BT-22
    buyer_reference: str = ""  # BT-10
    order_reference: str = ""  # BT-13
    preceding: Sequence[Preceding] = ()
    period: Period | None = None
    delivered_on: date | None = None  # BT-72
    delivered_to: Address | None = None  # BG-15
    allowances: Sequence[Allowance] = ()
    payment: Payment = field(default_factory=Payment)
    payment_terms: str = ""  # BT-20
    prepaid_minor: int = 0  # BT-113

    @property
    def lines_minor(self) -> int:  # BT-106
        return sum(line.net_minor for line in self.lines)

    @property
    def allowances_minor(self) -> int:  # BT-107
        return sum(part.amount_minor for part in self.allowances if not part.is_charge)

    @property
    def charges_minor(self) -> int:  # BT-108
        return sum(part.amount_minor for part in self.allowances if part.is_charge)

    @property
    def net_minor(self) -> int:  # BT-109
        return self.lines_minor - self.allowances_minor + self.charges_minor

    @property
    def tax_minor(self) -> int:  # BT-110
        return sum(tax.tax_minor for tax in self.taxes)

    @property
    def total_minor(self) -> int:  # BT-112
        return self.net_minor + self.tax_minor

    @property
    def payable_minor(self) -> int:  # BT-115
        return self.total_minor - self.prepaid_minor

    @property
    def is_french(self) -> bool:
        return self.seller.address.country == self.buyer.address.country == "FR"

    @property
    def categories(self) -> set[str]:
        taxes = {tax.category for tax in self.taxes}
        return taxes | {line.category for line in self.lines} | {part.category for part in self.allowances}


class Attachment(NamedTuple):
    """A file beside the terms (BG-24): the PDF, or the usage in detail. Names differ within a document."""

    name: str
    mime_type: str  # application/pdf, text/csv
    content: bytes
    description: str = ""


def terms_of(invoice: Invoice, *, mandate: Mandate | None = None) -> Terms:
    """The terms of an issued invoice as it was issued: what was paid later is not in them. Needs ``profile.account``
    loaded; two queries, none with ``lines`` and ``taxes`` loaded. ``mandate`` is the direct debit by which it is
    collected, where the caller knows one."""
    with override(_language(invoice.buyer)):
        parts = sorted(invoice.lines.all(), key=attrgetter("position", "pk"))
        period = _period(invoice)
        lines = [
            _line(invoice.currency, line, line.amount_minor, period=period) for line in parts if not line.is_allowance
        ]
        replaced = invoice.replaces
        assert invoice.issued_on is not None  # noqa: S101  of an issued invoice
        return Terms(
            number=str(invoice.number),
            issued_on=invoice.issued_on,
            due_on=invoice.due_on,
            note=clean(_legal_notes(invoice)),
            order_reference=one_line(invoice.po_number),
            preceding=[Preceding(str(replaced.number), replaced.issued_on)] if replaced else [],
            period=period,
            delivered_on=None if period else _last_day(parts) or invoice.issued_on,
            lines=lines,
            allowances=[_allowance(line, line.amount_minor) for line in parts if line.is_allowance],
            seller_tax=seller_tax(invoice, invoice.seller_tax_minor),
            payment=_payment(invoice, mandate),
            payment_terms=_payment_terms(invoice),
            prepaid_minor=invoice.credited_at_issue_minor + invoice.paid_before_minor,
            **_common(invoice, sorted(invoice.taxes.all(), key=attrgetter("pk"))),
        )


def terms_of_note(note: CreditNote) -> Terms:
    """The terms of a credit note. Needs ``invoice`` loaded; two queries."""
    invoice = note.invoice
    common = _common(note, note.taxes.order_by("pk"))
    with override(_language(note.buyer)):
        parts = list(note.lines.select_related("line").order_by("position", "pk"))
        period = _period(invoice)
        return Terms(
            number=note.number,
            issued_on=note.issued_on,
            is_credit_note=True,
            note=clean("\n".join(text for text in (note.reason, _legal_notes(note)) if text)),
            order_reference=one_line(invoice.po_number),
            preceding=[Preceding(str(invoice.number), invoice.issued_on)],
            period=period,
            delivered_on=None if period else _last_day(part.line for part in parts) or invoice.issued_on,
            lines=[_credited(note, part, period) for part in parts if not part.line.is_allowance],
            allowances=[_allowance(part.line, part.amount_minor) for part in parts if part.line.is_allowance],
            seller_tax=seller_tax(invoice, note.seller_tax_minor),
            payment=Payment(_means_of_note(common["seller"], common["buyer"])),
            payment_terms=_("Taken off invoice %(number)s, or kept as a credit.") % {"number": invoice.number},
            **common,
        )


def _means_of_note(seller: Party, buyer: Party) -> Means:
    """Germany wants one on every document (BR-DE-1), and the Netherlands know none for settling (NL-R-008)."""
    is_dutch = seller.address.country == buyer.address.country == "NL"
    return Means.STANDING_AGREEMENT if is_dutch else Means.CLEARING


def _common(document: Invoice | CreditNote, rows: Iterable[TaxRow]) -> dict[str, Any]:
    """What an invoice and a credit note say alike."""
    with override(_language(document.buyer)):
        taxes = [_tax(row.as_tax, document.seller.get("country", "")) for row in rows]
    categories = {tax.category for tax in taxes}
    buyer = document.buyer
    seller = seller_of(document.seller)
    bought = buyer_of(buyer)
    if TaxCategory.OUTSIDE in categories:  # which shows no VAT number (BR-O-02 to 04)
        seller, bought = _without_vat(seller), _without_vat(bought)
    return {
        "currency": document.currency,
        "seller": seller,
        "buyer": bought,
        "taxes": taxes,
        "buyer_reference": one_line(buyer.get("reference", "")),
        # Goods or services that go to another country of the Union say where to (BR-IC-12).
        "delivered_to": bought.address if TaxCategory.INTRA_COMMUNITY in categories else None,
    }


def _language(buyer: Mapping[str, Any]) -> str:
    return buyer.get("language") or "en"


def _legal_notes(document: Invoice | CreditNote) -> str:
    """In the language that is active, else in English, else in any; in French where French law asks for them."""
    notes: dict[str, str] = document.seller.get("notes") or {}
    countries = {document.seller.get("country"), (document.buyer.get("sold_to") or {}).get("country")}
    language = "fr" if countries == {"FR"} else get_language() or "en"
    return notes.get(language) or notes.get("en") or next(iter(notes.values()), "")


def _tax(tax: Tax, country: str) -> Tax:
    """With its reason as the documents of a seller in ``country`` say it; none where there is tax (BR-S-10,
    BR-Z-10)."""
    if tax.category not in WITH_REASON:
        return tax._replace(exemption_reason="", exemption_code="")
    return tax._replace(exemption_reason=one_line(reason_text(tax, country)))


def _period(invoice: Invoice) -> Period | None:
    if invoice.period_start_on is None or invoice.period_end_on is None:
        return None
    return Period(invoice.period_start_on, invoice.period_end_on)


def _line(currency: str, line: InvoiceLine, net_minor: int, *, period: Period | None) -> Line:
    """A line as it was billed. The price is the same whatever the amount was rounded to, unless that moved it by more
    than two cents (PEPPOL-EN16931-R120), as whole yen do: then it is the amount, for the whole quantity."""
    quantity, price, price_for = line.quantity, line.unit_price, Decimal(1)
    net = Money(net_minor, currency).amount
    if abs(quantity * price - net) > Decimal("0.01") and quantity:
        price, price_for = abs(net), abs(quantity)
    day = line.happened_on
    own = Period(day, day) if day else None
    if own and period and not period.start <= own.start <= period.end:
        own = None  # a line's period lies within that of the document (PEPPOL-EN16931-R110)
    note = _("Date of supply: %(day)s") % {"day": day.isoformat()} if day and own is None else ""
    return Line(
        _words(line), quantity, line.unit, price, net_minor, line.tax_category, line.tax_rate,
        price_for, own, note,
    )  # fmt: skip


def _credited(note: CreditNote, part: CreditNoteLine, period: Period | None) -> Line:
    """All of a line as it was billed; a part of one as an amount."""
    line = part.line
    if part.amount_minor == line.amount_minor:
        return _line(note.currency, line, part.amount_minor, period=period)
    net = Money(part.amount_minor, note.currency).amount
    quantity = Decimal(1).copy_sign(net)
    return Line(_words(line), quantity, ONE, abs(net), part.amount_minor, line.tax_category, line.tax_rate)


def _allowance(line: InvoiceLine, amount_minor: int) -> Allowance:
    return Allowance(_words(line), -amount_minor, line.tax_category, line.tax_rate)


def _words(line: InvoiceLine) -> str:
    """Never empty (BR-25, BR-33)."""
    return one_line(line.description) or "-"


def _last_day(lines: Iterable[InvoiceLine]) -> date | None:
    return max((line.happened_on for line in lines if line.happened_on), default=None)


def _payment_terms(invoice: Invoice) -> str:
    days = invoice.payment_terms_days
    return _("Net %(days)s days") % {"days": days} if days else _("On receipt")


def _payment(invoice: Invoice, mandate: Mandate | None) -> Payment:
    """By transfer to the account that the document prints, unless it is collected by itself. A transfer is named beside
    no card (BR-DE-23), or the buyer would pay twice. Between Danish companies there are codes of their own (DK-R-005).
    """
    reference = invoice.payment_reference
    is_danish = invoice.seller.get("country") == (invoice.buyer.get("sold_to") or {}).get("country") == "DK"
    if mandate is not None:
        return Payment(Means.SEPA_DEBIT, reference, mandate=mandate)
    if invoice.buyer.get("is_charged"):  # as it was at issue
        if card := invoice.buyer.get("card"):
            return Payment(Means.CARD, reference, card=Card(card["last_four"], card["network"]))
        return Payment(Means.UNDEFINED if is_danish else Means.STANDING_AGREEMENT, reference)
    if not invoice.remittance:
        return Payment(Means.UNDEFINED if is_danish else Means.ONLINE, reference)
    values = invoice.remittance
    account = Account(without_spaces(values["iban"]), one_line(values["holder"]), without_spaces(values.get("bic", "")))
    is_sepa = invoice.currency == "EUR" and account.number[:2] in SEPA and iban.is_valid(account.number)
    other = Means.DANISH_TRANSFER if is_danish else Means.TRANSFER
    return Payment(Means.SEPA_TRANSFER if is_sepa else other, reference, account)


def seller_of(seller: Mapping[str, Any]) -> Party:
    """As an invoice keeps it. An e-mail address is an endpoint where there is no other, though not one of Peppol."""
    country = seller.get("country", "")
    numbers = _numbers(seller)
    vat, national = without_spaces(numbers.get("vat", "")), one_line(numbers.get("national", ""))
    if vat and not vat[:2].isalpha():  # as in Japan, where it names no country
        vat, national = "", national or vat
    email = one_line(seller.get("email", ""))
    return Party(
        one_line(seller.get("name", "")), _address(seller), vat, national,
        _company(country, numbers.get("company", "")),
        _endpoint(seller) if _endpoint(seller).value else Identifier(email, "EM" if email else ""),
        Contact(one_line(seller.get("contact", "")), one_line(seller.get("phone", "")), email),
    )  # fmt: skip


def buyer_of(buyer: Mapping[str, Any]) -> Party:
    """As an invoice keeps it. A number that names no country, such as an EIN, is none of VAT: it stands for that of a
    register."""
    sold_to: Mapping[str, str] = buyer.get("sold_to") or {}
    attention = one_line(sold_to.get("attention", ""))
    name = one_line(sold_to.get("company", ""))
    numbers = _numbers(buyer)
    vat, company = without_spaces(numbers.get("vat", "")), numbers.get("company", "")
    if not vat[:2].isalpha():
        vat, company = "", company or numbers.get("vat", "")
    return Party(
        name or attention, _address(sold_to), vat, "", _company(sold_to.get("country", ""), company), _endpoint(buyer),
        Contact(attention if name else ""),
    )  # fmt: skip


def _without_vat(party: Party) -> Party:
    return Party(party.name, party.address, "", "", party.company, party.endpoint, party.contact)


def _address(values: Mapping[str, str]) -> Address:
    return Address(*(one_line(values.get(name, "")) for name in Address.__dataclass_fields__))


def _numbers(party: Mapping[str, Any]) -> dict[str, str]:
    """The first number of each kind: EN 16931 has one."""
    return {number["kind"]: number["value"] for number in reversed(party.get("numbers") or [])}


def _endpoint(party: Mapping[str, Any]) -> Identifier:
    endpoint: Mapping[str, str] = party.get("endpoint") or {}
    value = one_line(endpoint.get("id", ""))
    return Identifier(value, endpoint.get("scheme", "") if value else "")


def _company(country: str, number: str) -> Identifier:
    """With the scheme of its register where that has one, and then without blanks and points."""
    bare = without_spaces(number)
    if country == "BE":
        bare = bare.removeprefix("BE")
    if country == "FR" and len(bare) == 14 and bare.isdigit():  # a SIRET, which begins with the SIREN of the company
        bare = bare[:9]
    scheme = REGISTER_SCHEMES.get((country, len(bare)), "") if bare.isascii() and bare.isdigit() else ""
    return Identifier(bare, scheme) if scheme else Identifier(one_line(number))
