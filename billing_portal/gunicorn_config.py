"""How gunicorn serves the portal: threads, because a request that pays mostly waits for a gateway, and a worker that
lets no half request keep one. What differs between machines comes from ``GUNICORN_CMD_ARGS`` (docs/deploying.md)."""

from pathlib import Path
from typing import Any

from billing_portal.env import Env
from billing_portal.processes import end_with_parent


def port() -> int:
    """Read as the settings read it, which only the workers load."""
    return Env(Path(__file__).resolve().parent.parent / ".env").number("PORT", 8000, at_least=1)


bind = f"127.0.0.1:{port()}"
worker_class = "billing_portal.request_buffer.BufferingWorker"
workers = 1
threads = 8
worker_connections = 500
timeout = 60
graceful_timeout = 20
keepalive = 5
loglevel = "warning"
forwarded_allow_ips = "127.0.0.1"
forwarder_headers = ""  # no client says under which path the portal lies, whatever address it has
control_socket_disable = True


def on_starting(_server: Any) -> None:
    end_with_parent()
