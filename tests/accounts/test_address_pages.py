"""The pages and links with which people change their address."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import EmailChange
from accounts.operations.addresses import CANCEL, CONFIRM, CannotChangeAddress, email_change_key
from billing_portal.core.mail import send_due
from billing_portal.core.models import OutgoingMail
from tests.accounts.addresses import PASSWORD, ask, confirm, link_in
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def test_a_person_changes_the_address_on_the_pages(signed_in, person):
    elsewhere = Client()
    elsewhere.force_login(person)
    answer = signed_in.post(reverse("account_email"), {"email": "New@Example.com"})
    assert answer.status_code == 302
    send_due(at=timezone.now())
    to_new, to_old = mail.outbox
    assert (to_new.to, to_old.to) == (["new@example.com"], ["old@example.com"])
    link = link_in(to_new)
    assert "old@example.com" in signed_in.get(link).text
    person.refresh_from_db()
    assert person.email == "old@example.com"  # a program that reads mail opens links

    assert signed_in.post(link).status_code == 302
    person.refresh_from_db()
    assert person.email == "new@example.com"
    assert signed_in.get(reverse("account_email")).status_code == 200
    assert elsewhere.get(reverse("account_email")).status_code == 302  # signed out there


def test_the_link_leads_a_signed_out_person_through_the_sign_in_page(client, person):
    change = ask(person, at=timezone.now())
    link = reverse("account_confirm_email", args=[email_change_key(change.pk, CONFIRM)])
    for method in (client.get, client.post):
        answer = method(link)
        assert answer.status_code == 302
        assert answer.url.startswith(reverse("account_login"))
    person.refresh_from_db()
    assert person.email == "old@example.com"


def test_a_stranger_with_the_link_changes_nothing(client, person):
    change = ask(person, at=timezone.now())
    client.force_login(UserFactory())
    link = reverse("account_confirm_email", args=[email_change_key(change.pk, CONFIRM)])
    page = client.get(link)
    assert page.status_code == 404
    assert "old@example.com" not in page.text
    assert client.post(link).status_code == 404
    person.refresh_from_db()
    assert person.email == "old@example.com"


def test_whoever_reads_the_old_mailbox_stops_the_change_without_signing_in(client, person):
    at = timezone.now()
    change = ask(person, at=at)
    send_due(at=at)
    link = link_in(mail.outbox[1])
    assert client.get(link).status_code == 200
    assert EmailChange.objects.exists()
    assert "stays as it is" in client.post(link).text
    assert not EmailChange.objects.exists()
    assert client.post(link).status_code == 404
    with pytest.raises(CannotChangeAddress):
        confirm(change, person, at=at)


def test_the_page_asks_for_the_password_again_before_it_writes(client, person):
    client.force_login(person)
    answer = client.post(reverse("account_email"), {"email": "new@example.com"})
    assert answer.url.startswith(reverse("account_reauthenticate"))
    assert not EmailChange.objects.exists()


@pytest.mark.parametrize(
    "old_form",
    [
        {"action_add": "", "email": "taken@example.com"},
        {"action_primary": "", "email": "taken@example.com"},
        {"action_remove": "", "email": "old@example.com"},
        {"action_send": "", "email": "old@example.com"},
    ],
)
def test_the_forms_of_the_librarys_page_do_nothing(signed_in, person, old_form):
    UserFactory(email="taken@example.com")
    assert signed_in.post(reverse("account_email"), old_form).status_code == 422
    person.refresh_from_db()
    assert person.email == "old@example.com"
    assert list(EmailAddress.objects.values_list("email", flat=True)) == ["old@example.com"]
    assert not EmailChange.objects.exists()


def test_the_key_in_the_address_of_a_link_is_not_logged(client, person):
    from structlog.testing import capture_logs

    change = ask(person, at=timezone.now())
    for name, purpose in (("account_confirm_email", CONFIRM), ("account_cancel_email", CANCEL)):
        key = email_change_key(change.pk, purpose)
        with capture_logs() as lines:
            client.get(reverse(name, args=[key]))
        assert key not in str(lines)


@pytest.mark.parametrize("host", ["testserver", "localhost"])
def test_links_in_mails_follow_the_public_address_whatever_the_host_header_says(client, person, host):
    client.post(reverse("account_reset_password"), {"email": person.email}, headers={"host": host})
    client.post(reverse("account_login"), {"login": person.email, "password": PASSWORD}, headers={"host": host})
    client.post(
        reverse("account_change_password"),
        {"oldpassword": PASSWORD, "password1": "nine orange canoes", "password2": "nine orange canoes"},
        headers={"host": host},
    )
    send_due(at=timezone.now())
    bodies = [message.body for message in mail.outbox]
    assert len(bodies) == 2
    for body in bodies:
        links = [word for word in body.split() if word.startswith("http")]
        assert links
        assert all(link.startswith("http://testserver/") for link in links)


def test_the_outbox_holds_no_secret_of_a_link(client, person):
    at = timezone.now()
    change = ask(person, at=at)
    client.post(reverse("account_reset_password"), {"email": person.email})
    stored = str(list(OutgoingMail.objects.values()))
    send_due(at=at + timedelta(minutes=1))
    secrets = [
        word.rstrip("/").rpartition("/")[2] for message in mail.outbox for word in message.body.split() if "://" in word
    ]
    assert len(secrets) == 4
    keys = [secret for secret in secrets if secret != "reset"]
    assert len(keys) == 3
    assert not any(key in stored for key in keys)
    assert change.pk
