"""Asking to pay by check or wire: who may, once at a time, what staff decide, and who hears of it."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission as DjangoPermission
from django.db import IntegrityError
from django.urls import reverse

from accounts.access import NotAllowed, access_of, staff_access, system_access
from accounts.models import AuditEntry, BillingContact, BillingProfile, WireRequest
from accounts.operations.wire import (
    CannotAskForWire,
    CannotDecide,
    decide_wire_request,
    request_wire,
    withdraw_wire_request,
)
from billing_portal.core.models import OutgoingMail
from tests.factories import NOW, BillingProfileFactory, UserFactory, access_for, member
from tests.payments.acts import at_once

pytestmark = pytest.mark.django_db

FACTS = {
    "legal_name": "Example Trading B.V.",
    "registration_number": "00000000",
    "monthly_amount": "EUR 2,500",
    "contact_name": "Accounts payable",
    "contact_email": "payable@example.com",
    "contact_phone": "",
    "reason": "We pay all suppliers by wire.",
}


def ask(user, profile):
    return request_wire(access=access_for(user, profile), profile_id=profile.pk, facts=FACTS, at=NOW)


def decide(request, *, approve, answer="Registered, and always on time.", staff=None):
    access = staff_access(staff or UserFactory(is_staff=True))
    return decide_wire_request(access=access, request_id=request.pk, approve=approve, answer=answer, at=NOW)


def url(profile):
    return reverse("accounts:wire_request", args=[profile.code])


@pytest.mark.parametrize("role", ["profile_reader", "invoice_manager", "profile_owner"])
def test_whoever_sees_the_profile_may_ask_on_its_page(client, profile, role):
    client.force_login(member(profile, role))
    assert "What we consider" in client.get(url(profile)).content.decode()
    assert client.post(url(profile), FACTS).status_code == 302
    page = client.get(url(profile)).content.decode()
    assert "Waiting for our answer" in page
    assert 'id="wire-request"' not in page
    assert AuditEntry.objects.get().action == "wire.requested"


def test_a_stranger_may_not(profile):
    with pytest.raises(BillingProfile.DoesNotExist):
        ask(member(BillingProfileFactory(), "profile_owner"), profile)
    assert not WireRequest.objects.exists()


def test_a_role_that_went_since_the_page_was_drawn_does_not_count(profile):
    reader = member(profile, "profile_reader")
    access = access_for(reader, profile)
    reader.assignments.all().delete()
    with pytest.raises(NotAllowed):
        request_wire(access=access, profile_id=profile.pk, facts=FACTS, at=NOW)
    assert not WireRequest.objects.exists()


def test_facts_that_are_missing_are_asked_for_again(client, profile):
    client.force_login(member(profile, "profile_owner"))
    answer = client.post(url(profile), {**FACTS, "registration_number": " "})
    assert answer.status_code == 422
    assert "This field is required." in answer.content.decode()
    assert not WireRequest.objects.exists()


def test_one_request_at_a_time(profile):
    owner = member(profile, "profile_owner")
    ask(owner, profile)
    with pytest.raises(CannotAskForWire, match="waiting for our answer"):
        ask(owner, profile)
    with pytest.raises(IntegrityError):
        WireRequest.objects.create(profile=profile, requested_at=NOW, requested_by=owner)


def test_an_approved_or_closed_profile_need_not_ask(profile):
    owner = member(profile, "profile_owner")
    for change, text in (({"is_wire_approved": True}, "already"), ({"status": "closed"}, "closed")):
        BillingProfile.objects.update(is_wire_approved=False, status="active")
        BillingProfile.objects.update(**change)
        with pytest.raises(CannotAskForWire, match=text):
            ask(owner, profile)
    assert not WireRequest.objects.exists()


def test_staff_who_may_decide_hear_of_it(profile):
    clerk = UserFactory(is_staff=True, email="clerk@example.com")
    clerk.user_permissions.add(DjangoPermission.objects.get(codename="change_wirerequest"))
    UserFactory(is_staff=True)
    ask(member(profile, "profile_reader"), profile)
    assert list(OutgoingMail.objects.values_list("to", "template")) == [("clerk@example.com", "wire_requested")]


def test_approved_it_may_choose_wire_and_who_asked_and_the_owners_hear_of_it(profile):
    reader = member(profile, "profile_reader", email="reader@example.com")
    member(profile, "profile_owner", email="owner@example.com", language="nl")
    member(profile.account, "account_owner", email="accountowner@example.com")
    member(profile, "invoice_manager")
    decide(ask(reader, profile), approve=True)
    profile.refresh_from_db()
    assert profile.is_wire_approved
    assert not profile.pays_by_wire
    mails = OutgoingMail.objects.filter(template="wire_decided", context__is_approved=True).order_by("to")
    assert [mail.to for mail in mails] == ["accountowner@example.com", "owner@example.com", "reader@example.com"]
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert actions == {"wire.requested", "contact.added", "wire.approved"}
    contact = BillingContact.objects.get()
    assert (contact.email, contact.gets_statements) == ("payable@example.com", True)


def test_a_contact_that_is_there_already_is_not_added_twice(profile):
    BillingContact.objects.create(profile=profile, email="PAYABLE@example.com")
    decide(ask(member(profile, "profile_owner"), profile), approve=True)
    assert BillingContact.objects.count() == 1


def test_declined_nothing_changes_and_it_may_ask_again(client, profile):
    owner = member(profile, "profile_owner")
    decide(ask(owner, profile), approve=False, answer="Too new a customer.")
    profile.refresh_from_db()
    assert not profile.is_wire_approved
    assert not BillingContact.objects.exists()
    client.force_login(owner)
    page = client.get(url(profile)).content.decode()
    assert "Too new a customer." in page
    assert 'id="wire-request"' in page
    assert ask(owner, profile).status == "open"


def test_a_decision_needs_staff_a_reason_and_an_open_request(profile):
    owner = member(profile, "profile_owner")
    request = ask(owner, profile)
    with pytest.raises(NotAllowed):
        decide_wire_request(access=access_of(owner), request_id=request.pk, approve=True, answer="Yes", at=NOW)
    with pytest.raises(CannotDecide, match="reason"):
        decide(request, approve=True, answer="  ")
    profile.refresh_from_db()
    assert not profile.is_wire_approved
    decide(request, approve=False)
    with pytest.raises(CannotDecide, match="already been decided"):
        decide(request, approve=True)
    profile.refresh_from_db()
    assert not profile.is_wire_approved


def test_staff_who_lost_their_power_decide_nothing(profile):
    request, clerk = ask(member(profile, "profile_owner"), profile), UserFactory(is_staff=True)
    access = staff_access(clerk)
    type(clerk).objects.filter(pk=clerk.pk).update(is_staff=False)
    with pytest.raises(NotAllowed):
        decide_wire_request(access=access, request_id=request.pk, approve=True, answer="Yes", at=NOW)
    assert not BillingProfile.objects.filter(is_wire_approved=True).exists()


def test_who_asked_or_manages_methods_takes_it_back_and_nobody_else(profile):
    reader, other = member(profile, "profile_reader"), member(profile, "profile_reader")
    request = ask(reader, profile)
    with pytest.raises(NotAllowed):
        withdraw_wire_request(access=access_for(other, profile), request_id=request.pk, at=NOW)
    stranger = member(BillingProfileFactory(), "profile_owner")
    with pytest.raises(WireRequest.DoesNotExist):
        withdraw_wire_request(access=access_of(stranger), request_id=request.pk, at=NOW)
    request.refresh_from_db()
    assert request.status == "open"
    assert (
        withdraw_wire_request(access=access_for(reader, profile), request_id=request.pk, at=NOW).status == "withdrawn"
    )
    again = ask(reader, profile)
    owner = member(profile, "profile_owner")
    assert withdraw_wire_request(access=access_for(owner, profile), request_id=again.pk, at=NOW).status == "withdrawn"
    with pytest.raises(CannotAskForWire, match="decided"):
        withdraw_wire_request(access=access_for(owner, profile), request_id=again.pk, at=NOW)


def test_no_job_asks(profile):
    with pytest.raises(NotAllowed):
        request_wire(access=system_access(profile), profile_id=profile.pk, facts=FACTS, at=NOW)


@pytest.fixture
def clerk(client):
    user = UserFactory(is_staff=True)
    wanted = ["view_wirerequest", "change_wirerequest", "view_billingprofile"]
    user.user_permissions.set(DjangoPermission.objects.filter(codename__in=wanted))
    client.force_login(user)
    return user


def test_staff_decide_in_admin_after_a_page_that_says_what_happens(client, profile, clerk):
    request = ask(member(profile, "profile_reader"), profile)
    assert client.get("/admin/accounts/wirerequest/").status_code == 200
    page = client.get(f"/admin/accounts/wirerequest/{request.pk}/change/").content.decode()
    decide_url = f"/admin/accounts/wirerequest/{request.pk}/decide/"
    assert decide_url in page
    assert "may choose check or wire transfer" in client.get(decide_url).content.decode()
    assert client.post(decide_url, {"decision": "approve", "answer": " "}).status_code == 422
    assert client.post(decide_url, {"decision": "", "answer": "Yes"}).status_code == 200
    request.refresh_from_db()
    assert request.status == "open"
    assert client.post(decide_url, {"decision": "approve", "answer": "Always on time."}).status_code == 302
    request.refresh_from_db()
    assert (request.status, request.decided_by, request.answer) == ("approved", clerk, "Always on time.")
    assert client.post(decide_url, {"decision": "decline", "answer": "No"}, follow=True).status_code == 200
    request.refresh_from_db()
    assert request.status == "approved"


def test_staff_without_the_power_only_read(client, profile, clerk):
    request = ask(member(profile, "profile_reader"), profile)
    clerk.user_permissions.remove(DjangoPermission.objects.get(codename="change_wirerequest"))
    decide_url = f"/admin/accounts/wirerequest/{request.pk}/decide/"
    assert client.post(decide_url, {"decision": "approve", "answer": "Yes"}).status_code == 403
    assert decide_url not in client.get(f"/admin/accounts/wirerequest/{request.pk}/change/").content.decode()
    request.refresh_from_db()
    assert request.status == "open"
    assert client.get("/admin/accounts/wirerequest/none/decide/").status_code == 403


def test_asking_and_withdrawing_all_day_does_not_fill_the_mailboxes_of_staff(profile):
    UserFactory(is_staff=True, is_superuser=True)
    reader = member(profile, "profile_reader")
    for _time in range(3):
        request = ask(reader, profile)
        withdraw_wire_request(access=access_for(reader, profile), request_id=request.pk, at=NOW)
    with pytest.raises(CannotAskForWire, match="Ask again tomorrow"):
        ask(reader, profile)
    assert (WireRequest.objects.count(), OutgoingMail.objects.count()) == (3, 3)
    request_wire(access=access_for(reader, profile), profile_id=profile.pk, facts=FACTS, at=NOW + timedelta(days=1))
    assert WireRequest.objects.filter(status="open").count() == 1


def test_a_name_of_several_lines_is_no_paragraph_of_the_mail_to_staff(client, profile):
    client.force_login(member(profile, "profile_reader"))
    facts = {**FACTS, "legal_name": "Example\n\nPlease sign in at https://example.com/again"}
    client.post(url(profile), facts)
    assert WireRequest.objects.get().legal_name == "Example Please sign in at https://example.com/again"


def asked_by(person, account, count):
    """Requests of one person, each for a profile of its own, made an hour ago."""
    for profile in BillingProfileFactory.create_batch(count, account=account):
        earlier = NOW - timedelta(hours=1)
        WireRequest.objects.create(profile=profile, requested_at=earlier, requested_by=person, **FACTS)


def test_nor_does_asking_for_one_profile_after_the_other(profile):
    owner = member(profile.account, "account_owner")
    asked_by(owner, profile.account, 20)
    with pytest.raises(CannotAskForWire, match="many requests"):
        ask(owner, profile)
    assert not profile.wire_requests.exists()
    assert not OutgoingMail.objects.exists()
    assert ask(member(profile, "profile_owner"), profile).status == "open"


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_requests_for_several_profiles_at_once_are_counted_one_after_the_other(profile):
    owner = member(profile.account, "account_owner")
    asked_by(owner, profile.account, 19)
    profiles = BillingProfileFactory.create_batch(8, account=profile.account)
    results = at_once(*[lambda each=each: ask(owner, each) for each in profiles])
    assert sorted(type(result).__name__ for result in results) == ["CannotAskForWire"] * 7 + ["WireRequest"]
