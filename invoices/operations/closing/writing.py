"""Closes the periods of one chunk of locked profiles, in the caller's transaction."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.conf import settings

from accounts.access import Access
from accounts.models import AuditEntry, BillingProfile
from invoices.bulk import BulkInsert, JsonText, reserve_ids
from invoices.models import Invoice, PeriodClosing
from invoices.money import Money
from invoices.numbering import take_numbers
from invoices.operations.closing import statements
from invoices.operations.closing.choosing import by_day
from invoices.operations.closing.statements import Sums
from invoices.operations.crediting import apply_at_issue
from invoices.operations.issuing import parties_of, values_at_issue
from invoices.periods import Period, current_period, last_day, period_after
from invoices.remittances import Remittances

Outcome = PeriodClosing.Outcome
AUDIT = ["at", "actor_id", "action", "subject", "profile_id", "detail"]
CLOSING = ["profile_id", "start_on", "end_on", "outcome", "invoice_id", "closed_at"]
NO_CHARGES = Sums()


@dataclass
class Closed:
    """What became of a chunk."""

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
        return [Money(minor, currency) for currency, minor in sorted(self.minor.items())]

    def add(self, other: "Closed") -> None:
        """All but the ids, which would be as many as there are invoices."""
        self.profiles += other.profiles
        self.billed += other.billed
        self.nothing += other.nothing
        self.carried += other.carried
        self.lines += other.lines
        self.minor += other.minor
        self.failed |= other.failed


@dataclass(slots=True)
class Closing:
    """A period of a profile that is being closed. ``invoice_id`` is reserved, whether it is needed or not."""

    profile: BillingProfile
    period: Period
    invoice_id: int
    sums: Sums = NO_CHARGES

    @property
    def outcome(self) -> PeriodClosing.Outcome:
        if self.sums.total_minor < 0:
            return Outcome.CARRIED
        return Outcome.BILLED if self.sums.lines or self.profile.issues_empty_invoices else Outcome.NOTHING


class Closer:
    """Closes chunk after chunk; keeps what all of them share."""

    def __init__(self, *, access: Access, at: datetime, until: date | None) -> None:
        self.access, self.at, self.until = access, at, until
        self.remittances = Remittances()
        self.invoices: tuple[list[str], BulkInsert] | None = None
        self.audit = BulkInsert(AuditEntry, AUDIT)
        self.closings = BulkInsert(PeriodClosing, CLOSING)
        self.seller = ""

    def close(self, profiles: list[BillingProfile]) -> Closed:
        """Every period of these profiles that has ended, in order. The profiles must be locked."""
        closed = Closed(profiles=len(profiles))
        open_periods = {profile.pk: current_period(profile) for profile in profiles}
        due = profiles
        while due := [one for one in due if open_periods[one.pk].end_on <= last_day(one, self.at, self.until)]:
            self._close_one_each(due, open_periods, closed)
            for profile in due:
                open_periods[profile.pk] = period_after(open_periods[profile.pk], profile.invoice_day)
        statements.move_profiles((pk, period.start_on, period.end_on) for pk, period in open_periods.items())
        return closed

    def _close_one_each(self, profiles: list[BillingProfile], open_periods: dict[int, Period], closed: Closed) -> None:
        ids = reserve_ids(Invoice, len(profiles))
        closings = [Closing(one, open_periods[one.pk], pk) for one, pk in zip(profiles, ids, strict=True)]
        statements.mark_charges((one.profile.pk, one.period.end_on, one.invoice_id) for one in closings)
        sums = statements.sums_of(ids)
        for one in closings:
            one.sums = sums.get(one.invoice_id, NO_CHARGES)
        statements.release_charges([one.invoice_id for one in closings if one.outcome == Outcome.CARRIED])
        billed = [one for one in closings if one.outcome == Outcome.BILLED]
        # Lines first: the series of numbers, which everybody who issues waits for, is locked as late as possible. That
        # they have an invoice is checked at the end of the transaction.
        closed.lines += statements.write_lines([one.invoice_id for one in billed if one.sums.lines])
        self.closings.write(map(self._closing_row, closings))
        if billed:
            self._write_invoices(billed)
        for one in closings:
            closed.billed += one.outcome == Outcome.BILLED
            closed.nothing += one.outcome == Outcome.NOTHING
            closed.carried += one.outcome == Outcome.CARRIED
        for one in billed:
            closed.minor[one.profile.currency] += one.sums.total_minor
            closed.invoice_ids.append(one.invoice_id)

    def _write_invoices(self, billed: list[Closing]) -> None:
        numbers = take_numbers(settings.INVOICE_NUMBER_PREFIX, len(billed))
        rows = [self._values(one, number) for one, number in zip(billed, numbers, strict=True)]
        if self.invoices is None:
            self.invoices = list(rows[0]), BulkInsert(Invoice, list(rows[0]))
        columns, table = self.invoices
        table.write([row[name] for name in columns] for row in rows)
        self.audit.write(map(self._audit_row, billed, numbers))
        ids = {one.profile.pk: one.invoice_id for one in billed}
        for day, profiles in by_day([one.profile for one in billed], self.at):
            invoice_ids = [ids[profile.pk] for profile in profiles]
            apply_at_issue(access=self.access, invoice_ids=invoice_ids, today=day, at=self.at)

    def _values(self, one: Closing, number: str) -> dict[str, Any]:
        profile = one.profile
        today = profile.day_of(self.at)
        parties = parties_of(profile)
        self.seller = self.seller or json.dumps(parties["seller"])
        return {
            **values_at_issue(
                profile=profile,
                number=number,
                today=today,
                at=self.at,
                po_number="",
                charges_minor=one.sums.charges_minor,
                tax_minor=one.sums.tax_minor,
                remittances=self.remittances,
            ),
            **parties,
            "seller": JsonText(self.seller),
            "remittance": self.remittances.text_for(profile.currency, today),
            "id": one.invoice_id,
            "profile_id": profile.pk,
            "kind": Invoice.Kind.SERVICE.value,
            "currency": profile.currency,
            "period_start_on": one.period.start_on,
            "period_end_on": one.period.last_on,
            "created_at": self.at,
        }

    def _audit_row(self, one: Closing, number: str) -> list[Any]:
        actor = self.access.user.pk if self.access.user else None
        detail = {"total": one.sums.total_minor, "period": f"{one.period.start_on}/{one.period.last_on}"}
        return [self.at, actor, "invoice.issued", number, one.profile.pk, detail]

    def _closing_row(self, one: Closing) -> list[Any]:
        invoice_id = one.invoice_id if one.outcome == Outcome.BILLED else None
        return [one.profile.pk, one.period.start_on, one.period.end_on, one.outcome.value, invoice_id, self.at]
