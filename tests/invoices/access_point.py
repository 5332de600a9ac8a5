"""An access point with the interface of phoss AP, in this process, and the buyer behind it."""

import json
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

from django.urls import reverse
from mockeinvoice.buyer import TurnedAway

from invoices.models import Delivery
from invoices.operations.deliveries import deliver_due
from tests.factories import NOW

TOKEN, INBOUND = "of-the-access-point", "of-its-answers"


class AccessPoint(BaseHTTPRequestHandler):
    """An access point with the interface of phoss AP, behind which the buyer of mock-einvoice takes documents in."""

    def log_message(self, *_args):
        pass

    def _answer(self, status, body=None):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        state = self.server.states.get(self.path.rpartition("/")[2])
        if self.headers["X-Token"] != TOKEN:
            self._answer(401)
        elif state is None:
            self._answer(404)
        else:
            self._answer(200, state)

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.failing:
            self._answer(self.server.failing.pop())
            return
        parts = urlsplit(self.path)
        key = parse_qs(parts.query)["sbdhInstanceID"][0]
        self.server.posted.append([unquote(part) for part in parts.path.split("/")[4:]])
        try:
            self.server.held.append(self.server.buyer.receive(content))
        except TurnedAway as error:
            self.server.states[key] = {"status": "rejected", "errorDetails": error.reason}
            self._answer(422, {"error": error.reason})
            return
        self.server.states[key] = {"status": "sent", "mlsStatus": "pending"}
        if self.server.loses_answers:
            self.server.loses_answers = False
            self.connection.close()
            return
        self._answer(200, {"status": "queued"})


def delivered(at=NOW):
    while deliver_due(at=at, limit=20):
        pass
    return list(Delivery.objects.order_by("pk"))


def answered(client, content, token=INBOUND):
    return client.post(
        reverse("invoices:einvoice_response"), content, content_type="application/xml", headers={"X-Token": token}
    )
