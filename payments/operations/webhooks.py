"""Messages from providers: verified, stored, answered; worked on afterwards.

A message carries ids only. What changed is asked from the gateway itself, so a message that is late, repeated, out of
order or about somebody else's payment can do no harm. One that the provider signed and nobody can read is kept for
staff: sent again it would be no clearer.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256

import structlog
from django.db.models import Q

from payments.gateways.base import Event, EventKind, Outcome, RefundRequest, Result, UnreadableMessage
from payments.gateways.registry import get_gateway
from payments.models import Payment, PaymentEvent, Refund, WebhookDelivery
from payments.operations.asking import NoAnswer, ask, ask_about_dispute
from payments.operations.card_news import refresh_method
from payments.operations.disputing import book_dispute
from payments.operations.looking_up import look_up
from payments.operations.refunding import adopt_refund, look_up_refund, settle_refund
from payments.states import OPEN, REFUND_OPEN, PaymentStatus

log = structlog.get_logger("portal.webhooks")

RETRIES = [timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600, 6 * 3600, 24 * 3600)]
LEASE = timedelta(minutes=2)
OURS = "PAY-"
LONGEST_ID, LONGEST_REFERENCE = 120, 40
UNREADABLE = "unreadable"
BEGINNING = 80  # characters of an unreadable message that staff see
# Runs that may be a secret or a card number; what names a field or a kind of event is shorter.
SECRETS = re.compile(r"\d[\d -]{7,}|[\w.+/=-]{20,}", re.ASCII)


class NotYet(Exception):
    """The message names a payment of ours that is not committed yet."""


def receive(*, gateway_slug: str, body: bytes, headers: Mapping[str, str], at: datetime) -> int:
    """Checks who sent a message and stores its events. Returns how many are new.

    Raises UnknownGateway, BadSignature. When it returns, the message is safe and may be acknowledged.
    """
    gateway = get_gateway(gateway_slug)
    try:
        rows = [_delivery(gateway_slug, event, at) for event in gateway.verify(body, headers)]
    except UnreadableMessage as error:
        log.error("message cannot be read", gateway=gateway_slug)
        rows = [_unreadable(gateway_slug, body, error, at)]
    before = WebhookDelivery.objects.filter(gateway=gateway_slug, event_id__in=[row.event_id for row in rows]).count()
    WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    return len({row.event_id for row in rows}) - before


def _delivery(gateway_slug: str, event: Event, at: datetime) -> WebhookDelivery:
    """The row of an event. Raises UnreadableMessage for ids that a database may refuse, or would have to cut, whatever
    the gateway thought of them; a reference that cannot be one of ours is left out."""
    for id_ in (event.id, event.object_id, event.payment_id):
        if not id_.isprintable() or len(id_) > LONGEST_ID:
            raise UnreadableMessage("The message names something by an id that cannot be one.")
    is_possible = event.reference.isprintable() and len(event.reference) <= LONGEST_REFERENCE
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
    """The row of a message that only staff can do something about: the same body is the same row. Of what it says only
    the beginning is kept, and nothing that could be a secret."""
    begins = "".join(filter(str.isprintable, body[: 4 * BEGINNING].decode(errors="replace")))
    said = SECRETS.sub("…", f"{error} It begins: {begins[:BEGINNING]}".replace("\x00", ""))
    return WebhookDelivery(
        gateway=gateway_slug,
        event_id=f"{UNREADABLE}-{sha256(body).hexdigest()}",
        kind=EventKind.OTHER,
        type=UNREADABLE,
        status=WebhookDelivery.Status.FAILED,
        received_at=at,
        last_error=said[:300],
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
    """Works on one stored message now, whatever became of it before. Returns it; one that cannot be read stays so.

    Raises WebhookDelivery.DoesNotExist.
    """
    row = WebhookDelivery.objects.get(pk=delivery_id)
    if row.type == UNREADABLE:
        return row
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
    if row.kind not in {EventKind.PAYMENT, EventKind.REFUND, EventKind.DISPUTE}:
        return False
    payment = _payment_of(row)
    if payment is None:
        if row.reference.startswith(OURS):
            raise NotYet(f"No payment {row.reference} yet.")
        if row.gateway_payment_id and _waits_for_its_id(row.gateway):
            raise NotYet(f"{row.gateway_payment_id} may be a payment of ours that waits for its answer.")
        return False
    if row.kind == EventKind.PAYMENT:
        if payment.status != PaymentStatus.SUCCEEDED:
            look_up(payment_id=payment.pk, source=PaymentEvent.Source.WEBHOOK, at=at)
        return True
    act = _act_on_refund if row.kind == EventKind.REFUND else _act_on_dispute
    return _is_booked(payment, at) and act(row, payment, at)


def _payment_of(row: WebhookDelivery) -> Payment | None:
    """The payment that a message is about: by the provider's id of it, else by our reference. A reference counts only
    where the ids do not say that the message is about another payment."""
    payments = Payment.objects.filter(gateway=row.gateway)
    id_ = row.object_id if row.kind == EventKind.PAYMENT else row.gateway_payment_id
    found = payments.filter(gateway_id=id_).first() if id_ else None
    if found is not None or not row.reference:
        return found
    named = payments.filter(reference=row.reference)
    if row.kind != EventKind.PAYMENT and id_:
        named = named.filter(gateway_id="")
    return named.first()


def _waits_for_its_id(gateway_slug: str) -> bool:
    """Whether an attempt is open whose id at the provider is not known yet. Each is looked up, or waits for staff."""
    asked = Payment.objects.filter(Q(next_lookup_at__isnull=False) | Q(needs_staff=True))
    return asked.filter(gateway=gateway_slug, gateway_id="", status__in=OPEN).exists()


def _is_booked(payment: Payment, at: datetime) -> bool:
    """Whether the money of a payment is in the books, so that something can be taken from it. A payment whose answer
    was lost is looked up first.

    False for one that ended without money, also because staff paid back a wrong amount. Raises NotYet, NoAnswer.
    """
    if payment.status != PaymentStatus.SUCCEEDED and not payment.events.filter(result="refused").exists():
        now = look_up(payment_id=payment.pk, source=PaymentEvent.Source.WEBHOOK, at=at)
        payment.status, payment.gateway_id = now.status, now.gateway_id
    if payment.status in OPEN:
        raise NotYet(f"{payment.reference} has not succeeded yet.")
    return payment.status == PaymentStatus.SUCCEEDED


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


def _act_on_dispute(row: WebhookDelivery, payment: Payment, at: datetime) -> bool:
    told = ask_about_dispute(payment, row.object_id)
    if told is None:
        return False
    book_dispute(payment_id=payment.pk, told=told, source=PaymentEvent.Source.WEBHOOK, at=at)
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
