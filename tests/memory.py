"""How much memory a piece of work needs."""

import gc
import tracemalloc
from collections.abc import Callable

# As Python has it. A test run looks for garbage more seldom (`tests.conftest`), once it is under way.
USUAL = gc.get_threshold()


def peak_of(work: Callable[[], object]) -> int:
    """Bytes above the start, at the worst moment, with garbage collected as often as outside a test run."""
    before = gc.get_threshold()
    gc.set_threshold(*USUAL)
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.set_threshold(*before)
