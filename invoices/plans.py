"""On which days an invoice's payer is reminded: the plan of the settings, counted from the due date."""

from datetime import date, timedelta

from django.conf import settings

AGAIN_AFTER = timedelta(days=7)


def reminder_days(due_on: date) -> list[date]:
    return [due_on + timedelta(days=days) for days in settings.REMINDER_DAYS]


def next_reminder(due_on: date, *, from_on: date) -> date | None:
    """The first day of the plan that is not before ``from_on``; None when the plan is over."""
    return min((day for day in reminder_days(due_on) if day >= from_on), default=None)


def reminder_after_reopening(due_on: date, *, today: date) -> date | None:
    """When to remind of an invoice that is due again. Not today: whoever pays has just been told of the refund or the
    dispute. Where the plan is over, once more after a week. None where nobody is reminded at all."""
    if not settings.REMINDER_DAYS:
        return None
    return next_reminder(due_on, from_on=today + timedelta(days=1)) or today + AGAIN_AFTER
