"""gunicorn's settings of the portal with a second instead of a quarter of a minute, few connections, one thread, and a
small program instead of the portal: ``gunicorn --config python:tests.tooling.impatient_server``."""

from billing_portal import request_buffer
from billing_portal.gunicorn_config import *  # noqa: F403  whatever the portal sets

wsgi_app = "tests.tooling.impatient_server:application"
worker_connections = 20
threads = 1
request_buffer.ARRIVES_WITHIN = 1.0
request_buffer.TAKEN_WITHIN = 1.0

LARGE = 64 * 1024 * 1024


def application(environ, start_response):
    """Answers with what it was sent, or with more than any buffer holds."""
    answer = b"x" * LARGE if environ["PATH_INFO"] == "/large" else environ["wsgi.input"].read() or b"ok"
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]
