"""Dunning: reminders of invoices that are about to be due or past due, and what becomes of a profile that does not pay.

The days of the reminders are settings (`REMINDER_DAYS`), counted from the due date; the next one stands on the invoice.
One mail to a person holds all invoices of one profile that are reminded of on one day, and goes out once per fact. Days
that were missed, because nothing ran, make one reminder and not five.

A profile is active, warned or disabled by the days that something is past due, and active again at once when that is
paid. A payment in progress or a dispute does not make it worse meanwhile. What staff hold or closed stays so until
they change it.

Nobody is reminded, warned or disabled for less than the floor of a currency (`DUNNING_FLOORS`): by default the smallest
amount that a card can be charged, because nobody could pay it by card.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from itertools import batched
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import BigIntegerField, Case, Exists, F, Min, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.module_loading import import_string

from accounts import audit
from accounts.access import system_access
from accounts.models import BillingProfile
from accounts.querysets import BillingProfileQuerySet
from accounts.recipients import reminder_recipients
from billing_portal.core.batches import run_each
from billing_portal.core.outbox import queue_to
from billing_portal.core.time_zones import has_come, latest_day
from invoices.models import Invoice
from invoices.money import Money
from invoices.payability import reason_not_by_card
from invoices.querysets import InvoiceQuerySet
from invoices.remittances import current_remittance
from invoices.states import InvoiceStatus
from invoices.summaries import summary_of

log = structlog.get_logger("portal.invoices")

Status = BillingProfile.Status
ORDER = [Status.ACTIVE, Status.WARNED, Status.DISABLED]
AGAIN_AFTER = timedelta(days=7)


def next_reminder(due_on: date, *, from_on: date) -> date | None:
    """The first day of the plan that is not before ``from_on``; None when the plan is over."""
    days = (due_on + timedelta(days=days) for days in settings.REMINDER_DAYS)
    return min((day for day in days if day >= from_on), default=None)


def reminder_after_reopening(due_on: date, *, today: date) -> date | None:
    """When to remind of an invoice that is due again: not today, because the payer has just been told of the refund or
    dispute. After the plan once more, in a week. None where nobody is reminded at all."""
    if not settings.REMINDER_DAYS:
        return None
    return next_reminder(due_on, from_on=today + timedelta(days=1)) or today + AGAIN_AFTER


def remind_due(*, at: datetime, limit: int) -> int:
    """Sends the reminders whose day has come where the profile is. Returns how many invoices were taken up. Safe from
    several workers: a profile's invoices are locked while mail and next day are written."""
    come = has_come("next_reminder_on", zone="profile__time_zone", at=at)
    waiting = Invoice.objects.filter(come, next_reminder_on__isnull=False).order_by("next_reminder_on", "pk")
    profile_ids = dict.fromkeys(waiting.values_list("profile_id", flat=True)[:limit])
    return run_each(profile_ids, partial(_remind, at=at), log=log, event="not reminded")


@transaction.atomic
def _remind(profile_id: int, *, at: datetime) -> int:
    profile = BillingProfile.objects.select_related("account").get(pk=profile_id)
    today = profile.day_of(at)
    invoices = list(Invoice.objects.filter(profile=profile, next_reminder_on__lte=today).locked())
    reminded = [invoice for invoice in invoices if _is_reminded_of(invoice, today)]
    others = _late(profile, today).exclude(pk__in=[invoice.pk for invoice in reminded])
    if _sum(others) + sum(invoice.amount_due_minor for invoice in reminded) < floor_of(profile.currency):
        reminded = []
    for invoice in invoices:
        _plan_next(invoice, today, is_reminded=invoice in reminded)
    if reminded and not profile.is_closed:
        _mail_reminder(profile, sorted(reminded, key=lambda invoice: (invoice.due_on, invoice.pk)), today, at)
    return len(invoices)


def floors() -> dict[str, int]:
    """What a profile must owe at least to be reminded, by currency in minor units."""
    smallest: Mapping[str, int] = import_string(settings.SMALLEST_CHARGES)()
    named = {currency: Money.parse(text, currency).minor for currency, text in settings.DUNNING_FLOORS.items()}
    return {**smallest, **named}


def floor_of(currency: str) -> int:
    return max(1, floors().get(currency, 1))


def owing_enough(profile_ids: Collection[int], *, at: datetime) -> set[int]:
    """Those of profiles that are past due with as much as people are reminded of, warned and disabled for."""
    enough: set[int] = set()
    for ids in batched(profile_ids, 1000):
        late = Invoice.objects.filter(profile__in=ids, status=InvoiceStatus.OPEN, due_on__lt=latest_day(at))
        sums = late.order_by().values_list("profile", "profile__currency").annotate(Sum("amount_due_minor"))
        enough.update(pk for pk, currency, minor in sums if minor >= floor_of(currency))
    return enough


def _sum(invoices: InvoiceQuerySet) -> int:
    return invoices.aggregate(sum=Sum("amount_due_minor"))["sum"] or 0


def _is_reminded_of(invoice: Invoice, today: date) -> bool:
    """Not while money is on its way, in dispute, or will be charged by itself."""
    is_charged = invoice.autopay_on is not None and invoice.autopay_on >= today
    return invoice.amount_due_minor > 0 and not (invoice.is_being_paid or invoice.disputed_at or is_charged)


def _plan_next(invoice: Invoice, today: date, *, is_reminded: bool) -> None:
    """Sets the next day: tomorrow, or the day after the charge, for one that was not reminded of today."""
    tomorrow, next_on = today + timedelta(days=1), None
    if invoice.status == InvoiceStatus.OPEN and invoice.due_on is not None:
        next_on = next_reminder(invoice.due_on, from_on=tomorrow)
        if not is_reminded and invoice.amount_due_minor > 0:
            next_on = max(tomorrow, (invoice.autopay_on or today) + timedelta(days=1))
    sent = invoice.reminders_sent + is_reminded
    Invoice.objects.filter(pk=invoice.pk).update(next_reminder_on=next_on, reminders_sent=sent)


def _mail_reminder(profile: BillingProfile, invoices: list[Invoice], today: date, at: datetime) -> None:
    path = reverse("invoices:list", args=[profile.code])
    if len(invoices) == 1:
        path = reverse("invoices:detail", args=[profile.code, invoices[0].number])
    shows_transfer = profile.pays_by_wire or reason_not_by_card(profile) is not None
    remittance = current_remittance(profile.account.seller_id, profile.currency, today) if shows_transfer else None
    context = {
        "profile": profile.name,
        "account": profile.account_id,
        "currency": profile.currency,
        "total_minor": sum(invoice.amount_due_minor for invoice in invoices),
        "is_past_due": any(invoice.due_on is not None and invoice.due_on < today for invoice in invoices),
        **_past_due(profile, today),
        "invoices": [_facts(invoice, today) for invoice in invoices],
        "shows_transfer": shows_transfer,
        "transfer": remittance.for_mail() if remittance is not None else {},
        "url": settings.PUBLIC_URL + path,
    }
    # No invoice is reminded of twice a day.
    _mail(profile, "reminder", context, key=f"reminder:{invoices[0].pk}:{today:%Y%m%d}", at=at)


def _past_due(profile: BillingProfile, today: date) -> dict[str, int]:
    """What every mail and every page calls past due: one figure for the whole profile."""
    summary = summary_of(profile, today)
    return {"past_due_minor": summary.past_due.minor, "past_due_count": summary.past_due_count}


def _facts(invoice: Invoice, today: date) -> dict[str, Any]:
    return {
        "number": invoice.number,
        "due_on": invoice.due_on.isoformat() if invoice.due_on else "",
        "days_late": (today - invoice.due_on).days if invoice.due_on else 0,
        "amount_minor": invoice.amount_due_minor,
        "reference": invoice.payment_reference,
    }


def update_profile_statuses(*, at: datetime, limit: int) -> int:
    """Warns, disables and restores profiles by the days that something is past due. Returns how many changed. Safe from
    several workers: a change is one conditional UPDATE together with its audit entry and mail."""
    candidates = _candidates(latest_day(at))  # somewhere it is a day later than here
    return run_each(candidates, partial(_update, at=at), log=log, event="status not updated", limit=limit)


def lock_profile(profile: BillingProfile) -> None:
    """For whoever will lock credits and then call `reinstate`: closing a period locks the profile before its credits
    too. Charges and payments of the profile can be written meanwhile."""
    BillingProfile.objects.filter(pk=profile.pk).order_by().select_for_update(no_key=True).values_list("pk").get()


def reinstate(profile: BillingProfile, *, at: datetime) -> None:
    """Makes a profile active again once nothing is past due, inside the transaction that settled an invoice."""
    if profile.status in (Status.WARNED, Status.DISABLED):
        today = profile.day_of(at)
        if _sum(_late(profile, today)) < floor_of(profile.currency):
            _change(profile, Status.ACTIVE, oldest_on=None, at=at)


def _candidates(day: date) -> BillingProfileQuerySet:
    """Profiles whose status may be another than it says. In some it is still the day before."""
    late = Invoice.objects.filter(profile=OuterRef("pk"), status=InvoiceStatus.OPEN, amount_due_minor__gt=0)
    countable = late.filter(payment_started_at=None, disputed_at=None)

    def late_for(days: int) -> InvoiceQuerySet:
        since = day - timedelta(days=days)
        return countable.filter(Q(dunning_from_on=None) | Q(dunning_from_on__lte=since), due_on__lte=since)

    warned_by, disabled_by = late_for(settings.WARN_AFTER_DAYS), late_for(settings.DISABLE_AFTER_DAYS)
    sums = late.filter(due_on__lt=day).order_by().values("profile").values_list(Sum("amount_due_minor"))
    cases = [When(currency=currency, then=Value(max(1, minor))) for currency, minor in floors().items()]
    profiles = BillingProfile.objects.alias(
        late_minor=Coalesce(Subquery(sums, output_field=BigIntegerField()), Value(0)),
        floor_minor=Case(*cases, default=Value(1), output_field=BigIntegerField()),
    ).filter(
        Q(Exists(warned_by), status=Status.ACTIVE, late_minor__gte=F("floor_minor"))
        | Q(Exists(disabled_by), status=Status.WARNED, late_minor__gte=F("floor_minor"))
        | Q(status__in=(Status.WARNED, Status.DISABLED), late_minor__lt=F("floor_minor"))
    )
    return profiles.select_related("account").order_by("pk")


@transaction.atomic
def _update(profile: BillingProfile, *, at: datetime) -> int:
    today = profile.day_of(at)
    late, floor = _late(profile, today), floor_of(profile.currency)
    countable = late.filter(payment_started_at=None, disputed_at=None)
    is_enough = _sum(countable) >= floor
    oldest_on = countable.aggregate(oldest=Min(Coalesce("dunning_from_on", "due_on")))["oldest"] if is_enough else None
    days_late, due_status = (today - oldest_on).days if oldest_on else 0, Status.ACTIVE
    if days_late >= settings.WARN_AFTER_DAYS:
        due_status = Status.DISABLED if days_late >= settings.DISABLE_AFTER_DAYS else Status.WARNED
    gets_worse = ORDER.index(due_status) > ORDER.index(Status(profile.status))
    if gets_worse or (due_status == Status.ACTIVE != profile.status and _sum(late) < floor):
        return _change(profile, due_status, oldest_on=oldest_on, at=at)
    return 0


def _late(profile: BillingProfile, today: date) -> InvoiceQuerySet:
    return Invoice.objects.filter(profile=profile, status=InvoiceStatus.OPEN, amount_due_minor__gt=0, due_on__lt=today)


def _change(profile: BillingProfile, new: BillingProfile.Status, *, oldest_on: date | None, at: datetime) -> int:
    """Writes it, if it still stands as it was read. Returns 1 for the one that did."""
    old = profile.status
    if not BillingProfile.objects.filter(pk=profile.pk, status=old).update(status=new):
        return 0
    profile.status = new
    action = f"profile.{'restored' if new == Status.ACTIVE else new.value}"
    audit.record(
        access=system_access(), at=at, action=action, subject=profile.name, account=profile.account, profile=profile,
        before=old,
    )  # fmt: skip
    today = profile.day_of(at)
    disabled_on = oldest_on + timedelta(days=settings.DISABLE_AFTER_DAYS) if oldest_on else None
    context = {
        "profile": profile.name,
        "account": profile.account_id,
        "status": new.value,
        "currency": profile.currency,
        **_past_due(profile, today),
        "disabled_on": disabled_on.isoformat() if disabled_on else "",
        "url": settings.PUBLIC_URL + reverse("invoices:list", args=[profile.code]),
    }
    _mail(profile, "profile_status", context, key=f"profile-{new.value}:{profile.pk}:{at:%Y%m%d%H%M%S}", at=at)
    return 1


def _mail(profile: BillingProfile, template: str, context: dict[str, Any], *, key: str, at: datetime) -> None:
    for reader in reminder_recipients(profile):
        queue_to(
            key=f"{key}:{reader.name}", email=reader.email, language=reader.language, template=template, at=at,
            context=context | {"is_contact": True} if reader.is_contact else context,
        )  # fmt: skip
