"""An address is a person's once its mailbox has answered, and changes only with the person's own sign-in."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.access import Access, NotAllowed, access_of, staff_access
from accounts.models import AuditEntry, EmailChange, User
from accounts.operations.addresses import (
    CANCEL,
    CONFIRM,
    MAX_LINKS,
    MAX_REQUESTS,
    CannotChangeAddress,
    cancel_email_change,
    cancel_email_change_by_link,
    confirm_email_change,
    correct_unproven_address,
    email_change_key,
    mail_password_link,
    set_password_by_link,
)
from accounts.operations.people import invite_person
from billing_portal.core.mail import send_due
from billing_portal.core.models import OutgoingMail
from tests.accounts.addresses import PASSWORD, ask, confirm, mails
from tests.factories import NOW, UserFactory, member, who_signs_in

pytestmark = pytest.mark.django_db

# The operation ---------------------------------------------------------------------------------------------------


def test_a_new_address_counts_for_nothing_before_its_mailbox_has_answered(person):
    ask(person)
    person.refresh_from_db()
    assert person.email == "old@example.com"
    assert list(EmailAddress.objects.values_list("email", "verified")) == [("old@example.com", True)]
    assert mails() == [("new@example.com", "address_confirm"), ("old@example.com", "address_requested")]
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.person, entry.actor) == ("address.requested", person, person)
    assert entry.detail == {"before": "old@example.com", "after": "new@example.com"}


def test_confirmed_it_is_the_only_address_and_the_old_one_is_told(person):
    change = ask(person)
    version = person.sessions_version
    confirm(change, person)
    person.refresh_from_db()
    assert person.email == "new@example.com"
    assert person.sessions_version == version + 1
    assert list(EmailAddress.objects.values_list("email", "verified", "primary")) == [("new@example.com", True, True)]
    assert not EmailChange.objects.exists()
    assert mails()[-1] == ("old@example.com", "address_changed")
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.person) == ("address.changed", person)
    assert entry.detail == {"before": "old@example.com", "after": "new@example.com"}


@pytest.mark.parametrize(
    "typed", ["taken@example.com", "TAKEN@Example.com", " taken@example.com ", "taken@ｅxample.com"]
)
def test_an_address_that_any_user_has_is_refused(person, typed):
    UserFactory(email="taken@example.com", is_active=False)
    with pytest.raises(CannotChangeAddress, match="belongs to another user"):
        ask(person, typed)
    assert mails() == []
    assert not EmailChange.objects.exists()
    assert AuditEntry.objects.get().action == "address.refused"


def test_a_long_s_is_an_s(person):
    """Django's validator takes it for one in the part before the @."""
    UserFactory(email="sales@example.com")
    with pytest.raises(CannotChangeAddress, match="belongs to another user"):
        ask(person, "ſales@example.com")


def test_an_address_that_somebody_else_waits_for_is_refused_until_their_day_is_over(person):
    other = UserFactory()
    ask(other)
    with pytest.raises(CannotChangeAddress, match="about to confirm"):
        ask(person)
    ask(person, at=NOW + timedelta(days=1))
    assert EmailChange.objects.get().user == person


def test_an_address_that_became_somebodys_meanwhile_is_refused_at_the_confirmation(person):
    change = ask(person)
    User.objects.create_user("new@example.com")
    with pytest.raises(CannotChangeAddress, match="belongs to another user"):
        confirm(change, person)
    person.refresh_from_db()
    assert person.email == "old@example.com"


def test_the_link_of_one_person_does_not_work_for_another(person):
    change = ask(person)
    other = UserFactory()
    with pytest.raises(CannotChangeAddress, match="another account"):
        confirm(change, other)
    with pytest.raises(CannotChangeAddress, match="another account"):
        confirm_email_change(access=Access(user=None), key=email_change_key(change.pk, CONFIRM), at=NOW)
    person.refresh_from_db()
    assert person.email == "old@example.com"


def test_a_link_works_once_for_a_day_and_only_the_last_one(person):
    first = ask(person)
    second = ask(person, "other@example.com")
    for change, at in ((first, NOW), (second, NOW + timedelta(days=1))):
        with pytest.raises(CannotChangeAddress, match="no longer valid"):
            confirm(change, person, at=at)
    confirm(second, person)
    with pytest.raises(CannotChangeAddress, match="no longer valid"):
        confirm(second, person)


def test_the_key_that_stops_a_change_does_not_confirm_it(person):
    change = ask(person)
    with pytest.raises(CannotChangeAddress, match="no longer valid"):
        confirm_email_change(access=access_of(person), key=email_change_key(change.pk, CANCEL), at=NOW)


def test_the_same_address_and_what_is_none_are_refused_and_leave_the_waiting_one(person):
    ask(person)
    for email in ("old@example.com", "nonsense", "x" * 250 + "@example.com"):
        with pytest.raises(CannotChangeAddress):
            ask(person, email)
    assert EmailChange.objects.get().email == "new@example.com"


def test_only_so_many_changes_are_asked_for_in_a_day(person):
    for number in range(MAX_REQUESTS):
        ask(person, f"new{number}@example.com")
    with pytest.raises(CannotChangeAddress, match="too often today"):
        ask(person, "one-more@example.com")
    ask(person, "one-more@example.com", at=NOW + timedelta(days=1, seconds=1))


def test_addresses_are_not_tried_out_until_one_is_somebodys(person):
    UserFactory(email="taken@example.com")
    for _try in range(MAX_REQUESTS):
        with pytest.raises(CannotChangeAddress, match="belongs to another"):
            ask(person, "taken@example.com")
    for email in ("taken@example.com", "free@example.com"):
        with pytest.raises(CannotChangeAddress, match="too often today"):
            ask(person, email)


def test_nobody_but_the_person_and_staff_may_ask(person):
    colleague, clerk, boss = UserFactory(), UserFactory(is_staff=True), UserFactory(is_staff=True)
    with pytest.raises(NotAllowed):
        ask(person, by=access_of(colleague))
    with pytest.raises(NotAllowed, match="superuser"):
        ask(boss, by=staff_access(clerk))
    assert not EmailChange.objects.exists()
    assert ask(person, by=staff_access(clerk)).requested_by == clerk


def test_what_staff_propose_needs_the_persons_own_confirmation_and_warns_the_old_mailbox(person):
    clerk = UserFactory(is_staff=True)
    change = ask(person, "clerk@example.com", by=staff_access(clerk))
    assert mails() == [("clerk@example.com", "address_confirm"), ("old@example.com", "address_requested")]
    with pytest.raises(CannotChangeAddress):
        confirm(change, clerk)
    person.refresh_from_db()
    assert person.email == "old@example.com"


@pytest.mark.parametrize("by", [None, "clerk"])
def test_a_new_password_by_mail_withdraws_the_change_that_waits(client, person, by):
    clerk = UserFactory(is_staff=True)
    change = ask(person, by=by and staff_access(clerk), at=timezone.now())
    set_password_by_link(user=person, password="nine orange canoes", at=timezone.now())
    assert not EmailChange.objects.exists()
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.person, entry.actor) == ("address.withdrawn", person, person)
    client.force_login(User.objects.get(pk=person.pk))
    assert client.post(reverse("account_confirm_email", args=[email_change_key(change.pk, CONFIRM)])).status_code == 404


def test_a_password_changed_on_the_page_withdraws_the_change_that_waits(signed_in, person):
    ask(person, at=timezone.now())
    new = "nine orange canoes"
    signed_in.post(reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": new, "password2": new})
    person.refresh_from_db()
    assert person.check_password(new)
    assert not EmailChange.objects.exists()


def test_a_person_withdraws_a_change_and_nobody_elses(person):
    ask(person)
    with pytest.raises(NotAllowed):
        cancel_email_change(access=access_of(UserFactory()), user_id=person.pk, at=NOW)
    assert EmailChange.objects.exists()
    cancel_email_change(access=access_of(person), user_id=person.pk, at=NOW)
    assert not EmailChange.objects.exists()
    assert AuditEntry.objects.latest("pk").action == "address.withdrawn"


@pytest.mark.parametrize("email", ["second@example.com", "OLD@example.com"])
def test_the_database_knows_one_address_a_person(person, email):
    with pytest.raises(IntegrityError), transaction.atomic():
        EmailAddress.objects.create(user=person, email=email)


def test_the_database_knows_one_person_an_address(person):
    with pytest.raises(IntegrityError), transaction.atomic():
        EmailAddress.objects.create(user=UserFactory(), email="OLD@example.com")
    ask(person)
    with pytest.raises(IntegrityError), transaction.atomic():
        EmailChange.objects.create(
            user=UserFactory(), email="NEW@example.com", requested_at=NOW, requested_by=person, expires_at=NOW
        )


# Invitations -----------------------------------------------------------------------------------------------------


def test_a_claim_that_nobody_has_proven_does_not_keep_staff_from_inviting_the_real_person(person):
    ask(person, "real@example.com")
    clerk = UserFactory(is_staff=True)
    invited = invite_person(access=staff_access(clerk), email="real@example.com", name="", language="nl", at=NOW)
    assert invited.email == "real@example.com"
    assert not EmailChange.objects.exists()
    assert AuditEntry.objects.get(action="address.withdrawn").person == person


def test_an_address_mistyped_in_an_invitation_is_corrected_and_its_link_dies(client):
    clerk = UserFactory(is_staff=True)
    access, at = staff_access(clerk), timezone.now()
    invited = invite_person(access=access, email="mistyped@example.com", name="New", language="en", at=at)
    send_due(at=at)
    dead = next(word for word in mail.outbox[0].body.split() if "/password/reset/key/" in word)
    correct_unproven_address(access=access, user_id=invited.pk, email="right@example.com", at=at)
    assert mails()[1:] == [("mistyped@example.com", "invitation_withdrawn"), ("right@example.com", "invitation")]
    assert "This link no longer works" in client.get(dead.removeprefix("http://testserver"), follow=True).text


def without_proof(person):
    """Somebody from before addresses were proven, who has signed in for years."""
    EmailAddress.objects.filter(user=person).update(verified=False)


def who_once_signed_in(person):
    without_proof(person)
    User.objects.filter(pk=person.pk).update(password="!", last_login=NOW)


@pytest.mark.parametrize("become", [lambda _person: None, without_proof, who_once_signed_in])
def test_the_address_of_somebody_who_has_used_it_is_not_corrected(person, become):
    become(person)
    clerk = UserFactory(is_staff=True)
    with pytest.raises(CannotChangeAddress, match="Propose"):
        correct_unproven_address(access=staff_access(clerk), user_id=person.pk, email="new@example.com", at=NOW)
    assert mails() == []


def test_the_address_of_who_holds_a_role_is_not_corrected(profile):
    invited, clerk = member(profile, "profile_owner"), UserFactory(is_staff=True)
    with pytest.raises(CannotChangeAddress, match="Remove the roles"):
        correct_unproven_address(access=staff_access(clerk), user_id=invited.pk, email="new@example.com", at=NOW)
    assert mails() == []


def test_an_invitation_that_waits_is_not_sent_to_an_address_that_was_corrected():
    access, at = staff_access(UserFactory(is_staff=True)), timezone.now()
    invited = invite_person(access=access, email="mistyped@example.com", name="New", language="en", at=at)
    correct_unproven_address(access=access, user_id=invited.pk, email="right@example.com", at=at)
    send_due(at=at)
    links = [message.to for message in mail.outbox if "/password/reset/key/" in message.body]
    assert links == [["right@example.com"]]
    assert not OutgoingMail.objects.filter(sent_at=None).exists()


def test_a_password_link_that_waits_is_not_sent_to_an_address_that_was_given_up(client, person):
    change = ask(person, at=timezone.now())
    client.post(reverse("account_reset_password"), {"email": person.email})
    confirm(change, person, at=timezone.now())
    send_due(at=timezone.now())
    assert not [message for message in mail.outbox if "/password/reset/key/" in message.body]


def test_a_password_link_is_not_sent_to_somebody_who_was_deactivated_meanwhile(client, person):
    client.post(reverse("account_reset_password"), {"email": person.email})
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert send_due(at=timezone.now()) == 0
    assert not OutgoingMail.objects.exists()


def test_the_link_that_stops_a_change_does_not_stop_the_next_one(person):
    first = ask(person)
    second = ask(person, "other@example.com")
    assert not cancel_email_change_by_link(key=email_change_key(first.pk, CANCEL), at=NOW)
    assert EmailChange.objects.get() == second
    assert cancel_email_change_by_link(key=email_change_key(second.pk, CANCEL), at=NOW)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.person, entry.actor) == ("address.withdrawn", person, None)


@pytest.mark.parametrize("proves", [False, True])
def test_staff_mail_five_links_an_hour_to_one_address(person, proves):
    first, second = staff_access(UserFactory(is_staff=True)), staff_access(UserFactory(is_staff=True))
    invited = invite_person(access=first, email="new@example.com", name="", language="en", at=NOW)
    who = person if proves else invited
    for _link in range(MAX_LINKS - (not proves)):
        mail_password_link(access=first, user_id=who.pk, at=NOW)
    before = OutgoingMail.objects.count()
    with pytest.raises(CannotChangeAddress, match="5 links were mailed to"):
        mail_password_link(access=second, user_id=who.pk, at=NOW + timedelta(minutes=59))
    assert OutgoingMail.objects.count() == before
    mail_password_link(access=second, user_id=who.pk, at=NOW + timedelta(minutes=61))
    assert OutgoingMail.objects.count() == before + 1


def test_another_person_at_the_same_address_gets_no_more_links():
    access, number = staff_access(UserFactory(is_staff=True)), 0
    for number in range(MAX_LINKS):
        invited = invite_person(access=access, email="victim@example.com", name="", language="en", at=NOW)
        correct_unproven_address(access=access, user_id=invited.pk, email=f"other{number}@example.com", at=NOW)
    with pytest.raises(CannotChangeAddress, match="within an hour"):
        invite_person(access=access, email="victim@example.com", name="", language="en", at=NOW)
    assert not User.objects.filter(email="victim@example.com").exists()


def test_links_that_the_person_asks_for_do_not_count_against_staff(client):
    person = who_signs_in(PASSWORD, email="who-asks-often@example.com")
    for _link in range(MAX_LINKS):
        client.post(reverse("account_reset_password"), {"email": person.email})
    mail_password_link(access=staff_access(UserFactory(is_staff=True)), user_id=person.pk, at=timezone.now())


def test_only_staff_invite_and_correct(person):
    with pytest.raises(NotAllowed):
        invite_person(access=access_of(person), email="new@example.com", name="", language="", at=NOW)
    unproven = UserFactory()
    with pytest.raises(NotAllowed):
        correct_unproven_address(access=access_of(unproven), user_id=unproven.pk, email="new@example.com", at=NOW)
    assert not User.objects.filter(email="new@example.com").exists()


def test_the_link_of_an_invitation_sets_the_password_proves_the_address_and_works_once(client):
    clerk = UserFactory(is_staff=True)
    at = timezone.now()
    invited = invite_person(access=staff_access(clerk), email="Invited@Example.com", name="N", language="nl", at=at)
    assert AuditEntry.objects.get(action="invitation.sent").person == invited
    send_due(at=at)
    (message,) = mail.outbox
    assert message.to == ["invited@example.com"]
    (link,) = [word for word in message.body.split() if "/password/reset/key/" in word]
    page = client.get(link.removeprefix("http://testserver"), follow=True)
    form = {"password1": PASSWORD, "password2": PASSWORD}
    assert client.post(page.redirect_chain[-1][0], form).status_code == 302
    assert EmailAddress.objects.get(user=invited).verified
    assert AuditEntry.objects.filter(action="address.proven", person=invited).exists()
    assert OutgoingMail.objects.count() == 1  # nobody is told that a password they never had was reset

    again = Client().get(link.removeprefix("http://testserver"), follow=True)
    assert "This link no longer works" in again.text
    client.post(reverse("account_login"), {"login": "invited@example.com", "password": PASSWORD})
    assert client.session["_auth_user_id"] == str(invited.pk)


def test_nobody_signs_in_before_the_mailbox_has_answered(client):
    unproven = UserFactory(email="unproven@example.com")
    unproven.set_password(PASSWORD)
    unproven.save()
    page = client.post(reverse("account_login"), {"login": unproven.email, "password": PASSWORD}, follow=True)
    assert "_auth_user_id" not in client.session
    assert "has not been confirmed yet" in page.text
    assert mails() == [("unproven@example.com", "password_link")]
