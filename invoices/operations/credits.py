"""Credits of a profile: granted by staff, applied to invoices, given back, taken back and expired.

Credits pay for an invoice when it is issued, and at no other time unless staff do it, so what is due never changes
under a payer's hands. A lot that was valid on any day of the invoice's period may pay for it, whenever the invoice is
made; the one that expires first goes first, then the oldest. Lines that credits may not pay for are left out.

Each change of a lot is written with the entry that says why; what is left of a lot is the sum of its entries, which
`check_books` proves. Lots are locked after invoices and payments, in one fixed order.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import reduce
from operator import or_
from typing import NamedTuple

from django.db import transaction
from django.db.models import F, Q, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import audit
from accounts.access import Access, require_staff
from accounts.models import AuditEntry, BillingProfile, User
from invoices.ledger import BANK, CUSTOMER_CREDIT, GOODWILL, RECEIVABLE, book, transfer
from invoices.models import Credit, CreditEntry, Invoice, InvoiceLine, Transfer
from invoices.money import Money, percent_of
from invoices.operations.dunning import lock_profile, reinstate
from invoices.payability import wait_text
from invoices.periods import current_period
from invoices.querysets import LAST_DAY_IS_BILLED
from invoices.states import InvoiceStatus, check_move

PAID_WITH = gettext_noop("Credits")  # translated where it is shown
# The columns of an invoice that `settle_credited` changes.
SETTLED = [
    "credited_minor", "status", "paid_at", "paid_with", "autopay_on", "autopay_declined_on", "next_reminder_on",
]  # fmt: skip
# The others come from a payment or a credit note, and would not add up without it.
GRANTABLE = (Credit.Source.PREPAYMENT, Credit.Source.PROMOTION, Credit.Source.GOODWILL)
MAX_MINOR = 10**15
A_MOMENT = timedelta(minutes=1)
TO_EXPIRE = Q(expires_on__isnull=False, remaining_minor__gt=0)  # as its index has it


class CannotCredit(Exception):
    """No credit was used, granted or taken back. The message may be shown to staff."""


def apply_at_issue(*, access: Access, invoice_ids: Sequence[int], at: datetime) -> int:
    """Pays invoices with the credits of their profiles, inside the transaction that issues them. Returns how many got
    any. The same few queries for any number of invoices, one when there is no lot. Rights are the caller's."""
    new = Invoice.objects.filter(pk__in=invoice_ids, status=InvoiceStatus.OPEN)
    lots = list(Credit.objects.filter(profile__in=new.values("profile"), remaining_minor__gt=0).locked())
    if not lots:
        return 0
    invoices = list(new.filter(profile__in={lot.profile_id for lot in lots}).order_by("issued_on", "pk"))
    return _apply(invoices, lots, access=access, at=at, is_issue=True)


@transaction.atomic
def apply_credits(*, access: Access, invoice_id: int, at: datetime) -> Invoice:
    """Pays an open invoice with the credits of its profile that may pay for it, because staff ask for it.

    Raises NotAllowed, Invoice.DoesNotExist, and CannotCredit while a payment is in progress, whose amount was agreed
    with the payer, or when there is nothing to pay or to pay it with.
    """
    require_staff(access)
    invoice = Invoice.objects.select_related("profile").locked().get(pk=invoice_id)
    if invoice.status != InvoiceStatus.OPEN:
        raise CannotCredit(_("Credits pay for open invoices only."))
    if invoice.is_being_paid:
        raise CannotCredit(wait_text(invoice))
    lock_profile(invoice.profile)
    lots = list(Credit.objects.filter(profile=invoice.profile, remaining_minor__gt=0).locked())
    if not _apply([invoice], lots, access=access, at=at):
        raise CannotCredit(_("There is no credit that may pay for this invoice."))
    reinstate(invoice.profile, at=at)
    return invoice


def _apply(
    invoices: Sequence[Invoice], lots: Sequence[Credit], *, access: Access, at: datetime, is_issue: bool = False
) -> int:
    """Moves credit of locked lots to invoices and saves both. Returns for how many invoices credits were used."""
    creditable = _creditable(invoices)
    lots_of: dict[tuple[int, str], list[Credit]] = {}
    for lot in sorted(lots, key=_order_of_use):
        lots_of.setdefault((lot.profile_id, lot.currency), []).append(lot)
    left = {lot.pk: lot.remaining_minor for lot in lots}
    changed: list[Invoice] = []
    movements: list[Movement] = []
    entries: list[AuditEntry] = []
    for invoice in invoices:
        most = max(0, min(invoice.open_minor, creditable.get(invoice.pk, 0) - invoice.credited_minor))
        lots_of_profile = lots_of.get((invoice.profile_id, invoice.currency), [])
        parts = list(_take(most, (lot for lot in lots_of_profile if _may_pay(lot, invoice)), left))
        if not parts:
            continue
        used = sum(minor for _lot, minor in parts)
        movements += [Movement(lot, CreditEntry.Kind.APPLIED, -minor, invoice) for lot, minor in parts]
        settle_credited(invoice, used, at=at, paid_with=PAID_WITH)
        if is_issue:
            invoice.credited_at_issue_minor = used
        invoice.__dict__.pop("amount_due_minor", None)  # the database's to compute
        changed.append(invoice)
        entries.append(
            audit.entry(
                access=access, at=at, action="credit.applied", subject=str(invoice), profile_id=invoice.profile_id,
                detail={"amount_minor": used, "currency": invoice.currency},
            )
        )  # fmt: skip
    if changed:
        move(movements, at=at, actor=access.user)
        AuditEntry.objects.bulk_create(entries)
        Invoice.objects.bulk_update(changed, [*SETTLED, "credited_at_issue_minor"])
    return len(changed)


def _may_pay(lot: Credit, invoice: Invoice) -> bool:
    """Whether a lot was valid on any day of the invoice's period, or on the invoice date when it has none."""
    first_on, last_on = invoice.period_start_on, invoice.period_end_on
    if first_on is None or last_on is None:
        first_on = last_on = invoice.issued_on or date.max
    return (lot.starts_on or date.min) <= last_on and first_on <= (lot.expires_on or date.max)


def _creditable(invoices: Iterable[Invoice]) -> dict[int, int]:
    """What the lines that credits may pay for come to, with the tax on them. One query."""
    lines = InvoiceLine.objects.filter(invoice__in=[invoice.pk for invoice in invoices], is_creditable=True)
    nets = lines.order_by().values_list("invoice", "tax_category", "tax_rate").annotate(Sum("amount_minor"))
    sums = Counter[int]()
    for pk, _category, rate, net in nets:
        sums[pk] += int(net) + percent_of(int(net), rate)
    return sums


def _take(most: int, lots: Iterable[Credit], left: dict[int, int]) -> Iterator[tuple[Credit, int]]:
    for lot in lots:
        part = min(most, left[lot.pk])
        if part > 0:
            left[lot.pk] -= part
            most -= part
            yield lot, part


def apply_noted(invoice: Invoice, *, most_minor: int, access: Access, at: datetime) -> int:
    """Pays a locked invoice with what its own credit notes became a credit of, whatever its lines: that is for this
    invoice. The profile is locked by the caller. Returns how much it was."""
    lots = list(Credit.objects.filter(credit_note__invoice=invoice, remaining_minor__gt=0).locked())
    parts = list(_take(min(most_minor, invoice.open_minor), lots, {lot.pk: lot.remaining_minor for lot in lots}))
    used = sum(minor for _lot, minor in parts)
    if not used:
        return 0
    move([Movement(lot, CreditEntry.Kind.APPLIED, -minor, invoice) for lot, minor in parts], at=at, actor=access.user)
    settle_credited(invoice, used, at=at, paid_with=PAID_WITH)
    invoice.save(update_fields=SETTLED)
    audit.record(
        access=access, at=at, action="credit.applied", subject=str(invoice), profile=invoice.profile,
        amount_minor=used, currency=invoice.currency,
    )  # fmt: skip
    reinstate(invoice.profile, at=at)
    return used


def give_credits_back(
    invoice: Invoice, *, access: Access, at: datetime, note: str, most_minor: int | None = None
) -> int:
    """Gives what credits paid of a locked invoice back to their lots, all of it or ``most_minor``, the last used first.
    An expired lot gets it too, and loses it when it is next looked at. Returns how much; does not save the invoice."""
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
    if not invoice.open_minor:
        check_move(invoice.status, InvoiceStatus.PAID)
        invoice.status, invoice.paid_at, invoice.paid_with = InvoiceStatus.PAID, at, paid_with
        invoice.autopay_on = invoice.autopay_declined_on = invoice.next_reminder_on = None


@transaction.atomic
def grant_credit(
    *,
    access: Access,
    profile_id: int,
    source: str,
    amount: Money,
    description: str,
    starts_on: date | None,
    expires_on: date | None,
    at: datetime,
) -> Credit:
    """Gives a profile a credit, which waits for its next invoice. It pays for periods that have a day from
    ``starts_on`` to ``expires_on``, both included; one that has begun, and is not closed yet, may have them all past.

    Raises NotAllowed, BillingProfile.DoesNotExist, and CannotCredit for an amount that is not more than zero or in
    another currency, without a description, for impossible days, and for the same credit twice within a minute (a form
    sent twice).
    """
    require_staff(access)
    profile = BillingProfile.objects.select_for_update().get(pk=profile_id)
    if source not in GRANTABLE:
        raise CannotCredit(_("Choose where the credit comes from."))
    if amount.currency != profile.currency:
        raise CannotCredit(_("The billing profile is in %(currency)s.") % {"currency": profile.currency})
    if not 0 < amount.minor <= MAX_MINOR:
        raise CannotCredit(_("The amount must be more than zero."))
    if not description.strip():
        raise CannotCredit(_("Say what the credit is for; the customer sees it."))
    today = profile.day_of(at)
    running_from = today if profile.is_closed else min(today, current_period(profile).start_on)
    if expires_on is not None and expires_on < max(starts_on or date.min, running_from):
        raise CannotCredit(_("The credit would expire before it can be used."))
    twin = Credit.objects.filter(
        profile=profile, source=source, amount_minor=amount.minor, description=description.strip(),
        created_by=access.user, created_at__gt=at - A_MOMENT,
    )  # fmt: skip
    if twin.exists():
        raise CannotCredit(_("The same credit was granted a moment ago."))
    credit = add_credit(
        profile=profile, amount=amount, source=Credit.Source(source), description=description.strip(), at=at,
        actor=access.user, starts_on=starts_on, expires_on=expires_on,
    )  # fmt: skip
    audit.record(
        access=access, at=at, action="credit.granted", subject=credit.description[:120], profile=profile,
        credit=credit.pk, source=credit.source, amount_minor=amount.minor, currency=amount.currency,
    )  # fmt: skip
    return credit


@transaction.atomic
def take_back_credit(*, access: Access, credit_id: int, reason: str, at: datetime) -> Credit:
    """Takes away what is left of a credit. Raises NotAllowed, Credit.DoesNotExist, and CannotCredit without a reason,
    when nothing is left, for money that the customer paid, and for the portal itself: somebody has to answer for it."""
    require_staff(access)
    credit = Credit.objects.select_related("profile").locked().get(pk=credit_id)
    if access.user is None or not reason.strip():
        raise CannotCredit(_("Give the reason for taking the credit back; the customer sees it."))
    if not credit.remaining_minor:
        raise CannotCredit(_("Nothing is left of this credit."))
    if credit.source == Credit.Source.OVERPAYMENT:
        raise CannotCredit(_("The customer paid this money. Pay it back from the page of the payment instead."))
    gone = credit.remaining
    taken = Movement(credit, CreditEntry.Kind.TAKEN_BACK, -gone.minor, note=reason.strip(), account=account_of(credit))
    move([taken], at=at, actor=access.user)
    audit.record(
        access=access, at=at, action="credit.taken_back", subject=credit.description[:120], profile=credit.profile,
        credit=credit.pk, amount_minor=gone.minor, currency=gone.currency, reason=reason.strip(),
    )  # fmt: skip
    return credit


@transaction.atomic
def expire_credits(*, at: datetime, limit: int = 500) -> int:
    """Takes away what is left of credits whose last day is over where their profile is, and whose period is closed
    (`LAST_DAY_IS_BILLED`). Returns how many there were, so a caller goes on until there are none. Safe from several
    workers, and beside one that closes the period: each takes credits that no other holds."""
    zones = Credit.objects.filter(TO_EXPIRE).order_by().values_list("profile__time_zone", flat=True).distinct()
    days = [(zone, BillingProfile(time_zone=zone).day_of(at)) for zone in zones]
    if not days:
        return 0
    over = reduce(or_, (Q(profile__time_zone=zone, expires_on__lt=day) for zone, day in days))
    rows = Credit.objects.filter(TO_EXPIRE, over, LAST_DAY_IS_BILLED).order_by("expires_on", "pk")
    lots = list(rows.select_for_update(of=("self",), skip_locked=True)[:limit])
    if lots:
        expired = CreditEntry.Kind.EXPIRED
        move([Movement(lot, expired, -lot.remaining_minor, account=account_of(lot)) for lot in lots], at=at)
    return len(lots)


class Movement(NamedTuple):
    """An amount that a lot gains (positive) or loses (negative), and the account that it comes from or goes to: an
    invoice's receivable, unless another is named."""

    credit: Credit
    kind: CreditEntry.Kind
    minor: int
    invoice: Invoice | None = None
    note: str = ""
    account: str = RECEIVABLE
    # What the ledger calls it, when that is not the kind of entry: money of a payment.
    booked_as: Transfer.Kind | None = None
    key: str = ""


def add_credit(
    *,
    profile: BillingProfile,
    amount: Money,
    description: str,
    at: datetime,
    source: Credit.Source = Credit.Source.OVERPAYMENT,
    actor: User | None = None,
    starts_on: date | None = None,
    expires_on: date | None = None,
    account: str = "",
    invoice: Invoice | None = None,
    kind: Transfer.Kind = Transfer.Kind.CREDIT_GRANTED,
    key: str = "",
    reference: str = "",
    parts: Mapping[str, int] | None = None,
) -> Credit:
    """Makes a lot and its first entry. Its source is money that fits on no invoice, unless another is named.

    ``account``, ``invoice``, ``kind``, ``key`` and ``reference`` say what the ledger books: where the amount comes from
    and because of what. Without them it is granted, from the account of its source. ``parts`` are the accounts of an
    amount that comes from several, in minor units."""
    credit = Credit.objects.create(
        profile=profile, source=source, currency=amount.currency, amount_minor=amount.minor,
        remaining_minor=amount.minor, description=description[:200], starts_on=starts_on, expires_on=expires_on,
        created_at=at, created_by=actor,
    )  # fmt: skip
    granted = CreditEntry.Kind.GRANTED
    CreditEntry.objects.create(credit=credit, kind=granted, amount_minor=amount.minor, at=at, actor=actor)
    key = key or f"credit:{credit.pk}"
    by_key = {key: (account or account_of(credit), amount.minor)}
    if parts is not None:
        by_key = {f"{key}/{name}": (name, minor) for name, minor in parts.items()}
    book(
        *(
            transfer(
                kind, Money(minor, amount.currency), debit=name, credit=CUSTOMER_CREDIT, key=part,
                profile_id=profile.pk, invoice_id=invoice.pk if invoice else None, lot_id=credit.pk,
                reference=reference or credit.description, at=at,
            )
            for part, (name, minor) in by_key.items()
        )
    )  # fmt: skip
    return credit


def account_of(credit: Credit) -> str:
    """Where a granted credit comes from, and goes when it expires or is taken back."""
    return BANK if credit.source == Credit.Source.PREPAYMENT else GOODWILL


def move(movements: Sequence[Movement], *, at: datetime, actor: User | None = None) -> None:
    """Writes movements of locked lots: their entries, and what is left of each lot, in two statements. The database
    adds up for itself and refuses less than nothing, so a caller that forgot the lock fails instead of spending a lot
    twice."""
    entries = CreditEntry.objects.bulk_create(
        CreditEntry(
            credit=movement.credit, kind=movement.kind, amount_minor=movement.minor, invoice=movement.invoice, at=at,
            actor=actor, note=movement.note[:200],
        )
        for movement in movements
    )  # fmt: skip
    book(
        *(
            transfer(
                movement.booked_as or Transfer.Kind(f"credit_{movement.kind}"),
                Money(movement.minor, movement.credit.currency), debit=movement.account, credit=CUSTOMER_CREDIT,
                key=movement.key or f"credit_entry:{entry.pk}",
                profile_id=movement.credit.profile_id, invoice_id=movement.invoice.pk if movement.invoice else None,
                lot_id=movement.credit.pk, reference=movement.credit.description, at=at,
            )
            for movement, entry in zip(movements, entries, strict=True)
        )
    )  # fmt: skip
    changes: Counter[int] = Counter()
    for movement in movements:
        changes[movement.credit.pk] += movement.minor
    lots = [Credit(pk=pk, remaining_minor=F("remaining_minor") + minor) for pk, minor in changes.items()]
    Credit.objects.bulk_update(lots, ["remaining_minor"])
    for credit in {movement.credit.pk: movement.credit for movement in movements}.values():
        credit.remaining_minor += changes[credit.pk]


def change_credit(
    credit: Credit, amount: Money, *, account: str, booked_as: Transfer.Kind, key: str, note: str, at: datetime
) -> None:
    """Money of a locked lot goes back to where it came from (negative), or came back after all: ``account``. No actor
    is noted: who paid it back stands with the refund."""
    kind = CreditEntry.Kind.GIVEN_BACK if amount.minor > 0 else CreditEntry.Kind.TAKEN_BACK
    move([Movement(credit, kind, amount.minor, None, note, account, booked_as, key)], at=at)
