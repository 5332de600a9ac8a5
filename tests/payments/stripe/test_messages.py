"""Messages from Stripe: several secrets, kinds and modes, and the door they come in by."""

import json
import time

import pytest
from django.conf import settings

from payments.gateways.base import BadSignature, EventKind
from payments.gateways.registry import get_gateway
from payments.models import WebhookDelivery
from tests.payments.stripe.asks import a_refund, an_attempt
from tests.payments.stripe.bench import ACCOUNT, SECRET, gateway_at
from tests.payments.stripe.standin.messages import sign


def an_event(type_="payment_intent.succeeded", *, live=True, **about):
    body = {"id": "evt_1", "object": "event", "type": type_, "created": int(time.time()), "livemode": live}
    return json.dumps(body | {"data": {"object": {"id": "pi_1", "object": "payment_intent", **about}}}).encode()


def test_either_secret_counts_while_one_is_rolled_and_no_third(standin):
    gateway = gateway_at(standin.url, webhook_secrets=["whsec_old", "whsec_new"])
    body = an_event()

    for secret in ("whsec_old", "whsec_new"):
        assert gateway.verify(body, sign(secret, body))
    with pytest.raises(BadSignature):
        gateway.verify(body, sign("whsec_third", body))


def test_stripe_may_sign_with_both_secrets_too(gateway):
    body, at = an_event(), int(time.time())
    ours, other = (sign(secret, body, at)["Stripe-Signature"].rpartition("=")[2] for secret in (SECRET, "whsec_other"))

    assert gateway.verify(body, {"Stripe-Signature": f"t={at},v1={other},v1={ours}"})


def test_only_the_documented_scheme_counts(gateway):
    body = an_event()
    header = sign(SECRET, body)["Stripe-Signature"].replace("v1=", "v0=")

    with pytest.raises(BadSignature):
        gateway.verify(body, {"Stripe-Signature": header})


@pytest.mark.parametrize("secrets", [[], [""]])
def test_without_a_secret_every_message_is_refused(standin, secrets):
    gateway = gateway_at(standin.url, webhook_secrets=secrets)
    body = an_event()

    for secret in ("", SECRET):
        with pytest.raises(BadSignature):
            gateway.verify(body, sign(secret, body))


@pytest.mark.parametrize("header", ["t={at},t={at},v1={digest}", "t={at}x,v1={digest}", "t=-{at},v1={digest}"])
def test_a_garbled_time_is_refused(gateway, header):
    body, at = an_event(), int(time.time())
    digest = sign(SECRET, body, at)["Stripe-Signature"].rpartition("=")[2]

    with pytest.raises(BadSignature):
        gateway.verify(body, {"Stripe-Signature": header.format(at=at, digest=digest)})


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("payment_intent.succeeded", EventKind.PAYMENT),
        ("payment_intent.payment_failed", EventKind.PAYMENT),
        ("refund.created", EventKind.REFUND),
        ("refund.failed", EventKind.REFUND),
        ("charge.refund.updated", EventKind.REFUND),
        ("charge.dispute.created", EventKind.DISPUTE),
        ("charge.dispute.closed", EventKind.DISPUTE),
        ("payment_method.detached", EventKind.METHOD),
        ("payment_method.automatically_updated", EventKind.METHOD),
        ("charge.succeeded", EventKind.OTHER),
        ("charge.refunded", EventKind.OTHER),
        ("setup_intent.succeeded", EventKind.OTHER),
        ("new.to.us", EventKind.OTHER),
    ],
)
def test_a_message_is_about_what_its_type_says(gateway, type_, kind):
    body = an_event(type_, metadata={"reference": "PAY-1"}, payment_intent="pi_9")

    [event] = gateway.verify(body, sign(SECRET, body))

    assert (event.kind, event.type, event.object_id) == (kind, type_, "pi_1")
    assert (event.reference, event.payment_id) == ("PAY-1", "pi_9")


def test_a_test_message_to_a_live_endpoint_is_about_nothing(gateway, standin):
    body = an_event(live=False)
    assert gateway.verify(body, sign(SECRET, body))[0].kind == EventKind.OTHER

    testing = gateway_at(standin.url, secret_key="sk_test_standin")
    assert testing.verify(body, sign(SECRET, body))[0].kind == EventKind.PAYMENT


@pytest.mark.parametrize("about", [{"metadata": None}, {"metadata": {}}, {"payment_intent": {"id": "pi_9"}}])
def test_what_is_missing_is_empty(gateway, about):
    body = an_event(**about)
    [event] = gateway.verify(body, sign(SECRET, body))
    assert event.reference == ""


def test_a_refund_of_ours_is_told_with_its_reference_and_its_payment(gateway, standin):
    payment_id = gateway.charge(an_attempt(standin)).gateway_id
    standin("messages", secret=SECRET)
    refund = gateway.refund(a_refund(payment_id, 300))

    events = [
        event
        for told in standin("messages", secret=SECRET)
        for event in gateway.verify(told["body"].encode(), told["headers"])
        if event.kind == EventKind.REFUND
    ]

    assert [(event.object_id, event.reference, event.payment_id) for event in events] == [
        (refund.gateway_id, "PAY-REFUNDED", payment_id)
    ]


@pytest.fixture
def door(client, settings, standin):
    """The webhook's address, through all middleware."""
    options = settings.GATEWAYS_KNOWN["stripe"]["options"] | {"api_base": standin.url}
    settings.PAYMENT_GATEWAYS = {"stripe": settings.GATEWAYS_KNOWN["stripe"] | {"options": options}}
    get_gateway.cache_clear()

    def post(body, headers):
        return client.post("/webhooks/stripe", body, content_type="application/json", headers=headers)

    yield post
    get_gateway.cache_clear()


@pytest.mark.django_db
def test_a_message_is_stored_once_however_often_it_comes(door, standin):
    standin("messages", secret=SECRET)
    get_gateway("stripe").charge(an_attempt(standin))
    told = standin("messages", secret=SECRET)[-1]

    answers = [door(told["body"], {"Stripe-Signature": told["headers"]["Stripe-Signature"]}) for _time in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert WebhookDelivery.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", ["forged", "old", "future", "changed", "unsigned"])
def test_what_is_not_certainly_stripes_is_turned_away_and_changes_nothing(door, wrong):
    body = an_event()
    headers = {
        "forged": sign("whsec_forged", body),
        "old": sign(SECRET, body, time.time() - 301),
        "future": sign(SECRET, body, time.time() + 330),
        "changed": sign(SECRET, body + b" "),
        "unsigned": {},
    }[wrong]

    answer = door(body, {name: value for name, value in headers.items() if name == "Stripe-Signature"})

    assert answer.status_code == 400
    assert WebhookDelivery.objects.count() == 0


def test_the_account_of_the_tests_is_that_of_the_settings():
    assert settings.GATEWAYS_KNOWN["stripe"]["options"]["secret_key"].endswith(ACCOUNT.removeprefix("acct"))
