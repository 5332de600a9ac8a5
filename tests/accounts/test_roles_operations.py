"""Granting and removing roles: who may, what fits, and the last owner."""

import threading

import pytest
from django.db import connections

from accounts.access import NotAllowed, access_of, staff_access
from accounts.models import AuditEntry, InvoiceSection, RoleAssignment
from accounts.operations.people import CannotDeactivate, change_activity
from accounts.operations.roles import CannotChangeRoles, grant_role, remove_role
from accounts.roles import Role
from tests.factories import NOW, BillingProfileFactory, UserFactory, member
from tests.waiting import PATIENCE


@pytest.fixture
def owner(profile):
    return member(profile, "profile_owner", email="owner@example.com")


@pytest.fixture
def staff(db):
    return staff_access(UserFactory(is_staff=True))


def assignment_of(user):
    return RoleAssignment.objects.get(user=user)


def test_an_owner_grants_a_role_and_the_trail_says_so(profile, owner):
    person = UserFactory(email="payables@example.com")
    grant_role(access=access_of(owner), user=person, role=Role.INVOICE_MANAGER, place=profile, at=NOW)
    assert access_of(person).roles_at(profile) == {Role.INVOICE_MANAGER}
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.actor) == ("role.granted", "payables@example.com", owner)
    assert (entry.account, entry.profile) == (profile.account, profile)
    assert entry.detail == {"role": "invoice_manager", "scope": "profile", "place": "Operations NL"}


@pytest.mark.parametrize("role", ["profile_contributor", "profile_reader", "invoice_manager"])
def test_only_owners_assign_roles(profile, role):
    person = UserFactory()
    access = access_of(member(profile, role))
    with pytest.raises(NotAllowed, match="Billing account owner, Billing profile owner"):
        grant_role(access=access, user=person, role=Role.PROFILE_READER, place=profile, at=NOW)
    assert not RoleAssignment.objects.filter(user=person).exists()
    assert not AuditEntry.objects.exists()


def test_an_account_owner_assigns_roles_on_every_profile_and_section_below(profile):
    access = access_of(member(profile.account, "account_owner"))
    section = InvoiceSection.objects.create(profile=profile, name="Marketing")
    person = UserFactory()
    grant_role(access=access, user=person, role=Role.PROFILE_READER, place=profile, at=NOW)
    grant_role(access=access, user=person, role=Role.SECTION_OWNER, place=section, at=NOW)
    assert access_of(person).roles_at(section) == {Role.PROFILE_READER, Role.SECTION_OWNER}


def test_an_owner_of_another_profile_may_not(profile):
    other = BillingProfileFactory(account=profile.account)
    access = access_of(member(other, "profile_owner"))
    with pytest.raises(NotAllowed):
        grant_role(access=access, user=UserFactory(), role=Role.PROFILE_READER, place=profile, at=NOW)


def test_a_profile_owner_may_not_assign_roles_on_the_account_above(profile, owner):
    with pytest.raises(NotAllowed, match="Billing account owner"):
        grant_role(access=access_of(owner), user=owner, role=Role.ACCOUNT_OWNER, place=profile.account, at=NOW)


def test_a_role_must_exist_at_the_scope(profile, owner):
    with pytest.raises(CannotChangeRoles, match="Invoice section owner is not a role of this kind of scope"):
        grant_role(access=access_of(owner), user=UserFactory(), role=Role.SECTION_OWNER, place=profile, at=NOW)


def test_the_same_role_is_not_granted_twice(profile, owner):
    with pytest.raises(
        CannotChangeRoles, match=r"owner@example\.com is Billing profile owner of Operations NL already"
    ):
        grant_role(access=access_of(owner), user=owner, role=Role.PROFILE_OWNER, place=profile, at=NOW)
    assert RoleAssignment.objects.count() == 1


def test_somebody_who_is_not_active_gets_no_role(profile, owner):
    person = UserFactory(is_active=False)
    with pytest.raises(CannotChangeRoles, match="is not active"):
        grant_role(access=access_of(owner), user=person, role=Role.PROFILE_READER, place=profile, at=NOW)


def test_a_role_taken_away_since_the_page_was_drawn_no_longer_counts(profile, owner):
    access = access_of(owner)
    RoleAssignment.objects.filter(user=owner).delete()
    with pytest.raises(NotAllowed):
        grant_role(access=access, user=UserFactory(), role=Role.PROFILE_READER, place=profile, at=NOW)


def test_an_owner_removes_a_role_and_the_trail_says_so(profile, owner):
    reader = member(profile, "profile_reader", email="controller@example.com")
    remove_role(access=access_of(owner), assignment_id=assignment_of(reader).pk, place=profile, at=NOW)
    assert access_of(reader).held == ()
    assert AuditEntry.objects.get().action == "role.removed"


def test_removing_a_role_twice_is_told_apart(profile, owner):
    reader = member(profile, "profile_reader")
    assignment_id = assignment_of(reader).pk
    remove_role(access=access_of(owner), assignment_id=assignment_id, place=profile, at=NOW)
    with pytest.raises(CannotChangeRoles, match="removed already"):
        remove_role(access=access_of(owner), assignment_id=assignment_id, place=profile, at=NOW)


def test_an_inherited_role_cannot_be_removed_lower_down(profile, owner):
    director = member(profile.account, "account_reader")
    with pytest.raises(CannotChangeRoles, match=r"inherited from Example Trading B.V.. Remove it there"):
        remove_role(access=access_of(owner), assignment_id=assignment_of(director).pk, place=profile, at=NOW)
    assert RoleAssignment.objects.filter(user=director).exists()


def test_a_role_of_another_profile_cannot_be_removed_through_mine(profile, owner):
    reader = member(BillingProfileFactory(), "profile_reader")
    with pytest.raises(CannotChangeRoles, match="granted at another scope"):
        remove_role(access=access_of(owner), assignment_id=assignment_of(reader).pk, place=profile, at=NOW)
    assert RoleAssignment.objects.filter(user=reader).exists()


def test_the_last_owner_of_a_scope_stays_even_with_an_owner_above(profile, owner):
    above = member(profile.account, "account_owner")
    with pytest.raises(CannotChangeRoles, match=r"owner@example\.com is the last owner of Operations NL"):
        remove_role(access=access_of(above), assignment_id=assignment_of(owner).pk, place=profile, at=NOW)
    assert RoleAssignment.objects.filter(user=owner).exists()


def test_an_owner_who_cannot_sign_in_does_not_count_as_another(profile, owner):
    member(profile, "profile_owner", is_active=False)
    with pytest.raises(CannotChangeRoles, match="last owner"):
        remove_role(access=access_of(owner), assignment_id=assignment_of(owner).pk, place=profile, at=NOW)


def test_the_last_owner_cannot_be_deactivated(profile, owner, staff):
    with pytest.raises(CannotDeactivate, match=r"owner@example\.com is the last owner of Operations NL"):
        change_activity(access=staff, user=owner, is_active=False, at=NOW)
    owner.refresh_from_db()
    assert owner.is_active
    assert not AuditEntry.objects.exists()


def test_an_owner_with_a_colleague_can_be_deactivated(profile, owner, staff):
    member(profile, "profile_owner")
    change_activity(access=staff, user=owner, is_active=False, at=NOW)
    owner.refresh_from_db()
    assert not owner.is_active
    assert AuditEntry.objects.get().action == "user.deactivated"


def test_customers_deactivate_nobody(profile, owner):
    with pytest.raises(NotAllowed):
        change_activity(access=access_of(owner), user=UserFactory(), is_active=False, at=NOW)


def test_staff_do_not_shut_out_themselves(staff):
    with pytest.raises(CannotDeactivate, match="yourself"):
        change_activity(access=staff, user=staff.user, is_active=False, at=NOW)


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(5))
def test_two_owners_who_remove_each_other_at_once_leave_one(_round):
    profile = BillingProfileFactory()
    first, second = member(profile, "profile_owner"), member(profile, "profile_owner")
    outcomes = []
    barrier = threading.Barrier(2)

    def remove(asker, other):
        try:
            access, assignment_id = access_of(asker), assignment_of(other).pk
            barrier.wait(PATIENCE)
            remove_role(access=access, assignment_id=assignment_id, place=profile, at=NOW)
            outcomes.append("removed")
        except (NotAllowed, CannotChangeRoles) as refusal:
            outcomes.append(type(refusal).__name__)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=remove, args=pair) for pair in ((first, second), (second, first))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(outcomes) == ["NotAllowed", "removed"]
    assert RoleAssignment.objects.filter(profile=profile, role=Role.PROFILE_OWNER).count() == 1
