"""The secrets of second factors: not readable in the database, brought over to a new key, and missed without a 500."""

import json
import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from cryptography.fernet import Fernet
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from structlog.testing import capture_logs

from accounts.models import AuditEntry
from accounts.operations import second_factors as operations
from accounts.second_factors import UnreadableSecret, decrypt, encrypt
from tests.factories import TOTP_SECRET, UserFactory, with_second_factor
from tests.second_factors import accept_codes, code_now, secret_on

pytestmark = pytest.mark.django_db
OLD, NEW, LOST = (letter * 40 for letter in "onl")
PASSWORD = "a-long-enough-password"


@pytest.fixture(autouse=True)
def _old_key(settings):
    accept_codes(settings)
    settings.SECOND_FACTOR_KEYS = [OLD]


@pytest.fixture
def person():
    user = UserFactory(email="finance@example.com")
    user.set_password(PASSWORD)
    user.save()
    return with_second_factor(user)


def rotate(capsys):
    call_command("rotate_second_factor_keys")
    return capsys.readouterr().out.strip()


def rows():
    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM mfa_authenticator")
        return " ".join(str(row[0]) for row in cursor.fetchall())


def signs_in(client, person, code):
    client.post(reverse("account_login"), {"login": person.email, "password": PASSWORD})
    client.post(reverse("mfa_authenticate"), {"code": code})
    return "_auth_user_id" in client.session


def test_neither_secret_nor_seed_nor_code_stands_in_the_database(person):
    codes = RecoveryCodes.activate(person)
    moved = UserFactory()
    data = {"migrated_codes": [encrypt("12345678")], "used_mask": 0}
    Authenticator.objects.create(user=moved, type="recovery_codes", data=data)
    stored = rows()
    seed = decrypt(codes.instance.data["seed"])
    for secret in (TOTP_SECRET, seed, "12345678", *codes.generate_codes()):
        assert secret not in stored
    assert RecoveryCodes(Authenticator.objects.get(user=moved)).get_unused_codes() == ["12345678"]


def test_a_security_key_is_kept_as_it_is(capsys, settings):
    """It is the public half: nobody can sign with it."""
    with_second_factor(UserFactory(), "webauthn")
    before = rows()
    settings.SECOND_FACTOR_KEYS = [NEW]
    assert rotate(capsys) == "0 encrypted with the first key, 0 were already."
    assert rows() == before


def test_the_secret_of_an_app_that_is_being_set_up_does_not_stand_in_the_session(client, person):
    Authenticator.objects.all().delete()
    client.force_login(person)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    secret = secret_on(client.get(reverse("mfa_activate_totp")))
    assert secret not in json.dumps(Session.objects.get(pk=client.session.session_key).get_decoded())
    wrong = client.post(reverse("mfa_activate_totp"), {"code": "000000"})
    assert secret_on(wrong) == secret
    assert secret not in json.dumps(Session.objects.get(pk=client.session.session_key).get_decoded())
    assert client.post(reverse("mfa_activate_totp"), {"code": code_now(secret)}).status_code == 302
    assert decrypt(Authenticator.objects.get(user=person, type="totp").data["secret"]) == secret
    assert "mfa.totp.secret" not in client.session


def test_without_a_key_of_its_own_the_secret_key_serves_and_gives_way_to_one(capsys, settings, person, client):
    settings.SECOND_FACTOR_KEYS = []
    Authenticator.objects.update(data={"secret": encrypt(TOTP_SECRET)})
    settings.SECOND_FACTOR_KEYS = [NEW]
    assert decrypt(Authenticator.objects.get().data["secret"]) == TOTP_SECRET
    assert rotate(capsys) == "1 encrypted with the first key, 0 were already."
    settings.SECRET_KEY = "another-" + "s" * 40
    assert signs_in(client, person, code_now())


def test_a_secret_key_that_was_replaced_still_decrypts_as_a_fallback(settings, person):
    settings.SECOND_FACTOR_KEYS = []
    token = encrypt("secret")
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another-" + "s" * 40
    assert decrypt(token) == "secret"


# Rotation ------------------------------------------------------------------------------------------------------------


def test_after_rotation_the_old_key_can_go(capsys, settings, person, client):
    recovery = RecoveryCodes.activate(person).generate_codes()
    Authenticator.objects.create(
        user=UserFactory(), type="recovery_codes", data={"migrated_codes": [encrypt("12345678"), encrypt("87654321")]}
    )
    settings.SECOND_FACTOR_KEYS = [NEW, OLD]
    assert rotate(capsys) == "3 encrypted with the first key, 0 were already."
    settings.SECOND_FACTOR_KEYS = [NEW]
    for authenticator in Authenticator.objects.all():
        for token in re.findall(r"gAAAA[\w=-]+", json.dumps(authenticator.data)):
            decrypt(token)
    assert signs_in(client, person, code_now())
    assert signs_in(Client(), person, recovery[0])


def test_before_rotation_both_keys_serve(settings, person, client):
    settings.SECOND_FACTOR_KEYS = [NEW, OLD]
    assert signs_in(client, person, code_now())


def test_a_second_run_changes_nothing(capsys, settings, person):
    settings.SECOND_FACTOR_KEYS = [NEW, OLD]
    rotate(capsys)
    before = rows()
    assert rotate(capsys) == "0 encrypted with the first key, 1 were already."
    assert rows() == before


def test_rotation_keeps_which_recovery_codes_were_used(capsys, settings, person):
    codes = RecoveryCodes.activate(person)
    first, *others = codes.generate_codes()
    assert codes.validate_code(first)
    settings.SECOND_FACTOR_KEYS = [NEW, OLD]
    rotate(capsys)
    assert RecoveryCodes(Authenticator.objects.get(type="recovery_codes")).get_unused_codes() == others


def test_stopped_half_way_it_goes_on_where_it_was(capsys, settings, monkeypatch):
    monkeypatch.setattr(operations, "BATCH", 2)
    for _index in range(5):
        with_second_factor(UserFactory())
    settings.SECOND_FACTOR_KEYS = [NEW, OLD]
    stopped = operations.rotate_secrets()
    assert next(stopped).encrypted == 2
    stopped.close()
    assert rotate(capsys) == "3 encrypted with the first key, 2 were already."


def test_rows_that_no_key_decrypts_are_named_and_left_and_the_others_done(capsys, settings, person):
    settings.SECOND_FACTOR_KEYS = [LOST]
    unreadable = with_second_factor(UserFactory(email="lost@example.com"))
    row = Authenticator.objects.get(user=unreadable)
    settings.SECOND_FACTOR_KEYS = [NEW, OLD]
    with pytest.raises(CommandError, match="Left as they were: 1"):
        call_command("rotate_second_factor_keys")
    printed = capsys.readouterr()
    assert f"TOTP Authenticator of lost@example.com (row {row.pk})" in printed.err
    assert "finance@example.com" not in printed.err
    assert printed.out.strip() == "1 encrypted with the first key, 0 were already."
    assert row.data["secret"] not in printed.err + printed.out
    row_now = Authenticator.objects.get(pk=row.pk)
    assert row_now.data == row.data


# A secret that no key decrypts ---------------------------------------------------------------------------------------


@pytest.fixture
def lost_key(person, settings):
    EmailAddress.objects.get(user=person)
    RecoveryCodes.activate(person)
    settings.SECOND_FACTOR_KEYS = [LOST]


SENTENCE = "The secret of your second factor cannot be read. Ask us to remove it, then set up a new one."


def test_the_log_is_told_and_the_message_holds_no_secret(settings):
    token = encrypt("the secret")
    settings.SECOND_FACTOR_KEYS = [LOST]
    with pytest.raises(UnreadableSecret) as caught:
        decrypt(token)
    assert str(caught.value) == SENTENCE


def test_who_signs_in_reads_a_sentence(client, person, lost_key):
    client.post(reverse("account_login"), {"login": person.email, "password": PASSWORD})
    page = client.post(reverse("mfa_authenticate"), {"code": code_now()})
    assert page.status_code == 200
    assert SENTENCE in page.text
    assert "_auth_user_id" not in client.session


@pytest.fixture
def lost_app(person):
    """No key decrypts the secret of the app, one does the recovery codes. Returns these."""
    secret = Fernet(Fernet.generate_key()).encrypt(b"secret").decode()
    Authenticator.objects.filter(user=person).update(data={"secret": secret})
    return RecoveryCodes.activate(person).generate_codes()


def test_a_recovery_code_still_signs_in_who_can_then_remove_the_app(client, person, lost_app):
    first, second, third, *_others = lost_app
    assert signs_in(client, person, first)
    assert AuditEntry.objects.get(action="sign_in.succeeded").detail == {"methods": ["password", "recovery_codes"]}
    assert not signs_in(Client(), person, first)
    assert signs_in(Client(), person, second)
    client.post(reverse("mfa_reauthenticate"), {"code": third})
    assert client.post(reverse("mfa_deactivate_totp")).url == reverse("mfa_index")
    assert not Authenticator.objects.filter(user=person, type="totp").exists()


def test_a_wrong_code_beside_an_unreadable_app_is_in_the_audit_and_limited(client, person, lost_app):
    for _try in range(6):
        assert not signs_in(client, person, "00000000")
    entries = AuditEntry.objects.order_by("pk").values_list("action", "person", "detail__methods")
    failed = ("second_factor.failed", person.pk, ["recovery_codes"])
    assert list(entries) == [failed] * 5 + [("second_factor.blocked", person.pk, None)]
    assert not signs_in(client, person, lost_app[0])


def test_a_wrong_code_beside_an_unreadable_app_is_only_wrong(client, person, lost_app):
    """What could be read would have been good, so nobody is sent to us for a slip of the finger."""
    client.post(reverse("account_login"), {"login": person.email, "password": PASSWORD})
    with capture_logs() as logs:
        page = client.post(reverse("mfa_authenticate"), {"code": "00000000"})
    assert page.context["form"].errors["code"] == ["This code is wrong."]
    about_the_key = [line for line in logs if line["event"].startswith("no key decrypts")]
    assert about_the_key
    assert not any("exc_info" in line for line in about_the_key)


def test_a_good_code_beside_an_unreadable_app_ends_the_count_of_wrong_ones(client, person, lost_app):
    for _round in range(2):
        for _try in range(4):
            assert not signs_in(Client(), person, "00000000")
        assert signs_in(Client(), person, lost_app.pop())


def test_unreadable_recovery_codes_are_renewed(client, person):
    codes = {"seed": Fernet(Fernet.generate_key()).encrypt(b"x").decode(), "used_mask": 0}
    Authenticator.objects.create(user=person, type="recovery_codes", data=codes)
    client.force_login(person)
    client.post(reverse("mfa_reauthenticate"), {"code": code_now()})
    page = client.get(reverse("mfa_generate_recovery_codes"))
    assert page.status_code == 200
    assert f'action="{reverse("mfa_generate_recovery_codes")}"' in page.text
    assert client.post(reverse("mfa_generate_recovery_codes")).url == reverse("mfa_view_recovery_codes")
    assert len(Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()) == 10


def test_a_code_of_the_app_still_signs_in_where_the_recovery_codes_are_unreadable(client, person):
    """Also where they are the older row."""
    Authenticator.objects.all().delete()
    codes = {"seed": Fernet(Fernet.generate_key()).encrypt(b"x").decode(), "used_mask": 0}
    Authenticator.objects.create(user=person, type="recovery_codes", data=codes)
    with_second_factor(person)
    assert signs_in(client, person, code_now())


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("mfa_index", 200),
        ("mfa_view_recovery_codes", 403),
        ("mfa_download_recovery_codes", 403),
        ("mfa_generate_recovery_codes", 200),
    ],
)
def test_no_page_fails(client, person, settings, name, status):
    recovery = RecoveryCodes.activate(person).generate_codes()
    client.force_login(person)
    client.post(reverse("mfa_reauthenticate"), {"code": recovery[0]})
    settings.SECOND_FACTOR_KEYS = [LOST]
    page = client.get(reverse(name))
    assert page.status_code == status
    if status == 403:
        assert SENTENCE in page.text
        assert "Roles are given by our staff" not in page.text
    assert SENTENCE in client.post(reverse("mfa_reauthenticate"), {"code": recovery[1]}).text


def test_staff_see_which_cannot_be_used_and_why(admin_client, person, lost_key):
    row = Authenticator.objects.get(user=person, type="totp")
    page = admin_client.get(reverse("admin:mfa_authenticator_change", args=[row.pk]))
    assert "No key of PORTAL_SECOND_FACTOR_KEYS decrypts it" in page.text
    assert row.data["secret"] not in page.text
    assert 'alt="False"' in admin_client.get(reverse("admin:mfa_authenticator_changelist")).text


def test_staff_see_that_the_others_can_and_no_secret(admin_client, person):
    row = Authenticator.objects.get(user=person, type="totp")
    page = admin_client.get(reverse("admin:mfa_authenticator_change", args=[row.pk]))
    assert "Encrypted" in page.text
    assert row.data["secret"] not in page.text
    assert TOTP_SECRET not in page.text
    assert 'alt="False"' not in admin_client.get(reverse("admin:mfa_authenticator_changelist")).text


@pytest.mark.parametrize(
    "lookup", ["data__icontains", "data__secret__startswith", "data", "user__password__startswith"]
)
def test_staff_do_not_search_the_secrets(admin_client, person, lookup):
    page = reverse("admin:mfa_authenticator_changelist")
    assert admin_client.get(page, {lookup: "gAAAA"}).status_code == 400
    assert admin_client.get(page, {"type__exact": "totp"}).status_code == 200
