"""What payments, refunds and disputes do to invoices, and the automatic charge and announcement that are planned.

Called by the operations of `payments` alone, inside their transaction and on rows they have locked.
"""

from datetime import date, datetime

from accounts.models import BillingProfile, User
from invoices.ledger import RECEIVABLE, book, transfer
from invoices.models import Invoice, Transfer
from invoices.money import Money
from invoices.operations.dunning import reminder_after_reopening
from invoices.states import InvoiceStatus, check_move


def mark_payment_started(invoice: Invoice, *, by: User | None, at: datetime) -> None:
    """Notes on a locked invoice that a payment was begun, so that every page can say by whom and since when."""
    invoice.payment_started_at, invoice.payment_started_by = at, by
    _write(invoice, {"payment_started_at", "payment_started_by"})


def clear_payment_started(invoice: Invoice) -> None:
    invoice.payment_started_at = invoice.payment_started_by = None
    _write(invoice, {"payment_started_at", "payment_started_by"})


def apply_payment(
    invoice: Invoice,
    amount: Money,
    *,
    at: datetime,
    paid_with: str,
    ends_attempt: bool,
    account: str,
    key: str,
    reference: str,
    kind: Transfer.Kind = Transfer.Kind.PAYMENT,
) -> Money:
    """Books money on a locked invoice, up to what is due; an invoice paid in full becomes `paid`. Returns the rest.

    ``ends_attempt`` is False for money that did not come from the attempt noted on the invoice (a wire, a late success
    of an earlier attempt); the note stays unless the invoice is paid in full. ``account`` is where the money is, and
    ``key`` and ``reference`` name its transfer in the ledger.
    """
    due = Money(invoice.open_minor if invoice.status == InvoiceStatus.OPEN else 0, invoice.currency)
    used = min(amount, due)
    fields = set()
    if used:
        invoice.paid_minor += used.minor
        invoice.paid_at, invoice.paid_with = at, paid_with
        fields |= {"paid_minor", "paid_at", "paid_with"}
        _book(kind, invoice, -used, account=account, key=key, reference=reference, at=at)
    if used and used == due:
        check_move(invoice.status, InvoiceStatus.PAID)
        invoice.status = InvoiceStatus.PAID
        invoice.autopay_on = invoice.autopay_declined_on = invoice.next_reminder_on = None
        fields |= {"status", "autopay_on", "autopay_declined_on", "next_reminder_on"}
    if ends_attempt or invoice.status == InvoiceStatus.PAID:
        invoice.payment_started_at = invoice.payment_started_by = None
        fields |= {"payment_started_at", "payment_started_by"}
    if fields:
        _write(invoice, fields)
    return amount - used


def _write(invoice: Invoice, fields: set[str]) -> None:
    """As `save`, at two thirds of its price: `save` goes over all columns of the invoice, time and again."""
    Invoice.objects.filter(pk=invoice.pk).update(**{name: getattr(invoice, name) for name in fields})
    invoice.__dict__.pop("amount_due_minor", None)  # the database's to compute, so it is read again when asked for


def _book(
    kind: Transfer.Kind, invoice: Invoice, amount: Money, *, account: str, key: str, reference: str, at: datetime
) -> None:
    """The transfer by which an invoice is owed more, or less when ``amount`` is negative."""
    book(
        transfer(
            kind, amount, debit=RECEIVABLE, credit=account, key=key, profile_id=invoice.profile_id,
            invoice_id=invoice.pk, reference=reference, at=at,
        )
    )  # fmt: skip


def take_back_payment(
    invoice: Invoice, amount: Money, *, by_bank: bool, account: str, key: str, reference: str, at: datetime
) -> None:
    """Undoes booked money on a locked invoice, which is due and reminded of again. ``by_bank``: the payer's bank took
    it."""
    invoice.paid_minor -= amount.minor
    invoice.refunded_minor += amount.minor
    invoice.charged_back_minor += amount.minor if by_bank else 0
    if invoice.status == InvoiceStatus.PAID:
        check_move(invoice.status, InvoiceStatus.OPEN)
        invoice.status = InvoiceStatus.OPEN
    if invoice.due_on is not None and invoice.next_reminder_on is None:
        invoice.next_reminder_on = reminder_after_reopening(invoice.due_on, today=invoice.profile.day_of(at))
    invoice.save(update_fields=["paid_minor", "refunded_minor", "charged_back_minor", "status", "next_reminder_on"])
    kind = Transfer.Kind.CHARGEBACK if by_bank else Transfer.Kind.REFUND
    _book(kind, invoice, amount, account=account, key=key, reference=reference, at=at)


def give_back_payment(
    invoice: Invoice,
    amount: Money,
    *,
    paid_with: str,
    by_bank: bool,
    account: str,
    key: str,
    reference: str,
    at: datetime,
) -> Money:
    """Undoes `take_back_payment`: the refund failed or the bank changed its mind. Returns what does not fit any more,
    because the invoice was paid in another way meanwhile."""
    invoice.refunded_minor -= amount.minor
    invoice.charged_back_minor -= amount.minor if by_bank else 0
    invoice.save(update_fields=["refunded_minor", "charged_back_minor"])
    return apply_payment(
        invoice,
        amount,
        at=at,
        paid_with=paid_with,
        ends_attempt=False,
        account=account,
        key=key,
        reference=reference,
        kind=Transfer.Kind.CHARGEBACK_UNDONE if by_bank else Transfer.Kind.REFUND_FAILED,
    )


def mark_disputed(invoice: Invoice, *, since: datetime | None) -> None:
    """Notes on a locked invoice since when a payment is disputed; None when none is. The money stays booked until
    then."""
    if invoice.disputed_at != since:
        invoice.disputed_at = since
        invoice.save(update_fields=["disputed_at"])


def plan_autopay(invoice: Invoice, on: date | None) -> None:
    """The card is charged on this day, or on none."""
    if invoice.autopay_on != on:
        invoice.autopay_on = on
        Invoice.objects.filter(pk=invoice.pk).update(autopay_on=on)


def note_declined(invoice: Invoice, on: date) -> None:
    invoice.autopay_declined_on = on
    Invoice.objects.filter(pk=invoice.pk).update(autopay_declined_on=on)


def drop_autopay(profile: BillingProfile) -> int:
    """No invoice of the profile is charged by itself any more. Returns how many would have been."""
    return Invoice.objects.filter(profile=profile, autopay_on__isnull=False).update(autopay_on=None)


def mark_announced(invoice: Invoice) -> None:
    """Its people were told that it is there, or are not to be told."""
    invoice.announce_on = None
    Invoice.objects.filter(pk=invoice.pk).update(announce_on=None)


def put_off_announcement(invoice_id: int, on: date) -> None:
    """Telling its people failed; it is tried again on this day. Needs no lock."""
    Invoice.objects.filter(pk=invoice_id, announce_on__isnull=False).update(announce_on=on)
