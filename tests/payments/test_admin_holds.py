"""Who is held for trying too many cards, on the staff pages, and how staff let them go on."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission as DjangoPermission
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.access import staff_access
from accounts.models import AuditEntry
from payments.models import CardHold, Payment
from payments.operations.attempts import CannotPay
from payments.operations.card_holds import CannotRelease, release_hold
from tests.factories import NOW, BillingProfileFactory, UserFactory, access_for, issued, member
from tests.payments.acts import press_pay, staff
from tests.payments.adding import add
from tests.payments.pages import browser, text_of

pytestmark = pytest.mark.django_db


def try_new(user, profile, last_four="0002", **changes):
    return press_pay(user, issued(profile), token=f"tok_{last_four}_{uuid4().hex[:8]}", **changes)


def held_at(user, profile, at):
    for _time in range(10):
        try_new(user, profile, at=at)
    with pytest.raises(CannotPay):
        try_new(user, profile, at=at)
    return CardHold.objects.get()


@pytest.fixture
def tester(profile):
    return member(profile, "profile_owner")


@pytest.fixture
def hold(tester, profile):
    return held_at(tester, profile, timezone.now())


@pytest.fixture
def client():
    return browser(UserFactory(is_staff=True, is_superuser=True))


def url(row, deed="change"):
    return reverse(f"admin:payments_cardhold_{deed}", args=[row.pk])


LIST = "admin:payments_cardhold_changelist"


def release(hold, *, at=None, reason="Their own cards", access=None):
    return release_hold(access=access or staff(), hold_id=hold.pk, reason=reason, at=at or timezone.now())


def test_a_release_lets_the_person_try_again_at_once_up_to_the_same_limit(tester, profile, hold):
    release(hold)
    for _time in range(10):
        assert try_new(tester, profile, at=timezone.now()).status == "declined"
    with pytest.raises(CannotPay, match="Too many of your attempts"):
        try_new(tester, profile, at=timezone.now())
    assert CardHold.objects.count() == 2


def test_a_release_of_one_person_releases_nobody_else(tester, profile, hold):
    other = BillingProfileFactory()
    somebody = member(other, "profile_owner")
    for _time in range(10):
        try_new(somebody, other, at=timezone.now())
    release(hold)
    with pytest.raises(CannotPay):
        try_new(somebody, other, at=timezone.now())


def test_a_profile_that_is_held_is_released_by_itself(profile, settings):
    settings.CARD_TRIES_PER_HOUR_OF_PROFILE = 4
    for _person in range(2):
        somebody = member(profile, "profile_owner")
        for _time in range(2):
            try_new(somebody, profile)
    with pytest.raises(CannotPay, match="on this billing profile"):
        try_new(member(profile, "profile_owner"), profile)
    hold = CardHold.objects.get()
    assert (hold.person, hold.profile) == (None, profile)
    release(hold, at=NOW + timedelta(minutes=1))
    assert try_new(member(profile, "profile_owner"), profile, "4242", at=NOW + timedelta(minutes=2)).status


def test_the_audit_says_who_released_whom_and_why(tester, hold):
    clerk = UserFactory(is_staff=True)
    release(hold, access=staff_access(clerk))
    entry = AuditEntry.objects.get(action="hold.released")
    assert (entry.actor, entry.person, entry.detail) == (clerk, tester, {"reason": "Their own cards"})
    hold.refresh_from_db()
    assert (hold.released_by, hold.release_reason) == (clerk, "Their own cards")


def unchanged(hold):
    hold.refresh_from_db()
    return hold.released_at is None and not AuditEntry.objects.filter(action="hold.released").exists()


def test_customers_release_nobody(tester, profile, hold):
    with pytest.raises(PermissionDenied):
        release(hold, access=access_for(tester, profile))
    assert unchanged(hold)


def test_who_is_no_longer_staff_releases_nobody(hold):
    access = staff()
    access.user.is_staff = False
    access.user.save()
    with pytest.raises(PermissionDenied):
        release(hold, access=access)
    assert unchanged(hold)


def test_staff_who_try_cards_themselves_need_a_colleague(profile, tester, hold):
    tester.is_staff = True
    tester.save()
    with pytest.raises(CannotRelease, match="Ask a colleague"):
        release(hold, access=staff_access(tester))
    assert unchanged(hold)


def test_a_release_needs_a_reason_and_somebody_who_is_still_held(hold):
    with pytest.raises(CannotRelease, match="reason"):
        release(hold, reason=" ")
    with pytest.raises(CannotRelease, match="over"):
        release(hold, at=hold.until)
    assert unchanged(hold)
    release(hold)
    with pytest.raises(CannotRelease, match="already"):
        release(hold)
    assert AuditEntry.objects.filter(action="hold.released").count() == 1


def test_staff_see_who_is_held_and_since_when_and_until_when(client, tester, hold):
    assert "1 person held for trying too many cards" in text_of(client.get("/admin/"))
    text = text_of(client.get(reverse(LIST), {"now": "people"}))
    assert tester.email in text
    assert "Unsuccessful attempts 10" in text
    assert "No card" not in text
    assert tester.email not in text_of(client.get(reverse(LIST), {"now": "profiles"}))


def test_the_page_of_a_hold_leads_to_what_was_tried(client, tester, profile, hold):
    somebody = member(profile, "profile_owner")
    other = try_new(somebody, profile, "4242")
    add(access_for(somebody, profile))
    page = client.get(url(hold)).content.decode()
    for name, key in (("payment", "started_by"), ("methodsetup", "created_by")):
        link = f"{reverse(f'admin:payments_{name}_changelist')}?{key}__id__exact={tester.pk}"
        assert link in page
        listed = client.get(link)
        assert listed.status_code == 200
        text = text_of(listed)
        assert ("10 payments" in text) == (name == "payment")
        assert other.reference not in text
        assert somebody.email not in text


def test_the_page_of_a_held_profile_leads_to_what_was_tried_on_it(client, profile):
    now = timezone.now()
    hold = CardHold.objects.create(
        profile=profile, reason="failed", tries=20, since=now, until=now + timedelta(minutes=9)
    )
    tried = try_new(member(profile, "profile_owner"), profile)
    page = client.get(url(hold)).content.decode()
    link = f"{reverse('admin:payments_payment_changelist')}?profile__id__exact={profile.pk}"
    assert link in page
    assert tried.reference in text_of(client.get(link))
    assert profile.name in text_of(client.get(reverse(LIST), {"now": "profiles"}))


def test_staff_release_on_a_page_that_asks_for_the_reason(client, tester, profile, hold):
    page = client.get(url(hold, "release"))
    assert all(words in text_of(page) for words in (tester.email, "Reason", "can be stolen", "Release"))
    assert client.post(url(hold, "release"), {"reason": ""}).status_code == 422
    assert unchanged(hold)
    done = client.post(url(hold, "release"), {"reason": "They typed it wrong"}, follow=True)
    assert f"Released. {tester.email} can try cards again." in text_of(done)
    assert "Nothing waits for staff." in text_of(client.get("/admin/"))
    assert url(hold, "release") not in client.get(url(hold)).content.decode()
    assert try_new(tester, profile, "4242", at=timezone.now()).status == "succeeded"


def test_a_release_that_is_refused_says_why(client, hold):
    CardHold.objects.update(since=NOW - timedelta(hours=2), until=NOW - timedelta(hours=1))
    done = client.post(url(hold, "release"), {"reason": "Late"}, follow=True)
    assert "This hold is over." in text_of(done)
    assert unchanged(hold)


def test_a_clerk_who_may_only_look_releases_nobody(hold):
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.add(DjangoPermission.objects.get(codename="view_cardhold"))
    client = browser(clerk)
    page = client.get(url(hold)).content.decode()
    assert url(hold, "release") not in page
    assert "started_by__id__exact" not in page
    assert client.get(url(hold, "release")).status_code == 403
    assert client.post(url(hold, "release"), {"reason": "Because"}).status_code == 403
    assert unchanged(hold)


def test_customers_do_not_get_these_pages(tester, hold):
    assert browser(tester).post(url(hold, "release"), {"reason": "Because"}).status_code in (302, 403, 404)
    assert unchanged(hold)


@pytest.mark.parametrize(
    "wrong",
    [
        {"person": None},
        {"both": True},
        {"until": NOW},
        {"released_at": NOW},
        {"release_reason": "No release"},
    ],
)
def test_the_database_refuses_a_hold_of_nobody_of_two_without_an_end_or_half_released(profile, tester, wrong):
    values = {"person": tester, "reason": "failed", "tries": 10, "since": NOW, "until": NOW + timedelta(hours=1)}
    if wrong.pop("both", False):
        values["profile"] = profile
    with pytest.raises(IntegrityError), transaction.atomic():
        CardHold.objects.create(**values | wrong)
    assert not Payment.objects.exists()
