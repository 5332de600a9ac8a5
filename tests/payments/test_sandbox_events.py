"""The sandbox tells the portal of each change, at least once, until it is heard."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from payments.gateways.base import EventKind
from tests.payments.acts import at_once
from tests.payments.contract.benches import SandboxBench, a_refund, an_attempt

pytestmark = pytest.mark.django_db


@pytest.fixture
def bench():
    return SandboxBench("sandbox")


@pytest.fixture
def sandbox(bench):
    return bench.gateway


def told(sandbox) -> list[str]:
    """The types of the messages not delivered yet, in the order they would come."""
    return [sandbox.verify(*message)[0].type for message in sandbox.take_deliveries()]


@pytest.mark.parametrize(
    ("last_four", "types"),
    [
        ("4242", ["payment.succeeded"]),
        ("0002", ["payment.declined"]),
        ("3184", ["payment.needs_customer"]),
        ("6223", ["payment.pending"]),
        ("6207", ["payment.succeeded"]),
        ("6215", []),
    ],
)
def test_each_change_is_told_once(bench, sandbox, last_four, types):
    sandbox.charge(an_attempt(bench, method=f"tok_{last_four}_x"))

    assert told(sandbox) == types
    assert told(sandbox) == []


def test_what_is_answered_again_is_not_told_again(bench, sandbox):
    attempt = an_attempt(bench)
    for _time in range(3):
        sandbox.charge(attempt)

    assert told(sandbox) == ["payment.succeeded"]


def test_a_message_sent_twice_has_one_id(bench, sandbox):
    sandbox.charge(an_attempt(bench, method="tok_6249_x"))

    first, second = sandbox.take_deliveries()

    assert sandbox.verify(*first)[0].id == sandbox.verify(*second)[0].id


def test_messages_out_of_order_tell_the_success_before_the_start(bench, sandbox):
    sandbox.charge(an_attempt(bench, method="tok_6256_x"))

    assert told(sandbox) == ["payment.succeeded", "payment.pending"]


def test_what_settles_later_is_told_when_it_does(bench, sandbox):
    sandbox.charge(an_attempt(bench, method="tok_6231_x"))
    assert told(sandbox) == ["payment.pending"]

    sandbox.operator.advance_clock(10)
    sandbox.lookup(an_attempt(bench))

    assert told(sandbox) == ["payment.declined"]


def test_refunds_and_cards_are_told_of_too(bench, sandbox):
    attempt = an_attempt(bench, method="tok_5126_x")
    paid = sandbox.charge(attempt).gateway_id
    sandbox.refund(a_refund(paid, 100))
    sandbox.operator.advance_clock(10)
    sandbox.detach(gateway_method="card_4242_x")

    events = [sandbox.verify(*message)[0] for message in sandbox.take_deliveries()]

    assert {event.type for event in events} == {
        "payment.succeeded",
        "refund.pending",
        "refund.declined",
        "method.detached",
    }
    assert {event.kind for event in events} == {EventKind.PAYMENT, EventKind.REFUND, EventKind.METHOD}


@pytest.mark.parametrize("decided", ["", "lost"])
def test_what_a_bank_asks_back_or_took_cannot_be_paid_back_besides(bench, sandbox, decided):
    paid = sandbox.charge(an_attempt(bench)).gateway_id
    dispute_id = sandbox.operator.dispute(paid, 600)
    if decided:
        sandbox.operator.decide(dispute_id, decided)

    assert sandbox.refund(a_refund(paid, 401)).result == "declined"
    assert sandbox.refund(a_refund(paid, 400)).result == "succeeded"


class Portal:
    """A stand-in that listens on this machine and answers as told."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, dict[str, str]]] = []
        self.answer = 200
        portal = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                portal.heard.append((body, dict(self.headers)))
                self.send_response(portal.answer)
                if portal.answer == 302:
                    self.send_header("Location", portal.url + "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                portal.heard.append((b"GET", {}))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_args) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def portal(socket_enabled, sandbox):
    portal = Portal()
    sandbox.webhook_url = portal.url
    yield portal
    portal.close()


def test_the_worker_delivers_a_message_once(bench, sandbox, portal):
    sandbox.charge(an_attempt(bench))

    sandbox.work()
    sandbox.work()

    [(body, headers)] = portal.heard
    assert sandbox.verify(body, headers)[0].type == "payment.succeeded"


@pytest.mark.parametrize("answer", [500, 404, 302])
def test_a_message_that_is_not_heard_comes_again_later_each_time(bench, sandbox, portal, answer):
    sandbox.charge(an_attempt(bench))
    portal.answer = answer

    sandbox.work()
    sandbox.work()
    assert len(portal.heard) == 1
    sandbox.operator.advance_clock(11)
    sandbox.work()
    sandbox.operator.advance_clock(11)
    sandbox.work()
    assert len(portal.heard) == 2

    portal.answer = 200
    sandbox.operator.advance_clock(11)
    sandbox.work()
    assert len(portal.heard) == 3
    sandbox.operator.advance_clock(24 * 60 * 60)
    sandbox.work()
    assert len(portal.heard) == 3
    assert len({sandbox.verify(body, headers)[0].id for body, headers in portal.heard}) == 1


def test_nobody_there_to_hear_is_no_trouble_for_the_worker(bench, sandbox, socket_enabled):
    sandbox.webhook_url = "http://127.0.0.1:9/"
    sandbox.charge(an_attempt(bench))

    sandbox.work()

    assert told(sandbox) == ["payment.succeeded"]


def test_what_is_out_of_order_arrives_out_of_order(bench, sandbox, portal):
    sandbox.charge(an_attempt(bench, method="tok_6256_x"))

    sandbox.work()
    sandbox.operator.advance_clock(5)
    sandbox.work()

    assert [sandbox.verify(*message)[0].type for message in portal.heard] == ["payment.succeeded", "payment.pending"]


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_deliver_each_message_once(bench, sandbox, portal):
    for _time in range(5):
        sandbox.charge(an_attempt(bench))

    assert at_once(*[sandbox.work] * 3) == [None] * 3

    assert len({body for body, _headers in portal.heard}) == len(portal.heard) == 5
