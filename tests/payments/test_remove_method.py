"""What keeps a card on its profile, and replacing one: each refusal is the operation's, not only the page's."""

from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied

from accounts.models import AuditEntry, BillingProfile
from payments.models import PaymentMethod
from payments.operations.autopay import switch_autopay
from payments.operations.card_setups import CannotAddCard
from payments.operations.methods import (
    CannotChangeMethod,
    blockers_of,
    change_backups,
    make_default,
    remove_method,
)
from tests.factories import NOW, BillingProfileFactory, access_for, issued, member
from tests.payments.acts import books_are_clean, card, press_pay, staff
from tests.payments.adding import add, answer

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(profile):
    return access_for(member(profile, "profile_owner"), profile)


def codes(method) -> list[str]:
    return [blocker.code for blocker in blockers_of(method, at=NOW)]


def removed(owner, method) -> bool:
    """Tries to remove it. What is refused leaves no trace."""
    before = AuditEntry.objects.count()
    try:
        remove_method(access=owner, method_id=method.pk, at=NOW)
    except CannotChangeMethod:
        method.refresh_from_db()
        assert method.status == "active"
        assert AuditEntry.objects.count() == before
        return False
    method.refresh_from_db()
    return method.status == "removed"


def order_of(profile) -> list[str]:
    cards = profile.payment_methods.filter(backup_order__isnull=False).order_by("backup_order")
    return list(cards.values_list("last_four", flat=True))


def test_the_only_card_of_a_card_profile_stays(profile, owner):
    visa = card(profile, is_default=True)
    assert codes(visa) == ["last"]
    assert not removed(owner, visa)


def test_the_only_card_of_a_profile_that_pays_by_wire_goes(profile, owner):
    BillingProfile.objects.update(default_method="check_wire")
    assert removed(owner, card(profile, is_default=True))


def test_an_expired_card_is_kept_by_nothing(profile, owner):
    assert removed(owner, card(profile, is_default=True, expiry_year=2025))


def test_a_card_that_invoices_are_going_to_be_charged_to_stays_until_another_is_the_default(profile, owner):
    visa, other = card(profile, is_default=True), card(profile, "4444")
    issued(profile)
    assert codes(visa) == ["default", "planned"]
    assert not removed(owner, visa)
    make_default(access=owner, method_id=other.pk, at=NOW)
    visa.refresh_from_db()
    assert codes(visa) == []
    assert removed(owner, visa)


def test_switching_automatic_charges_off_frees_the_card_of_its_plans(profile, owner):
    visa = card(profile, is_default=True)
    issued(profile)
    assert codes(visa) == ["planned", "last"]
    switch_autopay(access=owner, on=False, at=NOW)
    visa.refresh_from_db()
    assert codes(visa) == ["last"]


def test_a_payment_in_progress_keeps_a_card_whatever_it_is(profile, owner):
    checked = card(profile, "3184")
    press_pay(owner.user, issued(profile), checked)
    assert codes(checked) == ["open_payment"]
    assert not removed(owner, checked)
    assert not removed(staff(), checked)


def test_staff_remove_the_only_card_at_a_customers_wish(profile):
    assert removed(staff(), card(profile, is_default=True))


def test_a_removed_backup_leaves_its_place(profile, owner):
    card(profile, is_default=True)
    backup = card(profile, "4444", backup_order=1)
    assert removed(owner, backup)
    assert backup.backup_order is None


def test_backups_are_put_in_order(profile, owner):
    card(profile, is_default=True)
    cards = [card(profile, last_four) for last_four in ("4444", "0005", "0341")]
    for each in cards:
        change_backups(access=owner, method_id=each.pk, change="add", at=NOW)
    change_backups(access=owner, method_id=cards[2].pk, change="up", at=NOW)
    assert order_of(profile) == ["4444", "0341", "0005"]
    change_backups(access=owner, method_id=cards[0].pk, change="up", at=NOW)
    change_backups(access=owner, method_id=cards[0].pk, change="down", at=NOW)
    assert order_of(profile) == ["0341", "4444", "0005"]
    change_backups(access=owner, method_id=cards[0].pk, change="drop", at=NOW)
    assert order_of(profile) == ["0341", "0005"]
    assert AuditEntry.objects.filter(action="method.made_backup").count() == 3
    assert AuditEntry.objects.filter(action="method.backup_moved").count() == 2


def test_a_backup_that_becomes_the_default_is_no_backup_any_more(profile, owner):
    backup = card(profile, "4444", backup_order=1)
    make_default(access=owner, method_id=backup.pk, at=NOW)
    backup.refresh_from_db()
    assert (backup.is_default, backup.backup_order) == (True, None)


@pytest.mark.parametrize("fields", [{"is_default": True}, {"expiry_year": 2025}])
def test_the_default_and_an_expired_card_are_no_backups(profile, owner, fields):
    method = card(profile, **fields)
    with pytest.raises(CannotChangeMethod):
        change_backups(access=owner, method_id=method.pk, change="add", at=NOW)
    assert order_of(profile) == []


@pytest.mark.parametrize("role", ["invoice_manager", "profile_reader"])
def test_who_may_not_manage_cards_changes_nothing(profile, role):
    person = access_for(member(profile, role), profile)
    method, other = card(profile, "4444", backup_order=1), card(profile, "0005", backup_order=2)
    before = AuditEntry.objects.count()
    for act in (
        lambda: change_backups(access=person, method_id=method.pk, change="add", at=NOW),
        lambda: change_backups(access=person, method_id=method.pk, change="drop", at=NOW),
        lambda: change_backups(access=person, method_id=other.pk, change="up", at=NOW),
        lambda: switch_autopay(access=person, on=False, at=NOW),
    ):
        with pytest.raises(PermissionDenied):
            act()
    assert order_of(profile) == ["4444", "0005"]
    assert BillingProfile.objects.get().charges_automatically
    assert AuditEntry.objects.count() == before


def test_the_switch_is_written_down_once(profile, owner):
    for _press in range(2):
        switch_autopay(access=owner, on=False, at=NOW)
    entry = AuditEntry.objects.get(action="autopay.switched_off")
    assert (entry.actor, entry.profile, entry.at) == (owner.user, profile, NOW)


def test_a_profile_that_pays_by_wire_cannot_switch_it_on(profile, owner):
    BillingProfile.objects.update(default_method="check_wire", charges_automatically=False)
    with pytest.raises(CannotChangeMethod):
        switch_autopay(access=owner, on=True, at=NOW)
    assert not BillingProfile.objects.get().charges_automatically


def test_a_new_card_takes_the_place_of_the_default(profile, owner):
    old = card(profile, is_default=True)
    issued(profile)
    setup = add(owner, "4444", replaces=old.pk)
    old.refresh_from_db()
    assert (old.status, old.is_default) == ("removed", False)
    assert setup.method.is_default
    assert old.detachments.count() == 1


def test_a_new_card_takes_the_place_of_a_backup(profile, owner):
    card(profile, is_default=True)
    old = card(profile, "0005", backup_order=3)
    setup = add(owner, "4444", replaces=old.pk)
    old.refresh_from_db()
    assert (old.status, old.backup_order) == ("removed", None)
    assert PaymentMethod.objects.get(pk=setup.method.pk).backup_order == 3


def test_after_the_banks_check_it_takes_its_place_too(profile, owner):
    from payments.operations.card_setups import finish_adding

    old = card(profile, is_default=True)
    setup = add(owner, "3155", replaces=old.pk)
    old.refresh_from_db()
    assert (setup.status, old.status) == ("needs_customer", "active")
    answer(setup)
    setup = finish_adding(access=owner, key=setup.key, at=NOW)
    old.refresh_from_db()
    assert (old.status, setup.method.is_default) == ("removed", True)


def test_a_refused_card_replaces_nothing(profile, owner):
    old = card(profile, is_default=True)
    assert add(owner, "9979", replaces=old.pk).status == "declined"
    old.refresh_from_db()
    assert (old.status, old.is_default) == ("active", True)


def test_a_card_with_a_payment_in_progress_gives_its_place_and_stays(profile, owner):
    old = card(profile, "3184", is_default=True)
    press_pay(owner.user, issued(profile), old)
    setup = add(owner, "4444", replaces=old.pk)
    old.refresh_from_db()
    assert (old.status, old.is_default, setup.method.is_default) == ("active", False, True)


def test_the_same_card_entered_again_is_not_removed(profile, owner):
    first = add(owner, "4444", make_default=True).method
    second = add(owner, "4444", replaces=first.pk)
    assert second.method.pk == first.pk
    assert PaymentMethod.objects.get().is_default


def test_a_card_of_another_profile_cannot_be_replaced(profile, owner):
    foreign = card(BillingProfileFactory(account=profile.account), is_default=True)
    with pytest.raises(CannotAddCard):
        add(owner, "4444", replaces=foreign.pk, key=uuid4())
    foreign.refresh_from_db()
    assert foreign.status == "active"
    assert profile.payment_methods.count() == 0
    assert books_are_clean()
