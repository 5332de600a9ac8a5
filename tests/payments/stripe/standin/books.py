"""localstripe, in a process of its own on this machine only, and how the edge speaks to it."""

import http.client
import json
import socket
import subprocess
import sys
import time

# It listens on every interface when it is started by its own command, and writes all it knows to one file of the
# machine at every change; several at once would read each other's.
START = """
import os, sys, threading
from aiohttp import web
from localstripe import resources
from localstripe.server import app
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()  # with whoever started it
resources.Store.dump_to_disk = lambda store: None
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


class Refusal(Exception):
    """An error to answer with: the status and the ``error`` of the body."""

    def __init__(self, status, error):
        super().__init__(error.get("message", ""))
        self.status = status
        self.error = error


def invalid(message, *, code=None, param=None, status=400):
    error = {"type": "invalid_request_error", "message": message}
    return Refusal(status, error | ({"code": code} if code else {}) | ({"param": param} if param else {}))


def missing(kind, id_, param="id"):
    return invalid(f"No such {kind}: '{id_}'", code="resource_missing", param=param, status=404)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Books:
    def __init__(self):
        self.port = free_port()
        self._process = subprocess.Popen([sys.executable, "-c", START, str(self.port)], stdin=subprocess.PIPE)
        for _try in range(6000):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self._process.poll() is not None:
                    break
                time.sleep(0.05)
        raise RuntimeError("localstripe did not start.")

    def stop(self):
        self._process.terminate()
        self._process.wait(timeout=120)

    def get(self, path):
        return self._ask("GET", path)

    def post(self, path, **given):
        return self._ask("POST", path, given)

    def text(self, path):
        return self._raw("GET", path)[1].decode()

    def _ask(self, method, path, given=None):
        status, body = self._raw(method, path, given)
        if status == 404:
            raise missing(path.split("/")[2], path.rpartition("/")[2])
        if status != 200:
            raise RuntimeError(f"localstripe: {method} {path} {given}: {status} {body[:300]!r}")
        return json.loads(body)

    def _raw(self, method, path, given=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            headers = {"Authorization": "Bearer sk_test_edge", "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(given) if given is not None else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
