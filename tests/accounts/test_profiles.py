"""What staff decide about a billing profile stays until they change it; warned and disabled are the clock's."""

from datetime import timedelta
from functools import partial

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.access import Access, NotAllowed, access_of, staff_access
from accounts.models import AuditEntry, BillingProfile
from accounts.operations.profiles import CannotChangeProfile, close_profile, hold_profile, release_profile
from invoices.operations.dunning import update_profile_statuses
from tests.accounts.test_address_races import meanwhile
from tests.factories import NOW, TODAY, UserFactory, issued, member
from tests.payments.acts import card, press_pay, state

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(settings) -> Access:
    settings.STAFF_SECOND_FACTOR = False
    return staff_access(UserFactory(is_staff=True, is_superuser=True))


def status_of(profile):
    return BillingProfile.objects.values_list("status", "hold_reason").get(pk=profile.pk)


def test_a_held_profile_stays_held_whatever_is_paid_until_staff_lift_it(profile, staff):
    hold_profile(access=staff, profile_id=profile.pk, reason=" Fraud suspected ", at=NOW)
    for days in (0, 1, 60):
        update_profile_statuses(at=NOW + timedelta(days=days), limit=10)
    assert status_of(profile) == ("held", "Fraud suspected")
    release_profile(access=staff, profile_id=profile.pk, at=NOW)
    assert status_of(profile) == ("active", "")
    entries = AuditEntry.objects.filter(action__startswith="profile.").order_by("pk")
    assert [(entry.action, entry.detail) for entry in entries] == [
        ("profile.held", {"before": "active", "reason": "Fraud suspected"}),
        ("profile.released", {"before": "held"}),
    ]


def test_a_payment_of_what_is_past_due_leaves_a_held_profile_held(profile, payer, staff):
    invoice = issued(profile, due_on=TODAY - timedelta(days=60))
    hold_profile(access=staff, profile_id=profile.pk, reason="Fraud suspected", at=NOW)
    assert press_pay(payer, invoice, card(profile)).status == "succeeded"
    assert state(invoice)[0] == "paid"
    assert status_of(profile) == ("held", "Fraud suspected")


def test_a_released_profile_is_disabled_by_the_clock_if_something_is_past_due(profile, staff):
    issued(profile, due_on=TODAY - timedelta(days=60))
    hold_profile(access=staff, profile_id=profile.pk, reason="Fraud suspected", at=NOW)
    assert update_profile_statuses(at=NOW, limit=10) == 0
    release_profile(access=staff, profile_id=profile.pk, at=NOW)
    assert update_profile_statuses(at=NOW, limit=10) == 1
    assert status_of(profile) == ("disabled", "")


def test_a_closed_profile_is_opened_again_by_staff_alone(profile, staff):
    hold_profile(access=staff, profile_id=profile.pk, reason="Fraud suspected", at=NOW)
    close_profile(access=staff, profile_id=profile.pk, at=NOW)
    update_profile_statuses(at=NOW + timedelta(days=60), limit=10)
    assert status_of(profile) == ("closed", "")
    release_profile(access=staff, profile_id=profile.pk, at=NOW)
    assert status_of(profile) == ("active", "")


def test_what_makes_no_sense_is_refused(profile, staff):
    for refused in (
        lambda: hold_profile(access=staff, profile_id=profile.pk, reason="  ", at=NOW),
        lambda: release_profile(access=staff, profile_id=profile.pk, at=NOW),
    ):
        with pytest.raises(CannotChangeProfile):
            refused()
    owner = access_of(member(profile.account, "account_owner"))
    with pytest.raises(NotAllowed):
        hold_profile(access=owner, profile_id=profile.pk, reason="Mine", at=NOW)
    assert status_of(profile) == ("active", "")
    assert not AuditEntry.objects.exists()


def test_staff_choose_no_status_that_is_the_clocks(client, profile, admin_user):
    client.force_login(admin_user)
    page = client.get(reverse("admin:accounts_billingprofile_change", args=[profile.pk])).content.decode()
    assert 'name="status"' not in page
    assert reverse("admin:accounts_billingprofile_hold", args=[profile.pk]) in page
    assert reverse("admin:accounts_billingprofile_close", args=[profile.pk]) in page
    assert reverse("admin:accounts_billingprofile_release", args=[profile.pk]) not in page


def test_staff_hold_a_profile_and_its_people_read_why(client, profile, admin_user):
    client.force_login(admin_user)
    url = reverse("admin:accounts_billingprofile_hold", args=[profile.pk])
    assert client.post(url, {"reason": ""}).status_code == 422
    assert client.post(url, {"reason": "Fraud suspected"}).status_code == 302
    assert status_of(profile) == ("held", "Fraud suspected")
    again = client.post(url, {"reason": "A second reason"}).content.decode()
    assert "The billing profile is held or closed already." in again
    assert 'value="A second reason"' in again
    client.force_login(member(profile, "profile_reader"))
    page = client.get(reverse("accounts:properties", args=[profile.code])).content.decode()
    assert "This billing profile is on hold" in page
    assert "Fraud suspected" in page


def test_staff_who_may_only_look_find_no_buttons(client, profile):
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_billingprofile"))
    client.force_login(clerk)
    page = client.get(reverse("admin:accounts_billingprofile_change", args=[profile.pk])).content.decode()
    for name in ("hold", "close", "release"):
        url = reverse(f"admin:accounts_billingprofile_{name}", args=[profile.pk])
        assert url not in page
        assert client.post(url, {"reason": "Because"}).status_code == 403
    assert status_of(profile) == ("active", "")


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_of_two_decisions_at_once_the_second_knows_the_first(profile, staff):
    """A profile that is closed is not put on hold by a clerk who read it before."""
    close = partial(close_profile, access=staff, profile_id=profile.pk, at=NOW)
    hold = partial(hold_profile, access=staff, profile_id=profile.pk, reason="Fraud", at=NOW)
    assert isinstance(meanwhile(close, hold), CannotChangeProfile)
    profile.refresh_from_db()
    assert (profile.status, profile.hold_reason) == ("closed", "")


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_the_clock_leaves_a_profile_that_is_being_held(profile, staff, settings):
    settings.WARN_AFTER_DAYS = 1
    issued(profile, due_on=TODAY - timedelta(days=5))
    hold = partial(hold_profile, access=staff, profile_id=profile.pk, reason="Fraud", at=NOW)
    assert meanwhile(hold, partial(update_profile_statuses, at=NOW, limit=10)) == 0
    profile.refresh_from_db()
    assert (profile.status, profile.hold_reason) == ("held", "Fraud")
