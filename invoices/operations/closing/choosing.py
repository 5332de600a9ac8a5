"""Which profiles have a period to close, and their locks."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Q, QuerySet

from accounts.models import BillingProfile
from billing_portal.core.time_zones import latest_day


@dataclass(slots=True)
class Walk:
    """One way through all profiles that have something to close: first those that were never seen, then the others by
    the day on which their period ends. ``size`` may change between steps."""

    at: datetime
    until: date | None
    only: BillingProfile | None
    size: int
    last_on: date | None = None
    last_id: int = 0

    def never_seen(self) -> QuerySet[BillingProfile]:
        return self._chosen().filter(next_invoice_on__isnull=True)

    def due(self) -> QuerySet[BillingProfile]:
        """Profiles whose day has come where they are. Which days those are, time zones decide: the few that occur are
        asked for first, so that a profile whose day is yet to come is neither read nor locked time and again."""
        latest = self._no_later_than(latest_day(self.at))
        candidates = self._chosen().filter(next_invoice_on__lte=latest)
        zones: dict[date, list[str]] = defaultdict(list)
        for name in candidates.values_list("time_zone", flat=True).distinct():
            zones[self._no_later_than(self.at.astimezone(ZoneInfo(name)).date())].append(name)
        if set(zones) <= {latest}:
            return candidates
        come = Q(pk__in=[])
        for day, names in zones.items():
            come |= Q(next_invoice_on__lte=day, time_zone__in=names)
        return candidates.filter(come)

    def lock(self, profiles: QuerySet[BillingProfile], *, seen: bool) -> list[BillingProfile]:
        """The next of them, locked until the transaction ends; those that somebody else holds are left to them. Charges
        and payments of a locked profile can be written meanwhile."""
        if self.last_id:
            further = Q(pk__gt=self.last_id)
            if seen and self.last_on is not None:
                further = Q(next_invoice_on__gt=self.last_on) | Q(next_invoice_on=self.last_on, pk__gt=self.last_id)
                profiles = profiles.filter(next_invoice_on__gte=self.last_on)
            profiles = profiles.filter(further)
        locked = profiles.order_by("next_invoice_on", "pk").select_for_update(
            of=("self",), no_key=True, skip_locked=connection.features.has_select_for_update_skip_locked
        )
        return list(locked.select_related("account").prefetch_related("account__tax_ids")[: self.size])

    def pass_over(self, last_on: date | None, last_id: int) -> None:
        """The next step begins behind this one."""
        self.last_on, self.last_id = last_on, last_id

    def restart(self) -> None:
        self.last_on, self.last_id = None, 0

    def _chosen(self) -> QuerySet[BillingProfile]:
        profiles = BillingProfile.objects.exclude(status=BillingProfile.Status.CLOSED)
        return profiles if self.only is None else profiles.filter(pk=self.only.pk)

    def _no_later_than(self, day: date) -> date:
        return day if self.until is None else min(day, self.until)


def how_many_wait(at: datetime, until: date | None = None, only: BillingProfile | None = None) -> int:
    """How many profiles have something to close: the length of a progress bar."""
    walk = Walk(at=at, until=until, only=only, size=1)
    return walk.never_seen().count() + walk.due().count()


def by_day(profiles: list[BillingProfile], at: datetime) -> Iterator[tuple[date, list[BillingProfile]]]:
    """Profiles by the calendar day it is where they are."""
    found: dict[date, list[BillingProfile]] = defaultdict(list)
    for profile in profiles:
        found[profile.day_of(at)].append(profile)
    yield from found.items()
