"""``manage.py run_worker``: does everything that is due. Run one, or as many as you like."""

import signal
import threading
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand

from billing_portal.core.jobs import every_minute, work
from billing_portal.jobs import jobs
from billing_portal.processes import end_with_parent


class Command(BaseCommand):
    help = "Does everything that is due until it is stopped: messages and mail at once, the rest every minute."
    requires_system_checks = [Tags.security]  # these look into the database as well

    def handle(self, *_args: Any, **_options: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _signal, _frame: stopping.set())
        end_with_parent()
        everything = jobs(stopping)
        work([*everything, every_minute(everything, stopping)], stopping)
