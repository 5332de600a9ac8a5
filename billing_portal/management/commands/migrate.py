"""``manage.py migrate``: Django's own, which gives way to those who are paying.

A change of a table waits for everybody who reads it, and everybody who comes later waits behind the change. So on
PostgreSQL it waits for two seconds, lets the others through, and tries again. What was migrated before stays migrated.
"""

import time
from typing import Any

from django.core.management.commands.migrate import Command as Migrate
from django.db import OperationalError, connections

LOCK_TIMEOUT = "2s"
TRIES = 60
PAUSE = 5.0
LOCK_NOT_AVAILABLE = "55P03"


class Command(Migrate):
    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        if connection.vendor != "postgresql":
            super().handle(*args, **options)
            return
        for tries_left in reversed(range(TRIES)):
            try:
                with connection.cursor() as cursor:
                    cursor.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
                super().handle(*args, **options)
                break
            except OperationalError as error:
                if getattr(error.__cause__, "pgcode", "") != LOCK_NOT_AVAILABLE or not tries_left:
                    raise
            self.stdout.write(f"A table is in use. Trying again in {PAUSE:.0f} seconds, at most {tries_left} times.")
            time.sleep(PAUSE)
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
