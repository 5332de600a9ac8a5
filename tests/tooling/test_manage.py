"""`manage.py` says in one sentence what is wrong with the machine around it, and leaves bugs their traceback."""

import os
import subprocess
import sys

import pytest
from django.conf import settings


def manage(tmp_path, *words, database):
    environment = {
        "PATH": os.environ["PATH"],
        "PORTAL_VAR_DIR": str(tmp_path),
        "DATABASE_URL": database,
        "DEBUG": "true",
        "SECRET_KEY": "only-for-tests-Zk3vQ8rT1mXw7yLd9pHs5bJf2nGc6aUe4i0oRqBv",
    }
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", ["migrate", "check_books", "createcachetable"])
def test_an_unreachable_database_is_one_sentence_without_its_password(tmp_path, command):
    done = manage(tmp_path, command, database="postgresql://portal:hunter2@127.0.0.1:1/portal")
    assert done.stderr.startswith("The database portal at 127.0.0.1 cannot be reached: ")
    assert len(done.stderr.splitlines()) == 1
    assert "hunter2" not in done.stdout + done.stderr
    assert done.returncode == 1


def test_a_file_that_is_no_database_is_one_sentence(tmp_path):
    file = tmp_path / "notes.sqlite3"
    file.write_text("Not a database.\n" * 100)
    done = manage(tmp_path, "migrate", database=f"sqlite:///{file}")
    assert done.stderr == f"The database {file} cannot be reached: file is not a database. See DATABASE_URL.\n"
    assert done.returncode == 1


def test_what_a_database_that_answers_refuses_keeps_its_traceback(tmp_path):
    done = manage(tmp_path, "check_books", database=f"sqlite:///{tmp_path}/empty.sqlite3")
    assert "no such table" in done.stderr
    assert "Traceback" in done.stderr
    assert "cannot be reached" not in done.stderr
