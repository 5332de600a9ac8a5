"""What goes wrong on the way, on demand: for the next so many requests of a route, or for every n-th.

- ``drop_before``: no answer, nothing done; ``drop_after``: done, and no answer
- ``hold``: no answer now, and the request arrives later, when it is released
- ``delay``: seconds before it is done; ``slow``: seconds between doing and answering
- ``garbage``: done, and answered with what is no JSON; ``cut``: done, and answered with half of it
- ``error_500``: not done, and the 500 is kept under the key; ``error_500_after``: done, and the same
- ``rate_limit`` (429), ``lock_timeout`` (429), ``unavailable`` (503): turned away at the door
"""

import threading
from dataclasses import dataclass, field


@dataclass
class Fault:
    name: str
    route: str  # such as "POST payment_intents"
    times: int = 0  # 0: without end
    every: int = 1
    seconds: float = 0
    seen: int = field(default=0)


class Faults:
    def __init__(self):
        self._lock = threading.Lock()
        self._armed = []

    def arm(self, name, route, times=1, every=1, seconds=0):
        with self._lock:
            self._armed.append(Fault(name, route, times, every, seconds))

    def clear(self):
        with self._lock:
            self._armed.clear()

    def take(self, route):
        """The fault that this request meets, or None."""
        with self._lock:
            for fault in self._armed:
                if fault.route != route:
                    continue
                fault.seen += 1
                if fault.seen % fault.every:
                    continue
                if fault.times and fault.seen // fault.every >= fault.times:
                    self._armed.remove(fault)
                return fault
        return None
