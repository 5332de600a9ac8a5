"""A card that was given up is forgotten at the gateway too: at once, or as soon as the gateway answers."""

from datetime import timedelta

import pytest

from payments.models import Detachment, PaymentMethod
from payments.operations import methods
from payments.operations.methods import detach_due, remove_method
from tests.factories import NOW, access_for, issued, member
from tests.payments.acts import card, press_pay, sandbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(profile):
    return access_for(member(profile, "profile_owner"), profile)


def forgotten(method):
    return sandbox().lookup_method(gateway_method=method.gateway_method, gateway_customer="") is None


def minutes(number):
    return NOW + timedelta(minutes=number)


def test_a_removed_card_is_forgotten_at_once(profile, owner):
    kept = card(profile)
    remove_method(access=owner, method_id=kept.pk, at=NOW)
    assert forgotten(kept)
    row = Detachment.objects.get()
    assert (row.done_at, row.next_try_at, row.tries) == (NOW, None, 0)


def test_a_card_that_is_gone_already_is_success(profile, owner):
    kept = card(profile)
    sandbox().detach(gateway_method=kept.gateway_method)
    remove_method(access=owner, method_id=kept.pk, at=NOW)
    assert Detachment.objects.get().done_at == NOW


def test_a_gateway_that_is_away_is_asked_again_until_it_answers(profile, owner):
    kept = card(profile)
    sandbox().faults.arm("drop_before", on="detach", times=2)
    remove_method(access=owner, method_id=kept.pk, at=NOW)
    assert not forgotten(kept)
    assert "No answer" in Detachment.objects.get().last_error
    assert [detach_due(at=minutes(later)) for later in (0.5, 1, 2, 7)] == [0, 1, 0, 1]
    assert forgotten(kept)
    assert detach_due(at=NOW + timedelta(days=9)) == 0


def test_a_gateway_that_never_answers_ends_with_staff(profile, owner):
    kept = card(profile)
    sandbox().faults.arm("drop_before", on="detach", times=99)
    remove_method(access=owner, method_id=kept.pk, at=NOW)
    for day in range(1, 40):
        detach_due(at=NOW + timedelta(days=day))
    row = Detachment.objects.get()
    assert (row.done_at, row.next_try_at) == (None, None)
    assert 15 < row.tries < 25


def test_a_gateway_that_is_not_configured_any_more_is_asked_when_it_is_again(profile, owner):
    kept = card(profile, gateway="away")
    remove_method(access=owner, method_id=kept.pk, at=NOW)
    row = Detachment.objects.get()
    assert row.next_try_at
    assert "UnknownGateway" in row.last_error


def test_the_wish_and_the_removal_are_one_commit(profile, owner, monkeypatch):
    from payments.operations import methods

    kept = card(profile)
    monkeypatch.setattr(methods, "queue_detachment", lambda *_args, **_kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        remove_method(access=owner, method_id=kept.pk, at=NOW)
    kept.refresh_from_db()
    assert kept.status == "active"


def test_an_old_id_is_kept_while_a_payment_may_still_need_it(profile, owner):
    kept = card(profile, "3184")
    Detachment.objects.create(
        method=kept, gateway="sandbox", gateway_method="card_3184_old", created_at=NOW, next_try_at=NOW
    )
    payment = press_pay(owner.user, issued(profile), kept)
    detach_due(at=NOW)
    assert Detachment.objects.get().next_try_at > NOW
    type(payment).objects.update(status="expired")
    detach_due(at=minutes(6))
    assert Detachment.objects.get().done_at == minutes(6)


def test_an_id_that_a_card_has_again_is_left_alone(profile, owner):
    kept = card(profile)
    sandbox().faults.arm("drop_before", on="detach")
    remove_method(access=owner, method_id=kept.pk, at=NOW)
    PaymentMethod.objects.update(status="active")
    detach_due(at=minutes(2))
    assert not forgotten(kept)
    assert Detachment.objects.get().next_try_at is None


def test_a_row_that_another_worker_has_leased_is_left_to_it(profile, owner, monkeypatch):

    kept = card(profile)
    row = Detachment.objects.create(
        method=kept, gateway="sandbox", gateway_method="card_4242_old", created_at=NOW, next_try_at=NOW
    )
    taken = []

    def meanwhile(row, at):
        taken.append(row.pk)
        assert detach_due(at=NOW) == 0
        return True

    monkeypatch.setattr(methods, "_detach", meanwhile)
    assert detach_due(at=NOW) == 1
    assert taken == [row.pk]
