"""How gunicorn serves the portal: ``gunicorn --config python:billing_portal.serving billing_portal.wsgi``.

Threads, because a request that pays waits for a gateway most of its time. What differs between machines comes from
gunicorn's own ``GUNICORN_CMD_ARGS``.
"""

import os
from typing import Any

from billing_portal.processes import end_with_parent

bind = f"127.0.0.1:{os.environ.get('PORT') or '8000'}"
workers = 1
threads = 8
timeout = 60
graceful_timeout = 20
keepalive = 5
loglevel = "warning"
forwarded_allow_ips = "127.0.0.1"
control_socket_disable = True


def on_starting(_server: Any) -> None:
    end_with_parent()
