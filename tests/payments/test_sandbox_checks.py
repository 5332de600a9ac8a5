"""The sandbox's check inside the portal's page, and what happens to a stored card without the portal's doing."""

import sqlite3
from dataclasses import replace

import pytest
from django.test import Client

from payments.gateways.base import EventKind, GatewayError, Result
from payments.gateways.sandbox import stored
from payments.gateways.sandbox.books import FIRST, Books
from tests.payments.contract.benches import SandboxBench, an_attempt
from tests.payments.contract.test_methods import add

pytestmark = pytest.mark.django_db


@pytest.fixture
def bench():
    return SandboxBench("sandbox")


@pytest.mark.parametrize(("answer", "result"), [("approve", Result.SUCCEEDED), ("fail", Result.DECLINED)])
def test_the_answer_goes_to_the_sandbox_which_sends_back_to_the_portal(bench, answer, result):
    attempt = an_attempt(bench, method=bench.challenge_card(), in_page=True)
    attempt = replace(attempt, gateway_id=bench.gateway.charge(attempt).gateway_id)

    answered = Client().post(bench.gateway.challenge(attempt)["path"], {"answer": answer})

    assert answered.url == attempt.return_url
    assert bench.gateway.lookup(attempt).result == result
    assert bench.gateway.challenge(attempt) == {}


def test_a_card_is_added_once_its_check_in_the_page_is_passed(bench):
    step = add(bench, bench.challenge_card(), in_page=True)

    Client().post(bench.gateway.setup_challenge(step.setup_id)["path"], {"answer": "approve"})

    assert bench.gateway.finish_setup(step.setup_id).method.last_four == "3184"


def test_the_same_key_in_and_outside_the_page_is_not_the_same_question(bench):
    attempt = an_attempt(bench, method=bench.challenge_card(), in_page=True)
    bench.gateway.charge(attempt)

    with pytest.raises(GatewayError):
        bench.gateway.charge(replace(attempt, in_page=False))


def test_a_card_that_the_bank_renewed_is_told_of_and_has_its_new_date(bench):
    method = add(bench, bench.good_card()).method
    bench.gateway.take_deliveries()

    with bench.gateway.books.transaction() as book:
        stored.renew(book, method.gateway_method, expiry=(3, 2039))

    [parcel] = bench.gateway.take_deliveries()
    [event] = bench.gateway.verify(*parcel)
    assert (event.kind, event.object_id) == (EventKind.METHOD, method.gateway_method)
    asked = {"gateway_method": method.gateway_method, "gateway_customer": method.gateway_customer}
    assert bench.gateway.lookup_method(**asked) == replace(method, expiry_month=3, expiry_year=2039)


def test_books_of_an_earlier_version_are_brought_up_to_date(tmp_path):
    path = tmp_path / "old.sqlite3"
    with sqlite3.connect(path) as old:
        old.executescript(FIRST)
        old.execute("INSERT INTO tokens (id, expiry_month, expiry_year) VALUES ('tok_4242_old', 1, 2040)")
        old.execute("PRAGMA user_version = 1")
    old.close()

    with Books(path).reading() as book:
        assert book.row("SELECT in_page FROM charges") is None
        assert book.row("SELECT id FROM tokens")["id"] == "tok_4242_old"
