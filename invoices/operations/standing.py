"""How a profile stands by what is past due: active, warned, disabled; and active again at once when that is paid.

A payment in progress or a dispute does not make it worse meanwhile. What staff closed stays closed.
"""

from datetime import date, datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Min, OuterRef, Q
from django.urls import reverse

from accounts import audit
from accounts.access import system_access
from accounts.models import BillingProfile
from accounts.querysets import BillingProfileQuerySet
from accounts.recipients import readers_of_reminders
from billing_portal.core.outbox import queue_to
from billing_portal.core.time_zones import latest_day
from invoices.models import Invoice
from invoices.querysets import InvoiceQuerySet
from invoices.states import InvoiceStatus

log = structlog.get_logger("portal.invoices")

Status = BillingProfile.Status
ORDER = [Status.ACTIVE, Status.WARNED, Status.DISABLED]
TEMPLATES = {Status.ACTIVE: "profile_restored", Status.WARNED: "profile_warned", Status.DISABLED: "profile_disabled"}


def update_profile_statuses(*, at: datetime, limit: int) -> int:
    """Warns and disables profiles by the days that something is past due, and restores those that owe nothing late.
    Returns how many changed.

    Safe from several workers at once: a change is one conditional UPDATE together with its audit entry and mail.
    """
    day, done = latest_day(at), 0
    for profile in _to_look_at(day):
        if done >= limit:
            break
        try:
            done += _update(profile, at=at)
        except Exception:
            log.exception("status not updated", profile=profile.pk)
    return done


def lock_standing(profile: BillingProfile) -> None:
    """For whoever will lock credits and then call `restore_standing`: the profile comes before its credits, as it does
    when its period is closed, or the two would wait for each other. Its charges and payments can be written meanwhile.
    """
    BillingProfile.objects.filter(pk=profile.pk).order_by().select_for_update(no_key=True).values_list("pk").get()


def restore_standing(profile: BillingProfile, *, at: datetime) -> None:
    """Makes a profile active again, inside the transaction that settled an invoice, when nothing past due is left of
    what had it warned. Costs nothing for a profile that is active."""
    if profile.status in (Status.WARNED, Status.DISABLED):
        today = profile.day_of(at)
        if not _late(profile).filter(due_on__lt=today).exists():
            _change(profile, Status.ACTIVE, oldest_on=None, at=at)


def _to_look_at(day: date) -> BillingProfileQuerySet:
    """Profiles whose status may be another than it says. In some it is still the day before."""
    late = Invoice.objects.filter(profile=OuterRef("pk"), status=InvoiceStatus.OPEN, amount_due_minor__gt=0)
    countable = late.filter(payment_started_at=None, disputed_at=None)
    warned_by = countable.filter(due_on__lte=day - timedelta(days=settings.WARN_AFTER_DAYS))
    disabled_by = countable.filter(due_on__lte=day - timedelta(days=settings.DISABLE_AFTER_DAYS))
    found = BillingProfile.objects.filter(
        Q(Exists(warned_by), status=Status.ACTIVE)
        | Q(Exists(disabled_by), status=Status.WARNED)
        | Q(~Exists(late.filter(due_on__lt=day)), status__in=(Status.WARNED, Status.DISABLED))
    )
    return found.select_related("account").order_by("pk")


@transaction.atomic
def _update(profile: BillingProfile, *, at: datetime) -> int:
    today = profile.day_of(at)
    late = _late(profile).filter(due_on__lt=today)
    oldest_on = late.filter(payment_started_at=None, disputed_at=None).aggregate(oldest=Min("due_on"))["oldest"]
    days_late = (today - oldest_on).days if oldest_on else 0
    if days_late >= settings.DISABLE_AFTER_DAYS:
        wanted = Status.DISABLED
    elif days_late >= settings.WARN_AFTER_DAYS:
        wanted = Status.WARNED
    else:
        wanted = Status.ACTIVE
    gets_worse = ORDER.index(wanted) > ORDER.index(Status(profile.status))
    if gets_worse or (wanted == Status.ACTIVE != profile.status and not late.exists()):
        return _change(profile, wanted, oldest_on=oldest_on, at=at)
    return 0


def _late(profile: BillingProfile) -> InvoiceQuerySet:
    return Invoice.objects.filter(profile=profile, status=InvoiceStatus.OPEN, amount_due_minor__gt=0)


def _change(profile: BillingProfile, new: BillingProfile.Status, *, oldest_on: date | None, at: datetime) -> int:
    """Writes it, if it still stands as it was read. Returns 1 for the one that did."""
    old = profile.status
    if not BillingProfile.objects.filter(pk=profile.pk, status=old).update(status=new):
        return 0
    profile.status = new
    audit.record(
        access=system_access(),
        at=at,
        action=f"profile.{'restored' if new == Status.ACTIVE else new.value}",
        subject=profile.name,
        account=profile.account,
        profile=profile,
        before=old,
    )
    today = profile.day_of(at)
    late = _late(profile).filter(due_on__lt=today).values_list("amount_due_minor", flat=True)
    context = {
        "profile": profile.name,
        "currency": profile.currency,
        "past_due_minor": sum(late),
        "days_late": (today - oldest_on).days if oldest_on else 0,
        "disabled_on": _disabled_on(oldest_on).isoformat() if oldest_on else "",
        "url": settings.PUBLIC_URL + reverse("invoices:list", args=[profile.code]),
    }
    for reader in readers_of_reminders(profile):
        queue_to(
            key=f"profile-{new.value}:{profile.pk}:{at:%Y%m%d%H%M%S}:{reader.name}",
            email=reader.email,
            language=reader.language,
            template=TEMPLATES[new],
            context=context | {"is_contact": True} if reader.is_contact else context,
            at=at,
        )
    return 1


def _disabled_on(oldest_on: date) -> date:
    return oldest_on + timedelta(days=settings.DISABLE_AFTER_DAYS)
