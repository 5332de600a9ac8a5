"""Waiting for another thread, as long as a busy machine may take."""

import time

from django.db import connection

PATIENCE = 300  # seconds; only a test that hangs waits so long
BLOCKED = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def until(condition, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def until_blocked(thread):
    """Until the other connection waits for a lock of ours, or has ended without one."""
    with connection.cursor() as cursor:

        def is_blocked():
            cursor.execute(BLOCKED)
            return cursor.fetchone()[0] or not thread.is_alive()

        until(is_blocked)


def until_waiting(how_many):
    """Until so many connections wait for locks, whoever holds them."""
    with connection.cursor() as cursor:

        def are_waiting():
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(WAITING)
            return cursor.fetchone()[0] >= how_many()

        until(are_waiting)
