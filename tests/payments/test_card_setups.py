"""A card is added without paying: once, however often it is sent and whatever gets lost on the way."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from accounts.models import AuditEntry
from payments.models import Detachment, MethodSetup, PaymentMethod
from payments.operations import card_setups
from payments.operations.card_setups import CannotAddCard, end_abandoned, finish_adding, setup_challenge_of
from payments.operations.gateway_calls import NoAnswer
from payments.operations.methods import detach_due, remove_method
from tests.factories import NOW, BillingProfileFactory, access_for, issued, member
from tests.payments.acts import card, charges, press_pay, sandbox
from tests.payments.adding import add, answer, cards_at_the_gateway

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(profile):
    return access_for(member(profile, "profile_owner"), profile)


def test_a_card_is_added_and_can_be_charged(profile, owner):
    setup = add(owner)
    [method] = PaymentMethod.objects.all()
    assert (setup.status, setup.method, method.label, method.is_default) == (
        "succeeded",
        method,
        "Visa •••• 4242",
        False,
    )
    assert (method.created_by, method.gateway_customer) == (owner.user, f"cus_{profile.code}")
    assert AuditEntry.objects.get(action="method.added").actor == owner.user
    invoice = issued(profile)
    assert press_pay(owner.user, invoice, method).status == "succeeded"
    assert charges(invoice) == [12000]


def test_it_becomes_the_default_when_asked(profile, owner):
    card(profile, "4444", is_default=True)
    setup = add(owner, make_default=True)
    assert list(PaymentMethod.objects.filter(is_default=True)) == [setup.method]


def test_sending_the_page_twice_adds_one_card(owner):
    wish = {"key": uuid4(), "card_token": "tok_4242_twice"}
    first, second = add(owner, **wish), add(owner, **wish)
    assert first == second
    assert MethodSetup.objects.count() == PaymentMethod.objects.count() == cards_at_the_gateway() == 1


def test_a_page_that_is_sent_again_later_does_not_ask_the_gateway_and_brings_no_removed_card_back(owner):
    wish = {"key": uuid4(), "card_token": "tok_4242_again"}
    remove_method(access=owner, method_id=add(owner, **wish).method.pk, at=NOW)
    sandbox().faults.arm("drop_before", on="setup")
    assert add(owner, **wish).status == "succeeded"
    assert not PaymentMethod.objects.active().exists()
    with pytest.raises(CannotAddCard):  # the fault still waits for a call
        add(owner)


def test_two_ways_back_at_once_write_one_end_down(owner, monkeypatch):
    """The second asked the gateway before the first wrote down what it had heard."""
    setup = add(owner, "3184")
    answer(setup)
    real = sandbox().finish_setup

    def finish_setup(setup_id):
        monkeypatch.setattr(sandbox(), "finish_setup", real)
        remove_method(access=owner, method_id=finish_adding(access=owner, key=setup.key, at=NOW).method.pk, at=NOW)
        return replace(real(setup_id), next_url="")

    monkeypatch.setattr(sandbox(), "finish_setup", finish_setup)
    assert finish_adding(access=owner, key=setup.key, at=NOW).status == "succeeded"
    assert not PaymentMethod.objects.active().exists()
    assert AuditEntry.objects.filter(action="method.added").count() == 1


def test_a_crash_between_asking_and_writing_down_is_mended_by_sending_it_again(owner, monkeypatch):

    wish = {"key": uuid4(), "card_token": "tok_4242_crash"}
    with monkeypatch.context() as patch:
        patch.setattr(card_setups, "_record", lambda *_args, **_kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            add(owner, **wish)
    assert MethodSetup.objects.get().status == "created"

    assert add(owner, **wish).status == "succeeded"
    assert PaymentMethod.objects.count() == cards_at_the_gateway() == 1


def test_the_same_number_is_the_same_card_and_the_old_id_is_forgotten_afterwards(owner):
    old = add(owner).method
    new = add(owner).method
    assert new.pk == old.pk
    assert new.gateway_method != old.gateway_method
    assert cards_at_the_gateway() == 2

    detach_due(at=NOW)

    assert cards_at_the_gateway() == 1
    assert sandbox().lookup_method(gateway_method=new.gateway_method, gateway_customer="") is not None


def test_a_card_kept_while_paying_and_added_again_is_the_same_card(profile, owner):
    press_pay(owner.user, issued(profile), token="tok_4444_a", save_method=True)
    assert add(owner, "4444").method == PaymentMethod.objects.get()


def test_a_card_that_is_added_again_after_its_removal_is_a_card_again(profile, owner):
    removed = remove_method(access=owner, method_id=add(owner).method.pk, at=NOW)
    again = add(owner).method
    assert again.pk != removed.pk
    assert list(PaymentMethod.objects.active()) == [again]


def test_a_refused_card_is_not_added_and_says_why(owner):
    setup = add(owner, "9995")
    assert (setup.status, setup.decline_code, setup.method) == ("declined", "insufficient_funds", None)
    assert not PaymentMethod.objects.exists()
    assert AuditEntry.objects.get(action="method.declined").detail["decline"] == "insufficient_funds"


@pytest.mark.parametrize(("in_page", "has_address"), [("sandbox", False), ("", True), ("another", True)])
def test_the_banks_check_comes_first_and_then_the_card(owner, in_page, has_address):
    setup = add(owner, "3184", in_page=in_page)
    assert (setup.status, bool(setup.next_url)) == ("needs_customer", has_address)
    assert bool(setup_challenge_of(access=owner, key=setup.key)) != has_address
    assert finish_adding(access=owner, key=setup.key, at=NOW).status == "needs_customer"
    assert not PaymentMethod.objects.exists()

    answer(setup)

    assert finish_adding(access=owner, key=setup.key, at=NOW).status == "succeeded"
    assert finish_adding(access=owner, key=setup.key, at=NOW).method == PaymentMethod.objects.get()
    assert setup_challenge_of(access=owner, key=setup.key) == {}


def test_a_failed_check_is_a_refusal(owner):
    setup = add(owner, "3184")
    answer(setup, approved=False)
    assert finish_adding(access=owner, key=setup.key, at=NOW).decline_code == "challenge_failed"


def test_a_gateway_that_does_not_answer_adds_nothing_and_is_asked_again_by_the_person(owner):
    wish = {"key": uuid4(), "card_token": "tok_4242_away"}
    for trouble in ("drop_before", "drop_after"):
        sandbox().faults.arm(trouble, on="setup")
        with pytest.raises(CannotAddCard, match="could not reach"):
            add(owner, **wish)
    assert not PaymentMethod.objects.exists()
    assert add(owner, **wish).status == "succeeded"
    assert cards_at_the_gateway() == 1


def test_of_two_clicks_the_one_without_an_answer_shows_what_the_other_got(owner, monkeypatch):
    """The gateway is busy with the first of two, and says so to the second."""

    wish = {"key": uuid4(), "card_token": "tok_4242_busy"}

    def busy(call, *, subject):
        MethodSetup.objects.update(status="declined", decline_code="generic")
        raise NoAnswer

    monkeypatch.setattr(card_setups, "call", busy)
    assert add(owner, **wish).status == "declined"


def test_a_way_back_without_an_answer_changes_nothing(owner):
    setup = add(owner, "3184")
    answer(setup)
    sandbox().faults.arm("drop_before", on="finish_setup")
    with pytest.raises(NoAnswer):
        finish_adding(access=owner, key=setup.key, at=NOW)
    setup.refresh_from_db()
    assert setup.status == "needs_customer"


def test_an_attempt_nobody_finished_ends_by_itself(owner):
    setup = add(owner, "3184")
    end_abandoned(at=NOW + timedelta(minutes=29))
    setup.refresh_from_db()
    assert setup.status == "needs_customer"

    assert end_abandoned(at=NOW + timedelta(minutes=31)) == 1
    assert end_abandoned(at=NOW + timedelta(days=2)) == 0
    setup.refresh_from_db()
    assert (setup.status, setup.next_url, setup.next_look_at) == ("expired", "", None)


def test_a_check_that_was_passed_before_the_page_was_closed_adds_the_card(owner):
    setup = add(owner, "3184")
    answer(setup)
    end_abandoned(at=NOW + timedelta(minutes=31))
    assert PaymentMethod.objects.get().created_by == owner.user


def test_but_not_when_the_person_may_not_add_cards_any_more(owner):
    setup = add(owner, "3184")
    answer(setup)
    owner.user.assignments.all().delete()
    end_abandoned(at=NOW + timedelta(minutes=31))
    setup.refresh_from_db()
    assert setup.status == "expired"
    assert not PaymentMethod.objects.exists()


def test_a_gateway_that_is_away_keeps_an_attempt_open_for_a_day_at_most(owner):
    setup = add(owner, "3184")
    sandbox().faults.arm("drop_before", on="finish_setup", times=9)
    for later in (timedelta(minutes=31), timedelta(hours=2)):
        end_abandoned(at=NOW + later)
        setup.refresh_from_db()
        assert setup.status == "needs_customer"
    end_abandoned(at=NOW + timedelta(days=1, minutes=5))
    setup.refresh_from_db()
    assert setup.status == "expired"


def test_an_attempt_whose_process_was_killed_ends_too(profile, owner):
    MethodSetup.objects.create(
        profile=profile, gateway="sandbox", created_at=NOW, created_by=owner.user, next_look_at=NOW
    )
    end_abandoned(at=NOW + timedelta(minutes=31))
    assert MethodSetup.objects.get().status == "expired"


def test_what_nobody_came_back_for_is_closed_at_the_gateway_so_that_a_late_answer_adds_nothing(owner):
    setup = add(owner, "3184")
    end_abandoned(at=NOW + timedelta(minutes=31))
    answer(setup)
    assert finish_adding(access=owner, key=setup.key, at=NOW + timedelta(hours=1)).status == "expired"
    assert cards_at_the_gateway() == 0


def test_a_gateway_that_cannot_close_an_attempt_is_asked_again(owner):
    setup = add(owner, "3184")
    sandbox().faults.arm("drop_before", on="expire_setup")
    end_abandoned(at=NOW + timedelta(minutes=31))
    setup.refresh_from_db()
    assert setup.status == "needs_customer"
    end_abandoned(at=NOW + timedelta(minutes=34))
    setup.refresh_from_db()
    assert setup.status == "expired"


def test_a_card_that_was_passed_in_the_second_of_closing_is_kept(owner, monkeypatch):
    setup = add(owner, "3184")
    real = sandbox().finish_setup

    def finish_setup(setup_id):
        step = real(setup_id)
        answer(setup)
        return step

    monkeypatch.setattr(sandbox(), "finish_setup", finish_setup)
    end_abandoned(at=NOW + timedelta(minutes=31))
    setup.refresh_from_db()
    assert (setup.status, PaymentMethod.objects.count()) == ("succeeded", 1)


def test_a_card_whose_id_another_profile_has_is_not_taken_from_it(profile, owner, monkeypatch):
    theirs = card(BillingProfileFactory())
    real = sandbox().begin_setup

    def begin_setup(**asked):
        made = real(**asked)
        return replace(made, method=replace(made.method, gateway_method=theirs.gateway_method))

    monkeypatch.setattr(sandbox(), "begin_setup", begin_setup)
    assert add(owner).status == "declined"
    theirs.refresh_from_db()
    assert theirs.profile != profile
    assert not PaymentMethod.objects.filter(profile=profile).exists()
    assert not Detachment.objects.exists()
