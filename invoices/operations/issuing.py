"""Issue: from a draft to a numbered document that never changes again."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access
from accounts.models import BillingProfile
from invoices.models import Invoice, InvoiceLine
from invoices.money import Money
from invoices.numbering import creditor_reference, take_numbers
from invoices.states import InvoiceStatus, check_move

PERCENT = Decimal(100)
# Of the names of countries in an issued invoice, which stays as it was whoever issued it and whoever reads it.
DOCUMENT_LANGUAGE = "en"


class CannotIssue(Exception):
    """The draft cannot be issued. The message may be shown to staff."""


def compute_lines(lines: Iterable[InvoiceLine], currency: str) -> None:
    """Sets each line's amount and tax in minor units, rounded half-up once each. Saves nothing."""
    for line in lines:
        line.amount_minor = Money.rounded(line.quantity * line.unit_price, currency).minor
        tax = Money(line.amount_minor, currency).amount * line.tax_rate / PERCENT
        line.tax_minor = Money.rounded(tax, currency).minor
        line.section_name = line.section.name if line.section is not None else ""


def prepare_issue(
    invoice: Invoice, lines: Iterable[InvoiceLine], *, profile: BillingProfile, number: str, today: date
) -> None:
    """Fills in everything an issued invoice holds: number, dates, snapshots and sums. Saves nothing.

    ``profile`` needs ``account`` and its ``tax_ids`` loaded. An invoice of zero has nothing to pay and is settled at
    once. Raises CannotIssue when the sums are negative.
    """
    invoice.charges_minor = sum(line.amount_minor for line in lines)
    invoice.tax_minor = sum(line.tax_minor for line in lines)
    invoice.total_minor = invoice.charges_minor + invoice.tax_minor
    if invoice.total_minor < 0:
        raise CannotIssue(_("The total is negative. Give the customer a credit instead."))
    invoice.number = number
    invoice.payment_reference = creditor_reference(number)
    invoice.issued_on = today
    invoice.payment_terms_days = profile.payment_terms_days
    invoice.due_on = today + timedelta(days=profile.payment_terms_days)
    invoice.po_number = invoice.po_number or profile.po_number
    invoice.pays_by_wire = profile.pays_by_wire
    invoice.seller = dict(settings.SELLER)
    invoice.buyer = {
        "agreement_type": profile.account.agreement_type,
        "profile": profile.name,
        "sold_to": profile.account.address_in(DOCUMENT_LANGUAGE),
        "bill_to": profile.address_in(DOCUMENT_LANGUAGE),
        "tax_ids": [tax_id.value for tax_id in profile.account.tax_ids.all()],
    }
    invoice.status = InvoiceStatus.OPEN if invoice.total_minor else InvoiceStatus.PAID


@transaction.atomic
def issue(*, access: Access, invoice_id: int, today: date, at: datetime) -> Invoice:
    """Gives a draft its number and freezes it. ``today`` is the invoice date.

    Returns the issued invoice. Raises CannotIssue for a draft without lines or with a negative total, WrongState for
    an invoice that is no draft. Rights are the caller's: staff, import and billing run.
    """
    invoice = Invoice.objects.locked().get(pk=invoice_id)
    check_move(invoice.status, InvoiceStatus.OPEN)
    profile = BillingProfile.objects.select_related("account").get(pk=invoice.profile_id)
    lines = list(invoice.lines.select_related("section").order_by("position", "pk"))
    if not lines:
        raise CannotIssue(_("Add at least one line before you issue the invoice."))
    compute_lines(lines, invoice.currency)
    InvoiceLine.objects.bulk_update(lines, ["amount_minor", "tax_minor", "section_name"])
    number = take_numbers(settings.INVOICE_NUMBER_PREFIX)[0]
    prepare_issue(invoice, lines, profile=profile, number=number, today=today)
    invoice.save()
    audit.record(
        access=access, at=at, action="invoice.issued", subject=number, profile=profile, total=invoice.total_minor
    )
    invoice.refresh_from_db()
    return invoice
