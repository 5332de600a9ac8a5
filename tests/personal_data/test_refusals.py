"""Who is not erased: nothing is written, and the reason is said."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import models

from accounts.access import access_of, staff_access, system_access
from accounts.models import AuditEntry, BillingContact, RoleAssignment, User
from accounts.operations.people import CannotDeactivate, change_activity
from billing_portal.core.models import OutgoingMail
from billing_portal.personal_data.erasure import CannotErase, contacts_of, erase_person
from payments.models import Payment
from tests.factories import NOW, BillingProfileFactory, UserFactory, issued, member, who_signs_in
from tests.payments.acts import card, deliver, press_pay, run_reconciler, sandbox

pytestmark = pytest.mark.django_db


def boss():
    return UserFactory(is_staff=True, is_superuser=True)


def erase(user, access=None, **wish):
    wish = {"reason": "By letter", "at": NOW} | wish
    return erase_person(access=access or system_access(), user_id=user.pk, **wish)


def rows():
    tables = (User, RoleAssignment, AuditEntry, OutgoingMail, BillingContact)
    return [list(table.objects.order_by("pk").values()) for table in tables]


def refused(user, expected, access=None, **wish):
    before = rows()
    with pytest.raises(expected) as refusal:
        erase(user, access, **wish)
    assert rows() == before
    return str(refusal.value)


def test_the_last_owner_of_something_is_not_erased_until_somebody_else_is_one():
    profile = BillingProfileFactory(name="Operations NL")
    owner = member(profile, "profile_owner")
    assert "last owner of Operations NL" in refused(owner, CannotErase)
    member(profile, "profile_owner")
    erase(owner)
    assert User.objects.get(pk=owner.pk).is_erased


def test_nobody_is_erased_while_a_payment_of_theirs_runs(profile, payer):
    payment = press_pay(payer, issued(profile), card(profile, "3184"))
    assert payment.reference in refused(payer, CannotErase)
    Payment.objects.filter(pk=payment.pk).update(status="mismatch")
    assert payment.reference in refused(payer, CannotErase)


def test_nobody_is_erased_while_it_is_not_known_what_became_of_their_payment(profile, payer):
    sandbox().faults.arm("drop_after")
    payment = press_pay(payer, issued(profile), card(profile))
    assert payment.reference in refused(payer, CannotErase)
    run_reconciler(1, 5, 30)
    payment.refresh_from_db()
    assert payment.status == "succeeded"
    erase(payer)


def test_nobody_is_erased_while_a_bank_disputes_a_payment_of_theirs(profile, payer):
    payment = press_pay(payer, issued(profile), card(profile))
    dispute = sandbox().operator.dispute(payment.gateway_id)
    deliver()
    assert "disputes" in refused(payer, CannotErase)
    sandbox().operator.decide(dispute, "won")
    deliver(at=NOW + timedelta(days=1))
    erase(payer)


def test_nobody_erases_themselves():
    admin = boss()
    assert "yourself" in refused(admin, CannotErase, staff_access(admin))


@pytest.mark.parametrize("powers", [{"is_staff": True}, {"is_superuser": True}])
def test_only_a_superuser_erases_a_member_of_staff(powers):
    user, clerk = UserFactory(**powers), UserFactory(is_staff=True)
    assert "superuser" in refused(user, PermissionDenied, staff_access(clerk))
    erase(user, staff_access(boss()))
    user.refresh_from_db()
    assert (user.is_erased, user.is_staff, user.is_superuser) == (True, False, False)


def test_no_customer_erases_anybody(profile):
    owner, user = member(profile, "profile_owner"), member(profile, "invoice_manager")
    refused(user, PermissionDenied, access_of(owner))


def test_who_is_staff_no_longer_erases_nobody():
    clerk = UserFactory(is_staff=True)
    access = staff_access(clerk)
    User.objects.filter(pk=clerk.pk).update(is_staff=False)
    refused(UserFactory(), PermissionDenied, access)


def test_it_takes_a_reason():
    assert "reason" in refused(UserFactory(), CannotErase, reason="   ")


def test_a_second_time_it_says_that_it_was_done():
    user = UserFactory()
    erase(user)
    assert refused(user, CannotErase) == "This person has been erased already."


def test_who_was_erased_never_signs_in_again_under_another_name():
    user = UserFactory()
    erase(user)
    user.refresh_from_db()
    with pytest.raises(CannotDeactivate, match="erased"):
        change_activity(access=system_access(), user=user, is_active=True, at=NOW)
    user.refresh_from_db()
    assert not user.is_active


def test_a_contact_that_is_not_theirs_is_not_removed_along(profile):
    stranger = BillingContact.objects.create(profile=profile, email="payable@example.com")
    assert "meanwhile" in refused(UserFactory(), CannotErase, contact_ids=[stranger.pk])


def test_the_last_contact_of_a_profile_that_pays_by_wire_stays(profile):
    user = who_signs_in("a-long-enough-password", email="payable@example.com")
    type(profile).objects.filter(pk=profile.pk).update(default_method="check_wire", is_wire_approved=True)
    BillingContact.objects.create(profile=profile, email="Payable@example.com")
    chosen = [contact.pk for contact in contacts_of(user)]
    assert "at least one contact" in refused(user, CannotErase, contact_ids=chosen)
    assert erase(user).contacts


def test_a_contact_that_is_ticked_is_removed(profile):
    user = who_signs_in("a-long-enough-password", email="payable@example.com")
    BillingContact.objects.create(profile=profile, email="payable@example.com")
    assert erase(user, contact_ids=[contact.pk for contact in contacts_of(user)]).sentences() == []
    assert not BillingContact.objects.exists()
    assert AuditEntry.objects.get(action="contact.removed").subject == "(erased)"


def test_a_person_who_points_to_rows_of_every_kind_is_never_deleted(profile, payer):
    press_pay(payer, issued(profile), card(profile))
    with pytest.raises(models.ProtectedError):
        payer.delete()
