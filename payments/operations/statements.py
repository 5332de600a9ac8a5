"""Sends each month's statement of account to the contacts of profiles that pay by check or wire.

The contacts have no account here, so the mail itself says everything. When a contact's last statement was is on its
row, which is moved in the same commit as the mail; so each gets each month's once, whoever runs this and how often.
"""

from datetime import date, datetime
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q

from accounts.models import BillingContact, BillingProfile
from billing_portal.core.outbox import queue_to
from billing_portal.core.time_zones import latest_day
from payments.statements import Statement, month_before, statement_of

log = structlog.get_logger("portal.payments")

MOST_LINES = 200


def send_statements(*, at: datetime, limit: int) -> int:
    """Queues the statement of the month that ended, for profiles whose default is check or wire. Returns how many
    contacts were taken up.

    A month in which nothing was owed and nothing happened makes no mail. Safe from several workers at once; a contact
    that fails is logged and comes up again. After a standstill only the last month is sent.
    """
    newest_on, _last_on = month_before(latest_day(at))
    waiting = BillingContact.objects.filter(
        Q(last_statement_on=None) | Q(last_statement_on__lt=newest_on),
        gets_statements=True,
        profile__default_method=BillingProfile.DefaultMethod.CHECK_WIRE,
    ).exclude(profile__status=BillingProfile.Status.CLOSED)
    done, statements = 0, dict[int, Statement]()
    for contact in waiting.select_related("profile").order_by("profile_id", "pk").iterator():
        if done >= limit:
            break
        try:
            done += _send(contact, statements, at=at)
        except Exception:
            log.exception("statement not sent", contact=contact.pk)
    return done


def _send(contact: BillingContact, statements: dict[int, Statement], *, at: datetime) -> int:
    profile = contact.profile
    first_on, last_on = month_before(profile.day_of(at))
    if contact.last_statement_on is not None and contact.last_statement_on >= first_on:
        return 0  # where this profile is, the month has not ended yet
    if profile.pk not in statements:
        statements.clear()
        statements[profile.pk] = statement_of(profile, first_on, last_on)
    statement = statements[profile.pk]
    with transaction.atomic():
        mine = BillingContact.objects.filter(pk=contact.pk, last_statement_on=contact.last_statement_on)
        if not mine.update(last_statement_on=first_on):
            return 0
        if statement.lines or statement.opening_minor:
            queue_to(
                key=f"statement:{contact.pk}:{first_on:%Y%m}",
                email=contact.email,
                language=contact.language,
                template="statement",
                context=_context(statement),
                at=at,
            )
    return 1


def _context(statement: Statement) -> dict[str, Any]:
    lines = statement.lines[-MOST_LINES:]
    return {
        "profile": statement.profile.name,
        "currency": statement.currency,
        "first_on": statement.first_on.isoformat(),
        "last_on": statement.last_on.isoformat(),
        "opening_minor": statement.opening_minor,
        "closing_minor": statement.closing_minor,
        "left_out": len(statement.lines) - len(lines),
        "lines": [
            {"on": _iso(line.on), "what": line.what.value, "number": line.number, "amount_minor": line.amount_minor}
            for line in lines
        ],
    }


def _iso(day: date) -> str:
    return day.isoformat()
