"""A bank renewed a card and its message was lost: our copy has expired, and the gateway is asked before a refusal."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from billing_portal.jobs import jobs
from payments.gateways.sandbox.models import StoredCard
from payments.models import PaymentMethod
from payments.operations.attempts import CannotPay
from payments.operations.methods import (
    CannotChangeMethod,
    change_backups,
    look_up_cards,
    make_default,
    set_default_method,
)
from tests.factories import NOW, access_for, issued, member
from tests.payments.acts import books_are_clean, card, charges, press_pay, sandbox, state
from tests.payments.autopaying import CHARGED, plan, run, story
from tests.payments.pages import browser, pay_url, text_of

pytestmark = pytest.mark.django_db


def renewed(profile, last_four="4242", **fields):
    """Expired by our copy, renewed at the gateway; no message ever comes."""
    method = card(profile, last_four, expiry_month=9, expiry_year=2026, **fields)
    StoredCard.objects.filter(pk=method.gateway_method).update(expiry_year=2031)
    return method


@pytest.fixture
def owner(profile):
    return access_for(member(profile, "profile_owner"), profile)


def test_it_pays_by_hand(payer, profile):
    invoice = issued(profile)
    assert press_pay(payer, invoice, renewed(profile)).status == "succeeded"
    assert state(invoice) == ("paid", 12000, 0)
    method = PaymentMethod.objects.get()
    assert (method.expiry_month, method.expiry_year) == (9, 2031)
    assert books_are_clean()


def test_one_that_the_gateway_knows_as_expired_is_refused(payer, profile):
    with pytest.raises(CannotPay) as refusal:
        press_pay(payer, issued(profile), card(profile, expiry_month=9, expiry_year=2026))
    assert refusal.value.code == "method_expired"


def test_without_an_answer_nothing_is_charged_and_the_card_is_not_called_expired(payer, profile):
    invoice, method = issued(profile), renewed(profile)
    sandbox().faults.arm("drop_before", on="lookup_method")
    with pytest.raises(CannotPay) as refusal:
        press_pay(payer, invoice, method)
    assert refusal.value.code == "no_answer"
    assert charges(invoice) == []
    assert press_pay(payer, invoice, method).status == "succeeded"


def test_the_payment_page_offers_it_last(payer, profile):
    invoice, method = issued(profile), renewed(profile)
    response = browser(payer).get(pay_url(invoice))
    assert "Expired 09/2026, unless your bank has renewed it" in text_of(response)
    assert f'value="{method.pk}">' in response.content.decode()


@pytest.fixture
def charged_itself(profile):
    profile.charges_automatically = True
    profile.save()
    return profile


def test_it_is_charged_automatically(charged_itself):
    renewed(charged_itself, is_default=True)
    invoice = issued(charged_itself)
    run()
    assert story(invoice) == ("done", "", 1)
    assert state(invoice) == ("paid", 12000, 0)


def test_a_renewed_backup_is_charged_when_the_default_card_is_refused(charged_itself):
    card(charged_itself, "0341", is_default=True)
    renewed(charged_itself, "4444", backup_order=1)
    invoice = issued(charged_itself)
    run()
    assert state(invoice) == ("paid", 12000, 0)


def test_without_an_answer_an_automatic_charge_waits_until_tomorrow(charged_itself):
    renewed(charged_itself, is_default=True)
    invoice = issued(charged_itself)
    sandbox().faults.arm("drop_before", on="lookup_method")
    run()
    assert state(invoice)[0] == "open"
    assert not invoice.__class__.objects.filter(automatic_charge__isnull=False).exists()
    run(CHARGED + timedelta(days=1))
    assert plan(invoice).status == "done"


def test_it_becomes_the_default_a_backup_and_lets_a_profile_go_back_to_card(owner, profile):
    first, second = renewed(profile), renewed(profile, "4444")
    assert make_default(access=owner, method_id=first.pk, at=NOW).is_default
    change_backups(access=owner, method_id=second.pk, change="add", at=NOW)
    second.refresh_from_db()
    assert second.backup_order == 1
    PaymentMethod.objects.all().delete()
    profile.default_method = "check_wire"
    profile.save()
    renewed(profile)
    changed = set_default_method(access=owner, profile_id=profile.pk, method="card", at=NOW)
    assert changed.default_method == "card"


def test_without_an_answer_a_card_is_not_changed(owner, profile):
    method = renewed(profile)
    sandbox().faults.arm("drop_before", on="lookup_method")
    with pytest.raises(CannotChangeMethod, match="could not reach the payment provider"):
        make_default(access=owner, method_id=method.pk, at=NOW)


def test_the_worker_looks_them_up(profile):
    method = renewed(profile, next_lookup_at=NOW)
    call_command("run_due", only=["cards"], verbosity=0)
    method.refresh_from_db()
    assert method.expiry_year == 2031


def test_stored_cards_are_looked_up_each_month_and_each_day_near_their_end(profile):
    """Also one that was removed at the provider without a message that arrived."""
    press_pay(member(profile, "profile_owner"), issued(profile), token="tok_4242_kept", save_method=True)
    method = PaymentMethod.objects.get()
    assert timedelta(0) <= method.next_lookup_at - NOW - timedelta(days=30) < timedelta(minutes=1)
    PaymentMethod.objects.update(expiry_month=11, expiry_year=2026, next_lookup_at=NOW)
    StoredCard.objects.update(expiry_month=11, expiry_year=2026)

    assert look_up_cards(at=NOW) == 1
    method.refresh_from_db()
    assert method.next_lookup_at == NOW + timedelta(days=1)
    StoredCard.objects.update(expiry_year=2031)
    sandbox().faults.arm("drop_before", on="lookup_method")
    look_up_cards(at=NOW + timedelta(days=1))
    look_up_cards(at=NOW + timedelta(days=2))
    method.refresh_from_db()
    assert (method.expiry_year, method.next_lookup_at) == (2031, NOW + timedelta(days=32))

    StoredCard.objects.update(is_gone=True)
    look_up_cards(at=NOW + timedelta(days=32))
    method.refresh_from_db()
    assert (method.status, method.next_lookup_at) == ("removed", None)


def test_the_worker_looks_up_what_is_due(profile):
    method = renewed(profile)
    PaymentMethod.objects.update(next_lookup_at=NOW)
    (cards,) = (job for job in jobs() if job.name == "cards")
    cards.run(NOW, 10)
    method.refresh_from_db()
    assert method.expiry_year == 2031
