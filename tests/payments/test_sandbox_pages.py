"""The sandbox's own pages: a typed test card becomes a token, and the bank asks the cardholder."""

import json
import logging
from functools import partial

import pytest
from django.apps import apps
from django.test import Client

from payments.gateways.base import Result
from payments.gateways.registry import get_gateway
from payments.gateways.sandbox.models import DATABASE
from payments.gateways.sandbox.saved_cards import TooManyTries, token_for
from tests.factories import UserFactory
from tests.payments.acts import at_once
from tests.payments.contract.benches import SandboxBench, an_attempt

TYPED = {"number": "4242 4242 4242 4242", "expiry": "08 / 41", "code": "123"}


pytestmark = pytest.mark.django_db


@pytest.fixture
def bench():
    return SandboxBench("sandbox")


@pytest.fixture
def sandbox(bench):
    return bench.gateway


@pytest.fixture
def signed_in(client):
    client.force_login(UserFactory())
    return client


def ask(client, **changes):
    return client.post("/gateways/sandbox/tokens", json.dumps(TYPED | changes), content_type="application/json")


def test_a_typed_card_becomes_a_token_that_pays_once(signed_in, bench, sandbox):
    token = ask(signed_in).json()["token"]

    paid = sandbox.charge(an_attempt(bench, method=token))
    again = sandbox.charge(an_attempt(bench, method=token))

    assert token.startswith("tok_4242_")
    assert paid.result == Result.SUCCEEDED
    assert (paid.method.expiry_month, paid.method.expiry_year) == (8, 2041)
    assert again.decline.code == "method_gone"


def test_the_books_hold_no_number_and_no_code(signed_in, bench, sandbox):
    sandbox.charge(an_attempt(bench, method=ask(signed_in, code="987").json()["token"], save_method=True))

    assert all(b"42424242" not in content for content in bench.stored())
    tables = [model.objects.all() for model in apps.get_app_config(DATABASE).get_models()]
    values = {str(value) for rows in tables for row in rows.values_list() for value in row}
    assert "2041" in values
    assert "987" not in values


@pytest.mark.parametrize("number", ["4111 1111 1111 1111", "4242424242424241", "1", "x" * 5000])
def test_any_other_number_is_refused_and_not_repeated(signed_in, bench, caplog, number):
    caplog.set_level(logging.DEBUG)
    answer = ask(signed_in, number=number)

    assert answer.status_code == 400
    assert b"4111" not in answer.content
    assert b"42424242" not in answer.content
    assert "4111" not in caplog.text
    if len(number) < 100:
        assert "Never enter a real card" in answer.json()["errors"]["number"]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"number": ""}, {"number"}),
        ({"expiry": ""}, {"expiry"}),
        ({"expiry": "13 / 41"}, {"expiry"}),
        ({"expiry": "01 / 20"}, {"expiry"}),
        ({"code": "12"}, {"code"}),
        ({"code": "1234"}, {"code"}),
        ({"number": "378282246310005"}, {"code"}),
        ({"number": None, "expiry": [1], "code": {}}, {"number", "expiry", "code"}),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(signed_in, changes, fields):
    answer = ask(signed_in, **changes)

    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == fields


@pytest.mark.parametrize("expiry", ["08/41", "0841", "8/2041", " 08 / 41 "])
def test_an_expiry_date_may_be_typed_in_several_ways(signed_in, bench, sandbox, expiry):
    outcome = sandbox.charge(an_attempt(bench, method=ask(signed_in, expiry=expiry).json()["token"]))

    assert (outcome.method.expiry_month, outcome.method.expiry_year) == (8, 2041)


def test_a_card_expires_by_the_sandboxs_clock(signed_in, bench, sandbox):
    token = ask(signed_in).json()["token"]
    sandbox.operator.advance_clock(20 * 366 * 24 * 60 * 60)

    assert sandbox.charge(an_attempt(bench, method=token)).decline.code == "expired_card"


@pytest.mark.parametrize("body", ["", "[]", "null", "{", '"4242"'])
def test_what_cannot_be_read_is_refused(signed_in, body):
    answer = signed_in.post("/gateways/sandbox/tokens", body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.json()["errors"][""]


def test_twenty_cards_a_minute_are_enough(signed_in):
    assert [ask(signed_in).status_code for _time in range(20)] == [200] * 20

    answer = ask(signed_in)

    assert answer.status_code == 429
    assert "Wait a minute" in answer.json()["errors"][""]


def test_cards_that_are_refused_count_and_a_minute_later_there_are_twenty_more(signed_in, sandbox):
    assert {ask(signed_in, number="4111 1111 1111 1111").status_code for _time in range(20)} == {400}
    assert ask(signed_in).status_code == 429
    other = Client()
    other.force_login(UserFactory())
    assert ask(other).status_code == 200

    sandbox.operator.advance_clock(61)

    assert ask(signed_in).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_many_cards_at_once_no_more_than_twenty_get_a_token():
    for person in "abcdefgh":
        results = [at_once(*[partial(token_for, TYPED, person=person)] * 8) for _round in range(3)]
        tokens = [result for results in results for result in results if isinstance(result, str)]
        refusals = [result for results in results for result in results if isinstance(result, TooManyTries)]
        assert (len(tokens), len(refusals)) == (20, 4)


def test_only_who_is_signed_in_gets_a_token(client):
    assert ask(client).status_code == 302
    assert client.get("/gateways/sandbox/tokens").status_code in {302, 405}


def test_a_token_needs_the_forms_own_proof():
    client = Client(enforce_csrf_checks=True)
    client.force_login(UserFactory())

    assert ask(client).status_code == 403


def path_of(outcome) -> str:
    return outcome.next_url.removeprefix("http://testserver")


@pytest.mark.parametrize(
    ("last_four", "answer", "code"),
    [
        ("3184", "approve", None),
        ("3155", "approve", None),
        ("3178", "approve", "insufficient_funds"),
        ("1629", "approve", "generic"),
        ("3184", "fail", "challenge_failed"),
        ("3184", "cancel", "challenge_failed"),
    ],
)
def test_the_cardholder_answers_and_goes_back(client, bench, last_four, answer, code):
    attempt = an_attempt(bench, method=f"tok_{last_four}_x")
    path = path_of(bench.gateway.charge(attempt))

    page = client.get(path).content.decode()
    assert "€10.00" in page
    assert "INV-000148" in page
    assert "testserver" in page
    assert last_four in page

    back = client.post(path, {"answer": answer})

    assert (back.status_code, back["Location"]) == (302, "http://testserver/back")
    outcome = bench.gateway.lookup(attempt)
    assert outcome.result == (Result.DECLINED if code else Result.SUCCEEDED)
    assert (outcome.decline.code if outcome.decline else None) == code
    assert len(bench.taken(attempt.reference)) == (0 if code else 1)


def test_the_first_answer_stands(client, bench, sandbox):
    attempt = an_attempt(bench, method="tok_3184_x")
    path = path_of(sandbox.charge(attempt))
    client.post(path, {"answer": "fail"})

    client.post(path, {"answer": "approve"})

    assert sandbox.lookup(attempt).result == Result.DECLINED
    page = client.get(path).content.decode()
    assert "http://testserver/back" in page
    assert "<form method" not in page.partition("<main")[2]


def test_a_closed_attempt_cannot_be_approved_any_more(client, bench, sandbox):
    attempt = an_attempt(bench, method="tok_3184_x")
    path = path_of(sandbox.charge(attempt))
    sandbox.expire(attempt)

    client.post(path, {"answer": "approve"})

    assert sandbox.lookup(attempt).result == Result.EXPIRED
    assert bench.taken(attempt.reference) == []


def test_an_answer_that_is_none_changes_nothing(client, bench, sandbox):
    attempt = an_attempt(bench, method="tok_3184_x")
    path = path_of(sandbox.charge(attempt))

    assert client.post(path, {"answer": "perhaps"}).status_code == 200
    assert client.post(path).status_code == 200
    assert sandbox.lookup(attempt).result == Result.NEEDS_CUSTOMER


def test_the_page_is_for_those_who_know_its_address(client, bench, sandbox):
    outcome = sandbox.charge(an_attempt(bench, method="tok_3184_x"))

    for guess in ("1", outcome.gateway_id, "None", "pay_"):
        assert client.get(f"/gateways/sandbox/challenge/{guess}").status_code == 404
        assert client.post(f"/gateways/sandbox/challenge/{guess}", {"answer": "approve"}).status_code == 404


def test_the_answer_needs_the_pages_own_proof(bench, sandbox):
    attempt = an_attempt(bench, method="tok_3184_x")
    path = path_of(sandbox.charge(attempt))

    assert Client(enforce_csrf_checks=True).post(path, {"answer": "approve"}).status_code == 403
    assert sandbox.lookup(attempt).result == Result.NEEDS_CUSTOMER


def test_a_card_is_added_after_the_check(client, sandbox):
    step = sandbox.begin_setup(
        key="k", profile="BP-TEST", gateway_customer="", token="tok_3155_x", return_url="http://testserver/back"
    )
    page = client.get(path_of(step)).content.decode()
    assert "Approve card" in page

    client.post(path_of(step), {"answer": "approve"})

    assert sandbox.finish_setup(step.setup_id).method.last_four == "3155"


def test_a_card_whose_check_failed_is_not_added(client, sandbox):
    step = sandbox.begin_setup(key="k", profile="BP-TEST", gateway_customer="", token="tok_3184_x", return_url="")

    assert client.post(step.next_url, {"answer": "cancel"})["Location"] == "/"

    finished = sandbox.finish_setup(step.setup_id)
    assert finished.method is None
    assert finished.decline.code == "challenge_failed"


def test_the_card_field_sends_nothing_that_is_typed():
    from django.template.loader import render_to_string

    browser = get_gateway("sandbox").browser
    html = render_to_string(browser.template, {"options": browser.context})

    typed = [line for line in html.splitlines() if "data-card-part" in line]
    assert len(typed) == 4
    assert not any(" name=" in line for line in typed)
    assert "tok_4242_" in html.partition("<noscript>")[2]
    assert "4242 4242 4242 4242" in html
    assert "3782 822463 10005" in html
    assert "<script" not in html
    assert "style=" not in html


def test_a_form_is_no_card():
    """Where its token is looked for, a form is read, and nothing is left of it to read again."""
    client = Client(enforce_csrf_checks=True)
    client.get("/account/login/")
    client.force_login(UserFactory())
    form = TYPED | {"csrfmiddlewaretoken": client.cookies["csrf"].value}
    assert client.post("/gateways/sandbox/tokens", form).status_code == 400
