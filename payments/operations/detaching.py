"""Having a gateway forget a card's id that the portal gave up: a card that was removed, or the old id of a renewed one.

The wish is a row in the commit that gave the id up, so it outlives a gateway that is away and a process that is killed.
"""

from datetime import datetime

import structlog

from payments.gateways.registry import UnknownGateway, get_gateway
from payments.models import Detachment, Payment, PaymentMethod
from payments.operations.asking import NoAnswer, reach
from payments.operations.schedule import CALL_BUDGET, DETACH_AGAIN, MINUTE
from payments.states import OPEN

log = structlog.get_logger("portal.payments")


def give_up_id(method: PaymentMethod, *, at: datetime) -> Detachment:
    """Notes that the gateway has to forget the id that a card has now. Call it inside the transaction of the fact."""
    return Detachment.objects.create(
        method=method, gateway=method.gateway, gateway_method=method.gateway_method, created_at=at, next_try_at=at
    )


def detach_due(*, at: datetime, limit: int = 100, only: Detachment | None = None) -> int:
    """Asks the gateways to forget what is due. Returns how many were asked about. Never raises for a gateway.

    May be killed, run twice, or run by several workers: a row is leased by moving its next try ahead.
    """
    due = Detachment.objects.filter(next_try_at__lte=at, **({"pk": only.pk} if only else {}))
    done = 0
    for row in due.order_by("next_try_at", "pk")[:limit]:
        mine = Detachment.objects.filter(pk=row.pk, next_try_at=row.next_try_at)
        if mine.update(next_try_at=at + CALL_BUDGET) == 1:
            done += 1
            _detach(row, at)
    return done


def _detach(row: Detachment, at: datetime) -> None:
    """An id that a card has again is left alone, and so is one that a payment in progress may still need."""
    row.next_try_at = None
    if PaymentMethod.objects.active().filter(gateway=row.gateway, gateway_method=row.gateway_method).exists():
        row.last_error = "A card has this id again."
    elif Payment.objects.filter(method=row.method_id, status__in=OPEN).exists():
        row.next_try_at = at + 5 * MINUTE
    else:
        try:
            gateway = get_gateway(row.gateway)
            reach(lambda: gateway.detach(gateway_method=row.gateway_method), subject=f"card {row.method_id}")
        except (NoAnswer, UnknownGateway) as error:
            row.last_error = f"{type(error).__name__}: {error.__cause__ or error}".replace("\x00", "")[:300]
            row.next_try_at = at + DETACH_AGAIN[row.tries] if row.tries < len(DETACH_AGAIN) else None
            row.tries += 1
        else:
            row.done_at, row.last_error = at, ""
    row.save(update_fields=["next_try_at", "done_at", "tries", "last_error"])
