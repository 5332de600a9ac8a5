"""The edge's addresses: Stripe's own under ``/v1/``, browsers', and the tests' under ``/_edge/``."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.payments.stripe.standin import control, pages
from tests.payments.stripe.standin.edge import Answer, Dropped, Edge, Request
from tests.payments.stripe.standin.forms import unflatten

BROWSERS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "Content-Type, Accept"}


class Handler(BaseHTTPRequestHandler):
    """One request and its answer; the connection ends with it."""

    edge: Edge

    def do_GET(self):
        self._answer()

    def do_POST(self):
        self._answer()

    def do_OPTIONS(self):
        self._send(Answer(204, b"", {"Access-Control-Allow-Methods": "GET, POST, OPTIONS"}))

    def log_message(self, *_args):
        """Silent: bodies hold card numbers."""

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        try:
            self._send(_route(self.edge, self.command, self.path, dict(self.headers.items()), body))
        except (Dropped, BrokenPipeError):  # or who asked is gone
            self.close_connection = True
        except Exception as error:
            self.edge.undocumented.append(f"The stand-in broke at {self.command} {self.path}: {error!r}")
            raise

    def _send(self, answer):
        self.send_response(answer.status)
        headers = {"Content-Type": "application/json"} | BROWSERS | answer.headers
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)


def make_server(edge: Edge, port: int) -> ThreadingHTTPServer:
    """On this machine only."""
    server = ThreadingHTTPServer(("127.0.0.1", port), type("EdgeHandler", (Handler,), {"edge": edge}))
    server.daemon_threads = True
    edge.shop.url = f"http://127.0.0.1:{server.server_port}"
    return server


def _route(edge, method, path, headers, body):
    where, _mark, _query = path.partition("?")
    if where.startswith("/_edge/"):
        asked = json.loads(body) if body else {}
        return Answer(200, json.dumps(control.answer(edge, where.removeprefix("/_edge/"), asked)).encode())
    if where == "/v3/":
        return pages.script(edge)
    if where.startswith("/check/"):
        intent = where.removeprefix("/check/")
        return pages.check(edge, intent) if method == "GET" else pages.checked(edge, intent, unflatten(body))
    if (method, where) == ("POST", "/v1/payment_methods"):
        return edge.card(unflatten(body))
    if (method, where) == ("POST", "/in_page"):
        return pages.checked_in_page(edge, unflatten(body))
    return edge.serve(Request(method, path, {name.lower(): value for name, value in headers.items()}, body))
