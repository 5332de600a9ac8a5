"""A database in trouble."""

from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def read_only():
    """As a database is that fails over, or whose disk is full."""
    is_postgresql = connection.vendor == "postgresql"
    savepoint = transaction.savepoint_create()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL transaction_read_only = on" if is_postgresql else "PRAGMA query_only = ON")
        try:
            yield
        finally:
            connection.needs_rollback = False
            if not is_postgresql:
                cursor.execute("PRAGMA query_only = OFF")
            transaction.savepoint_rollback(savepoint)
