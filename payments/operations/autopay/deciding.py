"""What an automatic charge decides on: which card comes next, when, and what stops it. Reads; writes nothing.

The default card comes first. It is tried again on the days of ``AUTOPAY_RETRY_DAYS`` after a refusal that may pass. A
refusal for good ends it for this invoice, and only then come the backup cards, in their order, once each. No other card
takes the place of a default that is gone: without one nothing is charged.
"""

from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid5

from django.conf import settings
from django.db.models import Q, QuerySet

from invoices.models import Invoice
from invoices.states import InvoiceStatus
from payments.gateways.base import Bucket
from payments.models import AutomaticCharge, Payment, PaymentMethod
from payments.operations.beginning import CannotPay
from payments.states import PaymentStatus

Stop = AutomaticCharge.Stop

ATTEMPTS = UUID("a75a7dfe-3b3e-4f0c-9d57-52b1c04d6e13")
TERMINAL = (Bucket.NEW_METHOD, Bucket.NEVER)
CAP_WINDOW = timedelta(days=30)
# How long an invoice is tried again each day while the provider gives no answer at all.
NO_ANSWER_FOR = timedelta(days=7)

STATES = {InvoiceStatus.PAID: Stop.PAID, InvoiceStatus.VOID: Stop.VOID}
REFUSALS = {"method_expired": Stop.CARD_EXPIRED, "method_gone": Stop.NO_CARD, "no_method": Stop.NO_CARD}


class Next(NamedTuple):
    """The card that is charged next, or why none is."""

    card: PaymentMethod | None
    stop: Stop | None = None


def key_of(invoice: Invoice, number: int) -> UUID:
    """The attempt key of one try of an invoice: the same whoever makes it, so that it is made once."""
    return uuid5(ATTEMPTS, f"{invoice.pk}/{number}")


def why_stopped(invoice: Invoice) -> Stop | None:
    """What somebody did meanwhile that ends the plan. Needs ``invoice.profile``, read under the invoice's lock."""
    if invoice.status != InvoiceStatus.OPEN:
        return STATES.get(InvoiceStatus(invoice.status), Stop.NOTHING_DUE)
    if invoice.amount_due_minor <= 0:
        return Stop.NOTHING_DUE
    if invoice.disputed_at is not None:
        return Stop.DISPUTED
    if not invoice.profile.charges_automatically:
        return Stop.SWITCHED_OFF
    return Stop.BY_WIRE if invoice.profile.pays_by_wire else None


def why_refused(refused: CannotPay) -> Stop:
    """The reason to stop for a refusal of `begin`."""
    return REFUSALS.get(refused.code) or (Stop(refused.code) if refused.code in Stop.values else Stop.CONFIG)


def tries_of(charge: AutomaticCharge) -> QuerySet[Payment]:
    """The attempts of this plan. What people tried does not count, nor what was tried before the plan began anew."""
    return Payment.objects.filter(
        allocations__invoice=charge.invoice_id, is_automatic=True, started_at__gte=charge.created_at
    )


def next_card(charge: AutomaticCharge, *, at: datetime) -> Next:
    """The card of the next try, as the profile's cards stand now."""
    declined = list(tries_of(charge).filter(status=PaymentStatus.DECLINED).values_list("method_id", "decline_bucket"))
    refused = {method for method, bucket in declined if bucket in TERMINAL}
    cards = PaymentMethod.objects.active().filter(profile=charge.profile_id)
    default = cards.filter(is_default=True).first()
    today = charge.profile.day_of(at)
    if default is not None and default.pk not in refused:
        return Next(None, Stop.CARD_EXPIRED) if default.is_expired(today) else Next(default)
    if not refused:
        return Next(None, Stop.NO_CARD)
    backups = cards.filter(backup_order__isnull=False).exclude(pk__in=[method for method, _bucket in declined])
    usable = (card for card in backups.order_by("backup_order") if not card.is_expired(today))
    card = next(usable, None)
    return Next(card, None if card else Stop.REFUSED)


def is_capped(card: PaymentMethod, *, at: datetime) -> bool:
    """Whether banks have refused automatic charges of this card as often as the card networks allow within 30 days,
    wherever else it is or was stored. Charges that succeeded do not count, and neither does what people tried."""
    same_card = Q(method=card)
    if card.fingerprint:
        same_card |= Q(method__gateway=card.gateway, method__fingerprint=card.fingerprint)
    refused = Payment.objects.filter(
        same_card, is_automatic=True, status=PaymentStatus.DECLINED, started_at__gt=at - CAP_WINDOW
    )
    return refused.count() >= settings.AUTOPAY_MOST_TRIES_OF_A_CARD


def next_retry_on(charge: AutomaticCharge, *, at: datetime) -> date | None:
    """The next of the days after the first try; a day that was missed is not made up for."""
    first, today = charge.profile.day_of(charge.created_at), charge.profile.day_of(at)
    days = (first + timedelta(days=days) for days in sorted(settings.AUTOPAY_RETRY_DAYS))
    return next((day for day in days if day > today), None)
