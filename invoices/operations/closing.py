"""Close: from the charges of a period that has ended to an invoice, for every profile whose invoice day has come.

Done in chunks, each in a transaction of its own: its profiles are locked, those that another worker holds passed over.
A run that is killed leaves whole chunks and the next one finds what is left; a constraint allows one closing for each
profile and period.

- An invoice holds the charges that happened before the end of the period and are on no invoice yet, late ones included.
- Without charges nothing is issued, unless the profile wants an invoice all the same: one of zero, settled at once.
- When returns outweigh the charges, all of them wait for the next period.
- When days or months were missed, each period is closed in order with an invoice of its own.
- The invoice date is the day of the run, where the seller is, so that numbers and dates run together and no due date
  lies in the past.
- A disabled profile is still billed. One that staff closed is passed over, and caught up when it is opened again.

Charges are never read: they are marked, added up and copied into lines by one statement a chunk.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain
from typing import NamedTuple

from django.db import DataError, IntegrityError, connection, reset_queries, transaction
from django.db.models import Count, Q, QuerySet, Sum

from accounts.access import Access, system_access
from accounts.models import BillingProfile
from billing_portal.core.time_zones import has_come, latest_day, seller_day
from invoices.bulk import bulk_insert, new_row, reserve_ids
from invoices.models import Charge, Invoice, PeriodClosing
from invoices.money import Money
from invoices.operations.issuing import CannotIssue, issue_invoices
from invoices.periods import Period, closable_periods, current_period, period_after
from invoices.remittances import Remittances

log = logging.getLogger("portal.closing")

Outcome = PeriodClosing.Outcome
CHUNK = 500
# Nobody knows how many charges a profile has until they are read. So a run begins with few profiles at once, and a
# chunk that made many lines is followed by a smaller one: no transaction takes long.
FIRST_CHUNK = 50
MANY_LINES = 20_000
# What the rows of a single profile can be the reason of. A database that does not answer is none of these.
UNFIT = (CannotIssue, DataError, IntegrityError, ArithmeticError, LookupError, TypeError, ValueError)

# The charges are marked before they are added up, so that what is added up is what is on the invoice: one that is
# recorded meanwhile is on neither, and one that is being removed is waited for.
MARK_CHARGES = """
WITH closing (profile_id, end_on, invoice_id) AS (VALUES {rows})
UPDATE invoices_charge SET invoice_id = closing.invoice_id FROM closing
WHERE invoices_charge.invoice_id IS NULL
AND invoices_charge.profile_id = closing.profile_id AND invoices_charge.happened_on < closing.end_on
"""
# What a line copies from its charge. Lines stand by section, and within it by day.
COPIED = (
    "invoice_id", "section_id", "description", "quantity", "unit", "unit_price", "tax_note", "happened_on",
    "is_creditable", "amount_minor", "tax_minor",
)  # fmt: skip
LINE_OF_CHARGE = {name: f"charge.{name}" for name in COPIED} | {
    "section_name": "section.name",
    "tax_rate": "charge.tax_percent",
    "position": """row_number() OVER (
        PARTITION BY charge.invoice_id ORDER BY section.name, section.id, charge.happened_on, charge.id)""",
}
WRITE_LINES = f"""
INSERT INTO invoices_invoiceline ({", ".join(LINE_OF_CHARGE)}) SELECT {", ".join(LINE_OF_CHARGE.values())}
FROM invoices_charge AS charge JOIN accounts_invoicesection AS section ON section.id = charge.section_id
WHERE charge.invoice_id IN ({{marks}})
"""  # noqa: S608  written out above
MOVE_PROFILES = """
WITH moved (id, billed_until_on, next_invoice_on) AS (VALUES {rows})
UPDATE accounts_billingprofile
SET billed_until_on = moved.billed_until_on, next_invoice_on = moved.next_invoice_on
FROM moved WHERE accounts_billingprofile.id = moved.id
"""


@dataclass
class Closed:
    profiles: int = 0
    billed: int = 0
    nothing: int = 0
    carried: int = 0
    lines: int = 0
    minor: Counter[str] = field(default_factory=Counter)
    invoice_ids: list[int] = field(default_factory=list)
    # Profiles whose period could not be closed, by code, and why. They stay as they were.
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def periods(self) -> int:
        return self.billed + self.nothing + self.carried

    @property
    def totals(self) -> list[Money]:
        return Money.by_currency(self.minor)

    def add(self, other: "Closed") -> None:
        """All but the ids, which would be as many as there are invoices."""
        for name in ("profiles", "billed", "nothing", "carried", "lines"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.minor += other.minor
        self.failed |= other.failed


class Sums(NamedTuple):
    lines: int = 0
    charges_minor: int = 0
    tax_minor: int = 0


def close_due(*, at: datetime, limit: int = CHUNK) -> int:
    """Closes what is due, up to the chunk that reaches ``limit``. Returns how many periods it closed; a worker calls
    again until that is none. What could not be closed is logged, and tried again every time."""
    count = 0
    for closed in close_periods(access=system_access(), at=at, chunk=min(limit, CHUNK)):
        for code, reason in closed.failed.items():
            log.error("The period of billing profile %s could not be closed: %s", code, reason)
        count += closed.periods
        if count >= limit:
            break
    return count


def close_periods(
    *,
    access: Access,
    at: datetime,
    until: date | None = None,
    only: BillingProfile | None = None,
    chunk: int = CHUNK,
    dry_run: bool = False,
) -> Iterator[Closed]:
    """Closes every ended period, of all profiles or of ``only`` one, and yields the result of each committed chunk.

    ``until`` leaves periods that end after a day for later. With ``dry_run`` each chunk is undone again. A profile that
    cannot be closed is named in ``failed`` and holds up no other. Rights are the caller's.
    """
    for profiles in _waiting(at, until, only):
        if profiles.exists():  # an idle pass takes no lock, which on SQLite everybody would wait for
            yield from _Run(profiles, access=access, at=at, until=until, chunk=chunk, dry_run=dry_run).chunks()


def how_many_wait(at: datetime, until: date | None = None, only: BillingProfile | None = None) -> int:
    """How many profiles have something to close: the length of a progress bar."""
    return sum(profiles.count() for profiles in _waiting(at, until, only))


def _waiting(
    at: datetime, until: date | None, only: BillingProfile | None
) -> tuple[QuerySet[BillingProfile], QuerySet[BillingProfile]]:
    """Profiles that were never invoiced, and those whose day has come where they are."""
    profiles = BillingProfile.objects.exclude(status=BillingProfile.Status.CLOSED)
    if only is not None:
        profiles = profiles.filter(pk=only.pk)
    latest = latest_day(at)  # which the index finds; the time zones leave few of them out
    come = has_come("next_invoice_on", zone="time_zone", at=at)
    due = profiles.filter(come, next_invoice_on__lte=min(latest, until or latest))
    return profiles.filter(next_invoice_on__isnull=True), due


class _Run:
    """One way through profiles with something to close, in the order of the day on which their period ends."""

    def __init__(
        self, profiles: QuerySet[BillingProfile], *, access: Access, at: datetime, until: date | None, chunk: int,
        dry_run: bool,
    ) -> None:  # fmt: skip
        self.profiles, self.access, self.at, self.until = profiles, access, at, until
        self.chunk, self.size, self.dry_run = chunk, min(chunk, FIRST_CHUNK), dry_run
        self.last: tuple[date | None, int] = (None, 0)
        self.remittances = Remittances()

    def chunks(self) -> Iterator[Closed]:
        while closed := self._next_chunk():
            reset_queries()
            yield closed

    def _next_chunk(self) -> Closed | None:
        """None when there is none. A failing chunk is halved until the bad profile stands alone and is passed over."""
        locked: list[BillingProfile] = []
        try:
            with transaction.atomic():
                locked = self._lock()
                if not locked:
                    return None
                last = locked[-1].next_invoice_on, locked[-1].pk
                closed = self._close(locked)
                if self.dry_run:
                    transaction.set_rollback(True)
        except UNFIT as problem:
            if len(locked) > 1:
                self.size = len(locked) // 2
                return self._next_chunk()
            closed = Closed(profiles=1, failed={profile.code: str(problem) for profile in locked})
        self.last = last
        if closed.lines > MANY_LINES:
            self.size = max(1, self.size * MANY_LINES // closed.lines)
        elif 2 * closed.lines <= MANY_LINES:
            self.size = min(self.chunk, 2 * self.size)
        return closed

    def _lock(self) -> list[BillingProfile]:
        """Locks the next of them that nobody else holds. Their charges and payments can be written meanwhile."""
        profiles, (last_on, last_id) = self.profiles, self.last
        if last_on is not None:
            further = Q(next_invoice_on__gt=last_on) | Q(next_invoice_on=last_on, pk__gt=last_id)
            profiles = profiles.filter(further, next_invoice_on__gte=last_on)
        elif last_id:
            profiles = profiles.filter(pk__gt=last_id)
        locked = profiles.order_by("next_invoice_on", "pk").select_for_update(
            of=("self",), no_key=True, skip_locked=connection.features.has_select_for_update_skip_locked
        )
        return list(locked.select_related("account").prefetch_related("account__tax_ids")[: self.size])

    def _close(self, profiles: list[BillingProfile]) -> Closed:
        """Every period of these locked profiles that has ended, in order."""
        closed = Closed(profiles=len(profiles))
        ended = {profile: list(closable_periods(profile, self.at, self.until)) for profile in profiles}
        for number in range(max(map(len, ended.values()))):
            nth = {profile: periods[number] for profile, periods in ended.items() if number < len(periods)}
            self._close_one_each(nth, closed)
        moves = []
        for profile, periods in ended.items():
            period = period_after(periods[-1], profile.invoice_day) if periods else current_period(profile)
            moves.append((profile.pk, period.start_on, period.end_on))
        move_profiles(moves)
        return closed

    def _close_one_each(self, periods: dict[BillingProfile, Period], closed: Closed) -> None:
        ids = reserve_ids(Invoice, len(periods))
        planned = [(profile, period, pk) for (profile, period), pk in zip(periods.items(), ids, strict=True)]
        mark_charges((profile.pk, period.end_on, pk) for profile, period, pk in planned)
        sums = sums_of(ids)
        closings, invoices = [], []
        for profile, period, invoice_id in planned:
            of_charges = sums.get(invoice_id, Sums())
            closing = new_row(
                PeriodClosing, profile_id=profile.pk, start_on=period.start_on, end_on=period.end_on, closed_at=self.at,
                outcome=_outcome(profile, of_charges),
            )  # fmt: skip
            closings.append(closing)
            setattr(closed, closing.outcome, getattr(closed, closing.outcome) + 1)
            if closing.outcome == Outcome.BILLED:
                closing.invoice_id = invoice_id
                invoice = new_row(
                    Invoice, id=invoice_id, currency=profile.currency, issued_on=seller_day(self.at),
                    period_start_on=period.start_on, period_end_on=period.last_on,
                    charges_minor=of_charges.charges_minor, tax_minor=of_charges.tax_minor,
                )  # fmt: skip
                invoice.profile = profile
                invoices.append(invoice)
        billed = [invoice.pk for invoice in invoices]
        Charge.objects.filter(invoice_id__in=set(ids).difference(billed)).update(invoice=None)
        # Lines first: the series of numbers, which everybody who issues waits for, is locked as late as possible. That
        # they have an invoice is checked at the end of the transaction.
        closed.lines += write_lines(billed)
        bulk_insert(PeriodClosing, closings)
        if invoices:
            issue_invoices(invoices, access=self.access, at=self.at, remittances=self.remittances)
        for invoice in invoices:
            closed.minor[invoice.currency] += invoice.total_minor
        closed.invoice_ids += billed


def _outcome(profile: BillingProfile, sums: Sums) -> str:
    if sums.charges_minor + sums.tax_minor < 0:
        return Outcome.CARRIED.value
    return (Outcome.BILLED if sums.lines or profile.issues_empty_invoices else Outcome.NOTHING).value


def mark_charges(closings: Iterable[tuple[int, date, int]]) -> None:
    """Puts unbilled charges on an invoice that may be written later. Rows: profile, day after the last, invoice."""
    _execute(MARK_CHARGES, closings)


def sums_of(invoice_ids: Sequence[int]) -> dict[int, Sums]:
    charges = Charge.objects.filter(invoice_id__in=invoice_ids).order_by().values_list("invoice_id")
    rows = charges.annotate(Count("pk"), Sum("amount_minor"), Sum("tax_minor"))
    return {invoice_id: Sums(*map(int, sums)) for invoice_id, *sums in rows}


def write_lines(invoice_ids: Sequence[int]) -> int:
    """Makes a line of every charge of these invoices, with the same sums. Returns how many."""
    if not invoice_ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(WRITE_LINES.format(marks=", ".join(["%s"] * len(invoice_ids))), list(invoice_ids))
        return int(cursor.rowcount)


def move_profiles(rows: Iterable[tuple[int, date, date]]) -> None:
    """Notes up to when each profile is invoiced, and when it is next. Rows are profile and the two days."""
    _execute(MOVE_PROFILES, rows)


def _execute(statement: str, rows: Iterable[tuple[int | date, ...]]) -> None:
    adapt = connection.ops.adapt_datefield_value
    values = [[adapt(value) if isinstance(value, date) else value for value in row] for row in rows]
    marks = f"({', '.join(['%s'] * len(values[0]))})"
    with connection.cursor() as cursor:
        cursor.execute(statement.format(rows=", ".join([marks] * len(values))), [*chain.from_iterable(values)])
