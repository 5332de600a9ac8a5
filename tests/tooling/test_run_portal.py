"""One command starts everything, says what is wrong in one sentence, and leaves nothing behind."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from django.conf import settings

from billing_portal.local import local_environment
from tests.waiting import PATIENCE, until

# What a server needs besides.
SERVER = {
    "ALLOWED_HOSTS": "localhost",
    "EMAIL_FROM": "billing@example.com",
    "PUBLIC_URL": "http://localhost",
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(tmp_path, port, **environ):
    environment = {
        "PATH": os.environ["PATH"],
        "PORTAL_VAR_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/portal.sqlite3",
        "PORT": str(port),
        "SECRET_KEY": "only-for-tests-Zk3vQ8rT1mXw7yLd9pHs5bJf2nGc6aUe4i0oRqBv",
        "PYTHONUNBUFFERED": "1",
        **environ,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "billing_portal.local"],
        cwd=settings.BASE_DIR,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process, text):
    written = ""
    for line in process.stdout:
        written += line
        if text in line:
            return written
    raise AssertionError(f"It ended without {text!r}:\n{written}")


def family(pid):
    """The process and everything it started, by what the kernel says."""
    found = {pid}
    while True:
        more = set()
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) in found and fields[0] != "Z":
                more.add(int(stat.parent.name))
        if more <= found:
            return found
        found |= more


def alive(pids):
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


@contextmanager
def running(tmp_path):
    port = free_port()
    process = start(tmp_path, port)
    written = read_until(process, "admin@example.com")
    everyone = family(process.pid)
    assert len(everyone) >= 4  # this one, the web server, its worker process, and the worker
    try:
        yield process, port, written, everyone
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        for pid in alive(everyone):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.long
def test_it_starts_answers_stops_and_leaves_nothing_behind_when_it_is_killed(tmp_path):
    """Twice: the first start makes the demo's data, the second finds them."""
    with running(tmp_path) as (process, port, written, everyone):
        assert f"The portal runs on http://localhost:{port}" in written
        assert "demo-portal-2026" in written
        with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
            connection.request("GET", "/account/login/")
            assert connection.getresponse().status == 200
        process.send_signal(signal.SIGINT)
        assert "Stopped." in process.communicate(timeout=PATIENCE)[0]
        assert process.returncode == 0
        assert alive(everyone) == set()
    with running(tmp_path) as (process, _port, _written, everyone):
        process.kill()
        process.wait()
        until(lambda: not alive(everyone))


def test_a_taken_port_is_one_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(tmp_path, port)
        written, _ = process.communicate(timeout=PATIENCE)
    assert written == f"Port {port} is taken. Choose another: make run PORT={port + 1}\n"
    assert process.returncode == 1


def test_an_unreachable_database_is_one_sentence_without_its_password(tmp_path):
    process = start(tmp_path, free_port(), DATABASE_URL="postgresql://portal:hunter2@127.0.0.1:1/portal")
    written, _ = process.communicate(timeout=PATIENCE)
    assert written.startswith("The database portal at 127.0.0.1 cannot be reached: ")
    assert len(written.splitlines()) == 1
    assert "hunter2" not in written
    assert process.returncode == 1


def test_what_somebody_has_set_is_kept(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("DEBUG=false\nSECRET_KEY=from-the-file\n")
    monkeypatch.setattr(os, "environ", {"PORTAL_DEMO": "false"})
    local_environment(tmp_path)
    assert os.environ == {"PORTAL_DEMO": "false", "LOG_LEVEL": "WARNING"}


def test_without_debug_make_run_starts_no_demo(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", {"DEBUG": "false"})
    local_environment(tmp_path)
    assert os.environ["PORTAL_DEMO"] == "false"


def test_it_does_not_start_the_demo_without_debug(tmp_path):
    process = start(tmp_path, free_port(), DEBUG="false", PORTAL_DEMO="true", **SERVER)
    written, _ = process.communicate(timeout=PATIENCE)
    assert "PORTAL_DEMO is on and DEBUG is off" in written
    assert "Traceback" not in written
    assert process.returncode == 1
    assert "database" not in written


def test_a_secret_key_is_made_once_and_kept_to_oneself(tmp_path, monkeypatch):
    first, second = {}, {}
    for environ in (first, second):
        monkeypatch.setattr(os, "environ", environ)
        local_environment(tmp_path)
    assert first["SECRET_KEY"] == second["SECRET_KEY"]
    assert len(first["SECRET_KEY"]) >= 50
    assert (tmp_path / "var" / "secret-key").stat().st_mode & 0o077 == 0


def test_a_python_that_is_too_old_is_one_sentence(tmp_path):
    """Every interpreter on the path says that it is old, as one would."""
    checkout, path, home = tmp_path / "checkout", tmp_path / "bin", tmp_path / "home"
    for directory in (checkout / ".ci", path, home):
        directory.mkdir(parents=True)
    script = checkout / ".ci" / "setup"
    script.write_text((settings.BASE_DIR / ".ci" / "setup").read_text())
    old = path / "python3"
    old.write_text('#!/bin/sh\ncase "$2" in *print*) echo "Python 3.11.2" ;; *) exit 1 ;; esac\n')
    old.chmod(0o755)
    for tool in ("dirname", "cat", "cksum", "rm"):
        (path / tool).symlink_to(f"/usr/bin/{tool}")
    done = subprocess.run(
        ["/bin/sh", str(script)],
        env={"PATH": str(path), "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The portal needs Python 3.12 or newer, and found Python 3.11.2.")
    assert len(done.stderr.splitlines()) == 1
