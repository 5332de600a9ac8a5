"""The job: take up what is due, one invoice after the other, through the same three steps as a person's payment.

Taking up reads every fact again under the invoice's lock and writes the plan in the commit that begins the payment, so
an invoice is due for the clock, or has a payment that waits, and never both. A second worker finds nothing to do. The
attempt key is made from the invoice and the number of the try, and stands behind that lock.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic

import structlog
from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import Q
from django.urls import reverse

from accounts.access import system_access
from billing_portal.core.time_zones import has_come
from invoices.models import Invoice
from invoices.operations.invoice_payments import plan_autopay
from payments.models import AutomaticCharge, Payment
from payments.operations.autopay.deciding import Stop, is_capped, key_of, next_card, why_refused, why_stopped
from payments.operations.autopay.planning import end, go_on, lock_invoice, lock_plan
from payments.operations.beginning import Begun, CannotPay, Wish, begin_inside
from payments.operations.paying import charge_begun
from payments.states import OPEN

log = structlog.get_logger("portal.payments")
S = AutomaticCharge.Status


def charge_due(*, at: datetime, limit: int) -> int:
    """Goes on with plans whose last payment has ended, then charges invoices whose day has come where they are.

    Returns how many were worked on; 0 means that nothing is left. May be killed, run twice, or run by several workers.
    """
    done = sum(_guarded(pk, at, lambda pk: go_on(invoice_id=pk, at=at)) for pk in _in_hand(limit))
    return done + sum(_guarded(pk, at, lambda pk: _charge(pk, at)) for pk in _due(at, limit - done))


def _in_hand(limit: int) -> list[int]:
    ended = Q(status=S.WAITING) & ~Q(last_payment__status__in=OPEN)
    needless = Q(status=S.PLANNED, invoice__autopay_on=None)
    rows = AutomaticCharge.objects.filter(ended | needless, status__in=(S.PLANNED, S.WAITING))
    return list(rows.order_by("changed_at", "pk").values_list("invoice_id", flat=True)[:limit])


def _due(at: datetime, limit: int) -> list[int]:
    """A payment that somebody began comes first: the invoice is due again when that has ended."""
    come = has_come("autopay_on", zone="profile__time_zone", at=at)
    rows = Invoice.objects.filter(come, autopay_on__isnull=False, payment_started_at=None)
    return list(rows.order_by("autopay_on", "pk").values_list("pk", flat=True)[: max(0, limit)])


def _guarded(invoice_id: int, at: datetime, act: Callable[[int], bool]) -> bool:
    """One invoice's trouble does not keep the others waiting. It comes up again: tomorrow where its card is still to be
    charged, at the end of the line where its plan waits."""
    try:
        return act(invoice_id)
    except OperationalError:
        log.warning("database busy", invoice=invoice_id)
    except Exception:
        log.exception("not charged automatically", invoice=invoice_id)
        with transaction.atomic():
            invoice = lock_invoice(invoice_id)
            if invoice.autopay_on is not None:
                plan_autopay(invoice, invoice.profile.day_of(at) + timedelta(days=1))
            AutomaticCharge.objects.filter(invoice=invoice).update(changed_at=at)
    return False


def _charge(invoice_id: int, at: datetime) -> bool:
    started = monotonic()
    was_due, begun = take_up(invoice_id=invoice_id, at=at)
    if begun is not None:
        charge_begun(begun, at=at, started=started, return_url=_return_url)
        go_on(invoice_id=invoice_id, at=at)
    return was_due


def _return_url(payment: Payment) -> str:
    return settings.PUBLIC_URL + reverse("payments:return", args=[payment.profile.code, payment.reference])


@transaction.atomic(durable=True)
def take_up(*, invoice_id: int, at: datetime) -> tuple[bool, Begun | None]:
    """Begins the next try of an invoice that is due, or ends its plan for a reason.

    Returns whether it was due, and what was begun.
    """
    invoice = lock_invoice(invoice_id)
    if invoice.autopay_on is None or invoice.autopay_on > invoice.profile.day_of(at) or invoice.is_being_paid:
        return False, None
    charge = lock_plan(invoice) or AutomaticCharge.objects.create(
        invoice=invoice, profile=invoice.profile, created_at=at, changed_at=at
    )
    if charge.status != S.PLANNED:
        # Its day was written by something that knows nothing of the plan, which says that it is over.
        log.error("invoice due without a plan", invoice=invoice.number, plan=charge.status)
        plan_autopay(invoice, None)
        return True, None
    stop = why_stopped(invoice)
    begun = None
    if stop is None:
        try:
            begun, stop = _begin(charge, at=at)
        except CannotPay as refused:
            stop = why_refused(refused)
    if begun is None:
        end(charge, stop or Stop.CONFIG, at=at)
        return True, None
    charge.status, charge.last_payment, charge.changed_at = S.WAITING, begun.payment, at
    charge.save(update_fields=["status", "tries", "last_payment", "changed_at"])
    plan_autopay(invoice, None)
    return True, begun


def _begin(charge: AutomaticCharge, *, at: datetime) -> tuple[Begun | None, Stop | None]:
    card, stop = next_card(charge, at=at)
    if card is None:
        return None, stop
    if is_capped(card, at=at):
        return None, Stop.CAPPED
    charge.tries += 1
    wish = Wish(
        invoice_ids=[charge.invoice_id],
        shown=charge.invoice.amount_due,
        attempt_key=key_of(charge.invoice, charge.tries),
        method_id=card.pk,
    )
    return begin_inside(access=system_access(charge.profile), wish=wish, at=at), None
