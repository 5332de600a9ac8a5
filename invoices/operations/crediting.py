"""Credits pay for invoices: by themselves when an invoice is issued, and at no other time unless staff do it.

A credit that is granted later waits for the next invoice, so what is due never changes under a payer's hands. The lot
that expires first goes first, then the oldest; lines that credits may not pay for are left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime

from django.db import transaction
from django.db.models import F, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.access import Access, require_staff
from accounts.models import AuditEntry
from invoices.models import Credit, CreditEntry, Invoice, InvoiceLine
from invoices.operations.ledger import Movement, move
from invoices.operations.standing import lock_standing, restore_standing
from invoices.payability import in_progress_text
from invoices.states import InvoiceStatus, check_move

PAID_WITH = gettext_noop("Credits")  # translated where it is shown
CHANGED = [
    "credited_minor",
    "credited_at_issue_minor",
    "status",
    "paid_at",
    "paid_with",
    "autopay_on",
    "autopay_declined_on",
    "next_reminder_on",
]


class CannotCredit(Exception):
    """No credit was used, granted or taken back. The message may be shown to staff."""


def apply_at_issue(*, access: Access, invoice_ids: Sequence[int], today: date, at: datetime) -> int:
    """Pays invoices that were just issued with the credits of their profiles, as far as those go.

    Inside the transaction that issued them. ``today`` is the invoice date, which decides the lots that may be used. One
    query when there is no such lot, and the same few for any number of invoices when there are. Returns for how many
    invoices credits were used. Rights are the caller's.
    """
    new = Invoice.objects.filter(pk__in=invoice_ids, status=InvoiceStatus.OPEN)
    lots = list(Credit.objects.filter(profile__in=new.values("profile")).usable_on(today).locked())
    if not lots:
        return 0
    invoices = list(new.filter(profile__in={lot.profile_id for lot in lots}).order_by("pk"))
    used = _apply(invoices, lots, access=access, at=at)
    for invoice in invoices:
        invoice.credited_at_issue_minor = used.get(invoice.pk, 0)
    _write(invoices, used)
    return len(used)


@transaction.atomic
def apply_credits(*, access: Access, invoice_id: int, at: datetime) -> Invoice:
    """Pays an open invoice with the credits of its profile that may be used today, because staff ask for it.

    Returns the invoice. Raises NotAllowed, Invoice.DoesNotExist, and CannotCredit while a payment is in progress,
    because its amount was agreed with the payer, or when there is nothing to pay or to pay it with.
    """
    require_staff(access)
    invoice = Invoice.objects.select_related("profile").locked().get(pk=invoice_id)
    if invoice.status != InvoiceStatus.OPEN:
        raise CannotCredit(_("Credits pay for open invoices only."))
    if invoice.is_being_paid:
        raise CannotCredit(
            _("A payment is in progress (%(text)s). Wait for it to end.") % {"text": in_progress_text(invoice)}
        )
    lock_standing(invoice.profile)
    lots = list(Credit.objects.filter(profile=invoice.profile).usable_on(invoice.profile.day_of(at)).locked())
    used = _apply([invoice], lots, access=access, at=at)
    if not used:
        raise CannotCredit(_("There is no credit that may pay for this invoice."))
    _write([invoice], used)
    restore_standing(invoice.profile, at=at)
    return invoice


def _apply(invoices: Sequence[Invoice], lots: Sequence[Credit], *, access: Access, at: datetime) -> dict[int, int]:
    """Moves credit of locked lots to invoices, and settles what is paid with it. Returns how much each invoice got, by
    its id; the invoices still have to be saved."""
    creditable = _creditable(invoices)
    lots_of: dict[tuple[int, str], list[Credit]] = {}
    for lot in sorted(lots, key=_order_of_use):
        lots_of.setdefault((lot.profile_id, lot.currency), []).append(lot)
    left = {lot.pk: lot.remaining_minor for lot in lots}
    used: dict[int, int] = {}
    movements: list[Movement] = []
    for invoice in invoices:
        open_minor = invoice.total_minor - invoice.credited_minor - invoice.paid_minor
        most = max(0, min(open_minor, creditable.get(invoice.pk, 0) - invoice.credited_minor))
        for lot, minor in _take(most, lots_of.get((invoice.profile_id, invoice.currency), []), left):
            used[invoice.pk] = used.get(invoice.pk, 0) + minor
            movements.append(Movement(lot, CreditEntry.Kind.APPLIED, -minor, invoice))
        if invoice.pk in used:
            settle_credited(invoice, used[invoice.pk], at=at, paid_with=PAID_WITH)
    if movements:
        move(movements, at=at, actor=access.user)
        AuditEntry.objects.bulk_create(_entries(invoices, used, access=access, at=at))
    return used


def _creditable(invoices: Iterable[Invoice]) -> dict[int, int]:
    """What the lines that credits may pay for come to, with tax, by invoice."""
    lines = InvoiceLine.objects.filter(invoice__in=[invoice.pk for invoice in invoices], is_creditable=True)
    sums = lines.order_by().values_list("invoice").annotate(minor=Sum(F("amount_minor") + F("tax_minor")))
    return dict(sums)


def _take(most: int, lots: Iterable[Credit], left: dict[int, int]) -> Iterator[tuple[Credit, int]]:
    for lot in lots:
        part = min(most, left[lot.pk])
        if part > 0:
            left[lot.pk] -= part
            most -= part
            yield lot, part


def give_credits_back(
    invoice: Invoice, *, access: Access, at: datetime, note: str, most_minor: int | None = None
) -> int:
    """Gives what credits paid of a locked invoice back to the same lots, all of it or ``most_minor``. What was used
    last goes back first. A lot that has expired meanwhile gets it too, and loses it again when it is next looked at.

    Does not save the invoice. Returns how much was given back.
    """
    used = CreditEntry.objects.filter(invoice=invoice).order_by().values_list("credit").annotate(Sum("amount_minor"))
    given = {pk: -minor for pk, minor in used if minor}
    lots = list(Credit.objects.filter(pk__in=given).locked())
    most = sum(given.values()) if most_minor is None else most_minor
    parts = _take(most, sorted(lots, key=_order_of_use, reverse=True), given)
    back = [Movement(lot, CreditEntry.Kind.GIVEN_BACK, minor, invoice, note) for lot, minor in parts]
    if back:
        move(back, at=at, actor=access.user)
    gone = sum(movement.minor for movement in back)
    invoice.credited_minor -= gone
    return gone


def _order_of_use(lot: Credit) -> tuple[date, datetime, int]:
    return lot.expires_on or date.max, lot.created_at, lot.pk


def settle_credited(invoice: Invoice, minor: int, *, at: datetime, paid_with: str) -> None:
    """Counts a credit on a locked invoice, which is paid when nothing is left. Saves nothing."""
    invoice.credited_minor += minor
    if invoice.total_minor == invoice.credited_minor + invoice.paid_minor:
        check_move(invoice.status, InvoiceStatus.PAID)
        invoice.status, invoice.paid_at, invoice.paid_with = InvoiceStatus.PAID, at, paid_with
        invoice.autopay_on = invoice.autopay_declined_on = invoice.next_reminder_on = None


def _write(invoices: Iterable[Invoice], used: dict[int, int]) -> None:
    Invoice.objects.bulk_update([invoice for invoice in invoices if invoice.pk in used], CHANGED)
    for invoice in invoices:
        invoice.__dict__.pop("amount_due_minor", None)  # the database's to compute


def _entries(
    invoices: Iterable[Invoice], used: dict[int, int], *, access: Access, at: datetime
) -> Iterator[AuditEntry]:
    for invoice in invoices:
        if invoice.pk in used:
            yield AuditEntry(
                at=at,
                actor=access.user,
                action="credit.applied",
                subject=str(invoice),
                profile_id=invoice.profile_id,
                detail={"amount_minor": used[invoice.pk], "currency": invoice.currency},
            )
