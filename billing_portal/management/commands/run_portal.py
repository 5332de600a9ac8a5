"""``manage.py run_portal``: prepares the database and runs the web server and the worker until it is told to stop."""

import errno
import http.client
import signal
import socket
import sys
import threading
from contextlib import closing
from typing import Any

from django.conf import settings
from django.core.checks import Tags
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from accounts.models import User
from billing_portal.core.database import why_unreachable
from billing_portal.demo.data import PASSWORD, SIGN_INS
from billing_portal.processes import ProcessGroup
from billing_portal.translations import compile_catalogues

HOST = "127.0.0.1"
PATIENCE = 60.0


class Command(BaseCommand):
    help = "Prepares the database, then runs the web server and the worker together until Ctrl-C."
    requires_system_checks = [Tags.security]  # these look into the database as well

    def handle(self, *_args: Any, **_options: Any) -> None:
        check_port(settings.PORT)
        if sentence := why_unreachable():
            raise CommandError(sentence)
        self.prepare()
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _signal, _frame: stopped.set())
        server = ["-m", "gunicorn", "--config", "python:billing_portal.gunicorn_config", "billing_portal.wsgi"]
        with ProcessGroup() as together:
            together.start("web server", [sys.executable, *server])
            together.start("worker", [sys.executable, "manage.py", "run_worker"])
            self.wait_until_it_answers(together, stopped)
            while not stopped.wait(0.5):
                if name := together.ended():
                    raise CommandError(f"The {name} has ended by itself; what it printed above says why.")
        self.stdout.write("Stopped.")

    def prepare(self) -> None:
        compile_catalogues(settings.BASE_DIR / "locale")
        self.migrate("default")
        if "sandbox" in connections:
            self.migrate("sandbox", "sandbox")
        if settings.DEMO and not User.objects.exists():
            self.stdout.write("Making demo data.")
            call_command("demo_data", verbosity=0)

    def migrate(self, alias: str, *app_labels: str) -> None:
        """Brings a database up to date, or only the tables of an app in it."""
        executor = MigrationExecutor(connections[alias])
        if executor.migration_plan(executor.loader.graph.leaf_nodes(*app_labels)):
            self.stdout.write(f"Bringing the {alias} database up to date.")
            call_command("migrate", *app_labels, database=alias, verbosity=0)
            call_command("createcachetable", database=alias, verbosity=0)

    def wait_until_it_answers(self, together: ProcessGroup, stopped: threading.Event) -> None:
        for _attempt in range(int(PATIENCE / 0.1)):
            if name := together.ended():
                raise CommandError(f"The {name} could not start; what it printed above says why.")
            if answers(settings.PORT):
                self.say_ready()
                return
            if stopped.wait(0.1):
                return
        raise CommandError(f"The portal did not answer within {PATIENCE:.0f} seconds; what it printed above says why.")

    def say_ready(self) -> None:
        self.stdout.write(f"\nThe portal runs on {settings.PUBLIC_URL} (Ctrl-C stops it)")
        if settings.DEMO and User.objects.filter(email=SIGN_INS[0].email).exists():
            self.stdout.write(f"Sign in with the password {PASSWORD} as")
            for person in SIGN_INS:
                self.stdout.write(f"  {person.email:<26}{person.label}")
        self.stdout.write("")
        self.stdout.flush()


def check_port(port: int) -> None:
    """Raises CommandError when something else listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CommandError(f"Port {port} is taken. Choose another: make run PORT={port + 1}") from error
            raise CommandError(f"Port {port} cannot be used: {error.strerror}. Choose another: PORT=8001") from error


def answers(port: int) -> bool:
    """Whether the web server gives any answer but a failure."""
    with closing(http.client.HTTPConnection(HOST, port, timeout=5)) as web:
        try:
            web.request("GET", "/healthz", headers={"Host": f"localhost:{port}"})
            return web.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
