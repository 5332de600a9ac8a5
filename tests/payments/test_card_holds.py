"""How many cards may be tried within an hour, paying and adding together, by one person and on one profile."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from payments.gateways.base import Outcome, Result
from payments.models import CardHold, MethodSetup, Payment, PaymentEvent
from payments.operations.attempts import CannotPay
from payments.operations.card_holds import HOUR
from payments.operations.card_setups import CannotAddCard
from payments.operations.reconciliation import cancel_attempt, reconcile
from payments.operations.settlement import settle
from payments.states import PaymentStatus
from tests.factories import NOW, BillingProfileFactory, access_for, issued, member
from tests.payments.acts import card, charges, press_pay, sandbox
from tests.payments.adding import add
from tests.payments.pages import browser, filled_in, pay_url, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(profile):
    """An owner of `profile`, who may add cards too."""
    return member(profile, "profile_owner")


def try_new(user, profile, last_four="0002", **changes):
    return press_pay(user, issued(profile), token=f"tok_{last_four}_{uuid4().hex[:8]}", **changes)


def is_held(user, profile, *, at=NOW, stored=False):
    """Whether this person can try no card on the profile. What is refused writes no attempt."""
    attempts = Payment.objects.count()
    try:
        press_pay(user, issued(profile), card(profile), at=at) if stored else try_new(user, profile, "4242", at=at)
    except CannotPay as problem:
        refusal = problem
    else:
        return False
    assert (refusal.code, Payment.objects.count()) == ("throttled", attempts)
    return True


def test_ten_declined_new_cards_hold_the_person(owner, profile):
    for _time in range(10):
        assert try_new(owner, profile).status == "declined"
    assert is_held(owner, profile)
    assert is_held(owner, profile, stored=True)


def test_seven_profiles_are_no_seventy_tries(profile, owner):
    profiles = [profile, *(BillingProfileFactory(account=profile.account) for _more in range(6))]
    boss = member(profile.account, "account_owner")
    for index in range(10):
        try_new(boss, profiles[index % 7])
    assert all(is_held(boss, each) for each in profiles)
    assert not is_held(owner, profile)
    hold = CardHold.objects.get()
    assert (hold.person, hold.profile, hold.tries) == (boss, None, 10)


def test_paying_and_adding_are_counted_together(owner, profile):
    for _time in range(5):
        try_new(owner, profile)
        assert add(access_for(owner, profile), "0002").status == "declined"
    assert is_held(owner, profile)
    with pytest.raises(CannotAddCard, match="Too many of your attempts") as refusal:
        add(access_for(owner, profile))
    assert refusal.value.code == "throttled"
    assert MethodSetup.objects.count() == 5


def abandon(payment, user, profile):
    """Nobody comes back from the bank."""
    reconcile(at=NOW + timedelta(minutes=31))


def cancel(payment, user, profile):
    cancel_attempt(access=access_for(user, profile), reference=payment.reference, at=NOW)


def leave_open(payment, user, profile):
    """The bank is asked, and nobody answers yet."""


@pytest.mark.parametrize(("end", "status"), [(abandon, "expired"), (cancel, "expired"), (leave_open, "needs_customer")])
def test_a_bank_approval_that_was_left_or_cancelled_was_a_try(owner, profile, end, status):
    for _time in range(10):
        payment = try_new(owner, profile, "3184")
        end(payment, owner, profile)
        payment.refresh_from_db()
        assert payment.status == status
    assert is_held(owner, profile, at=NOW + timedelta(minutes=32))


def test_a_card_whose_adding_was_left_at_the_bank_was_a_try(owner, profile):
    for _time in range(10):
        assert add(access_for(owner, profile), "3184").status == "needs_customer"
    assert is_held(owner, profile)


def test_a_payment_that_got_no_answer_was_a_try_and_one_that_never_left_was_none(owner, profile):
    sandbox().faults.arm("refuse_connection", on="charge", times=12)
    for _time in range(12):
        assert try_new(owner, profile).status == "not_sent"
    sandbox().faults.arm("drop_before", on="charge", times=10)
    for _time in range(10):
        assert try_new(owner, profile).status == "unknown"
    assert is_held(owner, profile)


@pytest.mark.parametrize("status", PaymentStatus.values)
def test_every_state_of_a_payment_is_a_try_or_is_not(owner, profile, status):
    """A new state has to be put on one side."""
    stored = card(profile)
    Payment.objects.bulk_create(
        Payment(
            profile=profile, amount_minor=100, currency="EUR", started_at=NOW, started_by=owner, method=stored,
            gateway="sandbox", status=status,
        )
        for _time in range(10)
    )  # fmt: skip
    harmless = {"mismatch", "succeeded", "not_sent"}
    assert is_held(owner, profile) == (status not in harmless)


def test_a_stored_card_that_is_declined_again_and_again_counts(owner, profile):
    bad = card(profile, "0002")
    for _time in range(10):
        press_pay(owner, issued(profile), bad)
    assert is_held(owner, profile)


def test_two_hundred_invoices_paid_with_a_stored_card_hold_nobody(owner, profile):
    visa = card(profile)
    invoices = [issued(profile) for _invoice in range(4)]
    Payment.objects.bulk_create(
        Payment(
            profile=profile, amount_minor=12000, currency="EUR", started_at=NOW, started_by=owner, method=visa,
            gateway="sandbox", status="succeeded",
        )
        for _time in range(200)
    )  # fmt: skip
    for invoice in invoices:
        assert press_pay(owner, invoice, visa).status == "succeeded"
    assert try_new(owner, profile, "4242").status == "succeeded"
    assert not CardHold.objects.exists()


def test_thirty_new_cards_hold_new_cards_however_they_ended_but_not_stored_ones(owner, profile, settings):
    settings.NEW_CARDS_PER_HOUR = 6
    for kept in (True, False, True):
        assert try_new(owner, profile, "4242", save_method=kept).status == "succeeded"
        assert add(access_for(owner, profile)).status == "succeeded"
    assert is_held(owner, profile)
    assert not is_held(owner, profile, stored=True)
    with pytest.raises(CannotAddCard, match="Too many new cards"):
        add(access_for(owner, profile))
    assert CardHold.objects.get().reason == "new_cards"


def test_one_person_cannot_hold_up_their_colleagues_but_several_can_hold_the_profile(profile, settings):
    settings.CARD_TRIES_PER_HOUR, settings.CARD_TRIES_PER_HOUR_OF_PROFILE = 3, 5
    first, second, third = (member(profile, "profile_owner") for _person in range(3))
    for _time in range(3):
        try_new(first, profile)
    assert is_held(first, profile)
    for _time in range(2):
        try_new(second, profile)
    assert is_held(third, profile)
    assert {(hold.person, hold.profile) for hold in CardHold.objects.all()} == {(first, None), (None, profile)}
    elsewhere = BillingProfileFactory()
    assert not is_held(member(elsewhere, "profile_owner"), elsewhere)


def test_new_cards_of_all_people_together_hold_the_profile(profile, settings):
    settings.NEW_CARDS_PER_HOUR_OF_PROFILE = 4
    for _person in range(2):
        somebody = member(profile, "profile_owner")
        try_new(somebody, profile, "4242")
        add(access_for(somebody, profile))
    assert is_held(member(profile, "profile_owner"), profile)


def test_a_try_is_forgotten_after_an_hour(owner, profile):
    for minute in range(10):
        try_new(owner, profile, at=NOW + timedelta(minutes=minute))
    assert is_held(owner, profile, at=NOW + timedelta(minutes=59))
    assert CardHold.objects.get().until == NOW + HOUR
    assert not is_held(owner, profile, at=NOW + timedelta(minutes=60))


def test_what_the_portal_charges_by_itself_is_nobodys_try(owner, profile):
    bad = card(profile, "0002")
    Payment.objects.bulk_create(
        Payment(
            profile=profile, amount_minor=100, currency="EUR", started_at=NOW, method=bad, gateway="sandbox",
            status="declined", is_automatic=True,
        )
        for _time in range(40)
    )  # fmt: skip
    assert not is_held(owner, profile)


def test_wires_that_staff_recorded_are_no_cards(owner, profile, settings):
    settings.NEW_CARDS_PER_HOUR_OF_PROFILE = 4
    Payment.objects.bulk_create(
        Payment(
            profile=profile, amount_minor=100, currency="EUR", started_at=NOW, started_by=owner, channel="wire",
            bank_reference=f"LINE {number}", status="succeeded",
        )
        for number in range(40)
    )  # fmt: skip
    assert not is_held(owner, profile)


def test_the_page_says_when_and_what_helps_and_nothing_reaches_the_bank(owner, profile):
    now = timezone.now()
    for _time in range(10):
        try_new(owner, profile, at=now - timedelta(minutes=18))
    invoice = issued(profile)
    response = browser(owner).post(pay_url(invoice), filled_in(invoice))
    assert response.status_code == 422
    assert "Too many of your attempts to pay or to add a card failed within an hour." in text_of(response)
    assert "You can try again in 42 minutes. Until then you can pay by wire transfer." in text_of(response)
    assert charges(invoice) == []
    assert not invoice.allocations.exists()


def test_whoever_goes_on_trying_leaves_one_entry_in_the_audit_and_one_hold(owner, profile):
    for _time in range(10):
        try_new(owner, profile)
    for minute in range(5):
        assert is_held(owner, profile, at=NOW + timedelta(minutes=minute))
    with pytest.raises(CannotAddCard):
        add(access_for(owner, profile))
    [entry] = AuditEntry.objects.filter(action__in=("payment.held", "method.held"))
    assert (entry.action, entry.actor, entry.person, entry.profile) == ("payment.held", owner, owner, profile)
    hold = CardHold.objects.get()
    assert (hold.since, hold.until, hold.tries) == (NOW, NOW + HOUR, 10)


def test_a_later_try_moves_the_end_of_the_hold_and_is_no_second_one(owner, profile):
    for minute in range(10):
        try_new(owner, profile, at=NOW + timedelta(minutes=minute))
    assert is_held(owner, profile, at=NOW + timedelta(minutes=30))
    try_new(owner, profile, at=NOW + timedelta(minutes=60))
    assert is_held(owner, profile, at=NOW + timedelta(minutes=60, seconds=1))
    assert CardHold.objects.get().until == NOW + timedelta(minutes=61)
    assert AuditEntry.objects.filter(action="payment.held").count() == 1


def test_what_was_tried_in_adding_is_noted_as_such(owner, profile):
    for _time in range(10):
        add(access_for(owner, profile), "0002")
    with pytest.raises(CannotAddCard):
        add(access_for(owner, profile))
    assert AuditEntry.objects.filter(action="method.held", person=owner, profile=profile).count() == 1


def test_a_page_that_was_sent_before_still_shows_how_its_payment_went(owner, profile):
    invoice, key, token = issued(profile), uuid4(), "tok_0002_first"
    first = press_pay(owner, invoice, token=token, attempt_key=key)
    for _time in range(9):
        try_new(owner, profile)
    assert is_held(owner, profile)
    assert press_pay(owner, invoice, token=token, attempt_key=key) == first


def test_an_open_try_that_succeeds_counts_no_longer(owner, profile):
    payments = [try_new(owner, profile, "3184") for _time in range(10)]
    assert is_held(owner, profile)
    approve(payments[0])
    assert not is_held(owner, profile)


def approve(payment):
    outcome = Outcome(Result.SUCCEEDED, gateway_id=payment.gateway_id, amount=payment.amount)
    settle(payment_id=payment.pk, outcome=outcome, source=PaymentEvent.Source.WEBHOOK, at=NOW)
