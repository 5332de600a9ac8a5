"""What an e-invoice lacks, before it is issued: in words for staff and customers, each with where to put it right.

Each check answers for the rules it names, those of EN 16931 (BR), Peppol BIS Billing 3 (PEPPOL, and by country NL-R,
DE-R and others) and XRechnung (BR-DE) that are fatal and that stored data can break. What no data can break is right by
how the terms are made and written; tests hold both against the official rules.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from invoices.documents.einvoice import document_checks, national_checks, party_checks
from invoices.documents.einvoice.faults import About, Check, Fault
from invoices.documents.einvoice.terms import Format, Line, Terms, buyer_of, seller_of
from invoices.tax import Tax, TaxCategory
from invoices.units import ONE

CHECKS: list[Check] = [*party_checks.CHECKS, *national_checks.CHECKS, *document_checks.CHECKS]


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
        note=str((seller.get("notes") or {}).get("fr", "")), buyer_reference=str(buyer.get("reference", "")),
        order_reference=po_number,
    )  # fmt: skip
    return [fault for fault in missing(terms, form) if fault.about != About.DOCUMENT]
