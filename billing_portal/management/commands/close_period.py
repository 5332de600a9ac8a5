"""``manage.py close_period``: makes the invoices of every billing period that has ended."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.access import system_access
from accounts.models import BillingProfile
from billing_portal.core.progress import Bar
from invoices.importing.columns import day
from invoices.importing.file_format import BadRow
from invoices.operations.closing import Closed, close_periods, how_many_wait


class Command(BaseCommand):
    help = (
        "Closes the billing periods that have ended: one invoice for each profile and period, whatever is started twice"
        " or stopped half-way. Several of these may run at once and share the work."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="do everything, say what would happen, undo it")
        parser.add_argument("--profile", metavar="CODE", help="only this billing profile, such as K7QX-2M9P")
        parser.add_argument("--until", metavar="YYYY-MM-DD", help="only periods that ended by this day")

    def handle(self, *_args: Any, **options: Any) -> None:
        at, dry_run = timezone.now(), options["dry_run"]
        only, until = _profile(options["profile"]), _day(options["until"])
        done = Closed()
        bar = Bar(self.stderr, "profiles", how_many_wait(at, until, only))
        try:
            for closed in close_periods(access=system_access(), at=at, until=until, only=only, dry_run=dry_run):
                done.add(closed)
                bar.show(done.profiles)
        finally:
            bar.end()
        for code, reason in done.failed.items():
            self.stderr.write(f"Billing profile {code} could not be closed: {reason}")
        self.stdout.write(summary(done, dry_run=dry_run))
        if done.failed:
            raise CommandError(f"Not closed: {len(done.failed):,} billing profiles.")


def summary(done: Closed, *, dry_run: bool) -> str:
    """One line: how many invoices, what they come to in each currency, and what became of the other periods."""
    amounts = ", ".join(f"{total.currency} {total.amount:,}" for total in done.totals)
    parts = [f"{done.billed:,} invoices with {done.lines:,} lines" + (f" ({amounts})" if amounts else "")]
    parts += [f"{done.nothing:,} periods with nothing to bill", f"{done.carried:,} carried over"]
    if dry_run:
        return f"Would close {done.periods:,} periods: {'; '.join(parts)}. This was a dry run: nothing was changed."
    return f"Closed {done.periods:,} periods: {'; '.join(parts)}."


def _profile(code: str | None) -> BillingProfile | None:
    if code is None:
        return None
    profile = BillingProfile.objects.filter(code=code.strip().upper()).first()
    if profile is None:
        raise CommandError(f"There is no billing profile {code!r}.")
    return profile


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else day(text)
    except BadRow as error:
        raise CommandError(f"--until {error}.") from None
