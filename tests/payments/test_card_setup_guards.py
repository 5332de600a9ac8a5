"""Who may add a card, whose attempt it is, and how many may be tried."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import OperationalError

from payments.models import MethodSetup, PaymentMethod
from payments.operations.card_setups import CannotAddCard, finish_adding, setup_challenge_of
from tests.factories import NOW, BillingProfileFactory, access_for, member
from tests.payments.acts import card
from tests.payments.adding import add, answer, cards_at_the_gateway

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(profile):
    return access_for(member(profile, "profile_owner"), profile)


@pytest.mark.parametrize("role", ["invoice_manager", "profile_reader"])
def test_who_may_not_manage_cards_adds_none(profile, role):
    with pytest.raises(PermissionDenied):
        add(access_for(member(profile, role), profile))
    assert not MethodSetup.objects.exists()
    assert cards_at_the_gateway() == 0


def test_a_role_that_was_taken_away_since_the_page_was_drawn_counts(owner):
    setup = add(owner, "3184")
    answer(setup)
    owner.user.assignments.all().delete()
    for act in (lambda: add(owner), lambda: finish_adding(access=owner, key=setup.key, at=NOW)):
        with pytest.raises(PermissionDenied):
            act()
    assert not PaymentMethod.objects.exists()


def test_another_persons_attempt_does_not_exist(profile, owner):
    setup = add(owner, "3184")
    answer(setup)
    colleague = access_for(member(profile, "profile_owner"), profile)
    for act in (finish_adding, lambda at, **who: setup_challenge_of(**who)):
        with pytest.raises(MethodSetup.DoesNotExist):
            act(access=colleague, key=setup.key, at=NOW)
    with pytest.raises(CannotAddCard, match="out of date"):
        add(colleague, key=setup.key)
    assert not PaymentMethod.objects.exists()


def test_an_attempt_of_another_profile_is_not_continued_on_this_one(profile, owner):
    sibling = BillingProfileFactory(account=profile.account)
    both = member(profile.account, "account_owner")
    setup = add(access_for(both, sibling), "3184")
    with pytest.raises(CannotAddCard, match="out of date"):
        add(access_for(both, profile), key=setup.key)
    with pytest.raises(MethodSetup.DoesNotExist):
        finish_adding(access=access_for(both, profile), key=setup.key, at=NOW)


def test_the_id_of_a_stored_card_is_no_card_just_typed_in(profile, owner):
    foreign = card(BillingProfileFactory())
    with pytest.raises(CannotAddCard):
        add(owner, card_token=foreign.gateway_method)
    assert not MethodSetup.objects.exists()


def test_ten_refused_cards_in_an_hour_are_enough(profile, owner):
    for _time in range(10):
        add(owner, "0002")
    with pytest.raises(CannotAddCard, match="Too many of your attempts") as refusal:
        add(owner, at=NOW + timedelta(minutes=59))
    assert refusal.value.code == "throttled"
    assert MethodSetup.objects.count() == 10
    other = BillingProfileFactory(account=profile.account)
    assert add(access_for(member(other, "profile_owner"), other)).status == "succeeded"
    assert add(owner, at=NOW + timedelta(minutes=61)).status == "succeeded"


def test_attempts_without_an_answer_count_too_so_that_many_at_once_are_no_way_around(profile, owner):
    for _time in range(10):
        MethodSetup.objects.create(profile=profile, gateway="sandbox", created_at=NOW, created_by=owner.user)
    with pytest.raises(CannotAddCard):
        add(owner)


def test_thirty_new_cards_in_an_hour_are_enough_however_well_they_ended(profile, owner):
    visa = card(profile)
    for _time in range(30):
        MethodSetup.objects.create(
            profile=profile, gateway="sandbox", status="succeeded", method=visa, created_at=NOW, created_by=owner.user
        )
    with pytest.raises(CannotAddCard, match="Too many new cards were tried") as refusal:
        add(owner)
    assert refusal.value.code == "throttled"
    assert add(owner, at=NOW + timedelta(minutes=61)).status == "succeeded"


def test_a_database_that_is_busy_adds_nothing_and_says_so(owner, monkeypatch):
    """Such as SQLite while an import writes."""

    def locked(*_args, **_wish):
        raise OperationalError("database is locked")

    monkeypatch.setattr(MethodSetup.objects, "create", locked)
    with pytest.raises(CannotAddCard, match="busy"):
        add(owner)
    assert cards_at_the_gateway() == 0
