"""Messages from the gateway: stored first, worked on later, harmless in any number and order."""

import json
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from billing_portal.core.models import OutgoingMail
from payments.gateways.base import BadSignature
from payments.gateways.registry import UnknownGateway
from payments.models import Payment, PaymentEvent, WebhookDelivery
from payments.operations import process_deliveries, receive
from tests.factories import NOW, issued
from tests.payments.acts import books_are_clean, card, charges, deliver, messages, press_pay, sandbox, state


def take(body, headers, at=NOW):
    return receive(gateway_slug="sandbox", body=body, headers=headers, at=at)


def message(kind="payment.succeeded", object_id="ch_unknown", reference="", event_id="evt_1"):
    from payments.gateways.sandbox.events import HEADER, signature

    content = {"id": event_id, "type": kind, "created": 1, "data": {"object": object_id, "reference": reference}}
    body = json.dumps(content).encode()
    import time

    return body, {HEADER: signature(sandbox().webhook_secret, body, int(time.time()))}


def test_a_lost_answer_is_settled_by_the_message(profile, payer):
    invoice = issued(profile)
    sandbox().switches.arm("drop_after")
    press_pay(payer, invoice, card(profile))
    deliver()
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_a_message_that_comes_before_our_own_commit_is_tried_again(profile, payer):
    """The gateway is quicker than our database: the message names a payment that nobody can see yet."""
    invoice = issued(profile)
    sandbox().switches.arm("drop_after")
    payment = press_pay(payer, invoice, card(profile))
    parcel = messages()
    real = payment.reference
    Payment.objects.filter(pk=payment.pk).update(reference="PAY-NOTYET")
    deliver(*parcel)
    assert WebhookDelivery.objects.filter(status="received", next_try_at__isnull=False).count() == len(parcel)
    assert state(invoice)[0] == "open"

    Payment.objects.filter(pk=payment.pk).update(reference=real)
    process_deliveries(at=NOW + timedelta(minutes=1))

    assert state(invoice) == ("paid", 12000, 0)
    assert not WebhookDelivery.objects.exclude(status="processed").exists()


def test_the_same_message_five_times_has_one_effect(profile, payer):
    invoice = issued(profile)
    sandbox().switches.arm("drop_after")
    press_pay(payer, invoice, card(profile))
    parcel = messages()
    for _time in range(5):
        deliver(*parcel)
    assert WebhookDelivery.objects.count() == len(parcel)
    assert PaymentEvent.objects.filter(new_status="succeeded").count() == 1
    assert OutgoingMail.objects.count() == 1
    assert state(invoice) == ("paid", 12000, 0)


def test_every_order_of_the_messages_ends_the_same(profile, payer):
    """Started, on its way, succeeded: told in any order, more than once."""
    kinds = ["payment.pending", "payment.declined", "payment.succeeded"]
    for number, order in enumerate(permutations(kinds)):
        invoice = issued(profile)
        sandbox().switches.arm("drop_after")
        payment = press_pay(payer, invoice, card(profile))
        object_id = sandbox().books.charges(payment.reference)[0]["id"]
        for kind in order:
            deliver(message(kind, object_id, payment.reference, f"evt_{number}_{kind}"))
        assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_late_news_of_failure_leaves_a_paid_invoice_paid(profile, payer):
    from payments.gateways.base import Bucket, Decline, DeclineCode, Outcome, Result
    from payments.operations import settle

    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile))
    late = [
        Outcome(Result.PENDING),
        Outcome(Result.UNKNOWN),
        Outcome(Result.EXPIRED),
        Outcome(Result.DECLINED, decline=Decline(DeclineCode.GENERIC, Bucket.NEW_METHOD)),
    ]
    for outcome in late:
        settle(payment_id=payment.pk, outcome=outcome, source=PaymentEvent.Source.WEBHOOK, at=NOW)
    payment.refresh_from_db()
    assert payment.status == "succeeded"
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_a_gateway_that_changed_its_mind_after_a_decline_is_believed(profile, payer):
    from payments.gateways.base import Outcome, Result
    from payments.operations import settle

    invoice = issued(profile)
    payment = press_pay(payer, invoice, card(profile, "0002"))
    outcome = Outcome(Result.SUCCEEDED, gateway_id=payment.gateway_id, amount=payment.amount)
    settle(payment_id=payment.pk, outcome=outcome, source=PaymentEvent.Source.WEBHOOK, at=NOW)
    assert state(invoice) == ("paid", 12000, 0)
    assert books_are_clean()


def test_a_message_with_a_wrong_signature_is_refused_and_not_stored(db):
    body, headers = message()
    for bad in ({}, {"Sandbox-Signature": "t=1,v1=00"}, {name: value + "0" for name, value in headers.items()}):
        with pytest.raises(BadSignature):
            take(body, bad)
    with pytest.raises(BadSignature):
        take(body + b" ", headers)
    assert not WebhookDelivery.objects.exists()


def test_a_message_for_a_gateway_that_is_not_configured_is_refused(db):
    with pytest.raises(UnknownGateway):
        receive(gateway_slug="nobody", body=b"", headers={}, at=NOW)


@pytest.mark.parametrize("bad", ["evt\x00", "evt\ud800", "e" * 121])
@pytest.mark.parametrize("field", ["id", "object_id", "payment_id"])
def test_an_id_that_no_column_holds_is_kept_for_staff_whatever_the_gateway_thought_of_it(db, monkeypatch, field, bad):
    event = replace(sandbox().verify(*message())[0], **{field: bad})
    monkeypatch.setattr(sandbox(), "verify", lambda _body, _headers: [event])
    assert take(b"", {}) == 1
    assert WebhookDelivery.objects.values_list("type", "status").get() == ("unreadable", "failed")


@pytest.mark.parametrize("foreign", ["ORDER\x00", "ORDER\ud800", "ORDER-" + "7" * 40])
def test_somebody_elses_odd_reference_is_no_reason_to_refuse(db, monkeypatch, foreign):
    event = replace(sandbox().verify(*message())[0], reference=foreign, type="payment.\x00odd")
    monkeypatch.setattr(sandbox(), "verify", lambda _body, _headers: [event])
    assert take(b"", {}) == 1
    assert WebhookDelivery.objects.values_list("reference", "type").get() == ("", "payment.odd")


def test_messages_about_things_that_are_not_ours_are_kept_and_ignored(db):
    for parcel in (
        message(event_id="evt_1"),
        message("charge.created", event_id="evt_2"),
        message(reference="ORDER-7", event_id="evt_3"),
    ):
        deliver(parcel)
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {"ignored"}


def test_a_genuine_message_about_another_payment_cannot_pay_our_invoice(profile, payer):
    """Somebody pays one euro and the message claims our reference: our own attempt is what is looked up."""
    cheap, dear = issued(profile, "1.00"), issued(profile, "2000.00")
    waiting = press_pay(payer, dear, card(profile, "3184"))
    paid = press_pay(payer, cheap, card(profile))
    messages()
    object_id = sandbox().books.charges(paid.reference)[0]["id"]

    deliver(message("payment.succeeded", object_id, waiting.reference))
    deliver(message("payment.succeeded", "ch_forged", waiting.reference, "evt_2"))

    assert state(dear) == ("open", 0, 200000)
    waiting.refresh_from_db()
    assert waiting.status == "needs_customer"


def test_a_message_that_cannot_be_worked_on_keeps_its_error_and_ends_with_staff(profile, payer, monkeypatch):
    sandbox().switches.arm("drop_after")
    invoice = issued(profile)
    press_pay(payer, invoice, card(profile))
    parcel = messages()
    from payments.operations import webhooks

    def breaks(**_arguments):
        raise RuntimeError("the database went away")

    with monkeypatch.context() as patch:
        patch.setattr(webhooks, "look_up", breaks)
        deliver(*parcel)
        for days in range(1, 12):
            process_deliveries(at=NOW + timedelta(days=days))
    row = WebhookDelivery.objects.first()
    assert (row.status, row.next_try_at) == ("failed", None)
    assert "went away" in row.last_error
    assert charges(invoice) == [12000]


def test_two_workers_do_not_take_the_same_message(db):
    take(*message())
    assert (process_deliveries(at=NOW), process_deliveries(at=NOW)) == (1, 0)
