"""What the provider does to a card without us is noticed: by its message, and by a charge that fails of it."""

import json
import time
from datetime import timedelta

import pytest

from accounts.models import AuditEntry
from billing_portal.core.models import OutgoingMail
from payments.gateways.sandbox import saved_cards
from payments.gateways.sandbox.models import transaction
from payments.models import PaymentMethod, WebhookDelivery
from payments.operations import methods
from payments.operations.methods import make_default, remove_gone_card, remove_method
from payments.operations.webhooks import process_deliveries
from tests.factories import NOW, BillingProfileFactory, access_for, issued, member
from tests.payments.acts import books_are_clean, card, deliver, messages, press_pay, sandbox, state

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(profile):
    return member(profile, "profile_owner")


@pytest.fixture
def kept(profile, owner):
    """A card that the sandbox knows as well, and is the default."""
    press_pay(owner, issued(profile), token="tok_4242_kept", save_method=True, make_default=True)
    messages()
    return PaymentMethod.objects.get()


def detached_at_the_provider(method):
    with transaction() as at:
        saved_cards.detach(method.gateway_method, at=at)


def mails():
    return list(OutgoingMail.objects.filter(template="method_gone").values_list("to", flat=True))


def test_a_renewed_card_has_its_new_date(kept):
    sandbox().operator.renew_card(kept.gateway_method, expiry_month=3, expiry_year=2039)
    deliver()
    kept.refresh_from_db()
    assert (kept.expiry_month, kept.expiry_year, kept.is_default) == (3, 2039, True)
    entry = AuditEntry.objects.get(action="method.updated")
    assert (entry.actor, entry.profile) == (None, kept.profile)
    assert WebhookDelivery.objects.get().status == "processed"


def test_news_that_is_no_news_leaves_no_trace(kept):
    sandbox().operator.renew_card(kept.gateway_method, expiry_month=kept.expiry_month, expiry_year=kept.expiry_year)
    deliver()
    assert not AuditEntry.objects.filter(action="method.updated").exists()


def test_a_card_that_was_forgotten_at_the_provider_leaves_the_profile_and_the_managers_are_told(profile, kept, owner):
    manager = member(profile.account, "account_contributor")
    member(profile, "invoice_manager")
    member(profile, "profile_owner", is_active=False)
    member(BillingProfileFactory(account=profile.account), "profile_owner")
    detached_at_the_provider(kept)
    deliver()
    kept.refresh_from_db()
    assert (kept.status, kept.is_default, kept.removed_at) == ("removed", False, NOW)
    assert AuditEntry.objects.get(action="method.gone").actor is None
    assert sorted(mails()) == sorted([owner.email, manager.email])


def test_the_same_message_again_tells_nobody_again(kept):
    detached_at_the_provider(kept)
    parcel = messages()
    deliver(*parcel)
    WebhookDelivery.objects.all().delete()
    deliver(*parcel, at=NOW + timedelta(minutes=1))
    assert len(mails()) == 1
    assert AuditEntry.objects.filter(action="method.gone").count() == 1


def test_nobody_is_told_of_a_card_that_was_not_the_default(kept):
    PaymentMethod.objects.update(is_default=False)
    detached_at_the_provider(kept)
    deliver()
    assert PaymentMethod.objects.get().status == "removed"
    assert mails() == []


def test_nobody_is_told_of_a_card_that_was_removed_here(profile, kept, owner):
    make_default(access=access_for(owner, profile), method_id=card(profile).pk, at=NOW)
    remove_method(access=access_for(owner, profile), method_id=kept.pk, at=NOW)
    sandbox().faults.arm("drop_before", on="lookup_method")
    deliver()
    assert WebhookDelivery.objects.get().status == "processed"  # there was nothing to ask
    assert mails() == []
    assert not AuditEntry.objects.filter(action="method.gone").exists()


def test_a_message_about_somebody_elses_card_is_ignored(kept):
    from payments.gateways.sandbox.events import HEADER
    from payments.gateways.signatures import signature

    content = {"id": "evt_x", "type": "method.detached", "created": 1}
    body = json.dumps(content | {"data": {"object": "card_4242_elsewhere", "reference": ""}}).encode()
    deliver((body, {HEADER: signature(sandbox().webhook_secret, body, int(time.time()))}))
    assert WebhookDelivery.objects.get().status == "ignored"
    assert PaymentMethod.objects.get().status == "active"


def test_a_gateway_that_cannot_be_asked_is_asked_again(kept):
    detached_at_the_provider(kept)
    sandbox().faults.arm("drop_before", on="lookup_method")
    deliver()
    assert PaymentMethod.objects.get().status == "active"
    process_deliveries(at=NOW + timedelta(minutes=1))
    assert PaymentMethod.objects.get().status == "removed"


def test_an_answer_about_an_id_that_the_card_has_no_more_is_left_aside(profile, kept, monkeypatch):
    """While the provider was asked, the card was renewed here under a new id."""
    detached_at_the_provider(kept)

    def gone_meanwhile(**_asked):
        PaymentMethod.objects.update(gateway_method="card_4242_new")

    monkeypatch.setattr(sandbox(), "lookup_method", gone_meanwhile)
    deliver()
    assert PaymentMethod.objects.get().status == "active"


def test_a_charge_that_fails_because_the_card_is_gone_takes_it_off_too(profile, kept, owner):
    detached_at_the_provider(kept)
    invoice = issued(profile)
    payment = press_pay(owner, invoice, kept)
    kept.refresh_from_db()
    assert (payment.decline_code, kept.status) == ("method_gone", "removed")
    assert mails() == [owner.email]
    assert state(invoice)[0] == "open"
    assert books_are_clean()
    deliver()
    assert len(mails()) == 1


def test_any_other_decline_leaves_the_card(profile, owner):
    method = card(profile, "0002", is_default=True)
    press_pay(owner, issued(profile), method)
    method.refresh_from_db()
    assert (method.status, method.is_default) == ("active", True)


def test_a_decline_of_an_id_that_was_replaced_since_leaves_the_card(profile, kept, owner):
    from payments.gateways.base import Bucket, Decline, DeclineCode, Outcome, Result

    waiting = press_pay(owner, issued(profile), kept)
    press_pay(owner, issued(profile), token="tok_4242_renewed", save_method=True, at=NOW + timedelta(minutes=1))
    gone = Outcome(Result.DECLINED, decline=Decline(DeclineCode.METHOD_GONE, Bucket.NEW_METHOD))
    remove_gone_card(waiting, gone, at=NOW)
    kept.refresh_from_db()
    assert kept.status == "active"


def test_trouble_with_the_card_does_not_undo_what_is_written_of_the_payment(profile, kept, owner, monkeypatch):
    from django.db import DatabaseError

    def broken(*_args, **_kwargs):
        raise DatabaseError

    monkeypatch.setattr(methods, "deactivate", broken)
    detached_at_the_provider(kept)
    assert press_pay(owner, issued(profile), kept).status == "declined"


def test_the_mail_is_drawn_in_both_languages(kept, owner):
    from billing_portal.core.mail import render

    detached_at_the_provider(kept)
    deliver()
    context = OutgoingMail.objects.get(template="method_gone").context
    english, dutch = render("method_gone", context, "en"), render("method_gone", context, "nl")
    assert english.subject == "Visa ending in 4242 can no longer be charged"
    assert dutch.subject != english.subject
    assert f"/profiles/{kept.profile.code}/methods/" in english.text
