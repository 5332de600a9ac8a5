"""Which mail a profile wants and who gets it: who may change that, and whom each kind of mail reaches."""

import pytest
from django.urls import reverse

from accounts.access import NotAllowed
from accounts.models import AuditEntry, BillingContact, BillingProfile
from accounts.operations.contacts import CannotChangeContacts, add_contact, choose_mails, remove_contact
from accounts.recipients import invoice_recipients, reminder_recipients
from billing_portal.core.outbox import queue_to
from tests.factories import NOW, BillingProfileFactory, access_for, member

pytestmark = pytest.mark.django_db


def add(user, profile, email="payable@example.com", **wish):
    access = access_for(user, profile)
    return add_contact(
        access=access, profile_id=profile.pk, name="Accounts payable", email=email, language="nl", at=NOW, **wish
    )


def emails(readers):
    return sorted(reader.email for reader in readers)


@pytest.mark.parametrize("role", ["profile_owner", "profile_contributor", "account_owner", "account_contributor"])
def test_owners_and_contributors_add_and_remove_a_contact(client, profile, role):
    place = profile.account if role.startswith("account") else profile
    client.force_login(member(place, role))
    form = {"name": "Accounts payable", "email": "Payable@Example.com", "language": "nl", "gets_reminders": "on"}
    assert client.post(reverse("accounts:add_contact", args=[profile.code]), form).status_code == 302
    contact = BillingContact.objects.get()
    assert (contact.email, contact.language) == ("payable@example.com", "nl")
    assert (contact.gets_invoices, contact.gets_reminders, contact.gets_statements) == (False, True, False)
    assert "payable@example.com" in client.get(reverse("accounts:contacts", args=[profile.code])).content.decode()
    client.post(reverse("accounts:remove_contact", args=[profile.code, contact.pk]))
    assert not BillingContact.objects.exists()
    assert [entry.action for entry in AuditEntry.objects.order_by("pk")] == ["contact.added", "contact.removed"]


@pytest.mark.parametrize("role", ["profile_reader", "invoice_manager"])
def test_others_see_the_contacts_and_change_nothing(client, profile, role):
    contact = BillingContact.objects.create(profile=profile, email="payable@example.com")
    reader = member(profile, role)
    for act in (
        lambda: add(reader, profile, "other@example.com"),
        lambda: remove_contact(
            access=access_for(reader, profile), profile_id=profile.pk, contact_id=contact.pk, at=NOW
        ),
        lambda: choose_mails(access=access_for(reader, profile), profile_id=profile.pk, mails_invoices=False, at=NOW),
    ):
        with pytest.raises(NotAllowed):
            act()
    client.force_login(reader)
    page = client.get(reverse("accounts:contacts", args=[profile.code])).content.decode()
    assert "payable@example.com" in page
    assert reverse("accounts:add_contact", args=[profile.code]) not in page
    assert BillingContact.objects.get() == contact
    assert BillingProfile.objects.get(pk=profile.pk).mails_invoices
    assert not AuditEntry.objects.exists()


def test_a_role_that_went_since_the_page_was_drawn_adds_nobody(profile):
    owner = member(profile, "profile_owner")
    access = access_for(owner, profile)
    owner.assignments.all().delete()
    with pytest.raises(NotAllowed):
        add_contact(access=access, profile_id=profile.pk, name="", email="a@example.com", language="en", at=NOW)
    assert not BillingContact.objects.exists()


def test_an_address_is_there_once_however_it_is_written_and_must_be_one(client, profile):
    owner = member(profile, "profile_owner")
    add(owner, profile)
    for email, text in (("PAYABLE@example.com", "already"), ("nobody", "valid")):
        with pytest.raises(CannotChangeContacts, match=text):
            add(owner, profile, email)
    client.force_login(owner)
    form = {"name": "", "email": "payable@example.com", "language": "en"}
    answer = client.post(reverse("accounts:add_contact", args=[profile.code]), form)
    assert (answer.status_code, BillingContact.objects.count()) == (422, 1)


def test_there_are_twenty_at_most(profile):
    owner = member(profile, "profile_owner")
    for number in range(20):
        add(owner, profile, f"payable{number}@example.com")
    with pytest.raises(CannotChangeContacts, match="the maximum"):
        add(owner, profile)
    assert BillingContact.objects.count() == 20


def test_a_profile_that_pays_by_wire_keeps_one_contact():
    profile = BillingProfileFactory(default_method="check_wire")
    owner = member(profile, "profile_owner")
    contact = add(owner, profile)
    with pytest.raises(CannotChangeContacts, match="at least one"):
        remove_contact(access=access_for(owner, profile), profile_id=profile.pk, contact_id=contact.pk, at=NOW)
    assert BillingContact.objects.exists()


def test_a_contact_of_another_profile_is_not_found(client, profile):
    client.force_login(member(profile, "profile_owner"))
    foreign = BillingContact.objects.create(profile=BillingProfileFactory(), email="payable@example.com")
    assert client.post(reverse("accounts:remove_contact", args=[profile.code, foreign.pk])).status_code == 404
    assert BillingContact.objects.get() == foreign


def test_mail_about_new_invoices_is_switched_off_for_all(client, profile):
    owner = member(profile, "profile_owner", email="owner@example.com")
    add(owner, profile)
    assert emails(invoice_recipients(profile)) == ["owner@example.com", "payable@example.com"]
    client.force_login(owner)
    client.post(reverse("accounts:choose_mails", args=[profile.code]), {})
    profile.refresh_from_db()
    assert invoice_recipients(profile) == []
    assert emails(reminder_recipients(profile)) == ["owner@example.com", "payable@example.com"]


def test_reminders_reach_the_profiles_own_people_and_the_contacts_that_want_them(profile):
    """Not readers, nobody of the account, nobody inactive, and an address with two reasons once."""
    for role in ("profile_owner", "profile_contributor", "invoice_manager", "profile_reader"):
        member(profile, role, email=f"{role}@example.com")
    member(profile.account, "account_owner", email="accountowner@example.com")
    member(profile, "invoice_manager", email="gone@example.com", is_active=False)
    owner = member(profile, "profile_owner", email="payable@example.com")
    add(owner, profile)
    add(owner, profile, "archive@example.com", gets_reminders=False)
    assert emails(reminder_recipients(profile)) == [
        "invoice_manager@example.com", "payable@example.com", "profile_contributor@example.com",
        "profile_owner@example.com",
    ]  # fmt: skip


def test_a_mail_to_an_address_goes_out_once_in_its_language():
    from django.core import mail

    from billing_portal.core.mail import send_due

    for _again in range(2):
        queue_to(
            key="profile-active:1", email="payable@example.com", language="nl", template="profile_status",
            context={"profile": "Operations NL", "status": "active", "url": "https://portal.example.com/"}, at=NOW,
        )  # fmt: skip
    assert send_due(at=NOW) == 1
    assert mail.outbox[0].to == ["payable@example.com"]
    assert mail.outbox[0].message()["Content-Language"] == "nl"
