"""Somebody is erased: nothing says any longer who they were, and the books are what they were."""

import json
from contextlib import suppress
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.access import staff_access, system_access
from accounts.models import AuditEntry, BillingContact, EmailChange, RoleAssignment, User, WireRequest
from billing_portal.core.mail import MAX_TRIES, PAUSES, send_due
from billing_portal.core.models import OutgoingMail
from billing_portal.personal_data.erasure import contacts_of, erase_person
from payments.models import Payment, PaymentEvent
from tests.factories import NOW, BillingProfileFactory, UserFactory, issued, member, proven
from tests.payments.acts import books_are_clean, card, press_pay
from tests.personal_data.canary import ADDRESS, NAME, PASSWORD, TRACES, Canary, places_of

pytestmark = pytest.mark.django_db

# What may still name somebody who was erased: documents that were issued. The canary's name is in one.
DOCUMENTS = {"invoices_creditnote.reason"}


@pytest.fixture
def canary():
    return Canary()


def erase(user, access=None, *, reason="By letter of 2 November", at=NOW, contact_ids=()):
    return erase_person(
        access=access or system_access(), user_id=user.pk, reason=reason, at=at, contact_ids=contact_ids
    )


def erased(canary):
    erase(canary.user, canary.staff, contact_ids=[contact.pk for contact in contacts_of(canary.user)])
    send_due(at=timezone.now(), limit=100)
    return User.objects.get(pk=canary.user.pk)


def test_the_canary_is_known_everywhere_before(canary):
    """Or the next test would show nothing."""
    tables = {place.partition(".")[0] for place in places_of(*TRACES)}
    assert tables >= {
        "accounts_user",
        "accounts_emailchange",
        "accounts_auditentry",
        "core_outgoingmail",
        "accounts_billingcontact",
        "accounts_wirerequest",
        "core_jobrun",
        "account_emailaddress",
        "django_admin_log",
        "invoices_invoice",
        "mfa_authenticator",
        "payments_refund",
    }
    assert {place.partition(": ")[2] for place in places_of(*TRACES)} == set(TRACES)


def test_after_it_no_column_of_any_table_names_the_person(canary):
    erased(canary)
    assert {place.partition(":")[0] for place in places_of(*TRACES)} == set(DOCUMENTS)


def test_the_books_stay_whole_and_say_that_somebody_erased_paid(canary):
    before = list(Payment.objects.order_by("pk").values("pk", "started_by", "amount_minor", "status"))
    events = list(PaymentEvent.objects.order_by("pk").values())
    person = erased(canary)
    assert list(Payment.objects.order_by("pk").values("pk", "started_by", "amount_minor", "status")) == before
    assert list(PaymentEvent.objects.order_by("pk").values()) == events
    canary.payment.refresh_from_db()
    assert str(canary.payment.started_by) == f"Erased person {person.pk}"
    assert books_are_clean()


def test_what_was_done_stays_in_the_audit_trail(canary):
    before = list(AuditEntry.objects.order_by("pk").values("pk", "at", "actor", "action", "profile", "person"))
    amounts = {entry.pk: entry.detail.get("amount_minor") for entry in AuditEntry.objects.all()}
    erased(canary)
    after = AuditEntry.objects.filter(pk__in=amounts).order_by("pk")
    assert list(after.values("pk", "at", "actor", "action", "profile", "person")) == before
    assert {entry.pk: entry.detail.get("amount_minor") for entry in after} == amounts
    changed = after.get(action="user.email_changed")
    assert changed.subject == "(erased)"
    assert changed.detail == {
        "before": "(erased)", "after": "(erased)", "by": ["(erased) <(erased)>"], "attempts": 3,
    }  # fmt: skip


def test_the_person_cannot_get_in_any_more_and_holds_nothing(client, canary):
    person = erased(canary)
    assert (person.email, person.name, person.is_active) == (f"erased-{person.pk}@erased.invalid", "", False)
    assert not person.has_usable_password()
    assert canary.browser.get(reverse("home")).url.startswith(reverse("account_login"))
    client.post(reverse("account_login"), {"login": ADDRESS, "password": PASSWORD})
    assert "_auth_user_id" not in client.session
    for model in (RoleAssignment, EmailAddress, Authenticator, EmailChange):
        assert not model.objects.filter(user=person).exists()
    assert str(person.pk) not in {session.get_decoded().get("_auth_user_id") for session in Session.objects.all()}


def rename(user, name):
    """As staff do it on the page of the person."""
    desk = Client()
    desk.force_login(UserFactory(is_staff=True, is_superuser=True))
    form = {"name": name, "is_active": "on", "assignments-TOTAL_FORMS": 0, "assignments-INITIAL_FORMS": 0}
    assert desk.post(reverse("admin:accounts_user_change", args=[user.pk]), form).status_code == 302


def test_a_former_name_goes_too():
    user = UserFactory(name="Jan Oldname", joined_at=NOW - timedelta(days=1))
    rename(user, "Jan Newname")
    entry = AuditEntry.objects.get(action="user.changed")
    assert entry.detail == {"before": {"name": "Jan Oldname"}, "after": {"name": "Jan Newname"}}
    elsewhere = WireRequest.objects.create(
        profile=BillingProfileFactory(), requested_at=NOW, requested_by=UserFactory(), reason="Ask Jan Oldname"
    )
    erase(user)
    entry.refresh_from_db()
    elsewhere.refresh_from_db()
    assert entry.detail == {"before": {"name": "(erased)"}, "after": {"name": "(erased)"}}
    assert elsewhere.reason == "Ask (erased)"
    assert places_of("Oldname", "Newname") == set()


def test_a_former_name_on_documents_and_in_addresses_of_customers_is_counted():
    user = UserFactory(name="Jan Oldname")
    rename(user, "Jan Newname")
    issued(BillingProfileFactory(attention="Jan Oldname"))
    left = erase(user)
    assert (left.addresses, left.documents) == (1, 1)


def test_what_a_customer_called_the_person_as_a_contact_goes_from_the_entries_about_the_contact(profile):
    desk = UserFactory(is_staff=True)
    about = {"at": NOW, "actor": desk, "action": "accounts_payable_contact.added", "profile": profile}
    entry = AuditEntry.objects.create(
        subject=ADDRESS, detail={"after": {"name": "Accounts Payable", "email": ADDRESS, "language": "nl"}}, **about
    )
    other = AuditEntry.objects.create(subject="ap@example.com", detail={"after": {"name": "Accounts Payable"}}, **about)
    erase(proven(UserFactory(email=ADDRESS), PASSWORD))
    entry.refresh_from_db()
    other.refresh_from_db()
    assert entry.detail == {"after": {"name": "(erased)", "email": "(erased)", "language": "nl"}}
    assert other.detail == {"after": {"name": "Accounts Payable"}}


def test_a_session_that_began_as_the_person_was_erased_ends_too(canary):
    """Its row was not there yet when the others were deleted."""
    version = canary.user.sessions_version
    erase(canary.user)
    canary.user.refresh_from_db()
    assert canary.user.sessions_version == version + 1


def test_the_end_of_each_role_is_in_the_audit_trail(canary):
    erased(canary)
    removed = AuditEntry.objects.filter(action="role.removed", actor=canary.boss)
    assert sorted(entry.detail["role"] for entry in removed) == ["account_reader", "invoice_manager", "profile_owner"]
    assert {entry.subject for entry in removed} == {"(erased)"}


def test_it_is_recorded_by_whom_why_and_how_much_without_naming_the_person(canary):
    erase(canary.user, canary.staff, reason=f"{NAME} asked by letter")
    entry = AuditEntry.objects.get(action="person.erased")
    assert (entry.actor, entry.person, entry.detail["reason"]) == (canary.boss, canary.user, "(erased) asked by letter")
    assert entry.detail["erased"]["second_factors"] == 1
    assert entry.detail["erased"]["wire_requests"] == 2


def test_the_person_is_told_at_the_address_that_then_is_gone(canary):
    mail.outbox.clear()
    erased(canary)
    (message,) = mail.outbox
    assert (message.to, message.extra_headers["Content-Language"]) == ([ADDRESS], "nl")
    assert not OutgoingMail.objects.filter(template="person_erased").exists()


class Refusing:
    def __init__(self, **_options):
        pass

    def send_messages(self, messages):
        raise ValueError(f"550 no such person: {messages[0].to[0]}")


def test_a_last_mail_that_cannot_be_delivered_is_not_kept_either(settings):
    settings.MAILERS = {"default": {"BACKEND": "tests.personal_data.test_erasure.Refusing"}}
    erase(UserFactory(email=ADDRESS))
    at = NOW
    for pause in (*PAUSES, timedelta()):
        assert OutgoingMail.objects.filter(template="person_erased").exists()
        send_due(at=at)
        at += pause
    assert len(PAUSES) + 1 == MAX_TRIES
    assert places_of(ADDRESS) == set()


def test_what_waits_to_be_sent_is_dropped_and_what_was_sent_stays_as_a_bare_fact(canary):
    sent = set(OutgoingMail.objects.filter(to=ADDRESS, sent_at__isnull=False).values_list("key", "sent_at"))
    person = erased(canary)
    assert not OutgoingMail.objects.filter(key="waits").exists()
    left = OutgoingMail.objects.filter(to=person.email)
    assert set(left.values_list("key", "sent_at")) == sent
    assert [row.context for row in left] == [{}] * len(sent)


def test_the_address_can_be_used_for_somebody_new(canary):
    erased(canary)
    new = User.objects.create_user(ADDRESS, "another-long-password")
    assert new.pk != canary.user.pk
    assert not AuditEntry.objects.filter(person=new).exists()


def test_a_contact_that_nobody_ticked_stays_with_its_mail_and_is_named(canary):
    contact = canary.profile.contacts.get()
    OutgoingMail.objects.create(
        key=f"reminder:1:20261101:contact-{contact.pk}", to=ADDRESS, language="nl", template="reminder",
        created_at=NOW, next_try_at=NOW + timedelta(days=365),
    )  # fmt: skip
    left = erase(canary.user, canary.staff)
    assert [row.profile.name for row in left.contacts] == ["Operations NL", "Operations UK"]
    assert "Operations NL, Operations UK" in left.sentences()[0]
    assert OutgoingMail.objects.filter(key__startswith="reminder:1:", to=ADDRESS, sent_at=None).exists()
    send_due(at=timezone.now(), limit=100)
    assert {place.partition(":")[0] for place in places_of(ADDRESS)} - DOCUMENTS == {
        "accounts_billingcontact.email",
        "core_outgoingmail.to",
    }


def test_the_name_on_documents_and_in_addresses_of_customers_stays_and_is_counted():
    profile = BillingProfileFactory(attention=NAME)
    issued(profile)
    user = UserFactory(email=ADDRESS, name=NAME)
    left = erase(user)
    assert (left.addresses, left.documents) == (1, 1)
    assert {place.partition(":")[0] for place in places_of(NAME)} == {
        "accounts_billingprofile.attention",
        "invoices_invoice.buyer",
    }


def test_an_erasure_that_is_killed_half_way_leaves_everything_as_it_was(canary):
    before = snapshot()
    with suppress(Killed), transaction.atomic():
        erase(canary.user, canary.staff)
        raise Killed
    assert snapshot() == before


class Killed(Exception):
    """The process ends before the commit."""


def snapshot():
    return {
        model.__name__: json.dumps(list(model.objects.order_by("pk").values()), default=str)
        for model in (User, AuditEntry, OutgoingMail, BillingContact, WireRequest, RoleAssignment, Session)
    }


def test_a_payer_who_was_erased_long_ago_leaves_receipts_and_pages_that_still_open(client, profile):
    payer, owner = member(profile, "invoice_manager", name=NAME), member(profile, "profile_owner")
    payment = press_pay(payer, issued(profile), card(profile))
    erase(payer)
    client.force_login(owner)
    page = client.get(reverse("payments:detail", args=[profile.code, payment.reference]))
    receipt = client.get(reverse("payments:receipt", args=[profile.code, payment.reference]))
    assert (page.status_code, receipt.status_code) == (200, 200)
    assert NAME not in page.text


def test_staff_access_is_enough_for_a_customer(canary):
    clerk = UserFactory(is_staff=True)
    erase(canary.user, staff_access(clerk))
    assert User.objects.get(pk=canary.user.pk).is_erased
