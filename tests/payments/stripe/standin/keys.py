"""Idempotency keys as Stripe documents them. https://docs.stripe.com/api/idempotent_requests

The first answer of a request that was begun is kept for 24 hours, a 500 too, and given again; other parameters are an
error; a key whose request is still going on is refused. What failed validation, and what was turned away before it
began, is not kept.
"""

import threading
import time

LIVE_FOR = 24 * 60 * 60


class Keys:
    def __init__(self):
        self.ahead = 0  # seconds that the clock is put forward
        self._lock = threading.Lock()
        self._kept = {}

    def begin(self, key, asked):
        """None when the request is new; else the answer to give: ("replay", answer), "in_use" or "other"."""
        now = time.time() + self.ahead
        with self._lock:
            at, parameters, answer = self._kept.get(key, (0, None, None))
            if parameters is None or now - at >= LIVE_FOR:
                self._kept[key] = (now, asked, None)
                return None
            if parameters != asked:
                return "other"
            return ("replay", answer) if answer is not None else "in_use"

    def keep(self, key, answer):
        with self._lock:
            at, parameters, _none = self._kept[key]
            self._kept[key] = (at, parameters, answer)

    def forget(self, key):
        with self._lock:
            self._kept.pop(key, None)
