"""Second factors that are added, used, wrong, lost or removed are in the audit, and from where."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.mfa.totp.internal.auth import yield_hotp_counters_from_time as counters
from django.test import Client
from django.urls import reverse

from accounts.access import NotAllowed, access_of
from accounts.models import AuditEntry
from accounts.operations.second_factors import remove_second_factor
from billing_portal.core.mail import send_due
from billing_portal.core.models import OutgoingMail
from tests.factories import NOW, UserFactory
from tests.shell.doors import FIREFOX, actions, confirm, sign_in, the_entry, who


def code_of(secret):
    return format_hotp_value(hotp_value(secret, next(iter(counters()))))


@pytest.fixture
def secret(person):
    """The person has an authenticator app and recovery codes."""
    secret = generate_totp_secret()
    TOTP.activate(person, secret)
    RecoveryCodes.activate(person)
    return secret


def with_code(visitor, code, page="mfa_authenticate"):
    return visitor.post(reverse(page), {"code": code})


@pytest.mark.django_db(transaction=True)
def test_an_app_is_added_with_its_recovery_codes(visitor, person):
    visitor.force_login(person)
    confirm(visitor)
    secret = visitor.get(reverse("mfa_activate_totp")).context["form"].secret
    visitor.post(reverse("mfa_activate_totp"), {"code": code_of(secret)})
    entries = AuditEntry.objects.filter(action="second_factor.added").order_by("pk")
    methods = {entry.detail["methods"][0] for entry in entries}
    assert methods == {"totp", "recovery_codes"}
    assert [(who(entry), entry.ip_address, entry.browser) for entry in entries] == [
        ((person, person, "manager@example.com"), "127.0.0.1", FIREFOX)
    ] * 2
    assert secret not in str([entry.detail for entry in entries])


def test_signing_in_with_a_code_of_the_app(visitor, person, secret):
    sign_in(visitor)
    assert actions() == []
    with_code(visitor, code_of(secret))
    assert the_entry("sign_in.succeeded").detail == {"methods": ["password", "totp"]}


def test_a_wrong_code_after_the_right_password(visitor, person, secret):
    sign_in(visitor)
    with_code(visitor, "000000")
    entry = the_entry("second_factor.failed")
    assert (who(entry), entry.detail) == ((person, None, "manager@example.com"), {"methods": ["totp"]})


def test_too_many_wrong_codes(visitor, person, secret):
    sign_in(visitor)
    for _try in range(8):
        with_code(visitor, "000000")
    assert actions() == ["second_factor.failed"] * 5 + ["second_factor.blocked"]
    assert who(the_entry("second_factor.blocked")) == (person, None, "manager@example.com")


def test_a_wrong_code_at_confirming(visitor, person, secret):
    visitor.force_login(person)
    with_code(visitor, "000000", "mfa_reauthenticate")
    entry = the_entry("reauthentication.failed")
    assert (who(entry), entry.detail) == ((person, person, "manager@example.com"), {"methods": ["totp"]})


def test_too_many_wrong_codes_at_setting_up(visitor, person):
    visitor.force_login(person)
    confirm(visitor)
    visitor.get(reverse("mfa_activate_totp"))
    for _try in range(7):
        with_code(visitor, "000000", "mfa_activate_totp")
    assert who(the_entry("second_factor.blocked")) == (person, person, "manager@example.com")


@pytest.mark.parametrize(
    ("page", "action", "by_person"),
    [
        ("mfa_authenticate", "second_factor.failed", False),
        ("mfa_reauthenticate_webauthn", "reauthentication.failed", True),
    ],
)
def test_a_security_key_that_is_not_theirs(visitor, person, secret, page, action, by_person):
    Authenticator.objects.create(user=person, type="webauthn", data={"name": "Key", "credential": {}})
    if by_person:
        visitor.force_login(person)
    else:
        sign_in(visitor)
    # The key that is stored here cannot be read, so the page that shows the form again cannot be drawn.
    visitor.raise_request_exception = False
    visitor.post(reverse(page), {"credential": '{"id": "somebody else"}'})
    entry = the_entry(action)
    assert who(entry) == (person, person if by_person else None, "manager@example.com")
    assert entry.detail == {"methods": ["webauthn"]}


def test_a_passkey_that_nobody_has(visitor, db):
    visitor.post(reverse("mfa_login_webauthn"), {"credential": '{"id": "somebody else"}'})
    entry = the_entry("sign_in.failed")
    assert (who(entry), entry.detail) == ((None, None, ""), {"methods": ["passkey"]})


def test_a_recovery_code_is_used_up(visitor, person, secret):
    codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    sign_in(visitor)
    with_code(visitor, codes[0])
    entry = the_entry("recovery_code.used")
    assert (who(entry), entry.detail) == ((person, person, "manager@example.com"), {"left": 9})
    assert the_entry("sign_in.succeeded").detail == {"methods": ["password", "recovery_codes"]}


@pytest.mark.django_db(transaction=True)
def test_recovery_codes_are_made_anew(visitor, person, secret):
    visitor.force_login(person)
    with_code(visitor, code_of(secret), "mfa_reauthenticate")
    visitor.post(reverse("mfa_generate_recovery_codes"))
    assert who(the_entry("recovery_codes.renewed")) == (person, person, "manager@example.com")


def test_a_person_removes_their_app_and_with_it_the_recovery_codes(visitor, person, secret):
    visitor.force_login(person)
    with_code(visitor, code_of(secret), "mfa_reauthenticate")
    visitor.post(reverse("mfa_deactivate_totp"))
    entries = AuditEntry.objects.filter(action="second_factor.removed")
    assert {entry.detail["methods"][0] for entry in entries} == {"totp", "recovery_codes"}
    assert {who(entry) for entry in entries} == {(person, person, "manager@example.com")}
    assert not Authenticator.objects.exists()


def test_staff_remove_a_second_factor_and_the_person_is_told_and_signed_out(visitor, person, secret, mailoutbox):
    persons_browser = Client()
    persons_browser.force_login(person)
    chief = UserFactory(is_staff=True, is_superuser=True)
    visitor.force_login(chief)
    factor = Authenticator.objects.get(type="totp")
    visitor.post(reverse("admin:mfa_authenticator_delete", args=[factor.pk]), {"post": "yes"})
    assert not Authenticator.objects.exists()
    entry = the_entry("second_factor.removed")
    assert who(entry) == (person, chief, "manager@example.com")
    assert entry.detail == {"methods": ["totp", "recovery_codes"]}
    assert persons_browser.get(reverse("accounts:scopes")).status_code == 302
    send_due(at=OutgoingMail.objects.get().next_try_at)
    (message,) = mailoutbox
    assert message.to == ["manager@example.com"]
    assert message.subject == "Our staff removed a second factor from your account"
    assert "write to billing@example.com" in message.body
    assert "http://testserver/account/password/reset/" in message.body


def test_a_clerk_who_may_not_remove_a_second_factor_leaves_nothing(visitor, person, secret):
    visitor.force_login(UserFactory(is_staff=True))
    factor = Authenticator.objects.get(type="totp")
    answer = visitor.post(reverse("admin:mfa_authenticator_delete", args=[factor.pk]), {"post": "yes"})
    assert answer.status_code == 403
    assert (Authenticator.objects.count(), AuditEntry.objects.count(), OutgoingMail.objects.count()) == (2, 0, 0)


def test_only_staff_remove_a_second_factor_of_somebody(person, secret):
    factor = Authenticator.objects.get(type="totp")
    with pytest.raises(NotAllowed, match="Only staff may do this"):
        remove_second_factor(access=access_of(person), authenticator_id=factor.pk, at=NOW)
    assert (Authenticator.objects.count(), AuditEntry.objects.count(), OutgoingMail.objects.count()) == (2, 0, 0)
