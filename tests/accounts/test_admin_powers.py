"""What a clerk who may change people cannot do: become somebody else."""

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.urls import reverse

from accounts.models import EmailChange, RoleAssignment, User
from accounts.operations.addresses import MAX_LINKS
from billing_portal.core.mail import render
from billing_portal.core.models import OutgoingMail
from tests.factories import UserFactory, member, who_signs_in
from tests.payments.pages import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk(client):
    person = UserFactory(is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client.force_login(person)
    return person


def set_password(client, person):
    address = reverse("admin:auth_user_password_change", args=[person.pk])
    new = "a long new password"
    return client.post(address, {"password1": new, "password2": new, "usable_password": "true"})


@pytest.mark.parametrize("powers", [{}, {"is_staff": True}, {"is_superuser": True, "is_staff": True}])
def test_nobody_sets_the_password_of_somebody_else(client, admin_client, clerk, powers):
    other = UserFactory(**powers)
    before = other.password
    assert set_password(client, other).status_code == 403
    assert set_password(admin_client, other).status_code == 403
    other.refresh_from_db()
    assert other.password == before


@pytest.mark.parametrize("powers", [{"is_staff": True}, {"is_superuser": True, "is_staff": True}])
def test_a_clerk_changes_no_member_of_staff(client, clerk, powers):
    other = UserFactory(email="boss@example.com", **powers)
    address = reverse("admin:accounts_user_change", args=[other.pk])
    assert client.post(address, {"email": "clerk@example.net", "is_active": "on"}).status_code == 403
    other.refresh_from_db()
    assert other.email == "boss@example.com"


def refused_walks(client, clerk, customer, profile):
    """Every way to become somebody else that the staff pages had, tried with one permission."""
    person = reverse("admin:accounts_user_change", args=[customer.pk])
    form = {"email": "clerk@example.net", "name": "", "language": "", "is_active": "on"}
    form |= {"assignments-TOTAL_FORMS": 0, "assignments-INITIAL_FORMS": 0}
    powers = {"is_staff": "on", "is_superuser": "on"}
    return [
        client.post(person, form),
        set_password(client, customer),
        client.post(reverse("admin:accounts_user_address", args=[customer.pk]), {"email": "clerk@example.net"}),
        client.post(reverse("admin:accounts_user_password_link", args=[customer.pk])),
        client.post(reverse("admin:accounts_user_change", args=[clerk.pk]), form | powers),
        client.post(
            reverse("admin:accounts_roleassignment_add"),
            {"user": clerk.pk, "role": "profile_owner", "profile": profile.pk},
        ),
        client.post(reverse("admin:accounts_user_add"), {"email": "CUSTOMER@example.com", "name": "", "language": ""}),
        client.post(reverse("admin:accounts_user_add"), {"email": "new@example.net", "name": "", **powers}),
    ]


def test_a_clerk_becomes_nobody_else_with_any_single_permission(client, profile):
    """A bunch of permissions of which every walk is refused says the same of each of them. Where one walk is not
    refused, each half of the bunch is tried by itself, down to the single permissions."""
    customer = who_signs_in("seven purple bicycles", email="customer@example.com")
    RoleAssignment.objects.create(user=customer, role="profile_owner", profile=profile)
    before = User.objects.values("email", "password", "is_staff", "is_superuser").get(pk=customer.pk)
    bunches = [list(Permission.objects.select_related("content_type"))]
    assert len(bunches[0]) > 100
    tried = []
    while bunches:
        permissions = bunches.pop()
        savepoint = transaction.savepoint_create()
        clerk = UserFactory(is_staff=True)
        clerk.user_permissions.set(permissions)
        client.force_login(clerk)
        answers = refused_walks(client, clerk, customer, profile)
        if len(permissions) > 1 and any(answer.status_code != 403 for answer in answers):
            transaction.savepoint_rollback(savepoint)
            half = len(permissions) // 2
            bunches += [permissions[:half], permissions[half:]]
            continue
        transaction.savepoint_commit(savepoint)
        tried += permissions
        clerk.refresh_from_db()
        assert (clerk.is_superuser, clerk.assignments.count()) == (False, 0), permissions
        assert User.objects.values("email", "password", "is_staff", "is_superuser").get(pk=customer.pk) == before
        assert list(EmailAddress.objects.filter(user=customer).values_list("email", "verified")) == [
            ("customer@example.com", True)
        ], permissions
        assert not User.objects.filter(email="new@example.net", is_staff=True).exists(), permissions
        assert not any(answer.status_code == 500 for answer in answers), permissions
        assert all(mail.to != "clerk@example.net" or mail.template == "address_confirm" for mail in mails()), (
            permissions
        )
    assert len(tried) == Permission.objects.count()
    # What a clerk who may change people did do: propose an address, which the old mailbox was warned of.
    assert EmailChange.objects.get().email == "clerk@example.net"
    assert ("customer@example.com", "address_requested") in [(mail.to, mail.template) for mail in mails()]


def test_staff_give_themselves_no_role_and_the_owners_hear_of_every_other(admin_client, profile):
    owner, boss = member(profile, "profile_owner"), User.objects.get(is_superuser=True)
    form = {"role": "profile_owner", "profile": profile.pk}
    address = reverse("admin:accounts_roleassignment_add")
    page = admin_client.post(address, {"user": boss.pk, **form}, follow=True)
    assert "You cannot give yourself a role" in page.text
    assert not boss.assignments.exists()
    friend = UserFactory(email="friend@example.net")
    assert admin_client.post(address, {"user": friend.pk, **form}).status_code == 302
    assert [(mail.to, mail.template) for mail in mails()] == [(owner.email, "role_granted")]
    rendered = render("role_granted", mails()[0].context, "nl")
    assert "friend@example.net" in rendered.text
    assert "Eigenaar" in rendered.text


def mails():
    return list(OutgoingMail.objects.order_by("pk"))


def test_a_clerk_gives_a_group_no_powers(client, clerk):
    """Nor one that they belong to themselves: what a group may do, its members may do."""
    group = Group.objects.create(name="Clerks")
    clerk.groups.add(group)
    clerk.user_permissions.add(*Permission.objects.filter(content_type__model="group"))
    everything = Permission.objects.values_list("pk", flat=True)
    address = reverse("admin:auth_group_change", args=[group.pk])
    assert client.post(address, {"name": "Clerks", "permissions": list(everything)}).status_code == 403
    assert client.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"}).status_code == 403
    assert not group.permissions.exists()
    assert client.get(address).status_code == 200


@pytest.mark.parametrize("powers", [{"is_staff": True}, {"is_superuser": True, "is_staff": True}])
def test_a_clerk_takes_no_second_factor_from_a_member_of_staff(client, clerk, powers):
    clerk.user_permissions.add(*Permission.objects.filter(content_type__model="authenticator"))
    theirs = Authenticator.objects.create(user=UserFactory(**powers), type="totp", data={})
    address = reverse("admin:mfa_authenticator_delete", args=[theirs.pk])
    assert client.post(address, {"post": "yes"}).status_code == 403
    listed = reverse("admin:mfa_authenticator_changelist")
    client.post(listed, {"action": "delete_selected", "_selected_action": [theirs.pk], "post": "yes"})
    assert Authenticator.objects.filter(pk=theirs.pk).exists()


def test_a_clerk_takes_a_lost_second_factor_from_a_customer(client, clerk):
    clerk.user_permissions.add(*Permission.objects.filter(content_type__model="authenticator"))
    lost = Authenticator.objects.create(user=UserFactory(), type="totp", data={})
    client.post(reverse("admin:mfa_authenticator_delete", args=[lost.pk]), {"post": "yes"})
    assert not Authenticator.objects.exists()


def test_an_invitation_is_sent_again_without_a_word_about_a_present_password(admin_client):
    invited, person = UserFactory(), who_signs_in("a-long-enough-password")
    asked = text_of(admin_client.get(reverse("admin:accounts_user_password_link", args=[invited.pk])))
    assert "Send the invitation again" in asked
    assert "current password" not in asked
    asked = text_of(admin_client.get(reverse("admin:accounts_user_password_link", args=[person.pk])))
    assert "The current password works until then." in asked


def test_a_refused_link_or_address_is_told_on_the_same_page(admin_client):
    person = who_signs_in("a-long-enough-password")
    link, address = (reverse(f"admin:accounts_user_{page}", args=[person.pk]) for page in ("password_link", "address"))
    for _time in range(MAX_LINKS + 1):
        refused = admin_client.post(link)
    assert "links were mailed" in refused.text
    assert "Mail a password link" in refused.text
    taken = admin_client.post(address, {"email": UserFactory().email})
    assert (taken.status_code, taken.context["form"]["email"].value() in taken.text) == (422, True)


def test_the_page_of_an_erased_person_offers_no_role_and_waits_for_no_answer(admin_client):
    person = UserFactory(email="erased-7@erased.invalid")
    page = text_of(admin_client.get(reverse("admin:accounts_user_change", args=[person.pk])))
    assert "The person was erased" in page
    assert "Grant a role" not in page
    assert "has not been answered" not in page


def test_removing_a_second_factor_says_whose_it_is_and_what_follows(admin_client):
    person = UserFactory(email="lost@example.com")
    key, app = (Authenticator.objects.create(user=person, type=kind, data={}) for kind in ("webauthn", "totp"))
    page = text_of(admin_client.get(reverse("admin:mfa_authenticator_delete", args=[app.pk])))
    assert "lost@example.com can then no longer sign in with it: Authenticator app." in page
    assert "Every browser in which they are signed in is signed out, and a mail tells them." in page
    assert "the only second factor" not in page
    key.delete()
    page = text_of(admin_client.get(reverse("admin:mfa_authenticator_delete", args=[app.pk])))
    assert "It is the only second factor." in page
    done = admin_client.post(reverse("admin:mfa_authenticator_delete", args=[app.pk]), follow=True)
    assert "Removed: Authenticator app of lost@example.com." in done.text
    assert admin_client.get(reverse("admin:mfa_authenticator_delete", args=[app.pk])).status_code == 404


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_pages_of_second_factors_speak_the_words_of_people(admin_client, language, settings):
    admin_client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    for kind in ("totp", "webauthn", "recovery_codes"):
        row = Authenticator.objects.create(user=UserFactory(), type=kind, data={})
    changelist = reverse("admin:mfa_authenticator_changelist")
    pages = [
        admin_client.get(address)
        for address in (
            reverse("admin:index"), changelist, f"{changelist}?type=totp",
            reverse("admin:mfa_authenticator_change", args=[row.pk]),
            reverse("admin:mfa_authenticator_delete", args=[row.pk]),
        )
    ]  # fmt: skip
    assert len(pages[2].context["cl"].queryset) == 1
    for page in pages:
        words = text_of(page)
        for jargon in ("MFA", "uthenticators", "WebAuthn", "TOTP", "authenticator to", "Last used at", "Created at"):
            assert jargon not in words, (page.request["PATH_INFO"], jargon)
        if language == "nl":
            assert not re.search(r"\b(User|Kind|Added|Second factors?|Remove)\b", words)
