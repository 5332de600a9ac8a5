"""A password that is easily guessed is not taken, wherever it is set."""

import threading
import time
from contextlib import suppress
from io import StringIO
from random import Random
from unittest.mock import patch

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone
from zxcvbn import matching

from accounts.models import User
from billing_portal.core.mail import send_due
from billing_portal.core.models import OutgoingMail
from billing_portal.passwords import StrengthValidator
from tests.factories import SellerFactory, UserFactory, who_signs_in, with_second_factor
from tests.second_factors import code_now

PASSWORD = "correct horse battery staple"


@pytest.fixture
def person(db):
    return who_signs_in(PASSWORD, email="manager@example.com", name="Anna van Berg")


# What somebody who guesses tries first. The comment says which rule alone refuses it, where it is not the estimate.
WEAK = [
    "passwordpassword",
    "p@ssw0rdp@ssw0rd",
    "elephant-7",  # the length
    "1q2w3e4r5t6y",
    "qwertyuiop123",
    "abcdefghijkl",
    "aaaaaaaaaaaaaaaaaaaaaaaa",
    "iloveyouforever",
    "wachtwoord2026",
    "zomerfactuur",  # the Dutch words
    "830174920563",  # mere digits
    "friend of emily",  # the list of common passwords
    "manager@example.com",
    "manager@exmaple.com",  # the likeness to the person's address
    "AnnaBerg2026",
    "anna-van-berg",  # the likeness to the person's name
    "billingportal1",
    "ExampleCloud2026",
    "demo-portal-2026",
]
STRONG = [
    "correct horse battery staple",
    "a quite different staple",
    "tromboneplaneet7",
    "x9!Kq2#vLw8m",
    "Zk3vQ8rT1mXw7yLd9pHs5bJf2nGc6aUe4i0oRqBvZk3vQ8rT1mXw7yLd9pHs5bJf2nGc6aUe4i0oRqBv",
]


def refusals(password, person):
    try:
        validate_password(password, person)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


@pytest.mark.parametrize("weak", WEAK)
def test_what_is_tried_first_is_no_password(person, weak):
    SellerFactory()
    assert refusals(weak, person)


@pytest.mark.parametrize("strong", STRONG)
def test_uncommon_words_and_random_characters_are(person, strong):
    assert refusals(strong, person) == ""


def test_the_names_of_others_are_words_like_any_other(person):
    other = UserFactory(email="kuiperplantinga@example.net", name="")
    assert refusals("kuiperplantinga", other)
    assert refusals("kuiperplantinga", person) == ""


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("elephant-7", "This password is too short. Use at least 12 characters."),
        ("x" * 1001, "This password is too long. Use at most 1000 characters."),
        ("passwordpassword", "It repeats the same characters or words."),
        ("AnnaBerg2026", "It is made of names or words that belong to you or to this portal."),
        ("iloveyouforever", "It is close to a word or a password that many people use."),
        ("abcdefghijkl", "It follows a sequence such as abc or 6543."),
        ("zxcvbnm,./zxc", "It follows the keys of the keyboard."),
        ("12.05.1984..", "It is close to a date or a year."),
    ],
)
def test_a_refusal_says_why_and_what_to_do(person, password, sentence):
    refusal = refusals(password, person)
    assert sentence in refusal
    assert "Use at" in refusal or "Add a few uncommon words." in refusal


def test_a_long_password_is_judged_as_fast_as_a_short_one(person):
    """zxcvbn alone would take thirty times as long for 72 of these characters, and minutes for 1,000."""
    characters = Random(1)
    password = "".join(characters.choice("4@8({[<3691!|7+$50%") for _character in range(1000))

    def seconds(text):
        began = time.process_time()
        refusals(text, person)
        return time.process_time() - began

    assert seconds(password) < 5 * seconds(password[:30])
    assert seconds("y" * 5_000_000) < 1


def test_the_longest_password_that_is_taken_signs_in(client, person):
    longest = ("a quite different staple of " * 40)[:1000]
    person.set_password(longest)
    person.save()
    assert refusals(longest, person) == ""
    client.post(reverse("account_login"), {"login": person.email, "password": longest})
    assert "_auth_user_id" in client.session


def test_two_people_at_the_same_moment_are_judged_by_their_own_names(monkeypatch):
    """zxcvbn keeps the words of a call where every thread sees them."""
    omnimatch = matching.omnimatch

    def slow_omnimatch(*arguments):
        time.sleep(0.1)
        return omnimatch(*arguments)

    monkeypatch.setattr(matching, "omnimatch", slow_omnimatch)
    monkeypatch.setattr("billing_portal.passwords.sender_of", lambda _context: {"name": "Example Cloud B.V."})
    together, refused = threading.Barrier(2), []

    def judge(name):
        together.wait()
        with suppress(ValidationError):
            StrengthValidator().validate(name, User(email=f"{name}@example.net"))
            return
        refused.append(name)

    names = ("kuiperplantinga", "zwartendijkje")
    threads = [threading.Thread(target=judge, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(refused) == sorted(names)


# The doors at which a password is set ---------------------------------------------------------------------------


def change(client, person, password, _mailoutbox):
    client.force_login(person)
    fields = {"oldpassword": PASSWORD, "password1": password, "password2": password}
    client.post(reverse("account_change_password"), fields)


def sign_in_without_password(client, person):
    """As somebody who signs in with a second factor alone, and has just confirmed with it."""
    person.set_unusable_password()
    person.save()
    with_second_factor(person, "totp")
    client.force_login(person)
    client.post(reverse("mfa_reauthenticate"), {"code": code_now()})


def set_first(client, person, password, _mailoutbox):
    sign_in_without_password(client, person)
    client.post(reverse("account_set_password"), {"password1": password, "password2": password})


def reset(client, person, password, mailoutbox):
    client.post(reverse("account_reset_password"), {"email": person.email})
    send_due(at=timezone.now())
    (link,) = [word for word in mailoutbox[0].body.split() if "/account/password/reset/key/" in word]
    form = client.get(link.partition("testserver")[2]).headers["Location"]
    client.post(form, {"password1": password, "password2": password})


@pytest.mark.parametrize(("own", "language"), [("", "nl"), ("en", "en")])
def test_the_mail_speaks_the_language_of_the_page_to_who_has_chosen_none(client, person, own, language):
    User.objects.filter(pk=person.pk).update(language=own)
    client.post(reverse("account_reset_password"), {"email": person.email}, headers={"Accept-Language": "nl"})
    assert OutgoingMail.objects.get().language == language


def change_by_command(_client, person, password, _mailoutbox):
    with patch("getpass.getpass", return_value=password), suppress(CommandError):
        call_command("changepassword", person.email, stdout=StringIO(), stderr=StringIO())


@pytest.mark.parametrize("door", [change, set_first, reset, change_by_command])
@pytest.mark.parametrize("weak", ["passwordpassword", "AnnaBerg2026", "x9" * 501])
def test_no_door_takes_a_weak_password(client, person, mailoutbox, door, weak):
    door(client, person, weak, mailoutbox)
    person.refresh_from_db()
    assert not person.check_password(weak)


@pytest.mark.parametrize("door", [change, set_first, reset, change_by_command])
def test_every_door_takes_a_strong_one(client, person, mailoutbox, door):
    door(client, person, "a quite different staple", mailoutbox)
    person.refresh_from_db()
    assert person.check_password("a quite different staple")


@pytest.mark.parametrize("weak", ["passwordpassword", "boss@example.com", "short"])
def test_the_first_member_of_staff_gets_no_weak_password_without_questions(db, monkeypatch, weak):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", weak)
    with pytest.raises(CommandError, match="password"):
        call_command("createsuperuser", "--no-input", "--email", "boss@example.com", verbosity=0)
    assert not User.objects.exists()


def test_nor_by_the_way_around_that_the_command_offers(db):
    terminal = StringIO()
    terminal.isatty = lambda: True
    with (
        patch("getpass.getpass", return_value="passwordpassword"),
        patch("builtins.input", return_value="y"),
        pytest.raises(CommandError, match="easy to guess"),
    ):
        call_command("createsuperuser", "--email", "boss@example.com", stdin=terminal, stderr=StringIO())
    assert not User.objects.exists()


def test_the_first_member_of_staff_is_made_with_a_strong_one(db, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a quite different staple")
    call_command("createsuperuser", "--no-input", "--email", "boss@example.com", verbosity=0)
    assert User.objects.get().check_password("a quite different staple")


@pytest.mark.parametrize("page", ["account_change_password", "account_set_password"])
def test_the_page_says_beforehand_what_is_wanted(client, person, page):
    if page == "account_set_password":
        sign_in_without_password(client, person)
    else:
        client.force_login(person)
    text = client.get(reverse(page)).text
    assert "At least 12 characters; a few uncommon words in a row are hard to guess and easy to remember." in text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "If it was not you, reset your password at once and tell an owner of your billing profile."),
        ("nl", "Was u het niet, stel uw wachtwoord dan meteen opnieuw in"),
    ],
)
def test_a_changed_password_is_told_by_mail_with_an_address_to_press(client, person, mailoutbox, language, words):
    person.language = language
    person.save()
    client.force_login(person)
    new = "a quite different staple"
    client.post(reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": new, "password2": new})
    send_due(at=timezone.now())
    (message,) = mailoutbox
    assert message.to == [person.email]
    assert words in message.body
    assert "http://testserver/account/password/reset/" in message.body.splitlines()
    assert "127.0.0.1" in message.body
