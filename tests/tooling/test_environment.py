"""The test run itself: which database it is on, and that it reaches nothing but this machine."""

import socket

import pytest
from django.conf import settings
from django.db import connection
from pytest_socket import SocketConnectBlockedError

from tests.environment import TEST_DATABASE


@pytest.mark.django_db
def test_runs_on_the_database_it_was_asked_to_run_on():
    assert connection.vendor == TEST_DATABASE
    with connection.cursor() as cursor:
        if TEST_DATABASE == "postgresql":
            cursor.execute("SELECT current_database(), current_setting('fsync')")
            name, fsync = cursor.fetchone()
            assert name.startswith("test_")
            assert fsync == "off"
        else:
            cursor.execute("PRAGMA journal_mode")
            assert cursor.fetchone() == ("wal",)


def test_nothing_reaches_the_internet():
    with pytest.warns(UserWarning, match="tried to use"), pytest.raises(SocketConnectBlockedError):
        socket.create_connection(("192.0.2.1", 80), timeout=1)


def test_no_debug_in_tests():
    assert settings.DEBUG is False
