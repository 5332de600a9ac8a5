"""Cards of a profile: the default is changed and cards are removed by those who may, one at a time."""

from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied

from accounts.models import AuditEntry
from payments.models import PaymentMethod
from payments.operations import CannotChangeMethod, make_default, remove_method
from tests.factories import NOW, BillingProfileFactory, access_for, issued, member
from tests.payments.acts import card, press_pay, sandbox


@pytest.fixture
def owner(profile):
    return access_for(member(profile, "profile_owner"), profile)


def test_one_card_is_the_default_at_a_time(profile, owner):
    first, second = card(profile, is_default=True), card(profile)
    make_default(access=owner, method_id=second.pk, at=NOW)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.is_default, second.is_default) == (False, True)
    assert AuditEntry.objects.filter(action="method.made_default").count() == 1


def test_an_expired_card_cannot_be_the_default(profile, owner):
    expired = card(profile, expiry_month=9, expiry_year=2026)
    with pytest.raises(CannotChangeMethod):
        make_default(access=owner, method_id=expired.pk, at=NOW)
    assert not PaymentMethod.objects.filter(is_default=True).exists()


def test_removing_a_card_forgets_it_at_the_gateway_too(profile, owner):
    kept = card(profile)
    remove_method(access=owner, method_id=kept.pk, at=NOW)
    kept.refresh_from_db()
    assert (kept.status, kept.removed_at) == ("removed", NOW)
    invoice = issued(profile)
    PaymentMethod.objects.filter(pk=kept.pk).update(status="active")
    payment = press_pay(member(profile, "profile_owner"), invoice, kept)
    assert (payment.status, payment.decline_code) == ("declined", "method_gone")


def test_a_gateway_that_is_away_does_not_keep_the_card_on_the_profile(profile, owner):
    kept = card(profile)
    sandbox().switches.arm("drop_before", on="detach")
    assert remove_method(access=owner, method_id=kept.pk, at=NOW).status == "removed"


def test_the_default_gives_way_to_another_first(profile, owner):
    first, second = card(profile, is_default=True), card(profile)
    with pytest.raises(CannotChangeMethod, match="default"):
        remove_method(access=owner, method_id=first.pk, at=NOW)
    make_default(access=owner, method_id=second.pk, at=NOW)
    assert remove_method(access=owner, method_id=first.pk, at=NOW).status == "removed"


def test_a_card_in_use_stays(profile, owner):
    waiting = card(profile, "3184")
    press_pay(owner.user, issued(profile), waiting)
    with pytest.raises(CannotChangeMethod, match="in progress"):
        remove_method(access=owner, method_id=waiting.pk, at=NOW)
    waiting.refresh_from_db()
    assert waiting.status == "active"


@pytest.mark.parametrize("role", ["invoice_manager", "profile_reader"])
@pytest.mark.parametrize("act", [make_default, remove_method])
def test_who_may_not_manage_cards_changes_nothing(profile, role, act):
    kept = card(profile)
    person = access_for(member(profile, role), profile)
    with pytest.raises(PermissionDenied):
        act(access=person, method_id=kept.pk, at=NOW)
    kept.refresh_from_db()
    assert (kept.status, kept.is_default) == ("active", False)


@pytest.mark.parametrize("act", [make_default, remove_method])
def test_a_card_of_another_profile_does_not_exist(profile, owner, act):
    foreign = card(BillingProfileFactory(account=profile.account))
    with pytest.raises(PaymentMethod.DoesNotExist):
        act(access=owner, method_id=foreign.pk, at=NOW)


def test_a_card_that_was_renewed_is_charged_by_its_new_id(profile):
    """The new card has the number of the old one, so it is the same row; the old id expires at the gateway."""
    owner = member(profile, "profile_owner")
    press_pay(owner, issued(profile), token=f"tok_4444_{uuid4().hex}", save_method=True)
    before = PaymentMethod.objects.get()
    press_pay(owner, issued(profile), token=f"tok_4444_{uuid4().hex}", save_method=True)
    after = PaymentMethod.objects.get()
    assert after.pk == before.pk
    assert after.gateway_method != before.gateway_method
    assert press_pay(owner, issued(profile), after).status == "succeeded"
