"""E-invoices of the sender's own software as the rows of an import: UBL, CII, or a PDF that carries CII (Factur-X).

A file holds one invoice. It was issued already, so it keeps its number and its date, and what it says must be what the
portal makes of the same lines: a line whose amount is not quantity times price becomes one of its amount, and a file
whose tax is not that of its lines is refused.
"""

import hashlib
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import BinaryIO

from django.db.models import QuerySet
from pypdf.errors import PyPdfError

from accounts.models import BillingProfile, TaxId
from billing_portal.core.exact_decimals import plain, rounded_product, short
from billing_portal.core.spelling import compact
from invoices.documents.einvoice.facturx import embedded_xml
from invoices.documents.einvoice.reading import LARGEST, UnreadableInvoice, line_numbers, read_terms
from invoices.documents.einvoice.terms import Allowance, Line, Terms
from invoices.importing.columns import Columns
from invoices.importing.csv_reader import Problems, Texts
from invoices.importing.file_format import BYTE_ORDER_MARK, FileFormat, UnusableFile
from invoices.money import Money, exponent
from invoices.tax import WITH_REASON, Tax, taxes_of
from invoices.units import unit_name

PDF = b"%PDF-"
LONGEST_DESCRIPTION = 200
# What a column of an import holds: digits before and behind the point.
QUANTITY, PRICE = (12, 12), (13, 10)


class EInvoiceFormat(FileFormat):
    """Numbers and dates have one form, whatever the syntax."""

    def __str__(self) -> str:
        return "an e-invoice"


def is_e_invoice(file: BinaryIO) -> bool:
    """By its content: XML, or a PDF."""
    file.seek(0)
    start = file.read(1024).removeprefix(BYTE_ORDER_MARK).lstrip()
    return start.startswith((b"<", PDF))


class EInvoiceReader:
    """One pass over a file, as `Reader` is of a CSV file."""

    def __init__(self, file: BinaryIO, columns: Columns) -> None:
        """Raises UnusableFile for a file that holds no invoice that can be imported."""
        file.seek(0)
        content = file.read(LARGEST + 1)
        self.columns = columns
        self.digest = hashlib.sha256(content)
        self.bytes_read = len(content)
        self.rows_read = self.line = 0
        try:
            self.xml = _xml_of(content)
            self.terms = read_terms(self.xml)
        except UnreadableInvoice as error:
            raise UnusableFile(str(error)) from None
        if self.terms.is_credit_note:
            raise UnusableFile(
                f"{self.terms.number} is a credit note, and only invoices are imported. Make the credit note here, on"
                " the page of its invoice."
            )

    def rows(self, problems: Problems) -> Iterator[tuple[int, Texts]]:
        """Line numbers and texts, one row for each line, discount or charge. Adds ``problems``. Two to four queries for
        the billing profile."""
        terms = self.terms
        lines, numbers = [_of_line(line, terms.currency) for line in terms.lines], line_numbers(self.xml)
        lines += [_of_allowance(part, terms.currency) for part in terms.allowances]
        numbers += [1] * len(terms.allowances)
        if fault := _tax_fault(terms):
            problems.add(1, fault)
            return
        try:
            profile = profile_of(terms)
        except UnreadableInvoice as error:
            problems.add(1, str(error))
            return
        head = _head(terms, profile)
        for number, line in zip(numbers, lines, strict=True):
            self.line, self.rows_read = number, self.rows_read + 1
            values = head | line | _reason(terms.taxes, line)
            yield number, tuple(values.get(name, "") for name in self.columns.columns)


def _xml_of(content: bytes) -> bytes:
    if not content.startswith(PDF):
        return content
    try:
        xml = embedded_xml(content) if len(content) <= LARGEST else None
    except (PyPdfError, ValueError, KeyError, RecursionError):
        raise UnreadableInvoice("The PDF cannot be read.") from None
    if xml is None:
        raise UnreadableInvoice("The PDF carries no e-invoice.")
    return xml


def profile_of(terms: Terms) -> BillingProfile:
    """The billing profile of the buyer: the one whose code is the buyer reference (BT-10), else the only one in the
    currency that has its endpoint, or whose account has its VAT number. Raises UnreadableInvoice."""
    profiles = BillingProfile.objects.exclude(status=BillingProfile.Status.CLOSED).select_related("account__seller")
    by_code = profiles.filter(code=terms.buyer_reference.upper()).first() if terms.buyer_reference else None
    profile = by_code or _only(profiles.filter(currency=terms.currency), terms)
    ours, theirs = profile.account.seller.vat_number, terms.seller.vat
    if ours and theirs and compact(ours) != compact(theirs):
        raise UnreadableInvoice(
            f"The seller has the VAT number {theirs[:40]}, and that of billing profile {profile.code} has {ours}."
        )
    vats = profile.account.tax_ids.filter(kind=TaxId.Kind.VAT).values_list("value", flat=True)
    if terms.buyer.vat and vats and compact(terms.buyer.vat) not in map(compact, vats):
        raise UnreadableInvoice(
            f"The buyer has the VAT number {terms.buyer.vat[:40]}, and billing profile {profile.code} has"
            f" {', '.join(vats)}."
        )
    return profile


def _only(profiles: QuerySet[BillingProfile], terms: Terms) -> BillingProfile:
    endpoint, vat = terms.buyer.endpoint, terms.buyer.vat
    found: list[BillingProfile] = []
    if endpoint.value:
        found = list(profiles.filter(endpoint_scheme=endpoint.scheme, endpoint_id=endpoint.value)[:2])
    if not found and vat:
        accounts = TaxId.objects.filter(kind=TaxId.Kind.VAT, value=vat).values("account")
        found = list(profiles.filter(account__in=accounts)[:2])
    if len(found) == 1:
        return found[0]
    many = "several billing profiles have" if found else "no billing profile has"
    raise UnreadableInvoice(
        f"{many} the buyer's endpoint {endpoint.value[:40] or '(none)'} or VAT number {vat[:40] or '(none)'} in"
        f" {terms.currency}. Put the code of the billing profile into the buyer reference (BT-10)."
    )


def _head(terms: Terms, profile: BillingProfile) -> dict[str, str]:
    values = {
        "profile": profile.code, "invoice": terms.number, "number": terms.number, "currency": terms.currency,
        "issue_date": terms.issued_on.isoformat(), "po_number": terms.order_reference,
    }  # fmt: skip
    if terms.due_on:
        values["due_date"] = terms.due_on.isoformat()
    if terms.period:
        values |= {"period_start": terms.period.start.isoformat(), "period_end": terms.period.end.isoformat()}
    if terms.prepaid_minor:
        paid = Money(terms.prepaid_minor, terms.currency)
        values |= {"paid_on": terms.issued_on.isoformat(), "paid_amount": plain(paid.amount)}
    if terms.seller_tax and terms.seller_tax.minor and terms.seller_tax.currency != terms.currency:
        rate = Money(terms.tax_minor, terms.currency).amount / terms.seller_tax.amount
        values["exchange_rate"] = plain(rate.quantize(Decimal("1e-10"), rounding=ROUND_HALF_UP))
    return {name: " ".join(text.split()) for name, text in values.items()}


def _of_line(line: Line, currency: str) -> dict[str, str]:
    quantity, price = line.quantity, line.price
    if line.price_for and line.price_for != 1:
        price /= line.price_for
    description, unit = " ".join(line.description.split()), line.unit
    is_exact = _fits(quantity, *QUANTITY) and _fits(price, *PRICE)
    if not is_exact or rounded_product(quantity, price, exponent(currency)) != line.net_minor:
        net = Money(line.net_minor, currency).amount
        longer = f"{description} ({plain(quantity)} {unit_name(unit, quantity)}".rstrip() + ")"
        description, unit = longer if len(longer) <= LONGEST_DESCRIPTION else description, ""
        quantity, price = Decimal(1).copy_sign(net), abs(net)
    return {
        "description": description, "quantity": plain(quantity), "unit": unit, "unit_price": plain(price),
        "tax_category": line.category, "tax_rate": plain(line.rate),
    }  # fmt: skip


def _of_allowance(part: Allowance, currency: str) -> dict[str, str]:
    return {
        "description": " ".join(part.reason.split()) or ("Charge" if part.is_charge else "Discount"),
        "unit_price": plain(Money(part.amount_minor, currency).amount),
        "tax_category": part.category, "tax_rate": plain(part.rate), "discount": "" if part.is_charge else "yes",
    }  # fmt: skip


def _reason(taxes: Sequence[Tax], line: dict[str, str]) -> dict[str, str]:
    """Why there is no tax, which an e-invoice says once for its category."""
    for tax in taxes:
        if tax.category == line["tax_category"] and tax.category in WITH_REASON:
            return {"exemption_reason": " ".join(tax.exemption_reason.split()), "exemption_code": tax.exemption_code}
    return {}


def _fits(value: Decimal, before: int, behind: int) -> bool:
    exact = short(value)
    return abs(exact) < 10**before and -int(exact.as_tuple().exponent) <= behind


def _tax_fault(terms: Terms) -> str:
    """Why what the portal makes of the lines would be another invoice; empty when it would not."""
    parts = [(line.category, line.rate, line.net_minor) for line in terms.lines]
    parts += [
        (part.category, part.rate, part.amount_minor if part.is_charge else -part.amount_minor)
        for part in terms.allowances
    ]
    try:
        ours = {tax.treatment: tax for tax in taxes_of((category, rate, "", "", net) for category, rate, net in parts)}
    except KeyError as category:
        return f"tax category {category} is not one of the portal's."
    for tax in terms.taxes:
        own = ours.get(tax.treatment)
        if own is None or (own.taxable_minor, own.tax_minor) != (tax.taxable_minor, tax.tax_minor):
            given = Money(tax.tax_minor, terms.currency).amount
            made = Money(own.tax_minor if own else 0, terms.currency).amount
            return f"the tax at {plain(tax.rate)} percent is {given}, and that of its lines {made}."
    if len(ours) != len(terms.taxes):
        return "the table of taxes lacks a rate that its lines have."
    return ""
