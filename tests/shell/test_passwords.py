"""Guessing a password is slow, and a password that is easily guessed is not taken."""

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from accounts.mail import send_due
from tests.factories import who_signs_in

PASSWORD = "correct horse battery staple"


@pytest.fixture
def person(db):
    return who_signs_in(PASSWORD, email="manager@example.com")


@pytest.fixture(autouse=True)
def _nobody_tried_before():
    cache.clear()
    yield
    cache.clear()


def is_signed_in(client):
    return "_auth_user_id" in client.session


def try_password(client, person, password):
    return client.post(reverse("account_login"), {"login": person.email, "password": password})


def test_after_five_wrong_passwords_the_right_one_has_to_wait_too(client, person):
    for _try in range(5):
        try_password(client, person, "wrong")
    try_password(client, person, PASSWORD)
    assert not is_signed_in(client)

    cache.clear()  # the pause is over
    try_password(client, person, PASSWORD)
    assert is_signed_in(client)


@pytest.mark.parametrize("weak", ["elephant-7", "1q2w3e4r5t6y", "manager@example.com", "830174920563"])
def test_a_short_a_common_one_ones_own_address_and_mere_digits_are_no_passwords(client, person, weak):
    client.force_login(person)
    answer = client.post(
        reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": weak, "password2": weak}
    )
    assert answer.status_code == 200
    person.refresh_from_db()
    assert person.check_password(PASSWORD)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "If it was not you, reset your password at once and tell an owner of your billing profile:"),
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
