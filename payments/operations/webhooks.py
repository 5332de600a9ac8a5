"""Messages from providers: verified, stored, answered; worked on afterwards. A message carries ids only; what changed
is asked from the gateway itself, so a message that is late, repeated, out of order or about somebody else's payment can
do no harm. One that is signed and cannot be read is kept for staff."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256

import structlog
from django.db.models import F, Q

from billing_portal.core.batches import run_each
from billing_portal.core.leases import claim_due
from payments.gateways.base import Event, EventKind, Outcome, RefundRequest, Result, UnreadableMessage
from payments.gateways.registry import get_gateway
from payments.models import Payment, PaymentEvent, Refund, WebhookDelivery
from payments.operations.disputes import book_dispute
from payments.operations.gateway_calls import NoAnswer, call_lookup, fetch_dispute, plain_text
from payments.operations.methods import sync_method
from payments.operations.reconciliation import sync_payment
from payments.operations.refunds import adopt_refund, settle_refund, sync_refund
from payments.states import OPEN, REFUND_OPEN, PaymentStatus

log = structlog.get_logger("portal.webhooks")

RETRY_DELAYS = [timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600, 6 * 3600, 24 * 3600)]
LEASE = timedelta(minutes=2)
REFERENCE_PREFIX = "PAY-"
MAX_ID, MAX_REFERENCE = 120, 40
UNREADABLE = "unreadable"
EXCERPT = 80  # characters of an unreadable message that staff see
# Runs that may be a secret or a card number; what names a field or a kind of event is shorter.
SECRETS = re.compile(r"\d[\d -]{7,}|[\w.+/=-]{20,}", re.ASCII)
WEBHOOK = PaymentEvent.Source.WEBHOOK


class NotYet(Exception):
    """The message names a payment of ours that is not committed yet, or has no answer yet: work on it later."""


def receive(*, gateway_slug: str, body: bytes, headers: Mapping[str, str], at: datetime) -> int:
    """Verifies a message and stores its events. Returns how many are new. Raises UnknownGateway, BadSignature."""
    gateway = get_gateway(gateway_slug)
    try:
        rows = [_delivery(gateway_slug, event, at) for event in gateway.verify(body, headers)]
    except UnreadableMessage as error:
        log.error("message cannot be read", gateway=gateway_slug)
        rows = [_unreadable(gateway_slug, body, error, at)]
    known = WebhookDelivery.objects.filter(gateway=gateway_slug, event_id__in=[row.event_id for row in rows]).count()
    WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    return len({row.event_id for row in rows}) - known


def _delivery(gateway_slug: str, event: Event, at: datetime) -> WebhookDelivery:
    """The row of an event, without a reference that cannot be ours. Raises UnreadableMessage for impossible ids."""
    for id_ in (event.id, event.object_id, event.payment_id):
        if not id_.isprintable() or len(id_) > MAX_ID:
            raise UnreadableMessage("The message names something by an id that cannot be one.")
    is_possible = event.reference.isprintable() and len(event.reference) <= MAX_REFERENCE
    return WebhookDelivery(
        gateway=gateway_slug,
        event_id=event.id,
        kind=event.kind,
        type="".join(filter(str.isprintable, event.type))[:80],
        object_id=event.object_id,
        gateway_payment_id=event.payment_id,
        reference=event.reference if is_possible else "",
        received_at=at,
        next_try_at=at,
    )


def _unreadable(gateway_slug: str, body: bytes, error: UnreadableMessage, at: datetime) -> WebhookDelivery:
    """The row of a message for staff, one for each body. It keeps the beginning, without what could be a secret."""
    text = "".join(filter(str.isprintable, body[: 4 * EXCERPT].decode(errors="replace")))
    return WebhookDelivery(
        gateway=gateway_slug,
        event_id=f"{UNREADABLE}-{sha256(body).hexdigest()}",
        kind=EventKind.OTHER,
        type=UNREADABLE,
        status=WebhookDelivery.Status.FAILED,
        received_at=at,
        last_error=SECRETS.sub("…", f"{error} It begins: {text[:EXCERPT]}".replace("\x00", ""))[:300],
    )


def process_deliveries(*, at: datetime, limit: int = 100) -> int:
    """Works on stored messages whose turn has come. Returns how many were taken. May be killed, run twice, or run by
    several workers. A message that fails is tried again, less and less often, then waits for staff."""
    rows = WebhookDelivery.objects.all()
    due = claim_due(rows, "next_try_at", at=at, lease=LEASE, limit=limit, tries=F("tries") + 1)
    return run_each(due, lambda row: _process(row, row.tries + 1, at), log=log, event="delivery not processed")


def process_again(*, delivery_id: int, at: datetime) -> WebhookDelivery:
    """Works on a stored message now, whatever became of it before. Raises WebhookDelivery.DoesNotExist."""
    row = WebhookDelivery.objects.get(pk=delivery_id)
    if row.type == UNREADABLE:
        return row
    _process(row, 1, at)
    return row


def _process(row: WebhookDelivery, tries: int, at: datetime) -> bool:
    try:
        is_ours = act_on(row, at)
    except Exception as error:
        if not isinstance(error, NotYet | NoAnswer):
            log.exception("delivery not processed", event_id=row.event_id)
        row.last_error = plain_text(f"{type(error).__name__}: {error}")
        again = tries <= len(RETRY_DELAYS)
        row.status = WebhookDelivery.Status.RECEIVED if again else WebhookDelivery.Status.FAILED
        row.next_try_at = at + RETRY_DELAYS[tries - 1] if again else None
    else:
        row.status = WebhookDelivery.Status.PROCESSED if is_ours else WebhookDelivery.Status.IGNORED
        row.processed_at, row.next_try_at, row.last_error = at, None, ""
    row.save(update_fields=["status", "next_try_at", "processed_at", "last_error"])
    return True


def act_on(row: WebhookDelivery, at: datetime) -> bool:
    """Looks up what a message, stored or not, is about. False when that is not ours. Raises NotYet, NoAnswer."""
    if row.kind == EventKind.METHOD:
        return sync_method(gateway_slug=row.gateway, gateway_method=row.object_id, at=at)
    if row.kind not in {EventKind.PAYMENT, EventKind.REFUND, EventKind.DISPUTE}:
        return False
    payment = _payment_of(row)
    if payment is None:
        if row.reference.startswith(REFERENCE_PREFIX):
            raise NotYet(f"No payment {row.reference} yet.")
        if row.gateway_payment_id and _waits_for_its_id(row.gateway):
            raise NotYet(f"{row.gateway_payment_id} may be a payment of ours that waits for its answer.")
        return False
    if row.kind == EventKind.PAYMENT:
        sync_payment(payment_id=payment.pk, source=WEBHOOK, at=at, named=row.object_id)
        return True
    act = _act_on_refund if row.kind == EventKind.REFUND else _act_on_dispute
    return _is_booked(payment, at, named=row.gateway_payment_id) and act(row, payment, at)


def _payment_of(row: WebhookDelivery) -> Payment | None:
    """The payment that a message is about: by the provider's id of it, else by our reference. A reference counts only
    where the ids do not say that the message is about another payment."""
    payments = Payment.objects.filter(gateway=row.gateway)
    id_ = row.object_id if row.kind == EventKind.PAYMENT else row.gateway_payment_id
    payment = payments.filter(gateway_id=id_).first() if id_ else None
    if payment is not None or not row.reference:
        return payment
    named = payments.filter(reference=row.reference)
    if row.kind != EventKind.PAYMENT and id_:
        named = named.filter(gateway_id="")
    return named.first()


def _waits_for_its_id(gateway_slug: str) -> bool:
    """Whether an attempt is open whose id at the provider is not known yet. Each is looked up, or waits for staff."""
    waiting = Payment.objects.filter(Q(next_lookup_at__isnull=False) | Q(needs_staff=True))
    return waiting.filter(gateway=gateway_slug, gateway_id="", status__in=OPEN).exists()


def _is_booked(payment: Payment, at: datetime, *, named: str) -> bool:
    """Whether money can be taken from a payment; a lost answer is looked up first. Raises NotYet, NoAnswer."""
    if payment.status != PaymentStatus.SUCCEEDED and not payment.events.filter(result="refused").exists():
        synced = sync_payment(payment_id=payment.pk, source=WEBHOOK, at=at, named=named)
        payment.status, payment.gateway_id = synced.status, synced.gateway_id
    if payment.status in OPEN:
        raise NotYet(f"{payment.reference} has not succeeded yet.")
    return payment.status == PaymentStatus.SUCCEEDED


def _act_on_refund(row: WebhookDelivery, payment: Payment, at: datetime) -> bool:
    """While one of ours waits for its answer, a refund of the same amount may be that one: ours are asked first."""
    refunds = Refund.objects.filter(payment=payment)
    known = refunds.filter(gateway_id=row.object_id).first()
    if known is not None:
        sync_refund(refund_id=known.pk, at=at)
        return True
    waiting = refunds.filter(gateway_id="", status__in=REFUND_OPEN)
    for refund in waiting:
        sync_refund(refund_id=refund.pk, at=at)
    if refunds.filter(gateway_id=row.object_id).exists():
        return True
    outcome = _fetch_refund(row.object_id, payment)
    if outcome.result not in {Result.SUCCEEDED, Result.PENDING}:
        return False
    adopted = adopt_refund(payment_id=payment.pk, gateway_id=row.object_id, outcome=outcome, at=at)
    if adopted is not None:
        settle_refund(refund_id=adopted.pk, outcome=outcome, at=at)
    elif waiting.exists():
        raise NotYet(f"{row.object_id} may be a refund of ours that waits for its answer.")
    return True


def _act_on_dispute(row: WebhookDelivery, payment: Payment, at: datetime) -> bool:
    dispute = fetch_dispute(payment, row.object_id)
    if dispute is None:
        return False
    book_dispute(payment_id=payment.pk, facts=dispute, source=WEBHOOK, at=at)
    return True


def _fetch_refund(refund_id: str, payment: Payment) -> Outcome:
    """How a refund stands that the gateway calls by this id. Raises NotYet when there is no answer."""
    request = RefundRequest("", payment.reference, payment.amount, payment.gateway_id, refund_id)
    gateway = get_gateway(payment.gateway)
    outcome = call_lookup(lambda: gateway.lookup_refund(request), subject=payment.reference)
    if outcome.result == Result.UNKNOWN:
        raise NotYet(f"The gateway could not be asked about {refund_id}.")
    return outcome
