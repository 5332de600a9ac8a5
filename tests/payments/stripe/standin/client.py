"""The tests' hand on a stand-in in another process."""

import json
import subprocess
import sys
import urllib.parse
import urllib.request
from functools import cache


class StandIn:
    """``standin("arm", name="drop_after", route="POST payment_intents")`` and all else of `control`."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.payments.stripe.standin", "--port", "0", "--with-parent"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("The stand-in did not start.")

    def __call__(self, what, **asked):
        return self._post(f"/_edge/{what}", json.dumps(asked).encode(), "application/json")

    def card(self, number, key="pk_live_standin"):
        """The id of a card typed into Stripe's field."""
        typed = {"number": number, "exp_month": "12", "exp_year": "2030", "cvc": "123"}
        form = {"key": key, "type": "card", **{f"card[{name}]": value for name, value in typed.items()}}
        body = urllib.parse.urlencode(form).encode()
        return self._post("/v1/payment_methods", body, "application/x-www-form-urlencoded")["id"]

    def _post(self, path, body, kind):
        request = urllib.request.Request(self.url + path, body, {"Content-Type": kind}, method="POST")
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())


@cache
def the_stand_in():
    """One for all tests of this process; it ends with the process."""
    return StandIn()
