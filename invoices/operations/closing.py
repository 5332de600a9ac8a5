"""Close: from the charges of a period that has ended to an invoice, for every profile whose invoice day has come.

Done in chunks, each in a transaction of its own: its profiles are locked, those that another worker holds passed over.
A run that is killed leaves whole chunks and the next one finds what is left; a constraint allows one closing for each
profile and period.

- An invoice holds the charges that happened before the end of the period and are on no invoice yet, late ones included.
- Without charges nothing is issued, unless the profile wants an invoice all the same: one of zero, settled at once.
- Charges of less than half a cent altogether wait for the next period.
- A total below zero, or too small to be paid, is carried: all charges wait for the next period, and the closing notes
  what they come to.
- When days or months were missed, each period is closed in order with an invoice of its own.
- The invoice date is the day of the run, where the seller is, so that numbers and dates run together and no due date
  lies in the past.
- A disabled profile is still billed. When staff close one, all that waits is settled (`final_periods`); after that it
  is passed over, and caught up when it is opened again.

Charges are never read: they are marked, and added up into lines, by one statement a chunk each. An amount is rounded
where a line is made, and the tax on the sum of the lines (`invoices.tax`).
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import chain

from django.db import DataError, IntegrityError, connection, reset_queries, transaction
from django.db.models import Q, QuerySet

from accounts.access import Access, system_access
from accounts.models import BillingProfile
from billing_portal.core.exact_decimals import product_sql, sum_sql
from billing_portal.core.time_zones import has_come, latest_day, seller_day
from invoices.bulk import bulk_insert, new_row, reserve_ids
from invoices.models import Charge, Invoice, InvoiceLine, PeriodClosing
from invoices.money import Money, exponent
from invoices.numbering import lock_series
from invoices.operations.dunning import floors
from invoices.operations.issuing import CannotIssue, issue_invoices, stored_taxes
from invoices.operations.usage import SAME
from invoices.periods import Period, closable_periods, current_period, period_after
from invoices.remittances import Remittances
from invoices.tax import Tax, taxes_of

log = logging.getLogger("portal.closing")

Outcome = PeriodClosing.Outcome
CHUNK = 500
# Nobody knows how many charges a profile has until they are read. So a run begins with few profiles at once, and a
# chunk that held many is followed by a smaller one: no transaction takes long.
FIRST_CHUNK = 50
MANY_CHARGES = 20_000
# What the rows of a single profile can be the reason of. A database that does not answer is none of these.
UNFIT = (CannotIssue, DataError, IntegrityError, ArithmeticError, LookupError, TypeError, ValueError)

# The charges are marked before they are added up, so that what is added up is what is on the invoice: one that is
# recorded meanwhile is on neither, and one that is being removed is waited for.
MARK_CHARGES = """
UPDATE invoices_charge SET invoice_id = closing.column3 FROM (VALUES {rows}) AS closing
WHERE invoices_charge.invoice_id IS NULL AND invoices_charge.settled_by_id IS NULL
AND invoices_charge.profile_id = closing.column1 AND invoices_charge.happened_on < closing.column2
"""
LINE = ", ".join(SAME).replace("tax_percent", "tax_rate")
# Lines stand by section, and within it by the day of their first charge. A line of one day names it.
LINES_OF_CHARGES = f"""
WITH line AS (
    SELECT charge.invoice_id, section.name AS section_name, {", ".join(f"charge.{name}" for name in SAME)},
    {{sum}} AS quantity, MIN(charge.happened_on) AS first_on, MAX(charge.happened_on) AS last_on,
    MIN(charge.id) AS first_id
    FROM invoices_charge AS charge JOIN accounts_invoicesection AS section ON section.id = charge.section_id
    WHERE charge.invoice_id IN ({{marks}})
    GROUP BY charge.invoice_id, section.name, {", ".join(f"charge.{name}" for name in SAME)}
)
"""  # noqa: S608  written out above
WRITE_LINES = f"""
INSERT INTO invoices_invoiceline (invoice_id, section_name, {LINE}, quantity, position, happened_on, amount_minor)
{LINES_OF_CHARGES}
SELECT invoice_id, section_name, {", ".join(SAME)}, quantity,
row_number() OVER (PARTITION BY invoice_id ORDER BY section_name, section_id, first_on, first_id),
CASE WHEN first_on = last_on THEN first_on END, {{product}}
FROM line
"""  # noqa: S608  written out above
ADDED_UP = f"SELECT invoice_id, {', '.join(SAME)}, quantity, {{product}} FROM line"  # noqa: S608  written out above
STORED = f"SELECT invoice_id, {LINE}, quantity, amount_minor FROM invoices_invoiceline WHERE invoice_id IN ({{marks}})"  # noqa: S608  written out above
DIFFERING_LINES = f"""{LINES_OF_CHARGES}
SELECT invoice_id FROM ({ADDED_UP} EXCEPT {STORED}) AS missing
UNION SELECT invoice_id FROM ({STORED} EXCEPT {ADDED_UP}) AS unknown
"""  # noqa: S608  written out above
# What charges come to that are on no invoice: those of a profile that wait, and those that a closing settled.
UNBILLED = "charge.profile_id = %s AND charge.invoice_id IS NULL AND charge.settled_by_id IS NULL"
SETTLED = "charge.settled_by_id = %s"
NETS = "SELECT tax_category, tax_percent, exemption_reason, exemption_code, {product} FROM line"
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
    charges: int = 0
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
        for name in ("profiles", "billed", "nothing", "carried", "charges", "lines"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.minor += other.minor
        self.failed |= other.failed


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


def bill_for_good(profile: BillingProfile, period: Period, *, access: Access, at: datetime) -> None:
    """Closes a period of a locked profile with an invoice of all charges that wait, those of later days too. Raises
    CannotIssue when they come to less than nothing, and the others of UNFIT. Rights are the caller's."""
    alone = BillingProfile.objects.filter(pk=profile.pk)
    _Run(alone, access=access, at=at, until=None, chunk=1, dry_run=False).close_for_good(period)


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
        self.remittances, self.floors = Remittances(), floors()
        self.charges_until: date | None = None  # the end of each period

    def close_for_good(self, period: Period) -> None:
        """Of a single profile: bills all that waits, whatever its day and however little it is."""
        self.floors, self.charges_until = {}, date.max
        profile = self._lock()[0]
        self._close_one_each({profile: period}, Closed())
        after = period_after(period, profile.invoice_day)
        move_profiles([(profile.pk, after.start_on, after.end_on)])

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
        if closed.charges > MANY_CHARGES:
            self.size = max(1, self.size * MANY_CHARGES // closed.charges)
        elif 2 * closed.charges <= MANY_CHARGES:
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
        return list(
            locked.select_related("account").prefetch_related("account__seller", "account__tax_ids")[: self.size]
        )

    def _close(self, profiles: list[BillingProfile]) -> Closed:
        """Every period of these locked profiles that has ended, in order."""
        closed = Closed(profiles=len(profiles))
        ended = {profile: list(closable_periods(profile, self.at, self.until)) for profile in profiles}
        rounds = max(map(len, ended.values()))
        if rounds > 1:  # each round takes numbers of the sellers that bill in it
            lock_series(profile.account.seller.invoice_prefix for profile in profiles)
        for number in range(rounds):
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
        closed.charges += mark_charges(
            (profile.pk, self.charges_until or period.end_on, pk) for profile, period, pk in planned
        )
        closed.lines += write_lines((profile.currency, pk) for profile, _period, pk in planned)
        taxes, carriers = stored_taxes(ids), carried_into(periods)
        too_little = rounded_away(taxes) if self.charges_until is None else set()
        for invoice_id in too_little:
            del taxes[invoice_id]
        closings, invoices = [], []
        for profile, period, invoice_id in planned:
            closing = new_row(
                PeriodClosing, profile_id=profile.pk, start_on=period.start_on, end_on=period.end_on, closed_at=self.at,
                outcome=_outcome(profile, taxes.get(invoice_id, ()), self.floors), booked_on=seller_day(self.at),
                currency=profile.currency,
            )  # fmt: skip
            if closing.outcome == Outcome.CARRIED:
                closing.carried_minor = total_of(taxes[invoice_id])
            if (before := carriers.get(profile.pk)) is not None:
                closing.brought_minor, closing.brought_from_on = before.carried_minor, before.carried_from_on
            closings.append(closing)
            setattr(closed, closing.outcome, getattr(closed, closing.outcome) + 1)
            if closing.outcome == Outcome.BILLED:
                closing.invoice_id = invoice_id
                invoice = new_row(
                    Invoice, id=invoice_id, currency=profile.currency, issued_on=seller_day(self.at),
                    period_start_on=period.start_on, period_end_on=period.last_on,
                )  # fmt: skip
                invoice.profile = profile
                invoices.append(invoice)
        billed = [invoice.pk for invoice in invoices]
        if waiting := too_little.union(set(taxes).difference(billed)):
            closed.lines -= InvoiceLine.objects.filter(invoice_id__in=waiting).delete()[0]
            Charge.objects.filter(invoice_id__in=waiting).update(invoice=None)
        bulk_insert(PeriodClosing, closings)
        if invoices:
            issue_invoices(
                invoices, access=self.access, at=self.at, remittances=self.remittances,
                taxes={pk: taxes[pk] for pk in billed if pk in taxes},
            )  # fmt: skip
        for invoice in invoices:
            closed.minor[invoice.currency] += invoice.total_minor
        closed.invoice_ids += billed


def _outcome(profile: BillingProfile, taxes: Sequence[Tax], floors: Mapping[str, int]) -> str:
    """``floors`` are the smallest amounts that anybody is reminded of, by currency in minor units."""
    total = total_of(taxes)
    if total < 0 or 0 < total < floors.get(profile.currency, 1):
        return Outcome.CARRIED.value
    return (Outcome.BILLED if taxes or profile.issues_empty_invoices else Outcome.NOTHING).value


def total_of(taxes: Iterable[Tax]) -> int:
    """With tax, in minor units."""
    return sum(tax.total_minor for tax in taxes)


def carried_into(periods: Mapping[BillingProfile, Period]) -> dict[int, PeriodClosing]:
    """Of each profile whose period before this one was carried, how that was closed."""
    carried = PeriodClosing.objects.filter(outcome=Outcome.CARRIED, profile__in=[profile.pk for profile in periods])
    rows = carried.filter(end_on__in={period.start_on for period in periods.values()})
    starts = {profile.pk: period.start_on for profile, period in periods.items()}
    return {row.profile_id: row for row in rows if row.end_on == starts[row.profile_id]}


def rounded_away(taxes: Mapping[int, Sequence[Tax]]) -> set[int]:
    """Invoices of which nothing would be left after rounding: all of their lines come to less than half of the smallest
    unit of the currency. Their charges wait until there are more."""
    empty = [pk for pk, of_invoice in taxes.items() if not any(tax.taxable_minor for tax in of_invoice)]
    lines = InvoiceLine.objects.filter(invoice__in=empty).values_list(
        "invoice", "quantity", "unit_price", "amount_minor"
    )
    rows = list(lines) if empty else []
    exact = {pk for pk, _quantity, _price, amount_minor in rows if amount_minor}
    return {pk for pk, quantity, price, _amount in rows if quantity and price}.difference(exact)


def mark_charges(closings: Iterable[tuple[int, date, int]]) -> int:
    """Puts unbilled charges on an invoice that may be written later. Rows: profile, day after the last, invoice.
    Returns how many charges there were."""
    return _execute(MARK_CHARGES, closings)


def write_lines(invoices: Iterable[tuple[str, int]]) -> int:
    """Adds the charges of invoices up into lines. Rows: currency, invoice. Returns how many lines there are."""
    count = 0
    with connection.cursor() as cursor:
        for statement, values in _about_lines(WRITE_LINES, invoices):
            cursor.execute(statement, values)
            count += int(cursor.rowcount)
    return count


def differing_lines(invoices: Iterable[tuple[str, int]]) -> set[int]:
    """Invoices of a billing run whose stored lines are not what their charges come to. Rows: currency, invoice."""
    differing: set[int] = set()
    with connection.cursor() as cursor:
        for statement, values in _about_lines(DIFFERING_LINES, invoices):
            cursor.execute(statement, values)
            differing |= {row[0] for row in cursor.fetchall()}
    return differing


def _about_lines(statement: str, invoices: Iterable[tuple[str, int]]) -> Iterator[tuple[str, list[int]]]:
    """The statement for all invoices in currencies with so many decimals, and its values."""
    by_digits: dict[int, list[int]] = defaultdict(list)
    for currency, invoice_id in invoices:
        by_digits[exponent(currency)].append(invoice_id)
    vendor = connection.vendor
    for digits, ids in by_digits.items():
        sql = statement.format(
            marks=", ".join(["%s"] * len(ids)), sum=sum_sql("charge.quantity", vendor),
            product=product_sql("quantity", "unit_price", digits, vendor),
        )  # fmt: skip
        yield sql, ids * sql.count(" IN (")


def unbilled_taxes(profile: BillingProfile) -> list[Tax]:
    """What the charges that wait come to, were they billed now. Empty without charges."""
    return _taxes_where(UNBILLED, profile.pk, profile.currency)


def settled_taxes(closing: PeriodClosing) -> list[Tax]:
    """What the charges come to that a closing settled without an invoice."""
    return _taxes_where(SETTLED, closing.pk, closing.currency)


def _taxes_where(condition: str, pk: int, currency: str) -> list[Tax]:
    vendor, lines = connection.vendor, LINES_OF_CHARGES.replace("charge.invoice_id IN ({marks})", condition)
    product = product_sql("quantity", "unit_price", exponent(currency), vendor)
    with connection.cursor() as cursor:
        cursor.execute((lines + NETS).format(sum=sum_sql("charge.quantity", vendor), product=product), [pk])
        rows = cursor.fetchall()
    return taxes_of((category, Decimal(str(rate)), *reason, int(net)) for category, rate, *reason, net in rows)


def move_profiles(rows: Iterable[tuple[int, date, date]]) -> None:
    """Notes up to when each profile is invoiced, and when it is next. Rows are profile and the two days."""
    _execute(MOVE_PROFILES, rows)


def _execute(statement: str, rows: Iterable[tuple[int | date, ...]]) -> int:
    adapt = connection.ops.adapt_datefield_value
    values = [[adapt(value) if isinstance(value, date) else value for value in row] for row in rows]
    marks = f"({', '.join(['%s'] * len(values[0]))})"
    with connection.cursor() as cursor:
        cursor.execute(statement.format(rows=", ".join([marks] * len(values))), [*chain.from_iterable(values)])
        return int(cursor.rowcount)
