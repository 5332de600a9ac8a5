"""An erasure takes one person's name out of every text, and leaves what is about others."""

from datetime import timedelta

import pytest

from accounts.access import access_of, system_access
from accounts.models import AuditEntry, EmailChange, RoleAssignment, WireRequest
from accounts.operations.addresses import (
    CONFIRM,
    cancel_email_change,
    confirm_email_change,
    email_change_key,
    request_email_change,
    set_password_by_link,
)
from accounts.operations.contacts import add_contact
from accounts.operations.people import invite_person
from billing_portal.core.models import OutgoingMail
from billing_portal.personal_data.erasure import contacts_of, erase_person, words_to_blank
from tests.factories import NOW, BillingProfileFactory, UserFactory, proven
from tests.personal_data.canary import ADDRESS, BROWSER, FORMER, IP, NAME, PASSWORD, Canary

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
JOINED = NOW - timedelta(days=1)


@pytest.fixture
def canary():
    return Canary()


def erase(user, access=None, *, contact_ids=(), at=NOW):
    erase_person(access=access or system_access(), user_id=user.pk, reason="By letter", at=at, contact_ids=contact_ids)


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
    user, _namesake = UserFactory(name=NAME, joined_at=JOINED), UserFactory(name=NAME)
    profile = BillingProfileFactory()
    request = WireRequest.objects.create(
        profile=profile, requested_at=NOW, requested_by=UserFactory(), reason=f"Ask {NAME}"
    )
    erase(user)
    request.refresh_from_db()
    assert request.reason == f"Ask {NAME}"


def test_a_former_name_that_somebody_else_bears_by_now_is_left_to_them():
    user, _heir = UserFactory(name="Jan Newname", joined_at=JOINED), UserFactory(name="Jan Oldname")
    renamed = {"before": {"name": "Jan Oldname"}, "after": {"name": "Jan Newname"}}
    own = AuditEntry.objects.create(at=NOW, action="user.changed", subject=user.email, person=user, detail=renamed)
    request = WireRequest.objects.create(
        profile=BillingProfileFactory(), requested_at=NOW - HOUR, requested_by=UserFactory(), reason="Ask Jan Oldname"
    )
    erase(user)
    own.refresh_from_db()
    request.refresh_from_db()
    assert own.detail == {"before": {"name": "(erased)"}, "after": {"name": "(erased)"}}
    assert request.reason == "Ask Jan Oldname"


def test_a_short_name_takes_no_part_of_other_words_along():
    user = UserFactory(email="jan@example.com", name="Jan", joined_at=JOINED)
    request = WireRequest.objects.create(
        profile=BillingProfileFactory(), requested_at=NOW, requested_by=UserFactory(), reason="From January: ask Jan"
    )
    erase(user)
    request.refresh_from_db()
    assert request.reason == "From January: ask Jan"


def test_an_address_that_was_cut_off_in_a_subject_goes_too():
    address = f"{'a' * 60}@{'b' * 60}.example.com"
    entry = AuditEntry.objects.create(at=NOW, action="role.granted", subject=address[:120])
    erase(proven(UserFactory(email=address), PASSWORD))
    entry.refresh_from_db()
    assert entry.subject == "(erased)"


def test_a_subject_that_would_become_too_long_is_blanked_as_a_whole():
    fits = AuditEntry.objects.create(at=NOW, action="contact.added", subject=f"{'x' * 111} a@b.nl")
    not_so = AuditEntry.objects.create(at=NOW, action="contact.added", subject=f"{'x' * 113} a@b.nl")
    erase(proven(UserFactory(email="a@b.nl"), PASSWORD))
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


def moves(user, email, *, at):
    """Asks for an address, and proves it."""
    change = request_email_change(access=access_of(user), user_id=user.pk, email=email, at=at)
    confirm_email_change(access=access_of(user), key=email_change_key(change.pk, CONFIRM), at=at)


def mail_to(address, *, at, **columns):
    return OutgoingMail.objects.create(
        **{"key": f"mail of {at}", "to": address, "language": "en", "template": "reminder", "context": {"of": "them"},
           "created_at": at, "next_try_at": None, "sent_at": at} | columns
    )  # fmt: skip


def as_stored(*rows):
    return [type(row).objects.filter(pk=row.pk).values().first() for row in rows]


@pytest.mark.parametrize("how", ["asked for", "asked for and withdrawn", "invited at"])
def test_an_address_that_somebody_only_asked_for_stays_with_whoever_has_it(how):
    """A customer's contact reads it. Mallory names it, and is erased."""
    victim, profile = "ap@victim.example.com", BillingProfileFactory()
    add_contact(access=system_access(), profile_id=profile.pk, name="Anna", email=victim, language="en", at=NOW)
    request = WireRequest.objects.create(
        profile=profile, requested_at=NOW, requested_by=UserFactory(), contact_name="Anna", contact_email=victim,
        contact_phone="+31 20", reason=f"Mail {victim}",
    )  # fmt: skip
    unsent = mail_to(victim, at=NOW, key="inv:contact-1", sent_at=None, next_try_at=NOW)
    rows = (request, unsent, mail_to(victim, at=NOW), *AuditEntry.objects.all(), profile.contacts.get())
    before = as_stored(*rows)
    if how == "invited at":
        mallory = invite_person(access=system_access(), email=victim, name="", language="en", at=NOW)
    else:
        mallory = proven(UserFactory(email="mallory@example.com"), PASSWORD)
        request_email_change(access=access_of(mallory), user_id=mallory.pk, email=victim, at=NOW)
    if how == "asked for and withdrawn":
        cancel_email_change(access=access_of(mallory), user_id=mallory.pk, at=NOW)
    erase(mallory, at=NOW + HOUR)
    assert as_stored(*rows) == before
    about = AuditEntry.objects.filter(person=mallory)
    assert about.exists()
    assert victim not in str(list(about.values()))
    assert not EmailChange.objects.exists()
    assert {row.to for row in OutgoingMail.objects.filter(template__in=["address_confirm", "invitation"])} <= {
        f"erased-{mallory.pk}@erased.invalid"
    }


def test_whoever_had_the_address_afterwards_keeps_what_is_about_them():
    """Ann has it and moves; Bea has it and moves. Then Ann is erased, and her own time with it goes."""
    shared = "shared@example.com"
    ann = proven(UserFactory(email=shared), PASSWORD)
    hers = mail_to(shared, at=NOW - HOUR)
    moves(ann, "ann@example.com", at=NOW)
    in_between = WireRequest.objects.create(
        profile=BillingProfileFactory(), requested_at=NOW + HOUR / 2, requested_by=UserFactory(), contact_email=shared
    )
    bea = invite_person(access=system_access(), email=shared, name="Bea", language="en", at=NOW + HOUR)
    set_password_by_link(user=bea, password=PASSWORD, at=NOW + 2 * HOUR)
    bea.refresh_from_db()
    note = AuditEntry.objects.create(at=NOW + 3 * HOUR, action="contact.added", subject=shared)
    rows = [in_between, mail_to(shared, at=NOW + 3 * HOUR), note]
    moves(bea, "bea@example.com", at=NOW + 4 * HOUR)
    rows += AuditEntry.objects.filter(person=bea)
    assert len(rows) > 5
    before = as_stored(*rows)
    erase(ann, at=NOW + 5 * HOUR)
    assert as_stored(*rows) == before
    hers.refresh_from_db()
    assert (hers.to, hers.context) == (f"erased-{ann.pk}@erased.invalid", {})
    erase(bea, at=NOW + 6 * HOUR)
    assert shared not in str([as_stored(*rows[1:]), list(AuditEntry.objects.values())])


def test_a_renaming_blanks_no_words_of_older_entries():
    """Staff name a dummy like words of the audit trail, and erase it."""
    user = UserFactory(name="Dummy One", joined_at=JOINED)
    entry = AuditEntry.objects.create(
        at=NOW,
        action="role.granted",
        subject="target@example.com",
        detail={"place": "Operations NL", "reason": "customer called us"},
    )
    for hours, (old, new) in enumerate(
        [("Dummy One", "customer called us"), ("customer called us", "Dummy Two")], start=1
    ):
        AuditEntry.objects.create(
            at=NOW + hours * HOUR, action="user.changed", subject=user.email, person=user,
            detail={"before": {"name": old}, "after": {"name": new}},
        )  # fmt: skip
    type(user).objects.filter(pk=user.pk).update(name="Dummy Two")
    while_so_named = AuditEntry.objects.create(at=NOW + 1.5 * HOUR, action="x.y", subject="ask customer called us")
    erase(user, at=NOW + 3 * HOUR)
    entry.refresh_from_db()
    while_so_named.refresh_from_db()
    assert entry.detail == {"place": "Operations NL", "reason": "customer called us"}
    assert while_so_named.subject == "ask (erased)"


@pytest.mark.parametrize("name", ["Operations NL", "Example Trading B.V.", "Web shop"])
def test_a_name_that_is_a_customers_too_is_left_in_texts_about_other_things(name):
    profile = BillingProfileFactory()
    profile.sections.create(name="Web shop")
    user = UserFactory(name=name, joined_at=JOINED)
    entry = AuditEntry.objects.create(at=NOW, action="wire.requested", subject=name, profile=profile)
    assert words_to_blank(user) == {}
    erase(user)
    entry.refresh_from_db()
    assert entry.subject == name


def test_nobody_is_known_by_a_name_before_they_joined():
    entry = AuditEntry.objects.create(at=NOW - HOUR, action="wire.requested", subject="Ask Jan Jansen")
    erase(UserFactory(name="Jan Jansen", joined_at=NOW))
    entry.refresh_from_db()
    assert entry.subject == "Ask Jan Jansen"
