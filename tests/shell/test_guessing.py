"""Guessing a password or a code is slow, and does not lock out the person whose it is."""

import threading
import time

import pytest
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.contrib.auth.signals import user_login_failed
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry
from billing_portal.core.mail import send_due
from tests.factories import UserFactory, who_signs_in
from tests.shell.doors import FIREFOX

PASSWORD, CHANGED = "correct horse battery staple", "a quite different staple"
HERE, ELSEWHERE = "198.51.100.7", "203.0.113.9"


@pytest.fixture
def person(db):
    return who_signs_in(PASSWORD, email="finance@example.com")


def try_password(password, *, of="finance@example.com", where=HERE, **headers):
    """Whether it signs somebody in, in a browser of its own."""
    client = Client()
    client.post(reverse("account_login"), {"login": of, "password": password}, REMOTE_ADDR=where, **headers)
    return "_auth_user_id" in client.session


def type_wrong_passwords(times, **options):
    for _try in range(times):
        assert not try_password("wrong", **options)


# Passwords ------------------------------------------------------------------------------------------------------


def test_five_wrong_passwords_stop_the_right_one_from_the_same_network_only(person):
    type_wrong_passwords(5)
    assert not try_password(PASSWORD)
    assert try_password(PASSWORD, where=ELSEWHERE)


def test_the_person_signs_in_as_often_as_they_like_while_somebody_elsewhere_guesses(person):
    for _round in range(4):
        type_wrong_passwords(3, where=ELSEWHERE)
        assert try_password(PASSWORD)


def test_signing_in_does_not_give_whoever_guesses_in_the_same_network_more_tries(person):
    type_wrong_passwords(4)
    assert try_password(PASSWORD)
    type_wrong_passwords(1)
    assert not try_password(PASSWORD)


def test_another_person_of_the_same_network_is_not_stopped(person):
    who_signs_in(PASSWORD, email="reader@example.com")
    type_wrong_passwords(5)
    assert try_password(PASSWORD, of="reader@example.com")


def test_one_network_tries_ten_passwords_a_minute_whomever_it_guesses_at(person):
    for number in range(10):
        type_wrong_passwords(1, of=f"person{number}@example.com")
    assert not try_password(PASSWORD)
    assert try_password(PASSWORD, where=ELSEWHERE)


@pytest.mark.parametrize("typed", ["SALES@example.com", " sales@example.com ", "\u017fales@example.com"])
def test_an_address_written_in_another_way_gets_no_more_tries(db, typed):
    """The last begins with a long s, which is one letter with s to whoever looks the person up."""
    who_signs_in(PASSWORD, email="sales@example.com")
    type_wrong_passwords(5, of=typed)
    assert not try_password(PASSWORD, of="sales@example.com")


@pytest.mark.parametrize("headers", [{"HTTP_HOST": "testserver:1"}, {"HTTP_HOST": "LOCALHOST"}])
def test_another_host_or_port_gets_no_more_tries(person, headers):
    type_wrong_passwords(5, HTTP_HOST="testserver")
    assert not try_password(PASSWORD, **headers)


@pytest.mark.parametrize(
    ("guesser", "owner", "is_stopped"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),  # one /64 is one computer
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("198.51.100.7", "198.51.100.8", False),  # a neighbor
        ("::ffff:198.51.100.7", "198.51.100.7", True),  # the same, written as IPv6
        ("::ffff:198.51.100.7", "::ffff:203.0.113.9", False),
    ],
)
def test_a_network_is_one_address_of_ipv4_and_a_64_of_ipv6(person, guesser, owner, is_stopped):
    type_wrong_passwords(5, where=guesser)
    assert try_password(PASSWORD, where=owner) is not is_stopped


def test_without_a_proxy_a_header_of_the_browser_changes_nothing(person):
    for number in range(5):
        type_wrong_passwords(1, HTTP_X_FORWARDED_FOR=f"203.0.113.{number}")
    assert not try_password(PASSWORD)


def test_behind_a_proxy_the_address_that_it_saw_counts_and_not_what_the_browser_claims(person, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for number in range(5):
        type_wrong_passwords(1, where="127.0.0.1", HTTP_X_FORWARDED_FOR=f"203.0.113.{number}, {HERE}")
    assert not try_password(PASSWORD, where="127.0.0.1", HTTP_X_FORWARDED_FOR=HERE)
    assert try_password(PASSWORD, where="127.0.0.1", HTTP_X_FORWARDED_FOR=ELSEWHERE)


@pytest.mark.parametrize("header", [None, "", " ", HERE, f",{HERE}", f"{HERE},,{HERE}", f"{HERE}, ,{HERE}"])
def test_a_header_with_fewer_proxies_than_there_are_signs_nobody_in(person, settings, header):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 2
    browser = Client(REMOTE_ADDR="127.0.0.1", headers={} if header is None else {"X-Forwarded-For": header})
    form = {"login": person.email, "password": PASSWORD}
    assert browser.post(reverse("account_login"), form).status_code == 403
    assert "_auth_user_id" not in browser.session
    assert browser.post(reverse("account_reset_password"), {"email": person.email}).status_code == 403


def test_a_monitor_on_the_machine_itself_needs_no_header(db, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 2
    assert Client(REMOTE_ADDR="127.0.0.1").get(reverse("healthz")).status_code == 200


def test_what_is_done_past_the_proxies_is_recorded_without_an_internet_address(person, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 2
    browser = Client(REMOTE_ADDR="127.0.0.1", headers={"user-agent": FIREFOX})
    browser.force_login(person)
    browser.post(reverse("account_logout"))
    entry = AuditEntry.objects.get(action="sign_out.succeeded")
    assert (entry.ip_address, entry.browser) == (None, FIREFOX)


def test_a_new_password_opens_the_network_that_asked_for_it(person, mailoutbox):
    type_wrong_passwords(5)
    client = Client(REMOTE_ADDR=HERE)
    client.post(reverse("account_reset_password"), {"email": person.email})
    send_due(at=timezone.now())
    (link,) = [word for word in mailoutbox[0].body.split() if "/account/password/reset/key/" in word]
    form = client.get(link.partition("testserver")[2]).headers["Location"]
    new = "a quite different staple"
    client.post(form, {"password1": new, "password2": new})
    assert try_password(new)


@pytest.fixture
def cache_in_the_database(settings, transactional_db):
    before = settings.CACHES
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache_of_this_test"}
    }
    call_command("createcachetable", verbosity=0)
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE cache_of_this_test")
    settings.CACHES = before


@pytest.mark.two_connections
@pytest.mark.usefixtures("cache_in_the_database")
def test_tries_at_the_same_moment_are_counted_one_by_one():
    """Two processes of the web server share the count through the database."""
    UserFactory(email="finance@example.com")
    together, compared = threading.Barrier(8), []

    def count(**_options):
        compared.append(1)

    def guess():
        together.wait()
        try:
            try_password("wrong")
        finally:
            connections.close_all()

    user_login_failed.connect(count)
    try:
        threads = [threading.Thread(target=guess) for _try in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        user_login_failed.disconnect(count)
    assert 1 <= len(compared) <= 5


def try_old_password(client, password, where=HERE):
    """Whether the page changes the password, which it does to `CHANGED`."""
    fields = {"oldpassword": password, "password1": CHANGED, "password2": CHANGED}
    return client.post(reverse("account_change_password"), fields, REMOTE_ADDR=where).status_code == 302


def test_an_open_browser_gets_five_tries_at_the_present_password_in_five_minutes(person, monkeypatch):
    client, now = Client(), time.time()
    client.force_login(person)
    for half_minute in range(5):
        monkeypatch.setattr("allauth.core.internal.ratelimit.time.time", lambda at=now + 30 * half_minute: at)
        assert not try_old_password(client, "wrong")
    assert not try_old_password(client, PASSWORD)
    assert not try_password(PASSWORD)  # the same count holds at signing in
    monkeypatch.setattr("allauth.core.internal.ratelimit.time.time", lambda: now + 450)
    assert try_old_password(client, PASSWORD)
    assert try_password(CHANGED)


def test_wrong_passwords_at_signing_in_leave_no_tries_on_the_page_that_changes_it(person):
    client = Client()
    client.force_login(person)
    type_wrong_passwords(5)
    assert not try_old_password(client, PASSWORD)
    assert try_old_password(client, PASSWORD, where=ELSEWHERE)


# Codes of a second factor ---------------------------------------------------------------------------------------


@pytest.fixture
def secret(person, settings):
    settings.MFA_TOTP_TOLERANCE = 1  # a code is made and typed in the next half minute at the latest
    secret = generate_totp_secret()
    TOTP.activate(person, secret)
    return secret


def code_of(secret):
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def wrong_code(secret):
    return f"{(int(code_of(secret)) + 500_000) % 1_000_000:06}"


def after_the_password(where=HERE):
    """A browser in which the right password was typed, and which is asked for a code."""
    client = Client(REMOTE_ADDR=where)
    answer = client.post(reverse("account_login"), {"login": "finance@example.com", "password": PASSWORD})
    assert answer.headers["Location"] == reverse("mfa_authenticate")
    return client


def try_code(client, code):
    client.post(reverse("mfa_authenticate"), {"code": code})
    return "_auth_user_id" in client.session


def test_the_right_code_signs_in(secret):
    assert try_code(after_the_password(), code_of(secret))


def test_after_five_wrong_codes_the_right_one_has_to_wait_wherever_it_is_typed(secret):
    guesser = after_the_password()
    for _try in range(5):
        assert not try_code(guesser, wrong_code(secret))
    assert not try_code(guesser, code_of(secret))
    assert not try_code(after_the_password(ELSEWHERE), code_of(secret))

    cache.clear()  # the pause is over
    assert try_code(after_the_password(), code_of(secret))


def test_whoever_does_not_know_the_password_cannot_use_up_the_codes(person, secret):
    stranger = Client(REMOTE_ADDR=HERE)
    for _try in range(8):
        assert not try_code(stranger, wrong_code(secret))
        stranger.post(reverse("account_login"), {"login": f"mfa-auth-user-{person.pk}", "password": "wrong"})
    type_wrong_passwords(3)
    assert try_code(after_the_password(ELSEWHERE), code_of(secret))


# Mails to reset a password --------------------------------------------------------------------------------------


def test_one_mailbox_gets_at_most_five_mails_a_minute_and_ten_an_hour(person, mailoutbox, monkeypatch):
    now = time.time()
    for minute in range(4):
        monkeypatch.setattr("allauth.core.internal.ratelimit.time.time", lambda at=now + 61 * minute: at)
        for number in range(7):
            where = f"203.0.113.{minute * 10 + number}"
            Client().post(reverse("account_reset_password"), {"email": person.email}, REMOTE_ADDR=where)
        send_due(at=timezone.now(), limit=100)
        assert len(mailoutbox) == min(5 * (minute + 1), 10)


def test_the_mails_that_a_stranger_asked_for_work_for_the_person(person, mailoutbox):
    for _try in range(6):
        Client().post(reverse("account_reset_password"), {"email": person.email}, REMOTE_ADDR=ELSEWHERE)
    send_due(at=timezone.now())
    assert len(mailoutbox) == 5
    client = Client(REMOTE_ADDR=HERE)
    assert client.post(reverse("account_reset_password"), {"email": person.email}).status_code == 429
    (link,) = [word for word in mailoutbox[0].body.split() if "/account/password/reset/key/" in word]
    assert client.get(link.partition("testserver")[2], follow=True).context["form"] is not None


def test_the_counts_are_not_pushed_out_by_others():
    from billing_portal import settings as portal_settings

    assert portal_settings.CACHES["default"]["OPTIONS"]["MAX_ENTRIES"] >= 100_000
