"""An erasure takes one person's name out of every text, and leaves what is about others."""

import pytest

from accounts.access import system_access
from accounts.models import AuditEntry, RoleAssignment, WireRequest
from billing_portal.core.models import OutgoingMail
from billing_portal.personal_data.erasure import erase_person
from billing_portal.personal_data.remains import contacts_of
from tests.factories import NOW, BillingProfileFactory, UserFactory
from tests.personal_data.canary import ADDRESS, BROWSER, FORMER, IP, NAME, Canary

pytestmark = pytest.mark.django_db


@pytest.fixture
def canary():
    return Canary()


def erase(user, access=None, *, contact_ids=()):
    erase_person(access=access or system_access(), user_id=user.pk, reason="By letter", at=NOW, contact_ids=contact_ids)


def erased(canary):
    erase(canary.user, canary.staff, contact_ids=[contact.pk for contact in contacts_of(canary.user)])


def test_other_people_stay_as_they_are(canary):
    """Also one whose address ends with the erased one, and one of the same name."""
    longer = WireRequest.objects.create(
        profile=canary.profile, requested_at=NOW, requested_by=canary.colleague, contact_email=f"m.{ADDRESS}",
        reason=f"Write to m.{ADDRESS} or to {ADDRESS}.", status="withdrawn", decided_at=NOW,
    )  # fmt: skip
    canary.browser.logout()
    erased(canary)
    longer.refresh_from_db()
    assert (longer.contact_email, longer.reason) == (f"m.{ADDRESS}", f"Write to m.{ADDRESS} or to (erased).")
    canary.colleague.refresh_from_db()
    assert (canary.colleague.email, canary.colleague.name) == ("colleague@example.com", "Piet Collega")
    assert RoleAssignment.objects.filter(user=canary.colleague).exists()


def test_a_name_that_somebody_else_bears_too_is_left_in_texts_about_other_things():
    user, _namesake = UserFactory(name=NAME), UserFactory(name=NAME)
    profile = BillingProfileFactory()
    request = WireRequest.objects.create(
        profile=profile, requested_at=NOW, requested_by=UserFactory(), reason=f"Ask {NAME}"
    )
    erase(user)
    request.refresh_from_db()
    assert request.reason == f"Ask {NAME}"


def test_a_former_name_that_somebody_else_bears_by_now_is_left_to_them():
    user, _heir = UserFactory(name="Jan Newname"), UserFactory(name="Jan Oldname")
    renamed = {"before": {"name": "Jan Oldname"}, "after": {"name": "Jan Newname"}}
    own = AuditEntry.objects.create(at=NOW, action="user.changed", subject=user.email, person=user, detail=renamed)
    request = WireRequest.objects.create(
        profile=BillingProfileFactory(), requested_at=NOW, requested_by=UserFactory(), reason="Ask Jan Oldname"
    )
    erase(user)
    own.refresh_from_db()
    request.refresh_from_db()
    assert own.detail == {"before": {"name": "(erased)"}, "after": {"name": "(erased)"}}
    assert request.reason == "Ask Jan Oldname"


def test_a_short_name_takes_no_part_of_other_words_along():
    user = UserFactory(email="jan@example.com", name="Jan")
    request = WireRequest.objects.create(
        profile=BillingProfileFactory(), requested_at=NOW, requested_by=UserFactory(), reason="From January: ask Jan"
    )
    erase(user)
    request.refresh_from_db()
    assert request.reason == "From January: ask Jan"


def test_an_address_that_was_cut_off_in_a_subject_goes_too():
    address = f"{'a' * 60}@{'b' * 60}.example.com"
    entry = AuditEntry.objects.create(at=NOW, action="role.granted", subject=address[:120])
    erase(UserFactory(email=address))
    entry.refresh_from_db()
    assert entry.subject == "(erased)"


def test_a_subject_that_would_become_too_long_is_blanked_as_a_whole():
    fits = AuditEntry.objects.create(at=NOW, action="contact.added", subject=f"{'x' * 111} a@b.nl")
    not_so = AuditEntry.objects.create(at=NOW, action="contact.added", subject=f"{'x' * 113} a@b.nl")
    erase(UserFactory(email="a@b.nl"))
    fits.refresh_from_db()
    not_so.refresh_from_db()
    assert (fits.subject, not_so.subject) == (f"{'x' * 111} (erased)", "(erased)")


def test_staff_keep_the_trace_of_where_they_acted_from(canary):
    entry = AuditEntry.objects.create(
        at=NOW, actor=canary.boss, person=canary.user, action="role.granted", subject=ADDRESS, ip_address="192.0.2.9",
        browser="Desk/1.0",
    )  # fmt: skip
    own = AuditEntry.objects.create(
        at=NOW, actor=canary.user, action="payment.succeeded", subject="PAY-1", ip_address=IP, browser=BROWSER
    )
    erased(canary)
    entry.refresh_from_db()
    own.refresh_from_db()
    assert (entry.ip_address, entry.browser, entry.subject) == ("192.0.2.9", "Desk/1.0", "(erased)")
    assert (own.ip_address, own.browser, own.subject) == (None, "", "PAY-1")


def test_a_former_address_that_is_somebody_elses_by_now_is_left_to_them(canary):
    heir = UserFactory(email=FORMER)
    sent = OutgoingMail.objects.create(
        key="to the heir", to=FORMER, language="en", template="reminder", created_at=NOW, sent_at=NOW
    )
    erased(canary)
    sent.refresh_from_db()
    heir.refresh_from_db()
    assert (sent.to, heir.email) == (FORMER, FORMER)
