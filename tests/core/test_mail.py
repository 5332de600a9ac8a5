"""The outbox: each mail once, in its reader's language, later when the mail server is away."""

import smtplib
import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connections
from django.template import engines

from billing_portal.core.mail import LEASE, MAX_TRIES, PAUSES, render, send_due
from billing_portal.core.models import OutgoingMail
from billing_portal.core.outbox import queue
from tests.factories import NOW, SellerFactory, UserFactory

TEMPLATES = {
    "emails/hello.html": """{% extends "layouts/email.html" %}{% load i18n %}
        {% block subject %}{% translate "Password" %} {{ company }}{% endblock %}
        {% block content %}
          <p>Dear {{ company }},
             you pay {{ amount }}:</p>
          <ul><li>by card</li><li>by wire</li></ul>
          <table><tr><th>Invoice</th><td>INV-1</td></tr><tr><th>For</th><td>{{ company }}</td></tr></table>
          <a class="button" href="https://example.com/?a=1&amp;b={{ company|urlencode }}">Pay</a> {% endblock %}""",
}


@pytest.fixture(autouse=True)
def _templates(monkeypatch):
    """A mail of our own, so that these tests do not depend on what the real ones say."""
    engine = engines["django"].engine
    found = engine.get_template
    monkeypatch.setattr(
        engine,
        "get_template",
        lambda name: engine.from_string(TEMPLATES[name]) if name in TEMPLATES else found(name),
    )


class AwayBackend:
    """A mail server that cannot be reached."""

    def __init__(self, **_options):
        pass

    def send_messages(self, _messages):
        raise ConnectionRefusedError("mail server away")


class RefusingBackend(AwayBackend):
    def send_messages(self, messages):
        raise smtplib.SMTPRecipientsRefused({messages[0].to[0]: (550, b"no such person")})


def with_server(settings, name):
    settings.MAILERS = {"default": {"BACKEND": f"tests.core.test_mail.{name}"}}


def asked(key="invoice paid 1", company="Example & Sons", **person):
    queue(key=key, to=UserFactory(**person), template="hello", context={"company": company}, at=NOW)
    return OutgoingMail.objects.get(key=key)


@pytest.mark.django_db
def test_a_mail_is_rendered_in_its_readers_language():
    assert render("hello", {"company": "Example"}, "nl").subject == "Wachtwoord Example"
    assert 'lang="nl"' in render("hello", {"company": "Example"}, "nl").html


@pytest.mark.django_db
def test_text_stays_as_it_is_and_html_is_escaped():
    rendered = render("hello", {"company": "Example & Sons <b>"}, "en")
    assert rendered.subject == "Password Example & Sons <b>"
    assert "Dear Example & Sons <b>" in rendered.text
    assert "Dear Example &amp; Sons &lt;b&gt;" in rendered.html
    assert "<title>Password Example &amp; Sons &lt;b&gt;</title>" in rendered.html


def sender(_context):
    return {"name": "Seller", "address": ["Street 1", "Town"], "email": ""}


def test_the_plain_text_is_read_from_the_html(settings):
    settings.MAIL_SENDER = f"{__name__}.sender"
    assert render("hello", {"company": "R&D <b>", "amount": "€\xa05,00"}, "en").text == (
        "Password R&D <b>\n\n"
        "Dear R&D <b>, you pay €\xa05,00:\n\n- by card\n- by wire\n\nInvoice: INV-1\nFor: R&D <b>\n\n"
        "Pay:\nhttps://example.com/?a=1&b=R%26D%20%3Cb%3E\n\n"
        "-- \nSeller\nStreet 1\nTown\n\nThis message was sent automatically.\n"
    )


@pytest.mark.django_db
def test_a_value_adds_no_line_and_no_link_to_the_text():
    text = render("hello", {"company": "Example\n\nPay here:\nhttps://thief.example/</p><a href='/x'>x</a>"}, "en").text
    assert "Dear Example Pay here: https://thief.example/</p><a href='/x'>x</a>, you pay" in text


@pytest.mark.django_db
def test_a_due_mail_is_sent_once():
    asked(email="payer@example.com")
    assert send_due(at=NOW) == 1
    assert send_due(at=NOW + timedelta(days=1)) == 0
    (message,) = mail.outbox
    assert message.to == ["payer@example.com"]
    assert message.message()["Auto-Submitted"] == "auto-generated"


@pytest.mark.django_db
def test_the_same_fact_asks_once():
    asked()
    asked()
    assert send_due(at=NOW) == 1


@pytest.mark.django_db
def test_an_answer_goes_to_the_seller():
    SellerFactory(email="invoices@seller.example")
    asked()
    send_due(at=NOW)
    assert mail.outbox[0].message()["Reply-To"] == "invoices@seller.example"


@pytest.mark.django_db
def test_a_second_copy_carries_the_same_message_id():
    row = asked()
    send_due(at=NOW)
    OutgoingMail.objects.filter(pk=row.pk).update(next_try_at=NOW, sent_at=None)
    send_due(at=NOW)
    first, second = mail.outbox
    assert first.message()["Message-ID"] == second.message()["Message-ID"]


@pytest.mark.django_db
def test_a_mail_server_that_is_away_delays_the_mail(settings):
    row = asked()
    with_server(settings, "AwayBackend")
    assert send_due(at=NOW) == 0
    row.refresh_from_db()
    assert row.next_try_at == NOW + PAUSES[0]
    assert row.last_error == "ConnectionRefusedError: mail server away"
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    assert send_due(at=NOW) == 0
    assert send_due(at=NOW + PAUSES[0]) == 1
    assert len(mail.outbox) == 1


@pytest.mark.django_db
def test_the_other_mails_do_not_wait_for_a_server_that_is_away(settings):
    asked("first")
    other = asked("second")
    with_server(settings, "AwayBackend")
    send_due(at=NOW)
    other.refresh_from_db()
    assert other.tries == 0


@pytest.mark.django_db
def test_a_mail_that_is_refused_holds_up_no_other(settings):
    asked("first")
    other = asked("second")
    with_server(settings, "RefusingBackend")
    send_due(at=NOW)
    other.refresh_from_db()
    assert other.tries == 1


@pytest.mark.django_db
def test_a_mail_is_given_up_after_the_last_try_and_can_be_asked_for_again(settings):
    row = asked()
    with_server(settings, "AwayBackend")
    at = NOW
    for pause in (*PAUSES, timedelta()):
        send_due(at=at)
        at += pause
    row.refresh_from_db()
    assert (row.tries, row.next_try_at, row.sent_at) == (MAX_TRIES, None, None)
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    call_command("send_mail", "--retry")
    assert len(mail.outbox) == 1


@pytest.mark.django_db
def test_a_name_with_a_line_break_adds_no_header():
    asked(company="Example\r\nBcc: thief@example.com")
    send_due(at=NOW)
    (message,) = mail.outbox
    assert "\n" not in message.subject
    assert message.message()["Bcc"] is None


@pytest.mark.django_db
def test_an_address_with_a_line_break_is_refused_and_the_error_kept():
    row = asked()
    OutgoingMail.objects.filter(pk=row.pk).update(to="a@example.com\nBcc: thief@example.com")
    assert send_due(at=NOW) == 0
    row.refresh_from_db()
    assert "ValueError" in row.last_error
    assert mail.outbox == []


@pytest.mark.django_db
def test_a_claimed_mail_is_left_alone_until_the_lease_ends():
    row = asked()
    OutgoingMail.objects.filter(pk=row.pk).update(next_try_at=NOW + LEASE, tries=1)  # as a killed worker leaves it
    assert send_due(at=NOW + LEASE / 2) == 0
    assert send_due(at=NOW + LEASE) == 1


@pytest.mark.two_connections
@pytest.mark.django_db(transaction=True)
def test_workers_at_the_same_moment_send_each_mail_once():
    for number in range(20):
        asked(f"fact {number}")
    together = threading.Barrier(3)

    def work():
        together.wait()
        send_due(at=NOW)
        connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(message.message()["Message-ID"] for message in mail.outbox) == sorted(
        {message.message()["Message-ID"] for message in mail.outbox}
    )
    assert len(mail.outbox) == 20


@pytest.mark.django_db
def test_a_mail_that_another_worker_sent_since_it_was_read_is_not_sent_again():
    asked("first"), asked("second")
    sent_by_the_other = []

    def meanwhile():
        sent_by_the_other.append(send_due(at=NOW))
        return False

    assert send_due(at=NOW, stopping=meanwhile) == 1
    assert sent_by_the_other[0] == 1
    assert len(mail.outbox) == 2


@pytest.mark.django_db
def test_the_log_says_what_kind_of_failure_it_was_and_names_no_address(settings, caplog):
    row = asked(email="jan@example.com")
    with_server(settings, "RefusingBackend")
    send_due(at=NOW)
    row.refresh_from_db()
    assert "jan@example.com" in row.last_error
    assert "SMTPRecipientsRefused" in caplog.text
    assert "jan@example.com" not in caplog.text
