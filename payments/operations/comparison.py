"""The books against the providers' own lists: amounts, states, refunds and disputes of the last days, and the clocks.
What a provider knows and we do not is first looked up, as if its message had come only now. What then still differs
waits for staff. So does a wrong clock, which would have messages refused and attempts looked for at the wrong time."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import Any

import structlog
from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Access, require_staff
from billing_portal.core.leases import claim_due
from invoices.money import Money
from payments.gateways.base import EventKind, Gateway, ProviderRecord, Result
from payments.gateways.registry import gateways, get_gateway
from payments.models import (
    Dispute,
    GatewayComparison,
    GatewayDifference,
    Payment,
    PaymentEvent,
    Refund,
    WebhookDelivery,
)
from payments.operations.gateway_calls import (
    DAY,
    HOUR,
    MINUTE,
    NoAnswer,
    attempt_of,
    call,
    call_lookup,
    fetch_dispute,
    refund_request_of,
)
from payments.operations.manual_payments import CannotRecord, required
from payments.operations.webhooks import act_on
from payments.states import OPEN, REFUND_OPEN, PaymentStatus, RefundStatus

log = structlog.get_logger("portal.payments")

Kind = GatewayDifference.Kind
# So far back each comparison begins before the last one: a clock that was wrong by two days hides nothing.
OVERLAP, FIRST = 3 * DAY, 7 * DAY
CLOCK_TOLERANCE = MINUTE
BATCH = 500


def compare_due(*, at: datetime, limit: int) -> int:
    """Compares each gateway that was not compared for a day, and every clock. Returns how many differences there are; a
    gateway that gives no answer comes up again in an hour."""
    check_clocks(at=at)
    for slug in settings.PAYMENT_GATEWAYS:
        GatewayComparison.objects.get_or_create(gateway=slug, defaults={"next_at": at})
    rows = GatewayComparison.objects.filter(gateway__in=settings.PAYMENT_GATEWAYS)
    found = 0
    for row in claim_due(rows, "next_at", at=at, lease=HOUR, limit=limit):
        since = (row.compared_at or at - FIRST) - OVERLAP
        try:
            found += len(compare_gateway(gateway_slug=row.gateway, since=since, at=at))
        except NoAnswer:
            log.warning("gateway not compared", gateway=row.gateway)
            continue
        GatewayComparison.objects.filter(pk=row.pk).update(compared_at=at, next_at=at + DAY)
    return found


def compare_gateway(*, gateway_slug: str, since: datetime, at: datetime) -> list[GatewayDifference]:
    """Compares what moved at a provider since a moment with the books, looks up what we missed, and notes what differs
    all the same. Returns that. Raises UnknownGateway, and NoAnswer when the provider gave no list."""
    gateway = get_gateway(gateway_slug)
    records = call(lambda: list(gateway.records(since)), subject=f"list of {gateway_slug}")
    known = {(record.kind, record.id) for record in records}
    found = [
        difference
        for batch in batched(records, BATCH)
        for difference in _compare(batch, gateway_slug=gateway_slug, at=at)
    ]
    return [*found, *_only_ours(gateway, known, since=since, at=at)]


def _compare(records: Sequence[ProviderRecord], *, gateway_slug: str, at: datetime) -> Iterator[GatewayDifference]:
    """The differences about some lines of the list that are left after those that differ were looked up. What agrees
    costs a fixed number of queries, however many lines there are."""
    ours = _ours(records, gateway_slug)
    differing = [record for record in records if ours[record.kind, record.id] is not None]
    for record in differing:
        _look_up(record, gateway_slug=gateway_slug, at=at)
    ours |= _ours(differing, gateway_slug)
    for kind in EventKind:
        agreeing = [record.id for record in records if record.kind == kind and ours[kind, record.id] is None]
        if agreeing:
            _end({"gateway": gateway_slug, "kind": kind.value, "gateway_id__in": agreeing}, at=at)
    for record in differing:
        words = ours[record.kind, record.id]
        if words is not None:
            thing: dict[str, Any] = {"gateway": gateway_slug, "kind": record.kind.value, "gateway_id": record.id}
            payment = Payment.objects.filter(gateway=gateway_slug, gateway_id=record.payment_id).first()
            yield _note(thing, theirs=_words(record.amount, record.state), ours=words, payment=payment, at=at)


def _look_up(record: ProviderRecord, *, gateway_slug: str, at: datetime) -> None:
    """As if the provider's message about it had come now. Whatever goes wrong leaves the difference standing."""
    message = WebhookDelivery(
        gateway=gateway_slug,
        kind=record.kind,
        object_id=record.id,
        gateway_payment_id="" if record.kind == EventKind.PAYMENT else record.payment_id,
        reference=record.reference,
    )
    try:
        act_on(message, at)
    except Exception as error:  # noqa: BLE001  one line's trouble does not keep the others from being compared
        log.warning("not looked up", gateway=gateway_slug, thing=record.id, error=type(error).__name__)


def _ours(records: Sequence[ProviderRecord], gateway_slug: str) -> dict[tuple[EventKind, str], str | None]:
    """What we have of each line of the provider's list; None when that agrees, or waits for an answer or for staff.
    Three queries at most."""
    ids = {kind: [record.id for record in records if record.kind == kind] for kind in EventKind}
    refused = PaymentEvent.objects.filter(payment=OuterRef("pk"), result="refused")
    payments = Payment.objects.filter(
        gateway=gateway_slug, gateway_id__in={record.payment_id for record in records if record.payment_id}
    ).annotate(was_refused=Exists(refused))
    refunds = Refund.objects.filter(payment__gateway=gateway_slug, gateway_id__in=ids[EventKind.REFUND])
    disputes = Dispute.objects.filter(gateway=gateway_slug, gateway_id__in=ids[EventKind.DISPUTE])
    by_id: dict[EventKind, dict[str, Any]] = {
        EventKind.PAYMENT: {row.gateway_id: row for row in payments},
        EventKind.REFUND: {row.gateway_id: row for row in refunds},
        EventKind.DISPUTE: {row.gateway_id: row for row in disputes},
    }
    words: dict[tuple[EventKind, str], str | None] = {}
    for record in records:
        row, payment = by_id[record.kind].get(record.id), by_id[EventKind.PAYMENT].get(record.payment_id)
        if record.kind == EventKind.PAYMENT:
            agrees = row is not None and _agrees_about_payment(record, row)
        elif record.kind == EventKind.REFUND:
            agrees = _agrees_about_refund(record, row, payment)
        else:
            agrees = row is not None and row.status == record.state and row.amount == record.amount
        words[record.kind, record.id] = None if agrees else _words(row.amount, row.status) if row is not None else ""
    return words


def _agrees_about_payment(record: ProviderRecord, payment: Any) -> bool:
    """A payment that is open is asked about, or waits for staff; one that staff refused was paid back by them."""
    is_settled = payment.status == PaymentStatus.SUCCEEDED and payment.amount == record.amount
    return bool(is_settled or payment.status in OPEN or payment.was_refused)


def _agrees_about_refund(record: ProviderRecord, refund: Refund | None, payment: Any) -> bool:
    has_failed = record.state == Result.DECLINED
    if refund is None:
        return has_failed or (payment is not None and payment.was_refused)
    agrees = (refund.status == RefundStatus.FAILED) == has_failed and refund.amount == record.amount
    return agrees or refund.status in REFUND_OPEN


def _only_ours(
    gateway: Gateway, known: set[tuple[EventKind, str]], *, since: datetime, at: datetime
) -> Iterator[GatewayDifference]:
    """Asks by its id about what is booked and not listed: the list may begin later. What is denied is a difference."""
    paid = Payment.objects.filter(
        gateway=gateway.slug, channel=Payment.Channel.CARD, status=PaymentStatus.SUCCEEDED, finished_at__gte=since
    )
    for payment in paid.exclude(gateway_id="").select_related("profile", "method"):
        if (EventKind.PAYMENT, payment.gateway_id) not in known:
            theirs = _ask(gateway, payment)
            if theirs not in {"", _words(payment.amount, payment.status)}:
                yield _note_row(payment, Kind.PAYMENT, theirs, at)
    refunds = Refund.objects.filter(
        payment__gateway=gateway.slug, status=RefundStatus.SUCCEEDED, finished_at__gte=since
    ).select_related("payment")
    for refund in refunds.filter(paid_on=None):  # the others were sent from our bank
        if (EventKind.REFUND, refund.gateway_id) not in known and _is_denied(gateway, refund):
            yield _note_row(refund, Kind.REFUND, "", at)
    disputes = Dispute.objects.filter(gateway=gateway.slug, opened_at__gte=since).select_related("payment")
    for row in disputes:
        if (EventKind.DISPUTE, row.gateway_id) not in known and fetch_dispute(row.payment, row.gateway_id) is None:
            yield _note_row(row, Kind.DISPUTE, "", at)


def _note_row(row: Payment | Refund | Dispute, kind: Kind, theirs: str, at: datetime) -> GatewayDifference:
    payment = row if isinstance(row, Payment) else row.payment
    thing: dict[str, Any] = {"gateway": payment.gateway, "kind": kind, "gateway_id": row.gateway_id}
    return _note(thing, theirs=theirs, ours=_words(row.amount, row.status), payment=payment, at=at)


def _ask(gateway: Gateway, payment: Payment) -> str:
    """How a payment stands at the provider, in its words; empty when there is no answer."""
    attempt = attempt_of(payment)
    outcome = call_lookup(lambda: gateway.lookup(attempt), subject=payment.reference)
    return "" if outcome.result == Result.UNKNOWN else _words(outcome.amount, outcome.result)


def _is_denied(gateway: Gateway, refund: Refund) -> bool:
    request = refund_request_of(refund)
    outcome = call_lookup(lambda: gateway.lookup_refund(request), subject=refund.payment.reference)
    return outcome.result == Result.NOT_FOUND


def _words(amount: Money | None, state: str) -> str:
    return f"{amount.amount} {amount.currency} {state}" if amount is not None else str(state)


def check_clocks(*, at: datetime) -> None:
    """Notes each provider whose clock is more than a minute off. One that gives no answer is passed over."""
    for gateway in gateways():
        try:
            ahead = call(gateway.clock_difference, subject=f"clock of {gateway.slug}")
        except NoAnswer:
            continue
        thing: dict[str, Any] = {"gateway": gateway.slug, "kind": Kind.CLOCK, "gateway_id": ""}
        if abs(ahead) <= CLOCK_TOLERANCE:
            _end(thing, at=at)
            continue
        _note(thing, theirs=f"{at + ahead:%Y-%m-%d %H:%M} UTC", ours=f"{at:%Y-%m-%d %H:%M} UTC", payment=None, at=at)
        log.error("clock is wrong", gateway=gateway.slug, seconds=round(ahead / timedelta(seconds=1)))


def _note(thing: dict[str, Any], *, theirs: str, ours: str, payment: Payment | None, at: datetime) -> GatewayDifference:
    """One row for each thing. What staff ended stays so until it changes."""
    row, created = GatewayDifference.objects.get_or_create(
        **thing, defaults={"theirs": theirs, "ours": ours, "payment": payment, "found_at": at}
    )
    has_changed = (row.theirs, row.ours) != (theirs, ours)
    if created or not (has_changed or (row.ended_at is not None and row.ended_by_id is None)):
        return row
    if row.ended_at is not None:
        row.ended_at, row.ended_by, row.note, row.found_at = None, None, "", at
    row.theirs, row.ours, row.payment = theirs, ours, payment
    row.save()
    return row


def _end(thing: dict[str, Any], *, at: datetime) -> None:
    GatewayDifference.objects.filter(**thing, ended_at=None).update(ended_at=at)


def end_difference(*, access: Access, difference_id: int, note: str, at: datetime) -> GatewayDifference:
    """Takes a difference out of the staff queue; it comes back when one of the sides changes. Returns it. Raises
    NotAllowed, GatewayDifference.DoesNotExist, CannotRecord without a note or for a clock, which ends by itself."""
    require_staff(access)
    row = GatewayDifference.objects.get(pk=difference_id)
    if row.kind == Kind.CLOCK:
        raise CannotRecord(_("Set the clock of this machine right. This entry then ends by itself."))
    row.ended_at, row.ended_by, row.note = at, access.user, required(note)[:300]
    row.save(update_fields=["ended_at", "ended_by", "note"])
    profile = row.payment.profile if row.payment is not None else None
    audit.record(
        access=access, at=at, action="difference.handled", subject=str(row)[:120], profile=profile, note=row.note
    )
    return row
