"""Days: the seller's, by which money is booked, and those that the clock of each billing profile has, asked of the
database in one condition."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from django.db.models import Q
from django.utils import timezone

# The clocks furthest behind and ahead of UTC.
BEHIND, AHEAD = timedelta(hours=12), timedelta(hours=14)


def seller_day(at: datetime) -> date:
    """The calendar day of a moment where the seller is."""
    return _day_in(timezone.get_default_timezone(), at)


@lru_cache(maxsize=16)  # a billing run asks for the day of one moment, for every row it writes
def _day_in(zone: tzinfo, at: datetime) -> date:
    return at.astimezone(zone).date()


def month_of(day: date) -> tuple[date, date]:
    """The first and the last day of the month of a day."""
    first_on = day.replace(day=1)
    return first_on, (first_on + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def month_before(day: date) -> tuple[date, date]:
    return month_of(day.replace(day=1) - timedelta(days=1))


def latest_day(at: datetime) -> date:
    """The calendar day of a moment where it is furthest ahead: no later day has begun anywhere."""
    return (at.astimezone(UTC) + AHEAD).date()


def has_come(column: str, *, zone: str, at: datetime) -> Q:
    """Rows whose day in ``column`` has begun where their profile is; ``zone`` leads to the profile's time zone. What
    has begun everywhere needs no zone, so the index on the column finds nearly all of it."""
    moment = at.astimezone(UTC)
    everywhere, somewhere = (moment - BEHIND).date(), (moment + AHEAD).date()
    condition = Q(**{f"{column}__lte": everywhere})
    day = everywhere
    while (day := day + timedelta(days=1)) <= somewhere:
        condition |= Q(**{column: day, f"{zone}__in": _zones_in(day, moment)})
    return condition


def _zones_in(day: date, moment: datetime) -> list[str]:
    """The zones in which this day has begun."""
    return [name for name, zone in _zones() if moment.astimezone(zone).date() >= day]


@cache
def _zones() -> list[tuple[str, ZoneInfo]]:
    """Read once: it means opening every file of the time zone database, of which Python itself keeps only a few."""
    return [(name, ZoneInfo(name)) for name in sorted(available_timezones())]
