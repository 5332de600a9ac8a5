"""Keys and accounts: what was made on one is never taken for missing on another."""

import pytest

from payments.gateways.base import GatewayError, Result
from tests.payments.stripe.asks import CHARGE, a_refund, an_attempt, sent
from tests.payments.stripe.bench import gateway_at


@pytest.fixture
def elsewhere(standin):
    """The same gateway with the key of another account."""
    return gateway_at(standin.url, secret_key="sk_live_elsewhere")


def test_a_payment_that_stripe_denies_though_it_gave_us_its_id_is_not_known(gateway, elsewhere, standin):
    made = gateway.charge(an_attempt(standin))
    attempt = an_attempt(standin, gateway_id=made.gateway_id)

    for ask in (elsewhere.lookup, elsewhere.expire, elsewhere.challenge):
        with pytest.raises(GatewayError) as denial:
            ask(attempt)
        assert denial.value.sent


def test_a_refund_is_not_missing_while_its_payment_is(gateway, elsewhere, standin):
    request = a_refund(gateway.charge(an_attempt(standin)).gateway_id, 300)
    refund = gateway.refund(request)

    for refund_id in ("", refund.gateway_id):
        with pytest.raises(GatewayError):
            elsewhere.lookup_refund(a_refund(request.gateway_id, 300, refund_id=refund_id))


def test_a_key_that_is_refused_sends_nothing_and_is_said_to_staff(gateway, standin, caplog):
    standin("revoke", key="sk_live_standin")
    try:
        outcome = gateway.charge(an_attempt(standin, gateway_customer="cus_1"))
    finally:
        standin("restore", key="sk_live_standin")

    assert outcome.result == Result.NOT_SENT
    assert "Invalid API Key" in outcome.message
    assert any("refuses our key" in record.getMessage() for record in caplog.records)


def test_the_key_of_the_expected_account_is_checked_once(standin):
    gateway = gateway_at(standin.url, account="acct_standin")

    for _time in range(2):
        assert gateway.charge(an_attempt(standin)).result == Result.SUCCEEDED

    assert len(sent(standin, "GET account")) == 1


def test_with_the_key_of_another_account_nothing_is_charged_looked_up_or_closed(standin):
    gateway = gateway_at(standin.url, account="acct_other")
    attempt = an_attempt(standin)

    for ask in (gateway.charge, gateway.lookup, gateway.expire):
        with pytest.raises(GatewayError, match="acct_standin, not to acct_other") as refusal:
            ask(attempt)
        assert not refusal.value.sent
    with pytest.raises(GatewayError):
        gateway.detach(gateway_method="pm_1")

    assert sent(standin, CHARGE) == sent(standin, "GET payment_intents") == []


def test_an_account_that_cannot_be_asked_for_is_not_taken_for_right(standin):
    gateway = gateway_at(standin.url, account="acct_standin")
    standin("arm", name="drop_before", route="GET account", times=2)

    with pytest.raises(GatewayError) as refusal:
        gateway.charge(an_attempt(standin))

    assert not refusal.value.sent
    assert gateway.charge(an_attempt(standin)).result == Result.SUCCEEDED
