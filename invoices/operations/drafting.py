"""Draft: an invoice that may still change. Its sums are kept up to date, so that staff see what they will issue."""

from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from invoices.models import Invoice, InvoiceLine
from invoices.money import Money
from invoices.operations.issuing import compute_lines
from invoices.states import InvoiceStatus, WrongState

MOST_MINOR = 10**15


class CannotDraft(Exception):
    """The lines cannot be those of an invoice. The message may be shown to staff."""


def draft_sums(lines: Sequence[InvoiceLine], currency: str) -> tuple[Money, Money]:
    """The charges and the tax that lines come to, after computing each line. Saves nothing.

    Raises CannotDraft for a negative total (that is a credit), and for amounts that no column holds.
    """
    try:
        compute_lines(lines, currency)
    except ValueError as error:
        raise CannotDraft(_("An amount is too large.")) from error
    charges = Money(sum(line.amount_minor for line in lines), currency)
    tax = Money(sum(line.tax_minor for line in lines), currency)
    if any(abs(line.amount_minor) + abs(line.tax_minor) > MOST_MINOR for line in lines):
        raise CannotDraft(_("An amount is too large."))
    if (charges + tax).minor < 0:
        raise CannotDraft(_("The total is negative. Give the customer a credit instead."))
    return charges, tax


@transaction.atomic
def recompute_draft(*, invoice_id: int) -> Invoice:
    """Brings the sums of a draft up to date with its lines. Returns the draft.

    Raises WrongState when it was issued meanwhile, CannotDraft when its lines make no invoice. Rights are the caller's.
    """
    invoice = Invoice.objects.locked().get(pk=invoice_id)
    if invoice.status != InvoiceStatus.DRAFT:
        raise WrongState(_("Invoice %(number)s has been issued and does not change any more.") % {"number": invoice})
    lines = list(invoice.lines.select_related("section").order_by("position", "pk"))
    charges, tax = draft_sums(lines, invoice.currency)
    InvoiceLine.objects.bulk_update(lines, ["amount_minor", "tax_minor", "section_name"])
    invoice.charges_minor, invoice.tax_minor, invoice.total_minor = charges.minor, tax.minor, (charges + tax).minor
    invoice.save(update_fields=["charges_minor", "tax_minor", "total_minor"])
    return invoice
