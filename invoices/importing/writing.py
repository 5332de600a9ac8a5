"""From invoices that are ready to rows of the database."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from accounts.access import Access
from accounts.models import AuditEntry
from invoices.bulk import BulkInsert, JsonText, reserve_ids
from invoices.importing.resolving import Made, Terms
from invoices.models import Invoice, InvoiceLine
from invoices.operations import apply_at_issue, values_at_issue
from invoices.remittances import Remittances
from invoices.states import InvoiceStatus

INVOICE = [
    "id", "profile_id", "number", "kind", "status", "currency", "issued_on", "due_on", "period_start_on",
    "period_end_on", "po_number", "source_reference", "source_digest", "seller", "buyer", "payment_terms_days",
    "payment_reference", "pays_by_wire", "charges_minor", "tax_minor", "total_minor", "created_at",
    "announce_on", "autopay_on", "next_reminder_on", "remittance",
]  # fmt: skip
LINE = [
    "invoice_id", "section_id", "section_name", "position", "description", "quantity", "unit", "unit_price", "tax_rate",
    "tax_note", "amount_minor", "tax_minor",
]  # fmt: skip
AUDIT = ["at", "actor_id", "action", "subject", "profile_id", "detail"]
# What a draft has in the columns that issuing fills in.
AS_DRAFT = {
    "number": None, "issued_on": None, "due_on": None, "payment_reference": "", "status": InvoiceStatus.DRAFT.value,
    "announce_on": None, "autopay_on": None, "next_reminder_on": None, "remittance": JsonText("{}"),
}  # fmt: skip


class Writer:
    """Three tables: invoices, their lines, and an audit entry for each invoice."""

    def __init__(self, access: Access, terms: Terms) -> None:
        self.access, self.terms = access, terms
        self.remittances = Remittances()
        self.invoices = BulkInsert(Invoice, INVOICE)
        self.lines = BulkInsert(InvoiceLine, LINE)
        self.audit = BulkInsert(AuditEntry, AUDIT)

    def write(self, made: list[Made], numbers: list[str]) -> None:
        """A batch, in the caller's transaction. Drafts have empty numbers."""
        ids = reserve_ids(Invoice, len(made))
        self.invoices.write(map(self._invoice, made, ids, numbers))
        self.lines.write(row for one, pk in zip(made, ids, strict=True) for row in _lines(one, pk))
        self.audit.write(map(self._entry, made, ids, numbers))
        if not self.terms.drafts:
            self._use_credits(made, ids)

    def _use_credits(self, made: list[Made], ids: Sequence[int]) -> None:
        """What is imported is issued, so credits pay for it. One query a day of issue where nobody has any."""
        issued: dict[date, list[int]] = defaultdict(list)
        for one, pk in zip(made, ids, strict=True):
            issued[one.issue_on].append(pk)
        for day, invoice_ids in sorted(issued.items()):
            apply_at_issue(access=self.access, invoice_ids=invoice_ids, today=day, at=self.terms.at)

    def _invoice(self, made: Made, pk: int, number: str) -> list[Any]:
        head, customer = made.source.head, made.customer
        values: dict[str, Any] = values_at_issue(
            profile=customer.profile,
            number=number,
            today=made.issue_on,
            at=self.terms.at,
            due_on=head.due_date,
            po_number=head.po_number,
            charges_minor=made.charges_minor,
            tax_minor=made.tax_minor,
            remittances=self.remittances,
        )
        values["remittance"] = self.remittances.text_for(customer.profile.currency, made.issue_on)
        if self.terms.drafts:
            values |= AS_DRAFT
        values |= customer.parties
        values |= {
            "id": pk,
            "profile_id": customer.profile_id,
            "kind": head.kind,
            "currency": customer.profile.currency,
            "period_start_on": head.period_start,
            "period_end_on": head.period_end,
            "source_reference": made.source.reference,
            "source_digest": made.source.digest,
            "created_at": self.terms.at,
        }
        return [values[name] for name in INVOICE]

    def _entry(self, made: Made, pk: int, number: str) -> list[Any]:
        action = "invoice.drafted" if self.terms.drafts else "invoice.issued"
        detail = {"total": made.total_minor, "imported_as": made.source.reference}
        actor = self.access.user.pk if self.access.user else None
        return [self.terms.at, actor, action, number or str(Invoice(pk=pk)), made.customer.profile_id, detail]


def _lines(made: Made, invoice_id: int) -> Iterator[list[Any]]:
    for position, (row, section_id, amount_minor, tax_minor) in enumerate(made.lines, start=1):
        yield [
            invoice_id, section_id, row.section, position, row.description, row.quantity, row.unit, row.unit_price,
            row.tax_rate, row.tax_note, amount_minor, tax_minor,
        ]  # fmt: skip
