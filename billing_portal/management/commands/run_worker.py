"""``manage.py run_worker``: events from gateways, mail, look-ups. Run one, or as many as you like."""

import signal
import threading
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand

from billing_portal.processes import end_with_parent
from billing_portal.working import duties, work


class Command(BaseCommand):
    help = "Works on gateways' messages, outgoing mail and payments whose outcome is not known, until it is stopped."
    requires_system_checks = [Tags.security]  # these look into the database as well

    def handle(self, *_args: Any, **_options: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _signal, _frame: stopping.set())
        end_with_parent()
        work(duties(stopping), stopping)
