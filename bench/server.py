"""A PostgreSQL server for the run, set as one would set it for real use, and databases in it."""

import atexit
import os
import shutil
import signal
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
from psycopg2 import sql

# Every commit waits for the disk.
REAL_USE = """
fsync = on
synchronous_commit = on
full_page_writes = on
max_connections = 50
shared_buffers = 512MB
effective_cache_size = 2GB
max_wal_size = 4GB
random_page_cost = 1.1
"""


class Server:
    """Stopped and deleted when the process ends."""

    def __init__(self) -> None:
        from tests.environment import end_tidily, start_postgresql

        self.directory = Path(tempfile.mkdtemp(prefix="portal-bench-"))
        # Before the server is started: what is registered last is done first, and it must stop before its files go.
        atexit.register(shutil.rmtree, self.directory, ignore_errors=True)
        signal.signal(signal.SIGTERM, end_tidily)
        os.environ["PORTAL_VAR_DIR"] = str(self.directory)
        self.address = start_postgresql(self.directory / "postgresql", REAL_USE)

    def address_of(self, database: str) -> str:
        return urlunsplit(urlsplit(self.address)._replace(path=f"/{database}"))

    def create(self, database: str) -> str:
        """A new, empty database. Returns its address."""
        self._create(database, "template1")
        return self.address_of(database)

    def copy(self, database: str, copy: str) -> str:
        """The same tables and rows under another name, which is returned. Nobody may be connected to the original."""
        self._create(copy, database)
        return copy

    def _create(self, database: str, like: str) -> None:
        with closing(psycopg2.connect(self.address)) as connection:
            connection.autocommit = True
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(database), sql.Identifier(like))
            connection.cursor().execute(statement)
