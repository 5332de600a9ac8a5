"""Small rests of invoices that staff write off, because asking for them costs more than they are.

The ledger books the rest as a loss and the invoice is paid. It counts as credited, as credit notes do, so that what is
due stays one difference; how much of it was written off is kept besides. Money that comes for it later is more than was
due and becomes a credit. A credit note or a void is first for what the customer owed: the loss is undone as far as it
goes.
"""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, require_staff
from invoices.ledger import RECEIVABLE, WRITE_OFF, book, transfer
from invoices.models import Invoice, Transfer
from invoices.money import Money
from invoices.operations.credits import SETTLED, settle_credited
from invoices.operations.dunning import floor_of, lock_profile, reinstate
from invoices.payability import wait_text
from invoices.states import WRITTEN_OFF, InvoiceStatus, check_move

Kind = Transfer.Kind


class CannotWriteOff(Exception):
    """Nothing was written off. The message may be shown to staff."""


def write_off_limit(currency: str) -> Money:
    """The most that may be written off of one invoice (`WRITE_OFF_LIMITS`)."""
    text = settings.WRITE_OFF_LIMITS.get(currency)
    return Money(floor_of(currency), currency) if text is None else Money.parse(text, currency)


def is_small_rest(invoice: Invoice) -> bool:
    """Whether what an invoice owes may be written off by its amount."""
    due = invoice.amount_due_minor
    most = write_off_limit(invoice.currency).minor - invoice.written_off_minor
    return bool(0 < due <= most)


@transaction.atomic
def write_off_rest(*, access: Access, invoice_id: int, shown: Money, reason: str, at: datetime) -> Money:
    """Writes off what an open invoice still owes, which makes it paid. Returns how much that was.

    ``shown`` is what the page said is due. Raises NotAllowed, Invoice.DoesNotExist, and CannotWriteOff without a
    reason, when nothing is due or another amount than was shown, while a payment is in progress or disputed, and above
    the limit, to which what was written off of the invoice before counts too.
    """
    require_staff(access)
    invoice = Invoice.objects.select_related("profile").locked().get(pk=invoice_id)
    if not reason.strip():
        raise CannotWriteOff(_("Give the reason for writing the amount off."))
    rest = Money(invoice.open_minor if invoice.status == InvoiceStatus.OPEN else 0, invoice.currency)
    if not rest:
        raise CannotWriteOff(_("There is nothing to write off."))
    if invoice.is_being_paid:
        raise CannotWriteOff(wait_text(invoice))
    if invoice.disputed_at is not None:
        raise CannotWriteOff(_("A payment of this invoice is disputed. Wait for the outcome: its money may go back."))
    if rest != shown:
        raise CannotWriteOff(_("Another amount is due now. Look at it again."))
    limit = write_off_limit(invoice.currency)
    if rest.minor + invoice.written_off_minor > limit.minor:
        raise CannotWriteOff(_("At most %(limit)s of an invoice can be written off.") % {"limit": limit})
    lock_profile(invoice.profile)
    settle_credited(invoice, rest.minor, at=at, paid_with=WRITTEN_OFF)
    invoice.written_off_minor += rest.minor
    invoice.save(update_fields=[*SETTLED, "written_off_minor"])
    _book(invoice, rest, at=at)
    audit.record(
        access=access, at=at, action="invoice.written_off", subject=str(invoice), profile=invoice.profile,
        amount_minor=rest.minor, currency=rest.currency, reason=reason.strip()[:300],
    )  # fmt: skip
    reinstate(invoice.profile, at=at)
    return rest


def undo_write_off(invoice: Invoice, *, most_minor: int, at: datetime) -> None:
    """Takes back what was written off of a locked invoice, as far as a credit note or a void now takes that off. Then
    it is due again, until the caller has taken it off."""
    minor = min(most_minor, invoice.written_off_minor)
    if minor <= 0:
        return
    if invoice.status == InvoiceStatus.PAID:
        check_move(invoice.status, InvoiceStatus.OPEN)
        invoice.status, invoice.paid_at, invoice.paid_with = InvoiceStatus.OPEN, None, ""
    invoice.credited_minor -= minor
    invoice.written_off_minor -= minor
    invoice.save(update_fields=["status", "paid_at", "paid_with", "credited_minor", "written_off_minor"])
    _book(invoice, Money(-minor, invoice.currency), at=at)


def _book(invoice: Invoice, amount: Money, *, at: datetime) -> None:
    """What can happen to an invoice several times. Negative: it is taken back."""
    earlier = Transfer.objects.filter(invoice=invoice, kind=Kind.WRITE_OFF).count()
    book(
        transfer(
            Kind.WRITE_OFF, amount, debit=WRITE_OFF, credit=RECEIVABLE, key=f"write_off:{invoice.pk}/{earlier + 1}",
            profile_id=invoice.profile_id, invoice_id=invoice.pk, at=at,
        )
    )  # fmt: skip
