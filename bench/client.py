"""A process that pays. It has its own connections and waits for the other clients before each round."""

from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any

import django


def serve(pipe: Connection, barrier: Barrier, **arguments: Any) -> None:
    """Answers calls of the methods of a `Payer` until it is told to stop."""
    django.setup()
    from bench.payer import Payer

    payer = Payer(barrier=barrier, **arguments)
    while (call := pipe.recv()) is not None:
        name, values = call
        pipe.send(getattr(payer, name)(*values))
