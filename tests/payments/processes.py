"""Processes of their own for what tests kill: forked, with connections of their own."""

import os
import signal
import time
from collections.abc import Callable

from django.db import connections

from payments.gateways.registry import get_gateway


def in_another_process(act: Callable[[], object]) -> int:
    """Forks, runs ``act`` on connections of its own, and returns the child's id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        for wrapper in connections.all():
            wrapper.connection = None  # the parent's; closing it would end the parent's session
        get_gateway.cache_clear()
        act()
        status = 0
    finally:
        os._exit(status)


def kill_after(child: int, seconds: float) -> None:
    """Gives a child so long and kills it, wherever it is by then. One that ends sooner is not waited for."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if os.waitpid(child, os.WNOHANG)[0]:
            return
        time.sleep(min(left, 0.005))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def ended_well(child: int) -> bool:
    """Waits for a child to end by itself."""
    _pid, status = os.waitpid(child, 0)
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
