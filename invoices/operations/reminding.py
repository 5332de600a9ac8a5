"""Reminds of invoices that are about to be due, or past due.

The plan is the settings' (`REMINDER_DAYS`); the next day of it stands on the invoice. One mail to a person holds all
invoices of one profile that are reminded of on one day, and goes out once per fact. Days that were missed, because
nothing ran, make one reminder and not five.
"""

from datetime import date, datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accounts.models import BillingProfile
from accounts.recipients import readers_of_reminders
from billing_portal.core.outbox import queue_to
from billing_portal.core.time_zones import has_come
from invoices.models import Invoice
from invoices.plans import next_reminder
from invoices.remittances import current_remittance
from invoices.states import InvoiceStatus

log = structlog.get_logger("portal.invoices")


def remind_due(*, at: datetime, limit: int) -> int:
    """Sends the reminders whose day has come where the profile is. Returns how many invoices were taken up.

    Safe from several workers at once: each profile's invoices are locked while their next day is written, together with
    the mail. A profile that fails is logged and comes up again.
    """
    come = has_come("next_reminder_on", zone="profile__time_zone", at=at)
    waiting = Invoice.objects.filter(come, next_reminder_on__isnull=False).order_by("next_reminder_on", "pk")
    done = 0
    for profile_id in dict.fromkeys(waiting.values_list("profile_id", flat=True)[:limit]):
        try:
            done += _remind(profile_id, at=at)
        except Exception:
            log.exception("not reminded", profile=profile_id)
    return done


@transaction.atomic
def _remind(profile_id: int, *, at: datetime) -> int:
    profile = BillingProfile.objects.select_related("account").get(pk=profile_id)
    today = profile.day_of(at)
    invoices = list(Invoice.objects.filter(profile=profile, next_reminder_on__lte=today).locked())
    told = [invoice for invoice in invoices if _is_reminded_of(invoice, today)]
    for invoice in invoices:
        _plan_next(invoice, today, is_told=invoice in told)
    if told and not profile.is_closed:
        _mail(profile, sorted(told, key=lambda invoice: (invoice.due_on, invoice.pk)), today, at)
    return len(invoices)


def _is_reminded_of(invoice: Invoice, today: date) -> bool:
    """Not while money is on its way, in dispute, or will be charged by itself."""
    is_charged = invoice.autopay_on is not None and invoice.autopay_on >= today
    return invoice.amount_due_minor > 0 and not (invoice.is_being_paid or invoice.disputed_at or is_charged)


def _plan_next(invoice: Invoice, today: date, *, is_told: bool) -> None:
    """Moves the invoice on along its plan. What could not be said today is looked at again: tomorrow, or on the day
    after the charge."""
    tomorrow, next_on = today + timedelta(days=1), None
    if is_told:
        invoice.reminders_sent += 1
    if invoice.status == InvoiceStatus.OPEN and invoice.due_on is not None:
        next_on = next_reminder(invoice.due_on, from_on=tomorrow)
        if not is_told and invoice.amount_due_minor > 0:
            next_on = max(tomorrow, (invoice.autopay_on or today) + timedelta(days=1))
    Invoice.objects.filter(pk=invoice.pk).update(next_reminder_on=next_on, reminders_sent=invoice.reminders_sent)


def _mail(profile: BillingProfile, invoices: list[Invoice], today: date, at: datetime) -> None:
    path = reverse("invoices:list", args=[profile.code])
    if len(invoices) == 1:
        path = reverse("invoices:detail", args=[profile.code, invoices[0].number])
    remittance = current_remittance(profile.currency, today) if profile.pays_by_wire else None
    context = {
        "profile": profile.name,
        "currency": profile.currency,
        "total_minor": sum(invoice.amount_due_minor for invoice in invoices),
        "is_past_due": any(invoice.due_on is not None and invoice.due_on < today for invoice in invoices),
        "invoices": [_facts(invoice, today) for invoice in invoices],
        "pays_by_wire": profile.pays_by_wire,
        "transfer": remittance.for_mail() if remittance is not None else {},
        "url": settings.PUBLIC_URL + path,
    }
    for reader in readers_of_reminders(profile):
        queue_to(
            key=f"reminder:{invoices[0].pk}:{today:%Y%m%d}:{reader.name}",  # no invoice is reminded of twice a day
            email=reader.email,
            language=reader.language,
            template="reminder",
            context=context | {"is_contact": True} if reader.is_contact else context,
            at=at,
        )


def _facts(invoice: Invoice, today: date) -> dict[str, Any]:
    return {
        "number": invoice.number,
        "due_on": invoice.due_on.isoformat() if invoice.due_on else "",
        "days_late": (today - invoice.due_on).days if invoice.due_on else 0,
        "amount_minor": invoice.amount_due_minor,
        "reference": invoice.payment_reference,
    }
