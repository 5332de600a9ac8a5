"""Working on many things one by one, so that the trouble of one does not keep the others waiting."""

from collections.abc import Callable, Iterable

from structlog.typing import FilteringBoundLogger

from billing_portal.core.database import UNAVAILABLE


def run_each[Item](
    items: Iterable[Item],
    act: Callable[[Item], int],
    *,
    log: FilteringBoundLogger,
    event: str,
    limit: int | None = None,
    on_failure: Callable[[Item], object] | None = None,
) -> int:
    """Calls ``act`` with each item, until ``limit`` is reached. Returns the sum of its answers: how many items were
    worked on. What an item raises is logged under ``event``, and ``on_failure`` may then put it off; when the database
    is busy, the item comes up again by itself. Call it outside a transaction."""
    done = 0
    for item in items:
        if limit is not None and done >= limit:
            break
        try:
            done += act(item)
        except UNAVAILABLE:
            log.warning("database busy", job=event, item=str(item))
        except Exception:
            log.exception(event, item=str(item))
            if on_failure is not None:
                on_failure(item)
    return done
