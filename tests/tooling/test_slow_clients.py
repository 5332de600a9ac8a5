"""Clients that send half a request, drip it, or do not read their answer: everybody else is answered all the same."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, contextmanager, suppress

import pytest
from django.conf import settings

from tests.tooling.test_run_portal import free_port

HOST = b"Host: localhost\r\n"
FORM = HOST + b"Content-Type: application/x-www-form-urlencoded\r\nCookie: csrf=" + b"a" * 32 + b"\r\n"
CLOSE = b"Connection: close\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\n" + HOST
MANY = 48


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    directory = tmp_path_factory.mktemp("slow-clients")
    environment = {
        "PATH": os.environ["PATH"],
        "DEBUG": "true",
        "DJANGO_SETTINGS_MODULE": "billing_portal.settings",
        "LOG_LEVEL": "ERROR",
        "PORTAL_VAR_DIR": str(directory),
        "DATABASE_URL": f"sqlite:///{directory}/portal.sqlite3",
        "SECRET_KEY": settings.SECRET_KEY,
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=settings.BASE_DIR, env=environment, check=True)
    return environment


@contextmanager
def serving(environment, *arguments):
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *arguments],
        cwd=settings.BASE_DIR,
        env={**environment, "PORT": str(port)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _attempt in range(3000):
            with suppress(OSError):
                if health(port) == 200:
                    break
            assert server.poll() is None
            time.sleep(0.1)
        yield port, server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.fixture(scope="module")
def portal(environment):
    with serving(environment, "--config", "python:billing_portal.gunicorn_config", "billing_portal.wsgi") as (
        port,
        _server,
    ):
        yield port


@pytest.fixture(scope="module")
def impatient(environment):
    with serving(environment, "--config", "python:tests.tooling.impatient_server") as (port, _server):
        yield port


def health(port):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as monitor:
        monitor.request("GET", "/healthz")
        return monitor.getresponse().status


def connect(port, data, *, reads=True):
    """A client that is not to read takes little, in the small packets of a real network."""
    client = socket.socket()
    if not reads:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    client.settimeout(10)
    client.connect(("127.0.0.1", port))
    client.sendall(data)
    return closing(client)


def everything(client):
    """What the server sends until it closes the connection."""
    received = b""
    with suppress(ConnectionResetError):
        while data := client.recv(65536):
            received += data
    return received


def statuses(received):
    """Of every answer on a connection, in order."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


def exchange(port, data):
    with connect(port, data) as client:
        return everything(client)


HALF = {
    "nothing": b"",
    "half a head": b"GET /account/login/ HTTP/1.1\r\nHost: loc",
    "half a form": b"POST /account/login/ HTTP/1.1\r\n" + FORM + b"Content-Length: 1000\r\n\r\nlogin=owne",
    "half a message": b"POST /webhooks/sandbox HTTP/1.1\r\n" + HOST + b'Content-Length: 1000\r\n\r\n{"id": "evt',
    "a little of 80 MB": b"POST /account/login/ HTTP/1.1\r\n" + FORM + b"Content-Length: 80000000\r\n\r\nlogin=owne",
    "half a chunk": b"POST /account/login/ HTTP/1.1\r\n" + FORM + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\nlogin",
    "no goodbye": HEALTH + CLOSE + b"\r\n",
}


@pytest.mark.parametrize("data", HALF.values(), ids=HALF.keys())
def test_a_monitor_is_answered_while_many_clients_do_not_go_on(portal, data):
    with ExitStack() as clients:
        for _number in range(MANY):
            clients.enter_context(connect(portal, data))
        assert [health(portal) for _time in range(3)] == [200, 200, 200]


def test_a_monitor_is_answered_while_many_bodies_drip_in(portal):
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(portal, HALF["half a form"])) for _number in range(MANY)]
        for _second in range(3):
            for client in clients:
                client.send(b"x")
            assert health(portal) == 200


def test_a_monitor_is_answered_while_many_clients_do_not_read_their_answer(portal):
    page = b"GET /static/bootstrap/css/bootstrap-grid.css HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"
    with ExitStack() as clients:
        for _number in range(MANY):
            client = clients.enter_context(connect(portal, page, reads=False))
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
        assert health(portal) == 200


@pytest.mark.parametrize("at_once", [True, False], ids=["in one piece", "one after the other"])
def test_a_monitor_is_answered_while_clients_ask_on_without_reading(portal, at_once):
    page = b"GET /static/bootstrap/css/bootstrap.min.css HTTP/1.1\r\n" + HOST + b"\r\n"
    with ExitStack() as clients:
        unread = [clients.enter_context(connect(portal, page * (20 if at_once else 1), reads=False)) for _ in range(16)]
        for _time in range(0 if at_once else 6):
            time.sleep(0.1)
            for client in unread:
                with suppress(OSError):
                    client.send(page)
        assert health(portal) == 200


def test_the_server_stops_while_many_bodies_are_on_their_way(environment):
    arguments = ("--config", "python:billing_portal.gunicorn_config", "billing_portal.wsgi")
    with serving(environment, *arguments) as (port, server), ExitStack() as clients:
        for _number in range(MANY):
            clients.enter_context(connect(port, HALF["half a form"]))
        server.terminate()
        assert server.wait(timeout=12) == 0  # rather than when the half bodies have had their time


@pytest.mark.parametrize("data", [HALF["half a head"], HALF["half a form"]])
def test_what_does_not_arrive_in_time_is_answered_with_408(impatient, data):
    assert statuses(exchange(impatient, data)) == [408]


def test_a_byte_now_and_then_does_not_buy_time(impatient):
    with connect(impatient, HALF["half a form"]) as client:
        stopped = threading.Event()

        def drip():
            with suppress(OSError):
                while not stopped.wait(0.1):
                    client.send(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        assert statuses(everything(client)) == [408]
        stopped.set()
        dripping.join()


def test_a_connection_on_which_nothing_is_sent_is_closed_without_a_word(impatient):
    assert exchange(impatient, b"") == b""


def test_when_connections_run_out_the_oldest_half_request_makes_room(impatient):
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(impatient, HALF["half a form"])) for _number in range(30)]
        assert health(impatient) == 200
        assert everything(clients[0]) == b""  # closed long before its time, and without an answer


def test_who_does_not_take_a_large_answer_is_cut_off_and_the_next_is_served(impatient):
    """There is one thread, and it is busy with the answer."""
    with connect(impatient, b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n", reads=False) as client:
        assert health(impatient) == 200
        assert len(everything(client)) < 64 * 1024 * 1024


def test_a_request_in_several_pieces_is_one_request(impatient):
    pieces = [
        b"POST / HTTP/1.1\r\nHo",
        b"st: localhost\r\nContent-Length: 11\r\n" + CLOSE + b"\r",
        b"\nhel",
        b"lo world",
    ]
    with connect(impatient, b"") as client:
        for piece in pieces:
            client.send(piece)
            time.sleep(0.05)
        assert everything(client).endswith(b"\r\n\r\nhello world")


def test_of_several_requests_in_one_piece_the_first_is_answered(impatient):
    post = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n"
    received = exchange(impatient, post + b"\r\nfirst" + post + b"\r\nother")
    assert statuses(received) == [200]
    assert b"first" in received
    assert b"other" not in received


def test_a_connection_is_kept_for_the_next_request(impatient):
    with closing(http.client.HTTPConnection("127.0.0.1", impatient, timeout=10)) as browser:
        for text in (b"one", b"two"):
            browser.request("POST", "/", body=text)
            kept = browser.sock
            assert browser.getresponse().read() == text
            assert browser.sock is kept


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(impatient):
    head = b"POST / HTTP/1.1\r\n" + HOST + CLOSE + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    with connect(impatient, head) as client:
        assert client.recv(100).startswith(b"HTTP/1.1 100 Continue")
        client.send(b"hello")
        received = everything(client)
    assert statuses(received) == [200]
    assert received.endswith(b"hello")


HIDDEN = HEALTH + b"\r\n"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Content-Length: 80000000\r\n", 413),
        (b"Transfer-Encoding: chunked\r\n", 411),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        (b"Content-Length: -1\r\n", 400),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n", 400),
        (b"Content-Length : 5\r\n", 400),
    ],
)
def test_what_follows_a_body_that_is_not_read_is_never_taken_for_a_request(portal, headers, status):
    with connect(portal, b"POST /account/login/ HTTP/1.1\r\n" + HOST + headers + b"\r\n" + HIDDEN) as client:
        received = client.recv(65536)  # the answer has begun
        with suppress(OSError):
            client.send(HIDDEN)
        received += everything(client)
    assert statuses(received) == [status]


def test_a_body_that_is_too_large_is_answered_with_the_portals_page(portal):
    received = exchange(portal, b"POST /account/login/ HTTP/1.1\r\n" + FORM + b"Content-Length: 300000\r\n\r\n")
    assert statuses(received) == [413]
    assert b"css/base.css" in received


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (HEALTH + b"X: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (HEALTH + b"X: 1\r\n" * 101 + b"\r\n", 431),
        (HEALTH + b"X: " + b"x" * 40_000, 431),
    ],
    ids=["a long address", "a long header", "many headers", "a head without an end"],
)
def test_a_large_head_is_refused(portal, head, status):
    assert statuses(exchange(portal, head)) == [status]


def test_no_header_says_under_which_path_the_portal_lies(portal):
    """gunicorn would believe it of whoever connects from this machine, such as a proxy that hands everything on."""
    received = exchange(portal, b"GET / HTTP/1.1\r\n" + HOST + b"SCRIPT_NAME: /elsewhere\r\n" + CLOSE + b"\r\n")
    assert statuses(received) == [302]
    assert b"elsewhere" not in received


def test_a_client_is_not_asked_for_a_body_that_is_too_large(portal):
    head = b"POST /account/login/ HTTP/1.1\r\n" + FORM + b"Content-Length: 300000\r\nExpect: 100-continue\r\n\r\n"
    assert statuses(exchange(portal, head)) == [413]
