"""The web server's worker: a thread takes up a request once all of it has arrived, never before.

gunicorn's threaded worker gives a thread to every connection and lets it wait there for the rest of the request. Eight
clients that send half a body, or half a line of the head, then keep eight threads for as long as they like, and nobody
is answered, the monitor included. Here the one loop that watches all connections also reads them, each as far as it has
come, and a thread never reads from a connection at all. So

- a request that has not arrived within `ARRIVES_WITHIN` seconds is answered with 408, however it drips in;
- of a request that is too large, or whose size is not known beforehand, only the head is read; the portal refuses it
  (`billing_portal.middleware.BodyLimit`), and the connection is closed, because what follows on it is no request;
- when the connections run out, the one that has been arriving longest is given up for the new one;
- an answer is left to the operating system as far as `SEND_BUFFER` goes; a client that takes longer than
  `TAKEN_WITHIN` seconds over a piece of a larger one is cut off;
- a client that asks again before it has taken its answer gets no other one, or it could fill that buffer and keep a
  thread after all. Browsers and proxies wait.

The parser, the framing of requests and the answers to malformed ones are gunicorn's.
"""

import fcntl
import socket
import struct
import termios
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

from django.conf import settings
from gunicorn import util
from gunicorn.http import RequestParser
from gunicorn.http.body import LengthReader
from gunicorn.workers.gthread import ThreadWorker

ARRIVES_WITHIN = 15.0
TAKEN_WITHIN = 20.0
LINGERS = 2.0  # how long a client may take to close, after we have
LARGEST_HEAD = 32 * 1024
SEND_BUFFER = 1024 * 1024  # or as much of it as the system allows
READ_AT_ONCE = 64 * 1024
END_OF_HEAD = b"\r\n\r\n"


class RequestBuffer:
    """What has arrived of one request, and of what was sent behind it without waiting."""

    def __init__(self, config: Any, client: Any) -> None:
        self.config, self.client = config, client
        self.data = bytearray()
        self.size: int | None = None  # of head and body together, once the head is there
        self.is_cut = False  # the body is too large, of unknown size or malformed: it is not waited for
        self.expects_continue = False

    def feed(self, data: bytes) -> bool:
        """Whether the request can be answered now."""
        self.data += data
        if self.size is None and not self.is_cut:
            self._read_head(max(0, len(self.data) - len(data) - len(END_OF_HEAD)))
        return self.is_cut or (self.size is not None and len(self.data) >= self.size)

    def _read_head(self, begin: int) -> None:
        end = self.data.find(END_OF_HEAD, begin)
        if end < 0:
            return
        head = bytes(self.data[: end + len(END_OF_HEAD)])
        try:
            message = next(RequestParser(self.config, iter([head]), self.client))
        except Exception:  # noqa: BLE001  whatever is wrong with it, the thread finds it again and answers
            self.is_cut = True
            return
        reader = message.body.reader
        if not isinstance(reader, LengthReader) or reader.length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            self.is_cut = True
            return
        self.size = len(head) + reader.length
        self.expects_continue = message._expected_100_continue  # noqa: SLF001  gunicorn has no other name for it

    @property
    def is_followed(self) -> bool:
        return self.size is not None and len(self.data) > self.size

    @property
    def is_head_too_large(self) -> bool:
        return self.size is None and not self.is_cut and len(self.data) > LARGEST_HEAD


class BufferingWorker(ThreadWorker):
    """Runs in the loop's thread, except `handle_request` and `handle_error`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Until when each connection may go on, the longest waiting first.
        self.arriving: dict[Any, float] = {}
        self.lingering: dict[Any, float] = {}

    def accept(self, listener: Any) -> None:
        super().accept(listener)
        if self.nr_conns >= self.worker_connections:
            self._make_room()

    def _make_room(self) -> None:
        """Gives up who needs it least: who has its answer, then who may ask again, then who has not asked for long."""
        if self.lingering:
            self._drop(next(iter(self.lingering)))
        elif self.keepalived_conns:
            self._drop(self.keepalived_conns.popleft())
        elif len(self.arriving) > 1:
            self._drop(next(iter(self.arriving)))

    def enqueue_req(self, conn: Any) -> None:
        """gunicorn calls it for a new connection, and for a kept one on which the next request begins."""
        if conn.parser is None:
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        conn.sock.setblocking(False)
        conn.buffer = RequestBuffer(self.cfg, conn.client)
        self.arriving[conn] = time.monotonic() + ARRIVES_WITHIN
        self.poller.register(conn.sock, EVENT_READ, partial(self._read, conn))

    def _read(self, conn: Any, _sock: Any) -> None:
        if conn not in self.arriving:
            return  # dropped by what happened just before
        try:
            data = conn.sock.recv(READ_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data and not _has_unsent(conn.sock):
            self._take_in(conn, data)
        else:
            self._drop(conn)

    def _take_in(self, conn: Any, data: bytes) -> None:
        buffer = conn.buffer
        knew_size = buffer.size is not None
        if buffer.feed(data):
            self.poller.unregister(conn.sock)
            del self.arriving[conn]
            conn.parser = RequestParser(self.cfg, iter([bytes(buffer.data)]), conn.client)
            conn.initialized = True
            super().enqueue_req(conn)
        elif buffer.is_head_too_large:
            self._refuse(conn, 431, "Request Header Fields Too Large")
        elif buffer.expects_continue and not knew_size:
            self._send(conn, b"HTTP/1.1 100 Continue\r\n\r\n")

    def handle_request(self, req: Any, conn: Any) -> bool:
        """In a thread. False closes the connection."""
        conn.sock.settimeout(TAKEN_WITHIN)
        if conn.buffer.is_cut or conn.buffer.is_followed:
            req.force_close()
        req._expected_100_continue = False  # noqa: SLF001  the body is here, or refused unread
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError:
            self.log.warning("A client was cut off that did not take its answer within %d seconds.", TAKEN_WITHIN)
            return False

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """In a thread: the answer to a request that is malformed."""
        client.settimeout(TAKEN_WITHIN)
        super().handle_error(req, client, addr, exc)

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        """gunicorn waits here for a client to close, and all others wait with it."""
        if not fs.cancelled() and fs.exception() is None and fs.result():
            super().finish_request(conn, fs)
        else:
            self._linger(conn)

    def murder_pending(self) -> None:
        """gunicorn calls it at least once a second, also while it stops."""
        super().murder_pending()
        until = time.monotonic() + (0.0 if self.alive else ARRIVES_WITHIN - LINGERS)
        for conn in _ended(self.arriving, until):
            if conn.buffer.data:
                self._refuse(conn, 408, "Request Timeout")
            else:
                self._drop(conn)
        for conn in _ended(self.lingering, time.monotonic()):
            self._drop(conn)

    def _refuse(self, conn: Any, status: int, reason: str) -> None:
        self.poller.unregister(conn.sock)
        del self.arriving[conn]
        self._send(conn, f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
        self._linger(conn)

    def _send(self, conn: Any, data: bytes) -> None:
        """A few bytes; a client that cannot take even those misses them."""
        try:
            conn.sock.send(data)
        except OSError:
            self.log.debug("A client is gone.")

    def _linger(self, conn: Any) -> None:
        """Closed at once, the client might never see the end of its answer."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, EVENT_READ, partial(self._read_to_end, conn))
        except (OSError, ValueError):
            self._drop(conn)
        else:
            self.lingering[conn] = time.monotonic() + LINGERS

    def _read_to_end(self, conn: Any, _sock: Any) -> None:
        if conn not in self.lingering:
            return
        try:
            if conn.sock.recv(READ_AT_ONCE):
                return
        except BlockingIOError:
            return
        except OSError:
            self.log.debug("A client is gone.")
        self._drop(conn)

    def _drop(self, conn: Any) -> None:
        self.arriving.pop(conn, None)
        self.lingering.pop(conn, None)
        with suppress(KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        util.close(conn.sock)


def _ended(waiting: dict[Any, float], until: float) -> Iterator[Any]:
    for conn, deadline in list(waiting.items()):
        if deadline > until:
            return
        yield conn


def _has_unsent(sock: socket.socket) -> bool:
    try:
        unsent = fcntl.ioctl(sock, termios.TIOCOUTQ, struct.pack("i", 0))
    except OSError:
        return False
    return bool(struct.unpack("i", unsent)[0])
