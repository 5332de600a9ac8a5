"""Mails that nobody's act asks for: an invoice has come, a card is about to expire. Found in rows by the clock.

The mail of a new invoice is also the one before the charge: it names the day on which the card is charged, so it goes
out as soon as the invoice is there. Each mail goes out once, because the row is marked in the commit that queues it.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import structlog
from django.db import OperationalError, transaction
from django.db.models import Q

from billing_portal.core.time_zones import has_come
from invoices.models import Invoice
from invoices.operations.invoice_payments import mark_announced
from invoices.states import InvoiceStatus
from payments.models import PaymentMethod
from payments.operations import mails_of_news
from payments.querysets import PaymentMethodQuerySet

log = structlog.get_logger("portal.payments")
# Before the month in which a card expires, and again when that month begins.
WARN_BEFORE = timedelta(days=30)


def announce_due(*, at: datetime, limit: int) -> int:
    """Tells the people of each newly issued invoice of it. Returns how many invoices were worked on; 0: none is left.

    May be killed, run twice, or run by several workers.
    """
    come = has_come("announce_on", zone="profile__time_zone", at=at)
    rows = Invoice.objects.filter(come, announce_on__isnull=False).order_by("announce_on", "pk")
    return sum(
        _guarded(pk, at, _announce, _announce_tomorrow) for pk in list(rows.values_list("pk", flat=True)[:limit])
    )


def _announce_tomorrow(invoice_id: int, at: datetime) -> None:
    Invoice.objects.filter(pk=invoice_id, announce_on__isnull=False).update(announce_on=at.date() + timedelta(days=1))


@transaction.atomic
def _announce(invoice_id: int, at: datetime) -> bool:
    """An invoice that is void by now, or whose profile wants no mail any more, is passed over."""
    invoice = Invoice.objects.select_related("profile").filter(pk=invoice_id).locked().get()
    if invoice.announce_on is None:
        return False
    if invoice.status in (InvoiceStatus.OPEN, InvoiceStatus.PAID) and invoice.profile.mails_invoices:
        mails_of_news.tell_of_new_invoice(invoice, at=at)
    mark_announced(invoice)
    return True


def warn_of_expiring_cards(*, at: datetime, limit: int) -> int:
    """Tells those who manage cards that the default or a backup card is about to expire: 30 days before the month it
    expires in, and when that month begins. Returns how many cards were worked on; 0 means that none is left."""
    ids = list(_expiring(at.date()).order_by("pk").values_list("pk", flat=True)[:limit])
    return sum(_guarded(pk, at, _warn, _nothing_else) for pk in ids)


def _expiring(today: date) -> PaymentMethodQuerySet:
    soon = (today + WARN_BEFORE).replace(day=1)
    this_month = today.replace(day=1)
    condition = _expiring_in(this_month, not_warned_since=this_month)
    if soon != this_month:
        condition |= _expiring_in(soon, not_warned_since=soon - WARN_BEFORE)
    relied_on = Q(is_default=True) | Q(backup_order__isnull=False)
    return PaymentMethod.objects.active().filter(condition, relied_on)


def _expiring_in(month: date, *, not_warned_since: date) -> Q:
    never_or_before = Q(expiry_warned_on=None) | Q(expiry_warned_on__lt=not_warned_since)
    return Q(never_or_before, expiry_year=month.year, expiry_month=month.month)


@transaction.atomic
def _warn(method_id: int, at: datetime) -> bool:
    cards = _expiring(at.date()).select_related("profile").filter(pk=method_id)
    method = next(iter(cards.locked()), None)
    if method is None:
        return False
    mails_of_news.tell_of_expiring_card(method, at=at)
    method.expiry_warned_on = at.date()
    method.save(update_fields=["expiry_warned_on"])
    return True


def _nothing_else(_pk: int, _at: datetime) -> None:
    """A card is found again by the next run."""


def _guarded(
    pk: int, at: datetime, act: Callable[[int, datetime], bool], otherwise: Callable[[int, datetime], None]
) -> bool:
    """One row's trouble does not keep the others waiting; it comes up again tomorrow."""
    try:
        return act(pk, at)
    except OperationalError:
        log.warning("database busy", row=pk)
    except Exception:
        log.exception("not told", row=pk)
        otherwise(pk, at)
    return False
