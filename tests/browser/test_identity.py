"""The ways in which somebody once became somebody else, walked in Chromium and refused."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import Permission
from django.core import mail
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import AuditEntry
from billing_portal.core.mail import send_due
from tests.factories import UserFactory, member, proven, who_signs_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "seven purple bicycles"


@pytest.fixture
def customer(profile):
    return proven(member(profile, "profile_owner", email="customer@example.com"), PASSWORD)


def sign_in_by_form(page, server, email, password=PASSWORD):
    page.goto(f"{server.url}/account/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda url: "/login" not in url)


def ask_for(page, server, email):
    page.goto(f"{server.url}{reverse('account_email')}")
    page.get_by_label("New email address").fill(email)
    page.get_by_role("button", name="Send the link").click()
    if "/reauthenticate/" in page.url:
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Confirm").click()


def link_to(server, recipient):
    """The link about an address in the mail to somebody, on the server of this test."""
    send_due(at=timezone.now())
    text = "".join(message.body for message in mail.outbox if message.to == [recipient])
    return server.url + re.search(r"http://testserver(/account/(?:confirm|cancel)-email/\S+)", text)[1]


def test_the_address_of_somebody_else_cannot_be_claimed(page, live_server, customer):
    who_signs_in(PASSWORD, email="claimant@example.com")
    sign_in_by_form(page, live_server, "claimant@example.com")
    ask_for(page, live_server, "customer@example.com")
    expect(page.locator(".invalid-feedback")).to_contain_text("This address belongs to another user")
    assert EmailAddress.objects.get(email="customer@example.com").user == customer
    assert AuditEntry.objects.get(action__startswith="address.").action == "address.refused"


def test_a_new_address_counts_once_its_mailbox_has_answered_and_the_old_one_hears_of_it(page, live_server, customer):
    sign_in_by_form(page, live_server, "customer@example.com")
    ask_for(page, live_server, "new@example.com")
    expect(page.get_by_role("heading", name="Waiting to be confirmed")).to_be_visible()
    customer.refresh_from_db()
    assert customer.email == "customer@example.com"
    page.goto(link_to(live_server, "new@example.com"))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("Your address is now new@example.com.")).to_be_visible()
    send_due(at=timezone.now())
    told = [message.subject for message in mail.outbox if message.to == ["customer@example.com"]]
    assert told == ["Your email address is about to change", "Your email address was changed"]
    entry = AuditEntry.objects.get(action="address.changed")
    assert (entry.person, entry.ip_address) == (customer, "127.0.0.1")
    assert "Chrome" in entry.browser
    assert entry.detail == {"before": "customer@example.com", "after": "new@example.com"}


def test_a_clerk_does_not_take_over_a_customer(page, live_server, customer, sign_in):
    clerk = UserFactory(is_staff=True, email="clerk@example.com")
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    sign_in(clerk)
    person = reverse("admin:accounts_user_change", args=[customer.pk])
    page.goto(live_server.url + person)
    expect(page.locator("[name=email]")).to_have_count(0)
    page.get_by_role("link", name="Change the address").click()
    page.get_by_label("New email address").fill("clerk@example.com")
    page.get_by_role("button", name="Send the link").click()
    expect(page.locator(".errorlist")).to_contain_text("belongs to another user")
    page.get_by_label("New email address").fill("clerk-too@example.com")
    page.get_by_role("button", name="Send the link").click()
    expect(page.locator(".messagelist")).to_contain_text("A link was sent to clerk-too@example.com.")

    page.goto(link_to(live_server, "clerk-too@example.com"))
    expect(page.get_by_text("This link changes the address of another account.")).to_be_visible()
    page.goto(f"{live_server.url}{person}")
    page.get_by_role("link", name="Mail a password link").click()
    page.get_by_role("button", name="Send the link").click()
    expect(page.locator(".messagelist")).to_contain_text("mailed to customer@example.com")
    customer.refresh_from_db()
    assert (customer.email, customer.check_password(PASSWORD)) == ("customer@example.com", True)

    page.context.clear_cookies()
    page.goto(link_to(live_server, "customer@example.com"))
    page.get_by_role("button", name="Stop the change").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your address stays as it is")
    actions = list(AuditEntry.objects.filter(person=customer).order_by("pk").values_list("action", "actor__email"))
    assert actions == [
        ("address.refused", "clerk@example.com"),
        ("address.requested", "clerk@example.com"),
        ("password.link_sent", "clerk@example.com"),
        ("address.withdrawn", None),
    ]
