"""A mail server whose connection ends behind the mail: nobody knows whether it arrived, so it is counted, and sent once
more at most, after a pause that is longer than any server's."""

import smtplib
import socket
import threading
from contextlib import closing
from datetime import timedelta

import pytest

from billing_portal.core.jobs import Job, work
from billing_portal.core.mail import LEASE, MAX_UNSURE, send_due
from billing_portal.core.models import OutgoingMail
from billing_portal.core.outbox import queue
from billing_portal.core.smtp import DATA_TIMEOUT
from tests.factories import NOW, UserFactory

pytestmark = pytest.mark.django_db


class MailServer:
    """Speaks SMTP to one client after another; ``behind_data`` says what it does when it has the mail."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.mails, self.behind_data = [], []
        self.has_mail, self.may_answer = threading.Event(), threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _address = self.listener.accept()
            except OSError:
                return
            with closing(connection), connection.makefile("rwb", buffering=0) as stream:
                self._talk(stream)

    def _talk(self, stream):
        stream.write(b"220 here\r\n")
        while line := stream.readline():
            command = line[:4].upper()
            if command == b"QUIT":
                stream.write(b"221 bye\r\n")
                return
            if command != b"DATA":
                stream.write(b"250 ok\r\n")
                continue
            if self.behind_data[:1] == ["not now"]:
                stream.write(b"451 later\r\n")
                continue
            stream.write(b"354 go on\r\n")
            lines = []
            while (text := stream.readline()) != b".\r\n":
                lines.append(text)
            self.mails.append(b"".join(lines))
            act = self.behind_data.pop(0) if self.behind_data else "accept"
            if act == "hang":
                self.has_mail.set()
                self.may_answer.wait(60)
            if act in {"drop", "hang"}:
                return
            stream.write(b"250 taken\r\n" if act == "accept" else b"554 no\r\n")


@pytest.fixture
def server(settings):
    server = MailServer()
    options = {"host": "127.0.0.1", "port": server.port, "timeout": 5}
    settings.MAILERS = {"default": {"BACKEND": "billing_portal.core.smtp.EmailBackend", "OPTIONS": options}}
    yield server
    server.listener.close()


@pytest.fixture
def row():
    queue(key="fact", to=UserFactory(), template="second_factor_demand", context={"place": "Contoso"}, at=NOW)
    return OutgoingMail.objects.get()


def stands(row):
    row.refresh_from_db()
    return row.sent_at is not None, row.next_try_at, row.tries, row.unsure


def test_a_mail_that_is_taken_is_sent_once(server, row):
    assert send_due(at=NOW) == 1
    assert stands(row) == (True, None, 1, 0)
    assert len(server.mails) == 1


def test_a_refusal_behind_the_mail_is_an_answer(server, row):
    server.behind_data = ["refuse"]
    send_due(at=NOW)
    assert stands(row) == (False, NOW + timedelta(minutes=1), 1, 0)


def test_a_refusal_before_the_mail_is_an_answer(server, row):
    server.behind_data = ["not now"]
    send_due(at=NOW)
    assert stands(row) == (False, NOW + timedelta(minutes=1), 1, 0)
    assert server.mails == []


def test_a_server_may_take_ten_minutes_for_a_mail(server, row, monkeypatch):
    waits = []
    monkeypatch.setattr(
        smtplib.SMTP, "data", lambda client, _mail: waits.append(client.sock.gettimeout()) or (250, b"")
    )
    send_due(at=NOW)
    assert waits == [600]


def test_a_mail_is_unsure_from_the_moment_that_a_worker_takes_it(server, row, monkeypatch):
    """The worker is killed while the server has the mail."""

    def killed(*_args):
        raise SystemExit

    monkeypatch.setattr("billing_portal.core.mail._message", killed)
    with pytest.raises(SystemExit):
        send_due(at=NOW)
    assert stands(row) == (False, NOW + LEASE, 1, 1)


def test_a_drop_behind_the_mail_is_counted_and_the_mail_sent_once_more(server, row):
    server.behind_data = ["drop"]
    assert send_due(at=NOW) == 0
    assert stands(row) == (False, NOW + LEASE, 1, 1)
    assert row.last_error.startswith("MayHaveArrived")

    assert send_due(at=NOW + LEASE) == 1
    assert stands(row) == (True, None, 2, 1)
    first, second = ([line for line in mail.splitlines() if line.startswith(b"Message-ID")] for mail in server.mails)
    assert first == second


def test_a_server_that_always_drops_gets_no_third_copy_and_staff_see_the_mail(server, row):
    server.behind_data = ["drop"] * 5
    for hours in range(2):
        send_due(at=NOW + timedelta(hours=hours))
    assert stands(row) == (False, None, 2, 2)
    for hours in range(2, 5):
        send_due(at=NOW + timedelta(hours=hours))
    assert len(server.mails) == MAX_UNSURE
    assert stands(row) == (False, None, 2, 2)


def test_a_mail_whose_workers_always_end_is_given_up(server, row):
    """Each was killed with the mail in its hands."""
    OutgoingMail.objects.update(tries=2, unsure=2)
    assert send_due(at=NOW) == 0
    assert stands(row) == (False, None, 2, 2)
    assert server.mails == []


def test_the_lease_is_longer_than_the_longest_answer_of_a_mail_server():
    assert 2 * timedelta(seconds=DATA_TIMEOUT) < LEASE


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_told_to_stop_leaves_a_slow_server_and_the_mail_is_counted(server, row):
    server.behind_data = ["hang"]
    stopping = threading.Event()
    threading.Thread(target=lambda: server.has_mail.wait(60) and stopping.set()).start()

    work([Job("mail", lambda _at, limit: send_due(at=NOW, limit=limit), 1)], stopping, stop_within=0.1)

    (sending,) = (thread for thread in threading.enumerate() if thread.name == "mail")
    assert sending.daemon  # so it ends with the process
    assert stands(row) == (False, NOW + LEASE, 1, 1)
    server.may_answer.set()
    sending.join(60)
    assert stands(row) == (False, NOW + LEASE, 1, 1)


def test_a_server_has_ten_minutes_to_take_a_mail(server, row, monkeypatch):
    patience, data = [], smtplib.SMTP.data

    def hand_over(connection, mail):
        patience.append(connection.sock.gettimeout())
        return data(connection, mail)

    monkeypatch.setattr(smtplib.SMTP, "data", hand_over)
    send_due(at=NOW)
    assert patience == [DATA_TIMEOUT]
