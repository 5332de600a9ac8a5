"""The sandbox keeps the first answer under a key for a day, whatever it was, and its clock can be put forward."""

from dataclasses import replace

import pytest

from invoices.money import Money
from payments.gateways.base import GatewayError, Result
from payments.gateways.registry import get_gateway
from payments.gateways.sandbox.models import CardPayment
from tests.payments.contract.benches import SandboxBench, a_refund, an_attempt

pytestmark = pytest.mark.django_db
HOUR = 60 * 60


@pytest.fixture
def bench():
    return SandboxBench("sandbox")


@pytest.fixture
def sandbox(bench):
    return bench.gateway


def test_an_error_of_the_server_is_kept_and_given_again(bench, sandbox):
    attempt = an_attempt(bench)
    sandbox.faults.arm("server_error")

    answers = [sandbox.charge(attempt) for _time in range(3)]

    assert {answer.result for answer in answers} == {Result.UNKNOWN}
    assert bench.taken(attempt.reference) == []
    assert sandbox.charge(an_attempt(bench)).result == Result.SUCCEEDED


def test_a_decline_is_kept_and_given_again(bench, sandbox):
    attempt = an_attempt(bench)
    sandbox.faults.arm("decline", value="fraud")

    first, second = sandbox.charge(attempt), sandbox.charge(attempt)

    assert first == second
    assert first.decline.code == "fraud"
    assert first.decline.bucket == "never"


def test_a_key_is_forgotten_after_a_day_and_then_charges_again(bench, sandbox):
    attempt = an_attempt(bench)
    sandbox.charge(attempt)

    sandbox.operator.advance_clock(23 * HOUR)
    sandbox.charge(attempt)
    assert len(bench.taken(attempt.reference)) == 1

    sandbox.operator.advance_clock(2 * HOUR)
    sandbox.charge(attempt)
    assert len(bench.taken(attempt.reference)) == 2


def test_a_fence_outlives_the_key(bench, sandbox):
    attempt = an_attempt(bench)
    sandbox.expire(attempt)

    sandbox.operator.advance_clock(48 * HOUR)

    assert sandbox.charge(attempt).result == Result.EXPIRED


def test_a_decline_that_was_closed_cannot_be_charged_when_its_key_is_forgotten(bench, sandbox):
    attempt = an_attempt(bench, method=bench.poor_card())
    sandbox.charge(attempt)
    assert sandbox.expire(attempt).result == Result.DECLINED

    sandbox.operator.advance_clock(48 * HOUR)

    assert sandbox.charge(replace(attempt, method=bench.good_card())).result == Result.EXPIRED


@pytest.mark.parametrize(
    "change",
    [{"method": "tok_4242_other"}, {"save_method": True}, {"customer_present": False}, {"reference": "PAY-OTHER"}],
)
def test_other_parameters_under_a_key_are_an_error(bench, sandbox, change):
    attempt = an_attempt(bench)
    sandbox.charge(attempt)

    with pytest.raises(GatewayError, match="other parameters"):
        sandbox.charge(replace(attempt, **change))

    assert sum(sandbox.operator.totals().values()) == 1000


def test_a_fault_is_used_up(bench, sandbox):
    sandbox.faults.arm("refuse_connection", times=2)

    results = [sandbox.charge(an_attempt(bench)).result for _time in range(3)]

    assert results == [Result.NOT_SENT, Result.NOT_SENT, Result.SUCCEEDED]


def test_faults_reach_a_gateway_in_another_process(bench, sandbox):
    sandbox.faults.arm("other_amount", value=999)
    get_gateway.cache_clear()
    another = get_gateway("sandbox")

    outcome = another.charge(an_attempt(bench))

    assert another is not sandbox
    assert outcome.amount == Money(999, "EUR")


def test_another_currency_is_taken_on_demand(bench, sandbox):
    sandbox.faults.arm("other_currency", value="USD")

    assert sandbox.charge(an_attempt(bench)).amount == Money(1000, "USD")
    assert sandbox.operator.totals() == {"USD": 1000}


def test_asking_can_fail_too(bench, sandbox):
    attempt = an_attempt(bench)
    calls = {
        "lookup": lambda: sandbox.lookup(attempt),
        "expire": lambda: sandbox.expire(attempt),
        "detach": lambda: sandbox.detach(gateway_method="card_4242_x"),
        "lookup_refund": lambda: sandbox.lookup_refund(a_refund("ch_x", 1)),
    }
    for operation, call in calls.items():
        for name, sent in (("refuse_connection", False), ("drop_before", True), ("server_error", True)):
            sandbox.faults.arm(name, on=operation)
            with pytest.raises(GatewayError) as trouble:
                call()
            assert trouble.value.sent is sent
        call()


def test_a_refund_can_get_lost(bench, sandbox):
    paid = sandbox.charge(an_attempt(bench)).gateway_id
    request = a_refund(paid, 400)
    sandbox.faults.arm("drop_after", on="refund")

    assert sandbox.refund(request).result == Result.UNKNOWN
    assert sandbox.lookup_refund(request).result == Result.SUCCEEDED
    assert sandbox.refund(request).result == Result.SUCCEEDED
    assert sandbox.operator.totals() == {"EUR": 600}


def test_an_unknown_fault_or_operation_is_refused(sandbox):
    with pytest.raises(ValueError, match="explode"):
        sandbox.faults.arm("explode")
    with pytest.raises(ValueError, match="pray"):
        sandbox.faults.arm("drop_after", on="pray")


def test_it_refuses_to_work_where_debug_is_off_and_nobody_allowed_it(bench, sandbox, settings):
    sandbox.allowed = False
    settings.DEBUG = False
    attempt = an_attempt(bench)

    assert "DEBUG off" in sandbox.checks()[0]
    for call in (
        lambda: sandbox.charge(attempt),
        lambda: sandbox.lookup(attempt),
        lambda: sandbox.expire(attempt),
        lambda: sandbox.refund(a_refund("ch_x", 1)),
    ):
        with pytest.raises(GatewayError) as refusal:
            call()
        assert not refusal.value.sent
    assert not CardPayment.objects.exists()

    settings.DEBUG = True
    assert sandbox.checks() == []
    assert sandbox.charge(attempt).result == Result.SUCCEEDED


def test_it_says_what_is_missing_from_its_configuration(sandbox):
    sandbox.webhook_secret, sandbox.webhook_url = "", "file:///etc/passwd"

    assert len(sandbox.checks()) == 2
