"""Two at once, with one address: what one of them has decided is what the other finds."""

import threading

import pytest
from django.db import connections, transaction

from accounts.access import NotAllowed, access_of, staff_access
from accounts.models import AuditEntry, EmailChange, RoleAssignment, User
from accounts.operations import addresses
from accounts.operations.addresses import (
    CANCEL,
    CONFIRM,
    MAX_REQUESTS,
    AddressTaken,
    CannotChangeAddress,
    cancel_email_change_by_link,
    confirm_email_change,
    correct_unproven_address,
    email_change_key,
    request_email_change,
    set_password_by_link,
)
from accounts.operations.people import CannotDeactivate, change_activity, invite_person
from accounts.operations.roles import CannotChangeRoles, grant_role
from accounts.roles import Role
from billing_portal.personal_data.erasure import erase_person
from tests.factories import NOW, BillingProfileFactory, UserFactory, who_signs_in
from tests.payments.acts import at_once
from tests.waiting import PATIENCE, until_blocked, until_waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.two_connections]
PASSWORD = "seven purple bicycles"


@pytest.fixture
def person():
    return who_signs_in(PASSWORD, email="old@example.com")


def ask(person, email="new@example.com"):
    return request_email_change(access=access_of(person), user_id=person.pk, email=email, at=NOW)


def confirm(change, person):
    return confirm_email_change(access=access_of(person), key=email_change_key(change.pk, CONFIRM), at=NOW)


def meanwhile(first, second):
    """What ``second`` returned or raised, begun on another connection after ``first`` and before its commit."""
    results = []

    def other():
        try:
            results.append(second())
        except Exception as problem:
            results.append(problem)
        finally:
            connections.close_all()

    thread = threading.Thread(target=other)
    with transaction.atomic():
        first()
        thread.start()
        until_blocked(thread)
    thread.join(PATIENCE)
    return results[0]


def test_a_change_that_is_being_withdrawn_is_not_made(person):
    change = ask(person)

    def withdraw():
        User.objects.select_for_update().get(pk=person.pk)
        EmailChange.objects.all().delete()

    assert isinstance(meanwhile(withdraw, lambda: confirm(change, person)), CannotChangeAddress)
    person.refresh_from_db()
    assert person.email == "old@example.com"


def test_a_change_that_is_being_made_is_not_said_to_be_stopped(person):
    change = ask(person)
    key = email_change_key(change.pk, CANCEL)
    assert meanwhile(lambda: confirm(change, person), lambda: cancel_email_change_by_link(key=key, at=NOW)) is False
    person.refresh_from_db()
    assert person.email == "new@example.com"
    assert not AuditEntry.objects.filter(action="address.withdrawn").exists()


def test_of_two_requests_of_a_person_the_later_stays(person):
    change = meanwhile(lambda: ask(person, "first@example.com"), lambda: ask(person, "second@example.com"))
    assert change == EmailChange.objects.get()
    assert change.email == "second@example.com"


@pytest.fixture
def invited():
    access = staff_access(UserFactory(is_staff=True))
    return invite_person(access=access, email="mistyped@example.com", name="", language="en", at=NOW)


def correct(invited):
    access = staff_access(UserFactory(is_staff=True))
    return correct_unproven_address(access=access, user_id=invited.pk, email="right@example.com", at=NOW)


def grant(invited, profile):
    access = staff_access(UserFactory(is_staff=True))
    return grant_role(access=access, user=invited, role=Role.PROFILE_OWNER, place=profile, at=NOW)


def test_a_role_is_not_granted_to_somebody_whose_address_is_being_corrected(invited):
    profile, as_seen = BillingProfileFactory(), User.objects.get(pk=invited.pk)
    refusal = meanwhile(lambda: correct(invited), lambda: grant(as_seen, profile))
    assert isinstance(refusal, CannotChangeRoles)
    assert str(refusal) == "The address of right@example.com has just changed. Look at it again."
    assert not RoleAssignment.objects.exists()


def test_the_address_of_somebody_who_is_being_given_a_role_is_not_corrected(invited):
    profile, as_seen = BillingProfileFactory(), User.objects.get(pk=invited.pk)
    refusal = meanwhile(lambda: grant(as_seen, profile), lambda: correct(invited))
    assert isinstance(refusal, CannotChangeAddress)
    assert User.objects.get(pk=invited.pk).email == "mistyped@example.com"
    assert RoleAssignment.objects.get().user == invited


def test_somebody_who_is_being_deactivated_is_given_no_role(invited):
    profile, as_seen = BillingProfileFactory(), User.objects.get(pk=invited.pk)
    access = staff_access(UserFactory(is_staff=True))

    def deactivate():
        change_activity(access=access, user=User.objects.get(pk=invited.pk), is_active=False, at=NOW)

    assert isinstance(meanwhile(deactivate, lambda: grant(as_seen, profile)), CannotChangeRoles)
    assert not RoleAssignment.objects.exists()


def test_somebody_who_is_being_erased_is_not_made_active_again(invited):
    boss = UserFactory(is_staff=True, is_superuser=True)
    as_seen = User.objects.get(pk=invited.pk)

    def erase():
        erase_person(access=staff_access(boss), user_id=invited.pk, reason="By letter", at=NOW)

    def activate():
        change_activity(access=staff_access(boss), user=as_seen, is_active=True, at=NOW)

    assert isinstance(meanwhile(erase, activate), CannotDeactivate)
    assert not User.objects.get(pk=invited.pk).is_active


def test_no_more_addresses_are_tried_out_at_the_same_moment_than_one_after_the_other(person, monkeypatch):
    UserFactory(email="taken@example.com")
    real, tries, begun = addresses._record, MAX_REQUESTS + 2, []

    def slowly(*entry, **detail):
        """Opens the gap between refusing and writing it down until the others have come as far as they can."""
        begun.append(1)
        until_waiting(lambda: tries - len(begun))
        real(*entry, **detail)

    monkeypatch.setattr(addresses, "_record", slowly)
    outcomes = at_once(*[lambda: ask(person, "taken@example.com")] * tries)
    assert [type(outcome) for outcome in outcomes].count(AddressTaken) == MAX_REQUESTS
    assert AuditEntry.objects.filter(action="address.refused").count() == MAX_REQUESTS


def test_a_link_to_an_address_that_is_being_given_up_sets_no_password(person):
    change = ask(person)
    with_the_link = User.objects.get(pk=person.pk)

    def use_it():
        return set_password_by_link(user=with_the_link, password="nine orange canoes", at=NOW)

    assert isinstance(meanwhile(lambda: confirm(change, person), use_it), NotAllowed)
    person.refresh_from_db()
    assert person.check_password(PASSWORD)
