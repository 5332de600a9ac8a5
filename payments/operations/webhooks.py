"""Messages from providers: verified, stored, answered; worked on afterwards.

A message carries ids only. What changed is asked from the gateway itself, so a message that is late, repeated, out of
order or about somebody else's payment can do no harm.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog

from payments.gateways.base import BadSignature, Event, EventKind, Outcome, RefundRequest, Result
from payments.gateways.registry import get_gateway
from payments.models import Payment, PaymentEvent, Refund, WebhookDelivery
from payments.operations.asking import NoAnswer, ask
from payments.operations.card_news import refresh_method
from payments.operations.looking_up import look_up
from payments.operations.refunding import adopt_refund, look_up_refund, settle_refund
from payments.states import REFUND_OPEN, PaymentStatus

log = structlog.get_logger("portal.webhooks")

RETRIES = [timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600, 6 * 3600, 24 * 3600)]
LEASE = timedelta(minutes=2)
OURS = "PAY-"
LONGEST_ID, LONGEST_REFERENCE = 120, 40


class NotYet(Exception):
    """The message names a payment of ours that is not committed yet."""


def receive(*, gateway_slug: str, body: bytes, headers: Mapping[str, str], at: datetime) -> int:
    """Checks who sent a message and stores its events. Returns how many are new.

    Raises UnknownGateway, BadSignature. When it returns, the message is safe and may be acknowledged.
    """
    gateway = get_gateway(gateway_slug)
    rows = [_delivery(gateway_slug, event, at) for event in gateway.verify(body, headers)]
    before = WebhookDelivery.objects.filter(gateway=gateway_slug, event_id__in=[row.event_id for row in rows]).count()
    WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    return len({row.event_id for row in rows}) - before


def _delivery(gateway_slug: str, event: Event, at: datetime) -> WebhookDelivery:
    """The row of an event. Raises BadSignature for ids that a database may refuse, or would have to cut, whatever the
    gateway thought of them; a reference that cannot be one of ours is left out."""
    for id_ in (event.id, event.object_id):
        if not id_.isprintable() or len(id_) > LONGEST_ID:
            raise BadSignature("The message names something by an id that cannot be one.")
    is_possible = event.reference.isprintable() and len(event.reference) <= LONGEST_REFERENCE
    return WebhookDelivery(
        gateway=gateway_slug,
        event_id=event.id,
        kind=event.kind,
        type="".join(filter(str.isprintable, event.type))[:80],
        object_id=event.object_id,
        reference=event.reference if is_possible else "",
        received_at=at,
        next_try_at=at,
    )


def process_deliveries(*, at: datetime, limit: int = 100) -> int:
    """Works on stored messages whose turn has come. Returns how many were taken.

    May be killed, run twice, or run by several workers: a row is leased by moving its next try ahead. One that fails
    keeps its error and is tried again, less and less often, then waits for staff.
    """
    done = 0
    for row in WebhookDelivery.objects.filter(next_try_at__lte=at).order_by("next_try_at", "pk")[:limit]:
        leased = WebhookDelivery.objects.filter(pk=row.pk, next_try_at=row.next_try_at).update(
            next_try_at=at + LEASE, tries=row.tries + 1
        )
        if leased:
            row.tries += 1
            done += 1
            _process(row, at)
    return done


def process_again(*, delivery_id: int, at: datetime) -> WebhookDelivery:
    """Works on one stored message now, whatever became of it before. Returns it.

    Raises WebhookDelivery.DoesNotExist.
    """
    row = WebhookDelivery.objects.get(pk=delivery_id)
    row.tries = 1
    _process(row, at)
    return row


def _process(row: WebhookDelivery, at: datetime) -> None:
    try:
        ours = _act(row, at)
    except Exception as error:
        if not isinstance(error, NotYet | NoAnswer):
            log.exception("delivery not processed", event_id=row.event_id)
        row.last_error = f"{type(error).__name__}: {error}".replace("\x00", "")[:300]
        again = row.tries <= len(RETRIES)
        row.status = WebhookDelivery.Status.RECEIVED if again else WebhookDelivery.Status.FAILED
        row.next_try_at = at + RETRIES[row.tries - 1] if again else None
    else:
        row.status = WebhookDelivery.Status.PROCESSED if ours else WebhookDelivery.Status.IGNORED
        row.processed_at, row.next_try_at, row.last_error = at, None, ""
    row.save(update_fields=["status", "next_try_at", "processed_at", "last_error"])


def _act(row: WebhookDelivery, at: datetime) -> bool:
    """Looks up what the message is about. Returns False when it is not about anything of ours."""
    if row.kind == EventKind.METHOD:
        return refresh_method(gateway_slug=row.gateway, gateway_method=row.object_id, at=at)
    if row.kind not in {EventKind.PAYMENT, EventKind.REFUND}:
        return False
    payment = _payment_of(row)
    if payment is None:
        if row.reference.startswith(OURS):
            raise NotYet(f"No payment {row.reference} yet.")
        return False
    if row.kind == EventKind.PAYMENT:
        if payment.status != PaymentStatus.SUCCEEDED:
            look_up(payment_id=payment.pk, source=PaymentEvent.Source.WEBHOOK, at=at)
        return True
    return _act_on_refund(row, payment, at)


def _payment_of(row: WebhookDelivery) -> Payment | None:
    payments = Payment.objects.filter(gateway=row.gateway)
    if row.kind == EventKind.PAYMENT:
        found = payments.filter(gateway_id=row.object_id).exclude(gateway_id="").first()
        if found is not None:
            return found
    return payments.filter(reference=row.reference).first() if row.reference else None


def _act_on_refund(row: WebhookDelivery, payment: Payment, at: datetime) -> bool:
    """Ours first: only when none of our own refunds waits for its answer is it certain that another one, of the same
    amount, was made at the provider."""
    mine = Refund.objects.filter(payment=payment)
    known = mine.filter(gateway_id=row.object_id).first()
    if known is not None:
        look_up_refund(refund_id=known.pk, at=at)
        return True
    waiting = mine.filter(gateway_id="", status__in=REFUND_OPEN)
    for refund in waiting:
        look_up_refund(refund_id=refund.pk, at=at)
    if mine.filter(gateway_id=row.object_id).exists():
        return True
    outcome = _ask_about_refund(row.object_id, payment)
    if outcome.result not in {Result.SUCCEEDED, Result.PENDING}:
        return False
    adopted = adopt_refund(payment_id=payment.pk, gateway_id=row.object_id, outcome=outcome, at=at)
    if adopted is not None:
        settle_refund(refund_id=adopted.pk, outcome=outcome, at=at)
    elif waiting.exists():
        raise NotYet(f"{row.object_id} may be a refund of ours that waits for its answer.")
    return True


def _ask_about_refund(refund_id: str, payment: Payment) -> Outcome:
    """How a refund stands that the gateway calls by this id. Raises NotYet when there is no answer."""
    request = RefundRequest(
        key="",
        reference=payment.reference,
        amount=payment.amount,
        gateway_id=payment.gateway_id,
        refund_id=refund_id,
    )
    gateway = get_gateway(payment.gateway)
    outcome = ask(lambda: gateway.lookup_refund(request), subject=payment.reference)
    if outcome.result in {Result.UNKNOWN, Result.NOT_SENT}:
        raise NotYet(f"The gateway could not be asked about {refund_id}.")
    return outcome
