"""The one list of periodic jobs. Adding a job is adding a line; `billing_portal.core.jobs` runs them."""

import threading
from datetime import datetime, timedelta

from django.contrib.sessions.models import Session
from django.utils.translation import gettext_noop as _

from billing_portal.core.jobs import Job
from billing_portal.core.mail import send_due
from billing_portal.core.models import JobRun
from invoices.operations.closing import close_due
from invoices.operations.credits import expire_credits
from invoices.operations.deliveries import deliver_due
from invoices.operations.dunning import remind_due, update_profile_statuses
from payments.gateways.registry import gateways
from payments.operations.autopay import charge_due
from payments.operations.card_setups import end_abandoned
from payments.operations.comparison import compare_due
from payments.operations.daily_check import check_books_daily
from payments.operations.methods import detach_due, look_up_cards
from payments.operations.notifications import announce_due, send_statements, warn_of_expiring_cards
from payments.operations.reconciliation import reconcile
from payments.operations.webhooks import process_deliveries

RUNS_KEPT_FOR = timedelta(days=366)


def jobs(stopping: threading.Event | None = None) -> list[Job]:
    """In the order in which one makes work for the next: a closed period is announced, then charged, then told by mail.
    A worker passes ``stopping``, so that mail can stop between two."""
    is_stopping = (stopping or threading.Event()).is_set
    return [
        Job(_("gateways"), _work_of_gateways, seconds=1),
        Job(_("webhooks"), lambda at, limit: process_deliveries(at=at, limit=limit), seconds=1),
        Job(_("reconciliation"), lambda at, limit: reconcile(at=at, limit=limit), seconds=10),
        Job(_("comparison"), lambda at, limit: compare_due(at=at, limit=limit), seconds=300),
        Job(_("books"), lambda at, _limit: check_books_daily(at=at), seconds=600),
        Job(_("closing"), lambda at, _limit: close_due(at=at)),
        Job(_("credits"), lambda at, limit: expire_credits(at=at, limit=limit)),
        Job(_("announcements"), lambda at, limit: announce_due(at=at, limit=limit)),
        Job(_("automatic charges"), lambda at, limit: charge_due(at=at, limit=limit)),
        Job(_("cards"), _cards, seconds=10),
        Job(_("expiring cards"), lambda at, limit: warn_of_expiring_cards(at=at, limit=limit)),
        Job(_("reminders"), lambda at, limit: remind_due(at=at, limit=limit)),
        Job(_("profiles"), lambda at, limit: update_profile_statuses(at=at, limit=limit)),
        Job(_("documents"), lambda at, limit: deliver_due(at=at, limit=limit), seconds=5),
        Job(_("statements"), lambda at, limit: send_statements(at=at, limit=limit)),
        Job(_("mail"), lambda at, limit: send_due(at=at, limit=limit, stopping=is_stopping), seconds=1),
        Job(_("cleanup"), tidy),
    ]


def _cards(at: datetime, limit: int) -> int:
    return detach_due(at=at, limit=limit) + end_abandoned(at=at, limit=limit) + look_up_cards(at=at, limit=limit)


def _work_of_gateways(_at: datetime, _limit: int) -> int:
    for gateway in gateways():
        gateway.work()
    return 0


def tidy(at: datetime, limit: int) -> int:
    """Deletes sessions that have ended, and what passes did more than a year ago. Returns how many rows."""
    ended = list(Session.objects.filter(expire_date__lt=at).values_list("pk", flat=True)[:limit])
    Session.objects.filter(pk__in=ended).delete()
    old = list(JobRun.objects.filter(started_at__lt=at - RUNS_KEPT_FOR).values_list("pk", flat=True)[:limit])
    JobRun.objects.filter(pk__in=old).delete()
    return len(ended) + len(old)
